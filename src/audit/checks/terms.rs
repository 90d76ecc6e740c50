//! Fees, payment terms and reminders: what institutions owe on top of the goods against the rates that were set, what was
//! received of it, until when they pay, and what they were reminded of.

use super::super::dialect::{Dialect, integer, sum};
use super::super::touched::Touched;
use super::{Check, Pair, as_last_named, as_last_worded, as_last_written, only_of_table};

pub fn checks(dialect: Dialect) -> Vec<Check> {
    vec![
        as_last_written(dialect, "fee_rate", "rate_ppm", "a fee rate is the one written to the trail"),
        as_last_worded(
            dialect,
            "fee_rate",
            "from_on",
            "a fee rate is in force from the day written to the trail",
        ),
        fee_by_rate(dialect),
        fee_received(dialect),
        fee_part_as_written(dialect, "payment_fee_part", "payment"),
        fee_part_of_payer(dialect, "payment_fee_part", "payment"),
        fee_part_as_written(dialect, "deposit_use_fee_part", "deposit_use"),
        fee_part_of_payer(dialect, "deposit_use_fee_part", "deposit_use"),
        as_last_written(dialect, "payment_term", "days", "a payment term is the one written to the trail"),
        as_last_worded(
            dialect,
            "payment_term",
            "from_on",
            "a payment term is in force from the day written to the trail",
        ),
        as_last_named(
            dialect,
            "payment_term",
            "institution_id",
            "a payment term is of the institution written to the trail",
        ),
        due_day(dialect),
        reminder_of_settlement(dialect),
        as_last_written(
            dialect,
            "payment_reminder",
            "open_fen",
            "a reminder is of the amount written to the trail",
        ),
        as_last_worded(
            dialect,
            "payment_reminder",
            "raised_on",
            "a reminder was raised on the day written to the trail",
        ),
    ]
}

/// Whole millions of fen first, then the rest, so that no product leaves 64 bits.
fn fee_by_rate(dialect: Dialect) -> Check {
    let rate = "coalesce((select r.rate_ppm from fee_rate r
                          where r.county_code = s.county_code and r.from_on <= s.settled_on
                          order by r.from_on desc, r.created_at desc, r.id desc limit 1), 0)";
    Check {
        invariant: 4,
        table: "settlement",
        what: "a settlement's fee is the rate of its day of what the households are owed, rounded half up once",
        key: dialect.id_text("s.id"),
        pairs: vec![Pair::new(
            "fee_fen",
            "s.fee_fen",
            format!(
                "(s.amount_fen / 1000000) * {rate} + ((s.amount_fen % 1000000) * {rate} + 500000) / 1000000"
            ),
        )],
        source: format!("settlement s where {}", dialect.only(Touched::Settlement, "s.id")),
    }
}

fn fee_received(dialect: Dialect) -> Check {
    let amount = sum("part.amount_fen");
    Check {
        invariant: 5,
        table: "settlement",
        what: "what was received of a fee is the sum of its parts of payments and of uses of deposits that stand",
        key: dialect.id_text("s.id"),
        pairs: vec![Pair::new("fee_received_fen", "s.fee_received_fen", "coalesce(t.amount, 0)")],
        source: format!(
            "settlement s left join (
                select part.settlement_id, {amount} as amount from (
                    select paid.settlement_id, paid.amount_fen
                    from payment_fee_part paid join payment p on p.id = paid.payment_id
                    where p.state = 'recorded' and {paid}
                    union all
                    select used.settlement_id, used.amount_fen
                    from deposit_use_fee_part used join deposit_use u on u.id = used.deposit_use_id
                    where u.state = 'recorded' and {used}
                ) part group by part.settlement_id
             ) t on t.settlement_id = s.id where {settlements}",
            paid = dialect.only(Touched::Settlement, "paid.settlement_id"),
            used = dialect.only(Touched::Settlement, "used.settlement_id"),
            settlements = dialect.only(Touched::Settlement, "s.id")
        ),
    }
}

/// `whole/settlement`: a fee part has no id of its own.
fn fee_part_key(dialect: Dialect, whole: &str) -> String {
    format!(
        "{} || '/' || {}",
        dialect.id_text(&format!("part.{whole}_id")),
        dialect.id_text("part.settlement_id")
    )
}

fn fee_part_as_written(dialect: Dialect, table: &'static str, whole: &'static str) -> Check {
    let fees = dialect.items("event.after_json", "fees", "item");
    let (settlement, amount) =
        (dialect.id("item.value", "settlement_id"), integer("item.value", "amount_fen"));
    Check {
        invariant: 8,
        table,
        what: "what was paid of a fee is what was written to the trail",
        key: fee_part_key(dialect, whole),
        pairs: vec![Pair::new("amount_fen", "part.amount_fen", "claim.amount_fen")],
        source: format!(
            "{table} part left join (
                select event.subject_id, {settlement} as settlement_id, {amount} as amount_fen
                from audit_event event {fees} where event.subject_kind = '{whole}' and {}
             ) claim on claim.subject_id = part.{whole}_id and claim.settlement_id = part.settlement_id
             where {}",
            only_of_table(dialect, whole, "event.subject_id"),
            only_of_table(dialect, whole, &format!("part.{whole}_id"))
        ),
    }
}

fn fee_part_of_payer(dialect: Dialect, table: &'static str, whole: &'static str) -> Check {
    Check {
        invariant: 4,
        table,
        what: "money pays fees of settlements of the institution that paid",
        key: fee_part_key(dialect, whole),
        pairs: vec![Pair::new(
            "institution_id",
            dialect.id_text("p.institution_id"),
            dialect.id_text("s.institution_id"),
        )],
        source: format!(
            "{table} part left join {whole} p on p.id = part.{whole}_id
             left join settlement s on s.id = part.settlement_id where {}",
            only_of_table(dialect, whole, &format!("part.{whole}_id"))
        ),
    }
}

/// What was settled before the trail told due days has nothing to be compared with.
fn due_day(dialect: Dialect) -> Check {
    let mut check = as_last_worded(
        dialect,
        "settlement",
        "due_on",
        "a settlement is due on the day written to the trail",
    );
    for pair in &mut check.pairs {
        pair.recomputed = format!("coalesce({}, {})", pair.recomputed, pair.stored);
    }
    check
}

fn reminder_of_settlement(dialect: Dialect) -> Check {
    Check {
        invariant: 10,
        table: "payment_reminder",
        what: "a reminder is of the due day and the institution of its settlement, 7, 3 or 0 days before or whole weeks after",
        key: dialect.id_text("r.id"),
        pairs: vec![
            Pair::new("due_on", "r.due_on", "s.due_on"),
            Pair::new(
                "institution_id",
                dialect.id_text("r.institution_id"),
                dialect.id_text("s.institution_id"),
            ),
            Pair::new("county_code", "r.county_code", "s.county_code"),
            Pair::new(
                "step",
                "r.step",
                "case when r.step in (-7, -3, 0) or r.step > 0 and r.step % 7 = 0 then r.step end",
            ),
        ],
        source: format!(
            "payment_reminder r left join settlement s on s.id = r.settlement_id where {}",
            dialect.only(Touched::PaymentReminder, "r.id")
        ),
    }
}
