//! Stock: what lots offer, hold, have confirmed and delivered, against allocations, deliveries and the trail.

use super::super::dialect::{Dialect, integer, sum};
use super::super::touched::Touched;
use super::{Check, Pair, as_claimed, as_last_worded, as_last_written, claims};

pub fn checks(dialect: Dialect) -> Vec<Check> {
    vec![
        lot_sums(dialect),
        lot_within_offer(dialect),
        lot_offer(dialect),
        as_last_written(dialect, "lot", "price_fen", "a lot's price is the one last written to the trail"),
        as_last_written(
            dialect,
            "product",
            "pack_base",
            "a product's pack is the one last written to the trail",
        ),
        as_last_written(
            dialect,
            "reference_price",
            "price_fen",
            "a reference price is the one written to the trail",
        ),
        as_last_worded(dialect, "lot", "state", "a lot is on sale or not as last written to the trail"),
        delivery_state(dialect),
        delivery_of_order(dialect),
        acceptance_people(dialect),
        dispatched(dialect),
        weighed(dialect),
        weighed_once_accepted(dialect),
        one_delivery_line(dialect),
    ]
}

fn lot_sums(dialect: Dialect) -> Check {
    let held = sum("case when a.state = 'held' then a.quantity_base end");
    let confirmed = sum("case when a.state in ('confirmed', 'dispatched') then a.quantity_base end");
    let delivered = sum("case when a.state = 'accepted' then d.accepted_base end");
    let part =
        |column, name: &str| Pair::new(column, format!("l.{column}"), format!("coalesce(t.{name}, 0)"));
    Check {
        invariant: 1,
        table: "lot",
        what: "what a lot holds, has confirmed and has delivered is the sum of its allocations",
        key: dialect.id_text("l.id"),
        pairs: vec![
            part("held_base", "held"),
            part("confirmed_base", "confirmed"),
            part("delivered_base", "delivered"),
        ],
        source: format!(
            "lot l left join (
                select a.lot_id, {held} as held, {confirmed} as confirmed, {delivered} as delivered
                from allocation a left join delivery_line d on d.allocation_id = a.id where {} group by a.lot_id
             ) t on t.lot_id = l.id where {}",
            dialect.only(Touched::Lot, "a.lot_id"),
            dialect.only(Touched::Lot, "l.id")
        ),
    }
}

fn lot_within_offer(dialect: Dialect) -> Check {
    let total = "l.held_base + l.confirmed_base + l.delivered_base";
    Check {
        invariant: 1,
        table: "lot",
        what: "held, confirmed and delivered together never exceed what a lot offers",
        key: dialect.id_text("l.id"),
        pairs: vec![Pair::new(
            "offered_base",
            total,
            format!("case when {total} <= l.offered_base then {total} else l.offered_base end"),
        )],
        source: format!("lot l where {}", dialect.only(Touched::Lot, "l.id")),
    }
}

/// The offer is what households wrote, less what was allocated and then fell short at the scales. Sums of changes do
/// not depend on the order of events.
fn lot_offer(dialect: Dialect) -> Check {
    let after = integer("event.after_json", "offered_base");
    let before = integer("event.before_json", "offered_base");
    let (after_sum, before_sum) = (sum(&after), sum(&before));
    let short = sum("a.quantity_base - d.accepted_base");
    Check {
        invariant: 8,
        table: "lot",
        what: "a lot offers what the trail says was offered, less what fell short at acceptance",
        key: dialect.id_text("l.id"),
        pairs: vec![Pair::new("offered_base", "l.offered_base", "w.written - coalesce(s.short, 0)")],
        source: format!(
            "lot l left join (
                select event.subject_id, {after_sum} - {before_sum} as written
                from audit_event event where event.subject_kind = 'lot' and {after} is not null and {}
                group by event.subject_id
             ) w on w.subject_id = l.id left join (
                select a.lot_id, {short} as short
                from allocation a join delivery_line d on d.allocation_id = a.id
                where a.state = 'accepted' and {} group by a.lot_id
             ) s on s.lot_id = l.id where {}",
            dialect.only(Touched::Lot, "event.subject_id"),
            dialect.only(Touched::Lot, "a.lot_id"),
            dialect.only(Touched::Lot, "l.id")
        ),
    }
}

