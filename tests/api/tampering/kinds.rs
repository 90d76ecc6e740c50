//! Kinds of corruption of a single row, by somebody who may do anything in the database: foreign keys and checks are
//! out of the way, and one row is deleted, doubled, moved, dated, renamed or set back. Each is found and the row named.

use sea_orm::{ConnectionTrait, Database, DatabaseConnection, DbBackend};
use uuid::Uuid;
use zhuxiao::audit;

use super::chain::{self, id};
use crate::support::builders::drop_guards;

/// A kind: what is done, the statement, the table in which it is found and the row that is named. `{s1}` is the id of
/// the first settlement; `[replace column a b]` the column with one text in place of another.
type Kind = (&'static str, &'static str, &'static str, &'static str);

const LEDGER: &[Kind] = &[
    (
        "posting deleted",
        "delete from ledger_posting where entry_id = {n2} and line_no = 3",
        "ledger_entry",
        "{n2}",
    ),
    (
        "posting doubled",
        "insert into ledger_posting (entry_id, line_no, account_id, occurred_on, amount_fen)
         select entry_id, 9, account_id, occurred_on, amount_fen from ledger_posting
         where entry_id = {n2} and line_no = 1",
        "ledger_entry",
        "{n2}",
    ),
    (
        "posting moved to another account",
        "update ledger_posting set account_id = {k7} where entry_id = {n2} and line_no = 1",
        "ledger_posting",
        "{n2}/1",
    ),
    (
        "posting moved to no account",
        "update ledger_posting set account_id = {k99} where entry_id = {n2} and line_no = 1",
        "ledger_posting",
        "{n2}/1",
    ),
    (
        "posting dated again",
        "update ledger_posting set occurred_on = '2027-03-02' where entry_id = {n2} and line_no = 1",
        "ledger_posting",
        "{n2}/1",
    ),
    (
        "entry dated again",
        "update ledger_entry set occurred_on = '2027-03-02' where id = {n2}",
        "ledger_entry",
        "{n2}",
    ),
    (
        "reversal dated before its original",
        "update ledger_entry set occurred_on = '2027-02-01' where id = {n4}",
        "ledger_entry",
        "{n4}",
    ),
    (
        "entry of another source",
        "update ledger_entry set source_id = {s9} where id = {n1}",
        "ledger_entry",
        "{n1}",
    ),
    (
        "entry of no known source",
        "update ledger_entry set source_kind = 'gift' where id = {n1}",
        "settlement",
        "{s1}",
    ),
    (
        "entry of another kind",
        "update ledger_entry set kind = 'gift' where id = {n5}",
        "ledger_entry",
        "{n5}",
    ),
    (
        "entry of another county",
        "update ledger_entry set county_code = '341824' where id = {n6}",
        "ledger_entry",
        "{n6}",
    ),
    (
        "reversal of another entry",
        "update ledger_entry set reverses_id = {n2} where id = {n4}",
        "ledger_entry",
        "{n4}",
    ),
    ("reversal of none", "update ledger_entry set reverses_id = null where id = {n4}", "payment", "{p2}"),
    ("entry deleted", "delete from ledger_entry where id = {n1}", "ledger_posting", "{n1}/1"),
    (
        "balance changed",
        "update ledger_account set balance_fen = 0 where id = {k5}",
        "ledger_account",
        "{k5}",
    ),
    ("account deleted", "delete from ledger_account where id = {k2}", "ledger_posting", "{n2}/3"),
    (
        "account of a stranger",
        "update ledger_account set owner_id = {x7} where id = {k3}",
        "ledger_account",
        "{k3}",
    ),
    (
        "account of another county",
        "update ledger_account set county_code = '341824' where id = {k5}",
        "ledger_account",
        "{k5}",
    ),
    (
        "account of another kind",
        "update ledger_account set kind = 'payable' where id = {k2}",
        "ledger_account",
        "{k2}",
    ),
];

