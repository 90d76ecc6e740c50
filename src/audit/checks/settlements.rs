//! Settlements: lines against acceptances, prices, payments and payouts; totals against lines.

use super::super::dialect::{Dialect, sum};
use super::super::touched::Touched;
use super::{Check, Pair, as_claimed, as_last_named, as_last_worded, as_last_written, claims};

pub fn checks(dialect: Dialect) -> Vec<Check> {
    vec![
        settlement_sums(dialect),
        settlement_of_acceptance(dialect),
        as_last_named(dialect, "settlement", "institution_id", "a settlement is owed by whom the trail says"),
        as_last_worded(dialect, "settlement", "number", "a settlement has the number written to the trail"),
        line_of_settlement(dialect),
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
                from settlement_line l where {} group by l.settlement_id
             ) t on t.settlement_id = s.id where {}",
            dialect.only(Touched::Settlement, "l.settlement_id"),
            dialect.only(Touched::Settlement, "s.id")
        ),
    }
}

fn settlement_of_acceptance(dialect: Dialect) -> Check {
    let ids = |column, stored: &str, recomputed: &str| {
        Pair::new(column, dialect.id_text(stored), dialect.id_text(recomputed))
    };
    Check {
        invariant: 4,
        table: "settlement",
        what: "a settlement is of the order and the day of its acceptance",
        key: dialect.id_text("s.id"),
        pairs: vec![
            ids("acceptance_id", "s.acceptance_id", "c.id"),
            ids("order_id", "s.order_id", "o.id"),
            ids("institution_id", "s.institution_id", "o.institution_id"),
            Pair::new("county_code", "s.county_code", "o.county_code"),
            Pair::new("settled_on", "s.settled_on", "c.accepted_on"),
        ],
        source: format!(
            "settlement s left join acceptance c on c.id = s.acceptance_id
             left join delivery d on d.id = c.delivery_id left join purchase_order o on o.id = d.order_id
             where {}",
            dialect.only(Touched::Settlement, "s.id")
        ),
    }
}

/// The facts that reports group by.
fn line_of_settlement(dialect: Dialect) -> Check {
    let ids = |column, stored: &str, recomputed: &str| {
        Pair::new(column, dialect.id_text(stored), dialect.id_text(recomputed))
    };
    Check {
        invariant: 10,
        table: "settlement_line",
        what: "a settlement line has the institution, county and day of its settlement, and its lot's product",
        key: dialect.id_text("l.id"),
        pairs: vec![
            ids("institution_id", "l.institution_id", "s.institution_id"),
            Pair::new("county_code", "l.county_code", "s.county_code"),
            Pair::new("sold_on", "l.sold_on", "s.settled_on"),
            ids("product_id", "l.product_id", "lot.product_id"),
        ],
        source: format!(
            "settlement_line l left join settlement s on s.id = l.settlement_id
             left join allocation a on a.id = l.allocation_id left join lot on lot.id = a.lot_id where {}",
            dialect.only(Touched::Settlement, "l.settlement_id")
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
        source: format!(
            "settlement_line l left join ({claimed}) claim on claim.id = l.id where {}",
            dialect.only(Touched::Settlement, "l.settlement_id")
        ),
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
        source: format!(
            "settlement_line l left join delivery_line d on d.id = l.delivery_line_id
             left join allocation a on a.id = l.allocation_id where {}",
            dialect.only(Touched::Settlement, "l.settlement_id")
        ),
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
        source: format!("settlement_line l where {}", dialect.only(Touched::Settlement, "l.settlement_id")),
    }
}

fn line_received(dialect: Dialect) -> Check {
    let amount = sum("part.amount_fen");
    Check {
        invariant: 5,
        table: "settlement_line",
        what: "what was received for a line is the sum of its parts of payments and of uses of deposits that stand",
        key: dialect.id_text("l.id"),
        pairs: vec![Pair::new("received_fen", "l.received_fen", "coalesce(t.amount, 0)")],
        source: format!(
            "settlement_line l left join (
                select part.settlement_line_id, {amount} as amount from (
                    select paid.settlement_line_id, paid.amount_fen
                    from payment_part paid join payment p on p.id = paid.payment_id
                    where p.state = 'recorded' and {paid}
                    union all
                    select used.settlement_line_id, used.amount_fen
                    from deposit_use_part used join deposit_use u on u.id = used.deposit_use_id
                    where u.state = 'recorded' and {used}
                ) part group by part.settlement_line_id
             ) t on t.settlement_line_id = l.id where {lines}",
            paid = dialect.only(Touched::SettlementLine, "paid.settlement_line_id"),
            used = dialect.only(Touched::SettlementLine, "used.settlement_line_id"),
            lines = dialect.only(Touched::SettlementLine, "l.id")
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
                where p.state <> 'returned' and {} group by part.settlement_line_id
             ) t on t.settlement_line_id = l.id where {}",
            dialect.only(Touched::SettlementLine, "part.settlement_line_id"),
            dialect.only(Touched::SettlementLine, "l.id")
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
              from settlement_line l where {} group by l.household_id) t",
            dialect.only(Touched::Payee, "l.household_id")
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
        source: format!(
            "delivery_line d left join acceptance c on c.delivery_id = d.delivery_id
             left join settlement_line l on l.delivery_line_id = d.id
             left join settlement s on s.id = l.settlement_id where {}",
            dialect.only(Touched::Delivery, "d.delivery_id")
        ),
    }
}
