//! Payments and payouts: amounts against their parts, their batches and the trail.

use super::super::dialect::{Dialect, integer, sum};
use super::super::touched::Touched;
use super::{Check, Pair, as_last_named, as_last_worded, as_last_written, only_of_table};

pub fn checks(dialect: Dialect) -> Vec<Check> {
    vec![
        payment_sum(dialect),
        as_last_written(
            dialect,
            "payment",
            "amount_fen",
            "a payment's amount is the one written to the trail",
        ),
        as_last_written(
            dialect,
            "payment",
            "deposited_fen",
            "what a payment left as a deposit is what was written to the trail",
        ),
        as_last_named(dialect, "payment", "institution_id", "a payment came from whom the trail says"),
        as_last_worded(dialect, "payment", "number", "a payment has the number written to the trail"),
        as_last_worded(dialect, "payment", "received_on", "a payment came on the day written to the trail"),
        as_last_worded(dialect, "payment", "state", "a payment stands or not as last written to the trail"),
        part_as_written(dialect, "payment_part", "payment"),
        part_of_settlement(dialect, "payment_part", "payment"),
        payout_sum(dialect),
        as_last_written(dialect, "payout", "amount_fen", "a payout's amount is the one written to the trail"),
        as_last_named(dialect, "payout", "batch_id", "a payout is in the batch written to the trail"),
        as_last_worded(dialect, "payout", "state", "a payout's state is the one last written to the trail"),
        part_as_written(dialect, "payout_part", "payout"),
        batch_sum(dialect),
        as_last_written(
            dialect,
            "payout_batch",
            "amount_fen",
            "a payout batch's amount is the one written to the trail",
        ),
        as_last_worded(
            dialect,
            "payout_batch",
            "number",
            "a payout batch has the number written to the trail",
        ),
        as_last_worded(
            dialect,
            "payout_batch",
            "up_to",
            "a payout batch reaches to the day written to the trail",
        ),
        as_last_worded(
            dialect,
            "payout_batch",
            "state",
            "a payout batch's state is the one last written to the trail",
        ),
        batch_people(dialect),
        payout_household(dialect),
        payout_state(dialect),
        payout_payee(dialect),
    ]
}

fn payment_sum(dialect: Dialect) -> Check {
    let amount = sum("part.amount_fen");
    Check {
        invariant: 4,
        table: "payment",
        what: "a payment is the sum of its parts, of the fees it paid and of what it left as a deposit",
        key: dialect.id_text("p.id"),
        pairs: vec![Pair::new(
            "amount_fen",
            "p.amount_fen",
            "coalesce(t.amount, 0) + coalesce(fees.amount, 0) + p.deposited_fen",
        )],
        source: format!(
            "payment p left join (
                select part.payment_id, {amount} as amount from payment_part part where {only}
                group by part.payment_id
             ) t on t.payment_id = p.id left join (
                select part.payment_id, {amount} as amount from payment_fee_part part where {only}
                group by part.payment_id
             ) fees on fees.payment_id = p.id where {}",
            dialect.only(Touched::Payment, "p.id"),
            only = dialect.only(Touched::Payment, "part.payment_id")
        ),
    }
}

/// Parts have no id of their own: their key is `whole/settlement line`.
pub(super) fn part_as_written(dialect: Dialect, table: &'static str, whole: &'static str) -> Check {
    let parts = dialect.items("event.after_json", "parts", "item");
    let (line, amount) =
        (dialect.id("item.value", "settlement_line_id"), integer("item.value", "amount_fen"));
    Check {
        invariant: 8,
        table,
        what: "a part's amount is the one written to the trail",
        key: format!(
            "{} || '/' || {}",
            dialect.id_text(&format!("part.{whole}_id")),
            dialect.id_text("part.settlement_line_id")
        ),
        pairs: vec![Pair::new("amount_fen", "part.amount_fen", "claim.amount_fen")],
        source: format!(
            "{table} part left join (
                select event.subject_id, {line} as settlement_line_id, {amount} as amount_fen
                from audit_event event {parts} where event.subject_kind = '{whole}' and {}
             ) claim on claim.subject_id = part.{whole}_id
                    and claim.settlement_line_id = part.settlement_line_id
             where {}",
            only_of_table(dialect, whole, "event.subject_id"),
            only_of_table(dialect, whole, &format!("part.{whole}_id"))
        ),
    }
}

pub(super) fn part_of_settlement(dialect: Dialect, table: &'static str, whole: &'static str) -> Check {
    let ids = |column, stored: &str, recomputed: &str| {
        Pair::new(column, dialect.id_text(stored), dialect.id_text(recomputed))
    };
    Check {
        invariant: 4,
        table,
        what: "a part of a payment settles a line of the settlement it names, of the institution that paid",
        key: format!(
            "{} || '/' || {}",
            dialect.id_text(&format!("part.{whole}_id")),
            dialect.id_text("part.settlement_line_id")
        ),
        pairs: vec![
            ids("settlement_id", "part.settlement_id", "l.settlement_id"),
            ids("institution_id", "p.institution_id", "l.institution_id"),
        ],
        source: format!(
            "{table} part left join {whole} p on p.id = part.{whole}_id
             left join settlement_line l on l.id = part.settlement_line_id where {}",
            only_of_table(dialect, whole, &format!("part.{whole}_id"))
        ),
    }
}