const SETTLEMENTS: &[Kind] = &[
    ("settlement line deleted", "delete from settlement_line where id = {t1}", "settlement", "{s1}"),
    (
        "settlement line doubled",
        "insert into settlement_line (id, settlement_id, delivery_line_id, allocation_id, household_id, county_code,
             village_code, household_status, product_id, category, institution_id, institution_kind, sold_on, measure,
             quantity_base, price_fen, pricing_unit, amount_fen, received_fen, paid_out_fen)
         select {t9}, settlement_id, {e3}, allocation_id, household_id, county_code, village_code, household_status,
             product_id, category, institution_id, institution_kind, sold_on, measure, quantity_base, price_fen,
             pricing_unit, amount_fen, 0, 0 from settlement_line where id = {t1}",
        "settlement_line",
        "{t9}",
    ),
    (
        "settlement line of another household",
        "update settlement_line set household_id = (select household_id from settlement_line where id = {t2})
         where id = {t1}",
        "settlement_line",
        "{t1}",
    ),
    ("settled price", "update settlement_line set price_fen = 3200 where id = {t1}", "settlement_line", "{t1}"),
    ("settled unit", "update settlement_line set pricing_unit = 'kg' where id = {t1}", "settlement_line", "{t1}"),
    ("settled quantity", "update settlement_line set quantity_base = 99000 where id = {t1}", "settlement_line", "{t1}"),
    ("day of a sale", "update settlement_line set sold_on = '2027-02-01' where id = {t1}", "settlement_line", "{t1}"),
    ("product of a sale", "update settlement_line set product_id = {x5} where id = {t1}", "settlement_line", "{t1}"),
    ("buyer of a sale", "update settlement_line set institution_id = {x5} where id = {t1}", "settlement_line", "{t1}"),
    (
        "line in another settlement",
        "update settlement_line set settlement_id = {s9} where id = {t1}",
        "settlement_line",
        "{t1}",
    ),
    (
        "settlement number with a gap",
        "update settlement set number = 'ST-341823-2027-000009' where id = {s1}",
        "settlement",
        "{s1}",
    ),
    (
        "settlement number of another series",
        "update settlement set number = 'PM-341823-2027-000001' where id = {s1}",
        "settlement",
        "{s1}",
    ),
    ("settlement of another buyer", "update settlement set institution_id = {x5} where id = {s1}", "settlement", "{s1}"),
    ("settlement of another day", "update settlement set settled_on = '2027-02-01' where id = {s1}", "settlement", "{s1}"),
    ("settlement of another order", "update settlement set order_id = {o2} where id = {s1}", "settlement", "{s1}"),
    ("settlement of another county", "update settlement set county_code = '341824' where id = {s1}", "settlement", "{s1}"),
    ("settlement deleted", "delete from settlement where id = {s1}", "ledger_entry", "{n1}"),
];

const PAYMENTS: &[Kind] = &[
    ("payment deleted", "delete from payment where id = {p1}", "ledger_entry", "{n2}"),
    ("reversed payment set back", "update payment set state = 'recorded', reversed_at = null where id = {p2}", "payment", "{p2}"),
    ("payment marked reversed", "update payment set state = 'reversed' where id = {p1}", "payment", "{p1}"),
    (
        "part moved to another settlement",
        "update payment_part set settlement_id = {s9} where payment_id = {p1} and settlement_line_id = {t1}",
        "payment_part",
        "{p1}/{t1}",
    ),
    (
        "part moved to another line",
        "update payment_part set settlement_line_id = {t1} where payment_id = {p2}",
        "payment_part",
        "{p2}/{t1}",
    ),
    (
        "part of a payment deleted",
        "delete from payment_part where payment_id = {p1} and settlement_line_id = {t1}",
        "payment",
        "{p1}",
    ),
    ("payment of another buyer", "update payment set institution_id = {x5} where id = {p1}", "payment", "{p1}"),
    ("payment of another day", "update payment set received_on = '2027-02-01' where id = {p1}", "payment", "{p1}"),
    ("payment of another entry", "update payment set entry_id = {n3} where id = {p1}", "payment", "{p1}"),
    (
        "payment doubled",
        "insert into payment (id, county_code, number, institution_id, amount_fen, deposited_fen, received_on, reference,
             state, recorded_by, entry_id, created_at)
         select {p9}, county_code, 'PM-341823-2027-000003', institution_id, amount_fen, deposited_fen, received_on,
             reference, state, recorded_by, entry_id, created_at from payment where id = {p1}",
        "payment",
        "{p9}",
    ),
];

