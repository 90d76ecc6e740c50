//! What a bank was told of payouts and answered: payees that are frozen, results that are not known, reasons of returns,
//! and households that a batch left out.

use super::super::dialect::{Dialect, integer};
use super::super::touched::Touched;
use super::{Check, Pair, as_last_named, as_last_told, as_last_worded, as_last_written};

pub fn checks(dialect: Dialect) -> Vec<Check> {
    vec![
        frozen_payees(dialect),
        as_last_worded(
            dialect,
            "payout_batch",
            "debtor_name",
            "a payout batch is paid from the account written to the trail",
        ),
        as_last_worded(
            dialect,
            "payout_batch",
            "debtor_bank",
            "a payout batch is paid from the bank written to the trail",
        ),
        as_last_worded(
            dialect,
            "payout",
            "return_code",
            "money came back for the reason last written to the trail",
        ),
        unknown(dialect),
        retry(dialect),
        as_last_written(
            dialect,
            "payout_left_out",
            "amount_fen",
            "what waited for a household that was left out is what was written to the trail",
        ),
        as_last_named(
            dialect,
            "payout_left_out",
            "batch_id",
            "a household was left out of the batch written to the trail",
        ),
        as_last_named(
            dialect,
            "payout_left_out",
            "household_id",
            "a household that was left out is the one written to the trail",
        ),
        as_last_worded(
            dialect,
            "payout_left_out",
            "reason",
            "a household was left out for the reason written to the trail",
        ),
    ]
}

/// A file for the bank names every payout or is refused, so none may lose its payee. Batches that were approved before
/// payees were frozen have none.
fn frozen_payees(dialect: Dialect) -> Check {
    Check {
        invariant: 5,
        table: "payout_batch",
        what: "as many payees of a batch are frozen as its approval wrote to the trail",
        key: dialect.id_text("b.id"),
        pairs: vec![Pair::new("payout_count", "coalesce(t.payees, 0)", "coalesce(claim.payees, 0)")],
        source: format!(
            "payout_batch b left join (
                select p.batch_id, count(*) as payees
                from payout_payee f join payout p on p.id = f.payout_id where {} group by p.batch_id
             ) t on t.batch_id = b.id
             left join (
                select event.subject_id, max({}) as payees from audit_event event
                where event.subject_kind = 'payout_batch' and {} group by event.subject_id
             ) claim on claim.subject_id = b.id where {}",
            dialect.only(Touched::Payout, "p.id"),
            integer("event.after_json", "frozen_payees"),
            dialect.only(Touched::PayoutBatch, "event.subject_id"),
            dialect.only(Touched::PayoutBatch, "b.id")
        ),
    }
}

/// Events that do not speak of certainty are of payouts that are known.
fn unknown(dialect: Dialect) -> Check {
    as_last_told(
        dialect,
        "payout",
        ("unknown_since", "case when written.unknown_since is null then 'known' else 'unknown' end"),
        |event| format!("coalesce({event}.after_json->>'certainty', 'known')"),
        "a payout is unknown when the trail says so last",
    )
}

fn retry(dialect: Dialect) -> Check {
    as_last_told(
        dialect,
        "payout",
        ("retry_allowed_at", "case when written.retry_allowed_at is null then 'none' else 'allowed' end"),
        |event| format!("coalesce({event}.after_json->>'retry', 'none')"),
        "a payout may be tried again when the trail says so last",
    )
}
