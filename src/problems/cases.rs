//! The query of every rule: its cases, as rows of one shape. A new rule is a variant with its duty in `rules.rs`, a query
//! here and a story in the tests. Only reads.
//!
//! A query takes one parameter, `$1`: the day by which a case must have begun ([`Rule::begun_by`]). It answers
//! `subject_id`, `county_code`, `region_code`, `household_id`, `institution_id`, `began_on`, `paper`, `amount_fen` and
//! `remark`, one row per subject, and finds its rows by an index, so that running it often costs little.

use super::rules::Rule;

/// The cases of a rule; none for what persons raise, and for what the audit and
/// the banks tell (`differences.rs`).
#[must_use]
pub const fn query(rule: Rule) -> Option<&'static str> {
    match rule {
        Rule::ByHand
        | Rule::AuditDifference
        | Rule::BankBalanceDiffers
        | Rule::StatementLineUnmatched
        | Rule::BookedNotAtBank => None,
        Rule::PayoutUnknown => Some(PAYOUT_UNKNOWN),
        Rule::PayoutReturned => Some(PAYOUT_RETURNED),
        Rule::PaymentOverdue => Some(PAYMENT_OVERDUE),
    }
}

/// What came back is payable again, so the next batch takes it. The case ends when a payout of a batch made since is
/// paid; when that one comes back too, it is the newer case.
const PAYOUT_RETURNED: &str = "
    select payout.id as subject_id, payout.county_code, household.village_code as region_code,
           payout.household_id, null as institution_id, result.occurred_on as began_on, batch.number as paper,
           payout.amount_fen, payout.return_reason as remark
    from payout
    join payout_batch batch on batch.id = payout.batch_id
    join household on household.id = payout.household_id
    join ledger_entry result on result.id = payout.result_entry_id
    where payout.state = 'returned' and result.occurred_on <= $1
      and exists (
          select 1 from payout_part part
          where part.payout_id = payout.id and not exists (
              select 1 from payout_part later
              join payout again on again.id = later.payout_id
              join payout_batch next on next.id = again.batch_id
              where later.settlement_line_id = part.settlement_line_id and again.id <> payout.id
                and again.state in ('paid', 'returned') and next.made_at >= result.created_at))";

/// The day of the instruction counts: since then the household waits. Any result ends the case.
const PAYOUT_UNKNOWN: &str = "
    select payout.id as subject_id, payout.county_code, household.village_code as region_code,
           payout.household_id, null as institution_id, instruction.occurred_on as began_on, batch.number as paper,
           payout.amount_fen, '' as remark
    from payout
    join payout_batch batch on batch.id = payout.batch_id
    join household on household.id = payout.household_id
    join ledger_entry instruction on instruction.id = payout.instruction_entry_id
    where payout.unknown_since is not null and payout.state = 'instructed' and instruction.occurred_on <= $1";

const PAYMENT_OVERDUE: &str = "
    select settlement.id as subject_id, settlement.county_code, institution.region_code,
           null as household_id, settlement.institution_id, settlement.due_on as began_on,
           settlement.number as paper,
           settlement.amount_fen + settlement.fee_fen - settlement.received_fen - settlement.fee_received_fen
               as amount_fen,
           institution.name as remark
    from settlement join institution on institution.id = settlement.institution_id
    where settlement.received_fen + settlement.fee_received_fen < settlement.amount_fen + settlement.fee_fen
      and settlement.due_on <= $1";
