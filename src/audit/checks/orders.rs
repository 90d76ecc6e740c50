//! Orders: lines against their allocations, amounts against prices, and both against what the trail says was placed.

use super::super::dialect::{Dialect, sum};
use super::super::touched::Touched;
use super::{Check, Pair, as_claimed, as_last_written, claims};

pub fn checks(dialect: Dialect) -> Vec<Check> {
    vec![
        line_sums(dialect),
        order_sum(dialect),
        as_last_written(
            dialect,
            "purchase_order",
            "amount_fen",
            "an order's amount is the one written to the trail",
        ),
        order_state(dialect),
        as_last_written(dialect, "purchase_order", "rating", "an order's rating is the one in the trail"),
        line_as_placed(dialect),
        allocation_as_placed(dialect),
        allocation_amount(dialect),
        allocation_owner(dialect),
        allocation_state(dialect),
    ]
}

/// Replacements of later rounds stand in for what was missing of the first, so the first round alone fills the line.
fn line_sums(dialect: Dialect) -> Check {
    let (quantity, amount) = (sum("a.quantity_base"), sum("a.amount_fen"));
    Check {
        invariant: 2,
        table: "order_line",
        what: "a line's allocations and its shortfall sum to its quantity, their amounts to its amount",
        key: dialect.id_text("l.id"),
        pairs: vec![
            Pair::new("quantity_base", "l.quantity_base", "coalesce(t.quantity, 0) + l.shortfall_base"),
            Pair::new("amount_fen", "l.amount_fen", "coalesce(t.amount, 0)"),
        ],
        source: format!(
            "order_line l left join (
                select a.line_id, {quantity} as quantity, {amount} as amount
                from allocation a where a.round = 1 and {} group by a.line_id
             ) t on t.line_id = l.id where {}",
            dialect.only(Touched::Order, "a.order_id"),
            dialect.only(Touched::Order, "l.order_id")
        ),
    }
}

fn order_sum(dialect: Dialect) -> Check {
    let amount = sum("l.amount_fen");
    Check {
        invariant: 10,
        table: "purchase_order",
        what: "an order's amount is the sum of its lines",
        key: dialect.id_text("o.id"),
        pairs: vec![Pair::new("amount_fen", "o.amount_fen", "coalesce(t.amount, 0)")],
        source: format!(
            "purchase_order o left join (
                select l.order_id, {amount} as amount from order_line l where {} group by l.order_id
             ) t on t.order_id = o.id where {}",
            dialect.only(Touched::Order, "l.order_id"),
            dialect.only(Touched::Order, "o.id")
        ),
    }
}

/// What happened to an order says how far it is; the trail alone says that it was given up or confirmed.
fn order_state(dialect: Dialect) -> Check {
    let has_event = |action: &str| {
        format!(
            "exists (select 1 from audit_event event where event.subject_kind = 'purchase_order'
                     and event.subject_id = o.id and event.action = '{action}')"
        )
    };
    let (cancelled, expired) = (has_event("cancel_order"), has_event("expire_order"));
    let confirmed = has_event("confirm_order");
    Check {
        invariant: 8,
        table: "purchase_order",
        what: "an order is as far as its trail, deliveries, settlements and rating say",
        key: dialect.id_text("o.id"),
        pairs: vec![
            Pair::new(
                "state",
                "o.state",
                format!(
                    "case when {cancelled} then 'cancelled' when {expired} then 'expired'
                          when o.confirmed_at is null then 'placed'
                          when not exists (select 1 from delivery d where d.order_id = o.id) then 'confirmed'
                          when exists (select 1 from allocation a where a.order_id = o.id
                                       and a.state in ('held', 'confirmed', 'dispatched')) then 'delivering'
                          when o.rating is not null and not exists (
                              select 1 from settlement s where s.order_id = o.id
                              and s.received_fen < s.amount_fen) then 'closed'
                          else 'settled' end"
                ),
            ),
            Pair::new(
                "confirmed_at",
                "case when o.confirmed_at is null then 'open' else 'confirmed' end",
                format!("case when {confirmed} then 'confirmed' else 'open' end"),
            ),
        ],
        source: format!("purchase_order o where {}", dialect.only(Touched::Order, "o.id")),
    }
}