const PAYOUTS: &[Kind] = &[
    ("payout paid without an entry", "update payout set state = 'paid' where id = {h3}", "payout", "{h3}"),
    (
        "payout to another household",
        "update payout set household_id = (select household_id from payout where id = {h1}) where id = {h3}",
        "payout",
        "{h3}",
    ),
    ("part of a payout deleted", "delete from payout_part where payout_id = {h1}", "payout", "{h1}"),
    (
        "part of a payout moved to another line",
        "update payout_part set settlement_line_id = {t2} where payout_id = {h1}",
        "payout_part",
        "{h1}/{t2}",
    ),
    ("payout moved to another batch", "update payout set batch_id = {b2} where id = {h1}", "payout", "{h1}"),
    ("returned payout marked paid", "update payout set state = 'paid', return_reason = null where id = {h2}", "payout", "{h2}"),
    ("paid payout set back", "update payout set state = 'instructed', result_entry_id = null where id = {h1}", "payout", "{h1}"),
    ("payout deleted", "delete from payout where id = {h3}", "payout_batch", "{b2}"),
    ("batch approved by its maker", "update payout_batch set approved_by = made_by where id = {b1}", "payout_batch", "{b1}"),
    (
        "batch set back to a draft",
        "update payout_batch set state = 'drafted', approved_by = null, approved_at = null, executed_at = null
         where id = {b1}",
        "payout_batch",
        "{b1}",
    ),
    (
        "batch set back to approved",
        "update payout_batch set state = 'approved', executed_at = null where id = {b1}",
        "payout_batch",
        "{b1}",
    ),
    ("amount of a batch", "update payout_batch set amount_fen = 1 where id = {b1}", "payout_batch", "{b1}"),
    ("day of a batch", "update payout_batch set up_to = '2027-01-01' where id = {b1}", "payout_batch", "{b1}"),
];