fn dispatched(dialect: Dialect) -> Check {
    let lines = dialect.items("event.after_json", "lines", "item");
    let claimed = claims(dialect, "delivery", &lines, &["dispatched_base"], "dispatched_base");
    Check {
        invariant: 8,
        table: "delivery_line",
        what: "what was dispatched is what the trail says was dispatched",
        key: dialect.id_text("d.id"),
        pairs: as_claimed("d", "claim", &["dispatched_base"]),
        source: format!(
            "delivery_line d left join ({claimed}) claim on claim.id = d.id where {}",
            dialect.only(Touched::Delivery, "d.delivery_id")
        ),
    }
}

fn weighed(dialect: Dialect) -> Check {
    let lines = dialect.items("event.after_json", "lines", "item");
    let figures = ["accepted_base", "refused_base"];
    let claimed = claims(dialect, "acceptance", &lines, &figures, "accepted_base");
    Check {
        invariant: 8,
        table: "delivery_line",
        what: "what was accepted and refused is what the trail says was weighed",
        key: dialect.id_text("d.id"),
        pairs: as_claimed("d", "claim", &figures),
        source: format!(
            "delivery_line d left join ({claimed}) claim on claim.id = d.id where {}",
            dialect.only(Touched::Delivery, "d.delivery_id")
        ),
    }
}

fn weighed_once_accepted(dialect: Dialect) -> Check {
    let is_weighed = |column: &str| format!("case when d.{column} is null then 'open' else 'weighed' end");
    let expected = "case when a.state = 'accepted' and c.id is not null then 'weighed' else 'open' end";
    Check {
        invariant: 1,
        table: "delivery_line",
        what: "a delivery line is weighed exactly when its allocation and its delivery are accepted",
        key: dialect.id_text("d.id"),
        pairs: vec![
            Pair::new("accepted_base", is_weighed("accepted_base"), expected),
            Pair::new("refused_base", is_weighed("refused_base"), expected),
        ],
        source: format!(
            "delivery_line d left join allocation a on a.id = d.allocation_id
             left join acceptance c on c.delivery_id = d.delivery_id where {}",
            dialect.only(Touched::Delivery, "d.delivery_id")
        ),
    }
}

fn delivery_state(dialect: Dialect) -> Check {
    Check {
        invariant: 1,
        table: "delivery",
        what: "a delivery is accepted exactly when it has an acceptance",
        key: dialect.id_text("d.id"),
        pairs: vec![Pair::new(
            "state",
            "d.state",
            "case when c.id is null then 'dispatched' else 'accepted' end",
        )],
        source: format!(
            "delivery d left join acceptance c on c.delivery_id = d.id where {}",
            dialect.only(Touched::Delivery, "d.id")
        ),
    }
}

fn delivery_of_order(dialect: Dialect) -> Check {
    Check {
        invariant: 1,
        table: "delivery_line",
        what: "a delivery line delivers an allocation of its delivery's order",
        key: dialect.id_text("line.id"),
        pairs: vec![Pair::new("delivery_id", dialect.id_text("d.order_id"), dialect.id_text("a.order_id"))],
        source: format!(
            "delivery_line line left join delivery d on d.id = line.delivery_id
             left join allocation a on a.id = line.allocation_id where {}",
            dialect.only(Touched::Delivery, "line.delivery_id")
        ),
    }
}

fn acceptance_people(dialect: Dialect) -> Check {
    Check {
        invariant: 4,
        table: "acceptance",
        what: "an acceptance is of a delivery, and witnessed by somebody else than who accepted",
        key: dialect.id_text("c.id"),
        pairs: vec![
            Pair::new("delivery_id", dialect.id_text("c.delivery_id"), dialect.id_text("d.id")),
            Pair::new(
                "witnessed_by",
                "case when c.witnessed_by = c.accepted_by then 'who accepted' else 'somebody else' end",
                "'somebody else'",
            ),
        ],
        source: format!(
            "acceptance c left join delivery d on d.id = c.delivery_id where {}",
            dialect.only(Touched::Acceptance, "c.id")
        ),
    }
}

fn one_delivery_line(dialect: Dialect) -> Check {
    Check {
        invariant: 1,
        table: "allocation",
        what: "an allocation that was dispatched or accepted has a delivery line, and no other has",
        key: dialect.id_text("a.id"),
        pairs: vec![Pair::new(
            "state",
            "case when a.state in ('dispatched', 'accepted') then 'delivered' else 'waiting' end",
            "case when d.id is null then 'waiting' else 'delivered' end",
        )],
        source: format!(
            "allocation a left join delivery_line d on d.allocation_id = a.id where {}",
            dialect.only(Touched::Order, "a.order_id")
        ),
    }
}