fn payout_sum(dialect: Dialect) -> Check {
    let amount = sum("part.amount_fen");
    Check {
        invariant: 5,
        table: "payout",
        what: "a payout is the sum of its parts",
        key: dialect.id_text("p.id"),
        pairs: vec![Pair::new("amount_fen", "p.amount_fen", "coalesce(t.amount, 0)")],
        source: format!(
            "payout p left join (
                select part.payout_id, {amount} as amount from payout_part part where {} group by part.payout_id
             ) t on t.payout_id = p.id where {}",
            dialect.only(Touched::Payout, "part.payout_id"),
            dialect.only(Touched::Payout, "p.id")
        ),
    }
}

fn batch_sum(dialect: Dialect) -> Check {
    let amount = sum("p.amount_fen");
    Check {
        invariant: 5,
        table: "payout_batch",
        what: "a payout batch is the sum of its payouts, and counts them",
        key: dialect.id_text("b.id"),
        pairs: vec![
            Pair::new("amount_fen", "b.amount_fen", "coalesce(t.amount, 0)"),
            Pair::new("payout_count", "b.payout_count", "coalesce(t.payouts, 0)"),
        ],
        source: format!(
            "payout_batch b left join (
                select p.batch_id, {amount} as amount, count(*) as payouts from payout p where {}
                group by p.batch_id
             ) t on t.batch_id = b.id where {}",
            dialect.only(Touched::PayoutBatch, "p.batch_id"),
            dialect.only(Touched::PayoutBatch, "b.id")
        ),
    }
}

fn payout_state(dialect: Dialect) -> Check {
    let fits = "(b.state = 'drafted' and p.state = 'drafted')
        or (b.state = 'approved' and p.state in ('instructed', 'paid', 'returned'))
        or (b.state = 'executed' and p.state in ('paid', 'returned'))";
    let is_set = |column: &str| format!("case when p.{column} is null then 'none' else 'entry' end");
    let is_due = |states: &str| format!("case when p.state in ({states}) then 'entry' else 'none' end");
    Check {
        invariant: 3,
        table: "payout",
        what: "a payout's state fits its batch, and every step of it has its ledger entry",
        key: dialect.id_text("p.id"),
        pairs: vec![
            Pair::new(
                "state",
                "p.state",
                format!("case when {fits} then p.state else 'one that fits a batch that is ' || b.state end"),
            ),
            Pair::new(
                "instruction_entry_id",
                is_set("instruction_entry_id"),
                is_due("'instructed', 'paid', 'returned'"),
            ),
            Pair::new("result_entry_id", is_set("result_entry_id"), is_due("'paid', 'returned'")),
        ],
        source: format!(
            "payout p left join payout_batch b on b.id = p.batch_id where {}",
            dialect.only(Touched::Payout, "p.id")
        ),
    }
}

fn batch_people(dialect: Dialect) -> Check {
    Check {
        invariant: 5,
        table: "payout_batch",
        what: "a payout batch is approved by somebody else than its maker",
        key: dialect.id_text("b.id"),
        pairs: vec![Pair::new(
            "approved_by",
            "case when b.approved_by is null then 'nobody' when b.approved_by = b.made_by then 'its maker'
                  else 'somebody else' end",
            "case when b.state = 'drafted' then 'nobody' else 'somebody else' end",
        )],
        source: format!("payout_batch b where {}", dialect.only(Touched::PayoutBatch, "b.id")),
    }
}

fn payout_household(dialect: Dialect) -> Check {
    let owed = dialect.id_text("l.household_id");
    Check {
        invariant: 5,
        table: "payout",
        what: "a payout goes to the one household that all its lines are owed to",
        key: dialect.id_text("p.id"),
        pairs: vec![
            Pair::new("household_id", dialect.id_text("p.household_id"), "t.first"),
            Pair::new("household_id", dialect.id_text("p.household_id"), "t.last"),
        ],
        source: format!(
            "payout p left join (
                select part.payout_id, min({owed}) as first, max({owed}) as last
                from payout_part part join settlement_line l on l.id = part.settlement_line_id where {}
                group by part.payout_id
             ) t on t.payout_id = p.id where {}",
            dialect.only(Touched::Payout, "part.payout_id"),
            dialect.only(Touched::Payout, "p.id")
        ),
    }
}

fn payout_payee(dialect: Dialect) -> Check {
    Check {
        invariant: 5,
        table: "payout_part",
        what: "a payout goes to the household that its lines are owed to",
        key: format!(
            "{} || '/' || {}",
            dialect.id_text("part.payout_id"),
            dialect.id_text("part.settlement_line_id")
        ),
        pairs: vec![Pair::new(
            "payout_id",
            dialect.id_text("p.household_id"),
            dialect.id_text("l.household_id"),
        )],
        source: format!(
            "payout_part part left join payout p on p.id = part.payout_id
             left join settlement_line l on l.id = part.settlement_line_id where {}",
            dialect.only(Touched::Payout, "part.payout_id")
        ),
    }
}