const GOODS: &[Kind] = &[
    (
        "order set back",
        "update purchase_order set state = 'delivering' where id = {o1}",
        "purchase_order",
        "{o1}",
    ),
    (
        "cancelled order placed again",
        "update purchase_order set state = 'placed' where id = {o5}",
        "purchase_order",
        "{o5}",
    ),
    (
        "order rated by nobody",
        "update purchase_order set rating = 5 where id = {o1}",
        "purchase_order",
        "{o1}",
    ),
    (
        "order confirmed by nobody",
        "update purchase_order set confirmed_at = placed_at where id = {o2}",
        "purchase_order",
        "{o2}",
    ),
    ("order line deleted", "delete from order_line where id = {i2}", "purchase_order", "{o2}"),
    ("allocation of another lot", "update allocation set lot_id = {l2} where id = {a3}", "lot", "{l3}"),
    (
        "allocation of another household",
        "update allocation set household_id = (select household_id from allocation where id = {a2}) where id = {a1}",
        "allocation",
        "{a1}",
    ),
    (
        "allocated quantity",
        "update allocation set quantity_base = 9000 where id = {a3}",
        "allocation",
        "{a3}",
    ),
    (
        "allocation set back",
        "update allocation set state = 'confirmed' where id = {a5}",
        "allocation",
        "{a5}",
    ),
    ("allocation deleted", "delete from allocation where id = {a3}", "order_line", "{i2}"),
    ("held stock", "update lot set held_base = 0 where id = {l3}", "lot", "{l3}"),
    ("confirmed stock", "update lot set confirmed_base = 0 where id = {l2}", "lot", "{l2}"),
    ("delivered stock", "update lot set delivered_base = 0 where id = {l1}", "lot", "{l1}"),
    ("offered stock", "update lot set offered_base = 600000 where id = {l1}", "lot", "{l1}"),
    ("price of a lot", "update lot set price_fen = 1 where id = {l1}", "lot", "{l1}"),
    ("lot withdrawn by nobody", "update lot set state = 'withdrawn' where id = {l1}", "lot", "{l1}"),
    (
        "more accepted than was sent",
        "update delivery_line set accepted_base = 999999 where id = {e1}",
        "delivery_line",
        "{e1}",
    ),
    (
        "delivery line of another delivery",
        "update delivery_line set delivery_id = {d2} where id = {e1}",
        "delivery_line",
        "{e1}",
    ),
    ("delivery line deleted", "delete from delivery_line where id = {e3}", "allocation", "{a5}"),
    ("acceptance deleted", "delete from acceptance where id = {c1}", "delivery", "{d1}"),
    ("delivery set back", "update delivery set state = 'dispatched' where id = {d1}", "delivery", "{d1}"),
    (
        "acceptance without a witness",
        "update acceptance set witnessed_by = accepted_by where id = {c1}",
        "acceptance",
        "{c1}",
    ),
    (
        "acceptance of another day",
        "update acceptance set accepted_on = '2027-02-01' where id = {c1}",
        "settlement",
        "{s1}",
    ),
];

const TRAIL: &[Kind] = &[
    (
        "event of a settlement deleted",
        "delete from audit_event where subject_id = {s1}",
        "settlement",
        "{s1}",
    ),
    (
        "event of a confirmation deleted",
        "delete from audit_event where subject_id = {o3} and action = 'confirm_order'",
        "purchase_order",
        "{o3}",
    ),
    (
        "event of a cancellation deleted",
        "delete from audit_event where subject_id = {o5} and action = 'cancel_order'",
        "purchase_order",
        "{o5}",
    ),
    (
        "event of an order deleted",
        "delete from audit_event where subject_id = {o2} and action = 'test'",
        "order_line",
        "{i2}",
    ),
    (
        "after of an event edited",
        "update audit_event set after_json = [replace after_json 751000 751001] where subject_id = {p1}",
        "payment",
        "{p1}",
    ),
    (
        "before of an event edited",
        "update audit_event set before_json = [replace before_json 400000 400001]
         where subject_id = {l1} and before_json is not null",
        "lot",
        "{l1}",
    ),
    (
        "event about something else",
        "update audit_event set subject_id = {x9} where subject_id = {b1}",
        "payout_batch",
        "{b1}",
    ),
    (
        "event of another kind",
        "update audit_event set subject_kind = 'note' where subject_id = {h1}",
        "payout",
        "{h1}",
    ),
    (
        "counter raised",
        "update counter set value = 9 where name = 'ST-341823-2027'",
        "counter",
        "ST-341823-2027",
    ),
    ("counter deleted", "delete from counter where name = 'ST-341823-2027'", "settlement", "{s1}"),
    (
        "counter of nothing",
        "insert into counter (name, value) values ('XX-341823-2027', 1)",
        "counter",
        "XX-341823-2027",
    ),
];

