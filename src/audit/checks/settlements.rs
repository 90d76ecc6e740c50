//! Settlements: lines against acceptances, prices, payments and payouts; totals against lines.

use super::super::dialect::{Dialect, sum};
use super::{Check, Pair, as_claimed, as_last_written, claims};

pub fn checks(dialect: Dialect) -> Vec<Check> {
    vec![
        settlement_sums(dialect),
        as_last_written(
            dialect,
            "settlement",
            "amount_fen",
            "a settlement's amount is the one written to the trail",
        ),
        line_as_settled(dialect),
        line_as_accepted(dialect),
        line_amount(dialect),
        line_received(dialect),
        line_paid_out(dialect),
        paid_within_received(dialect),
        acceptance_settled(dialect),
    ]
}

fn settlement_sums(dialect: Dialect) -> Check {
    let (amount, received) = (sum("l.amount_fen"), sum("l.received_fen"));
    Check {
        invariant: 4,
        table: "settlement",
        what: "what an institution owes and has paid is the sum over the households' lines",
        key: dialect.id_text("s.id"),
        pairs: vec![
            Pair::new("amount_fen", "s.amount_fen", "coalesce(t.amount, 0)"),
            Pair::new("received_fen", "s.received_fen", "coalesce(t.received, 0)"),
        ],
        source: format!(
            "settlement s left join (
                select l.settlement_id, {amount} as amount, {received} as received
                from settlement_line l group by l.settlement_id
             ) t on t.settlement_id = s.id"
        ),
    }
}

fn line_as_settled(dialect: Dialect) -> Check {
    let figures = ["quantity_base", "price_fen", "amount_fen"];
    let lines = dialect.items("event.after_json", "lines", "item");
    let claimed = claims(dialect, "settlement", &lines, &figures, "quantity_base");
    Check {
        invariant: 8,
        table: "settlement_line",
        what: "a settlement line's figures are those the trail says were settled",
        key: dialect.id_text("l.id"),
        pairs: as_claimed("l", "claim", &figures),
        source: format!("settlement_line l left join ({claimed}) claim on claim.id = l.id"),
    }
}

fn line_as_accepted(dialect: Dialect) -> Check {
    Check {
        invariant: 4,
        table: "settlement_line",
        what: "a settlement line pays the allocation's household its price for what was accepted",
        key: dialect.id_text("l.id"),
        pairs: vec![
            Pair::new("quantity_base", "l.quantity_base", "d.accepted_base"),
            Pair::new("price_fen", "l.price_fen", "a.price_fen"),
            Pair::new("pricing_unit", "l.pricing_unit", "a.pricing_unit"),
            Pair::new("household_id", dialect.id_text("l.household_id"), dialect.id_text("a.household_id")),
            Pair::new(
                "allocation_id",
                dialect.id_text("l.allocation_id"),
                dialect.id_text("d.allocation_id"),
            ),
        ],
        source: "settlement_line l left join delivery_line d on d.id = l.delivery_line_id
                 left join allocation a on a.id = l.allocation_id"
            .to_owned(),
    }
}

fn line_amount(dialect: Dialect) -> Check {
    Check {
        invariant: 4,
        table: "settlement_line",
        what: "a settlement line's amount is price times accepted quantity, rounded half up once",
        key: dialect.id_text("l.id"),
        pairs: vec![Pair::new(
            "amount_fen",
            "l.amount_fen",
            dialect.amount("l.price_fen", "l.quantity_base", "l.pricing_unit"),
        )],
        source: "settlement_line l".to_owned(),
    }
}

fn line_received(dialect: Dialect) -> Check {
    let amount = sum("part.amount_fen");
    Check {
        invariant: 5,
        table: "settlement_line",
        what: "what was received for a line is the sum of its parts of payments that stand",
        key: dialect.id_text("l.id"),
        pairs: vec![Pair::new("received_fen", "l.received_fen", "coalesce(t.amount, 0)")],
        source: format!(
            "settlement_line l left join (
                select part.settlement_line_id, {amount} as amount
                from payment_part part join payment p on p.id = part.payment_id
                where p.state = 'recorded' group by part.settlement_line_id
             ) t on t.settlement_line_id = l.id"
        ),
    }
}

/// A drafted payout counts: it reserves the money, so that no second batch pays it again.
fn line_paid_out(dialect: Dialect) -> Check {
    let amount = sum("part.amount_fen");
    Check {
        invariant: 5,
        table: "settlement_line",
        what: "what was paid out for a line is the sum of its parts of payouts that were not returned",
        key: dialect.id_text("l.id"),
        pairs: vec![Pair::new("paid_out_fen", "l.paid_out_fen", "coalesce(t.amount, 0)")],
        source: format!(
            "settlement_line l left join (
                select part.settlement_line_id, {amount} as amount
                from payout_part part join payout p on p.id = part.payout_id
                where p.state <> 'returned' group by part.settlement_line_id
             ) t on t.settlement_line_id = l.id"
        ),
    }
}

fn paid_within_received(dialect: Dialect) -> Check {
    let (received, paid) = (sum("l.received_fen"), sum("l.paid_out_fen"));
    Check {
        invariant: 5,
        table: "household",
        what: "no household is paid out more than was received for it",
        key: dialect.id_text("t.household_id"),
        pairs: vec![Pair::new(
            "paid_out_fen",
            "t.paid",
            "case when t.paid <= t.received then t.paid else t.received end",
        )],
        source: format!(
            "(select l.household_id, {received} as received, {paid} as paid
              from settlement_line l group by l.household_id) t"
        ),
    }
}

/// A line of which nothing was accepted settles nothing and needs no settlement line.
fn acceptance_settled(dialect: Dialect) -> Check {
    Check {
        invariant: 4,
        table: "delivery_line",
        what: "everything accepted is settled, in the settlement of its acceptance",
        key: dialect.id_text("d.id"),
        pairs: vec![Pair::new(
            "accepted_base",
            "d.accepted_base",
            "case when d.accepted_base is not null
                  then coalesce(case when s.acceptance_id = c.id then l.quantity_base end, 0) end",
        )],
        source: "delivery_line d left join acceptance c on c.delivery_id = d.delivery_id
                 left join settlement_line l on l.delivery_line_id = d.id
                 left join settlement s on s.id = l.settlement_id"
            .to_owned(),
    }
}
