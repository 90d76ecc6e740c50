//! Deposits: what institutions paid ahead against what was used of it, uses against their parts and the trail, and how
//! orders are paid.

use super::super::dialect::{Dialect, sum};
use super::super::touched::Touched;
use super::payments::{part_as_written, part_of_settlement};
use super::{Check, Pair, as_last_named, as_last_told, as_last_worded, as_last_written};

pub fn checks(dialect: Dialect) -> Vec<Check> {
    vec![
        deposit_balance(dialect),
        use_sum(dialect),
        use_entry(dialect),
        as_last_written(
            dialect,
            "deposit_use",
            "amount_fen",
            "the use of a deposit has the amount written to the trail",
        ),
        as_last_named(dialect, "deposit_use", "institution_id", "a deposit was used of whom the trail says"),
        use_order(dialect),
        as_last_worded(
            dialect,
            "deposit_use",
            "number",
            "the use of a deposit has the number written to the trail",
        ),
        as_last_worded(
            dialect,
            "deposit_use",
            "used_on",
            "a deposit was used on the day written to the trail",
        ),
        as_last_worded(
            dialect,
            "deposit_use",
            "state",
            "the use of a deposit stands or not as last written to the trail",
        ),
        part_as_written(dialect, "deposit_use_part", "deposit_use"),
        part_of_settlement(dialect, "deposit_use_part", "deposit_use"),
        order_mode(dialect),
    ]
}

/// A use that finance made is for no order.
fn use_order(dialect: Dialect) -> Check {
    let order = dialect.id_text("written.order_id");
    let row = format!("(case when written.order_id is not null then {order} end)");
    let told = |event: &str| format!("({event}.after_json->>'order_id')");
    let what = "a deposit was used for the order the trail says";
    as_last_told(dialect, "deposit_use", ("order_id", &row), told, what)
}

/// Credit is negative in the ledger.
fn deposit_balance(dialect: Dialect) -> Check {
    let (deposited, used) = (sum("p.deposited_fen"), sum("u.amount_fen"));
    let balance = format!(
        "(select {used} from deposit_use u where u.institution_id = a.owner_id and u.state = 'recorded')
         - (select {deposited} from payment p where p.institution_id = a.owner_id and p.state = 'recorded')"
    );
    Check {
        invariant: 4,
        table: "ledger_account",
        what: "a deposit is what payments that stand left on it less what was used of it, and never below nothing",
        key: dialect.id_text("a.id"),
        pairs: vec![
            Pair::new("balance_fen", "a.balance_fen", balance),
            Pair::new(
                "balance_fen",
                "a.balance_fen",
                "case when a.balance_fen <= 0 then a.balance_fen else 0 end",
            ),
        ],
        source: format!(
            "ledger_account a where a.kind = 'deposit' and {}",
            dialect.only(Touched::Account, "a.id")
        ),
    }
}

fn use_sum(dialect: Dialect) -> Check {
    let amount = sum("part.amount_fen");
    Check {
        invariant: 4,
        table: "deposit_use",
        what: "the use of a deposit is the sum of its parts and of the fees it paid",
        key: dialect.id_text("u.id"),
        pairs: vec![Pair::new(
            "amount_fen",
            "u.amount_fen",
            "coalesce(t.amount, 0) + coalesce(fees.amount, 0)",
        )],
        source: format!(
            "deposit_use u left join (
                select part.deposit_use_id, {amount} as amount from deposit_use_part part where {only}
                group by part.deposit_use_id
             ) t on t.deposit_use_id = u.id left join (
                select part.deposit_use_id, {amount} as amount from deposit_use_fee_part part where {only}
                group by part.deposit_use_id
             ) fees on fees.deposit_use_id = u.id where {}",
            dialect.only(Touched::DepositUse, "u.id"),
            only = dialect.only(Touched::DepositUse, "part.deposit_use_id")
        ),
    }
}

fn use_entry(dialect: Dialect) -> Check {
    Check {
        invariant: 3,
        table: "deposit_use",
        what: "the entry of the use of a deposit names it, and is reversed exactly when the use is",
        key: dialect.id_text("u.id"),
        pairs: vec![
            Pair::new("entry_id", dialect.id_text("e.source_id"), dialect.id_text("u.id")),
            Pair::new("state", "u.state", "case when r.id is null then 'recorded' else 'reversed' end"),
        ],
        source: format!(
            "deposit_use u left join ledger_entry e on e.id = u.entry_id
             left join ledger_entry r on r.reverses_id = u.entry_id where {}",
            dialect.only(Touched::DepositUse, "u.id")
        ),
    }
}

/// Orders of before there was a choice were all paid after delivery, and their events name no mode.
fn order_mode(dialect: Dialect) -> Check {
    Check {
        invariant: 8,
        table: "purchase_order",
        what: "an order is paid before or after delivery as it was placed",
        key: dialect.id_text("o.id"),
        pairs: vec![Pair::new(
            "payment_mode",
            "o.payment_mode",
            "coalesce((select max(event.after_json->>'payment_mode') from audit_event event
                       where event.subject_kind = 'purchase_order' and event.subject_id = o.id), 'goods_first')",
        )],
        source: format!("purchase_order o where {}", dialect.only(Touched::Order, "o.id")),
    }
}