/// `{s1}` and `[replace …]` in the words of the engine, or as the audit writes ids.
fn rendered(text: &str, backend: Option<DbBackend>) -> String {
    let mut pieces = text.split('{');
    let mut whole = pieces.next().unwrap().to_owned();
    for piece in pieces {
        let (name, rest) = piece.split_once('}').unwrap();
        let (mark, number) = name.split_at(1);
        let id: Uuid = id(mark.chars().next().unwrap(), number.parse().unwrap());
        let written = match backend {
            None => id.to_string(),
            Some(DbBackend::Postgres) => format!("'{id}'::uuid"),
            Some(_) => format!("x'{}'", id.simple()),
        };
        whole.push_str(&written);
        whole.push_str(rest);
    }
    let Some((front, call)) = whole.split_once("[replace ") else { return whole };
    let (call, rest) = call.split_once(']').unwrap();
    let [column, from, to]: [&str; 3] = call.split(' ').collect::<Vec<_>>().try_into().unwrap();
    match backend {
        Some(DbBackend::Postgres) => {
            format!("{front}replace({column}::text, '{from}', '{to}')::jsonb{rest}")
        }
        _ => format!("{front}replace({column}, '{from}', '{to}'){rest}"),
    }
}

/// Takes away what would refuse the statement, on this connection or for good.
pub async fn unguard(connection: &DatabaseConnection) {
    let statements: &[&str] = if connection.get_database_backend() == DbBackend::Postgres {
        &[
            "set session_replication_role = replica",
            "do $$ declare c record; begin
                 for c in select conrelid::regclass::text as owner, conname from pg_constraint
                          where contype = 'c' and connamespace = 'public'::regnamespace loop
                     execute format('alter table %s drop constraint %I', c.owner, c.conname);
                 end loop;
             end $$",
        ]
    } else {
        &["pragma foreign_keys = off", "pragma ignore_check_constraints = on"]
    };
    for statement in statements {
        connection.execute_unprepared(statement).await.unwrap();
    }
    drop_guards(connection).await;
}

async fn each_is_found(kinds: &[Kind]) {
    for (what, sql, table, row) in kinds {
        let world = chain::books().await;
        let mut options = sea_orm::ConnectOptions::new(world.database_url());
        options.max_connections(1);
        let connection = Database::connect(options).await.unwrap();
        unguard(&connection).await;
        let sql = rendered(sql, Some(connection.get_database_backend()));
        let changed = connection.execute_unprepared(&sql).await.unwrap().rows_affected();
        assert_eq!(changed, 1, "{what} is a corruption of one row");
        connection.close().await.unwrap();
        let findings = audit::verify(world.app.db.reader()).await.unwrap();
        let row = rendered(row, None);
        assert!(
            findings.iter().any(|found| found.table == *table && found.row_id == row),
            "{what} is not found as {table} {row}: {findings:#?}"
        );
    }
}

#[test]
fn the_kinds_are_many_and_each_stands_once() {
    let all = [LEDGER, SETTLEMENTS, PAYMENTS, PAYOUTS, GOODS, TRAIL];
    let names: std::collections::BTreeSet<&str> = all.iter().copied().flatten().map(|kind| kind.0).collect();
    assert_eq!(names.len(), all.iter().map(|kinds| kinds.len()).sum::<usize>());
    assert!(names.len() >= 90, "{}", names.len());
}

#[tokio::test]
async fn every_corruption_of_the_ledger_is_found_and_the_row_named() {
    each_is_found(LEDGER).await;
}

#[tokio::test]
async fn every_corruption_of_settlements_is_found_and_the_row_named() {
    each_is_found(SETTLEMENTS).await;
}

#[tokio::test]
async fn every_corruption_of_payments_is_found_and_the_row_named() {
    each_is_found(PAYMENTS).await;
}

#[tokio::test]
async fn every_corruption_of_payouts_is_found_and_the_row_named() {
    each_is_found(PAYOUTS).await;
}

#[tokio::test]
async fn every_corruption_of_orders_stock_and_deliveries_is_found_and_the_row_named() {
    each_is_found(GOODS).await;
}

#[tokio::test]
async fn every_corruption_of_the_trail_and_the_counters_is_found_and_the_row_named() {
    each_is_found(TRAIL).await;
}