fn line_as_placed(dialect: Dialect) -> Check {
    let figures = [
        "quantity_base",
        "max_price_fen",
        "min_share_base",
        "max_households",
        "shortfall_base",
        "amount_fen",
    ];
    let lines = dialect.items("event.after_json", "lines", "item");
    let claimed = claims(dialect, "purchase_order", &lines, &figures, "quantity_base");
    Check {
        invariant: 8,
        table: "order_line",
        what: "a line's figures are those the trail says were placed",
        key: dialect.id_text("l.id"),
        pairs: as_claimed("l", "claim", &figures),
        source: format!(
            "order_line l left join ({claimed}) claim on claim.id = l.id where {}",
            dialect.only(Touched::Order, "l.order_id")
        ),
    }
}

fn allocation_as_placed(dialect: Dialect) -> Check {
    let figures = ["quantity_base", "price_fen", "amount_fen"];
    let items = format!(
        "{} {}",
        dialect.items("event.after_json", "lines", "line"),
        dialect.items("line.value", "allocations", "item")
    );
    let claimed = claims(dialect, "purchase_order", &items, &figures, "quantity_base");
    Check {
        invariant: 8,
        table: "allocation",
        what: "an allocation's figures are those the trail says were shared out",
        key: dialect.id_text("a.id"),
        pairs: as_claimed("a", "claim", &figures),
        source: format!(
            "allocation a left join ({claimed}) claim on claim.id = a.id where {}",
            dialect.only(Touched::Order, "a.order_id")
        ),
    }
}

fn allocation_amount(dialect: Dialect) -> Check {
    Check {
        invariant: 4,
        table: "allocation",
        what: "an allocation's amount is price times quantity, rounded half up once",
        key: dialect.id_text("a.id"),
        pairs: vec![Pair::new(
            "amount_fen",
            "a.amount_fen",
            dialect.amount("a.price_fen", "a.quantity_base", "a.pricing_unit"),
        )],
        source: format!("allocation a where {}", dialect.only(Touched::Order, "a.order_id")),
    }
}

fn allocation_owner(dialect: Dialect) -> Check {
    let pair = |column, stored: &str, recomputed: &str| {
        Pair::new(column, dialect.id_text(stored), dialect.id_text(recomputed))
    };
    Check {
        invariant: 4,
        table: "allocation",
        what: "an allocation belongs to its lot's household and to its line's order",
        key: dialect.id_text("a.id"),
        pairs: vec![
            pair("household_id", "a.household_id", "lot.household_id"),
            pair("order_id", "a.order_id", "l.order_id"),
        ],
        source: format!(
            "allocation a left join lot on lot.id = a.lot_id left join order_line l on l.id = a.line_id where {}",
            dialect.only(Touched::Order, "a.order_id")
        ),
    }
}

/// An expired or cancelled order keeps nothing; a hold exists only while an order is placed.
fn allocation_state(dialect: Dialect) -> Check {
    let fits = "a.state = 'released'
        or (o.state = 'placed' and a.state = 'held')
        or (o.state = 'confirmed' and a.state = 'confirmed')
        or (o.state = 'delivering' and a.state in ('confirmed', 'dispatched', 'accepted'))
        or (o.state in ('accepted', 'settled', 'closed') and a.state = 'accepted')";
    Check {
        invariant: 1,
        table: "allocation",
        what: "an allocation's state fits the state of its order",
        key: dialect.id_text("a.id"),
        pairs: vec![Pair::new(
            "state",
            "a.state",
            format!("case when {fits} then a.state else 'one that fits an order that is ' || o.state end"),
        )],
        source: format!(
            "allocation a join purchase_order o on o.id = a.order_id where {}",
            dialect.only(Touched::Order, "a.order_id")
        ),
    }
}
