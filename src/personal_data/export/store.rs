//! SQL of what is stored about somebody. Every list is a statement about one id, `$1`, of `$2` rows at most, newest first;
//! its columns are the members of the answer.

use chrono::{DateTime, NaiveDate, Utc};
use sea_orm::{ConnectionTrait, DbErr, FromQueryResult, QueryResult};
use serde_json::{Map, Value as Json, json};
use uuid::Uuid;

use crate::db;
use crate::money::Fen;

/// A statement and what its rows are called.
pub struct List {
    pub name: &'static str,
    sql: &'static str,
}

/// About whoever signs in. Of what somebody wrote, what is among the newest 100,000 events: nobody waits for the trail to
/// be read to its beginning.
pub const OF_PRINCIPALS: &[List] = &[
    List {
        name: "sessions",
        sql: "select id, created_at, expires_at, revoked_at from session where principal_id = $1
              order by id desc limit $2",
    },
    List {
        name: "written",
        sql: "select id, at, action, subject_kind, subject_id, household_id
              from (select id, at, action, subject_kind, subject_id, household_id, actor_id from audit_event
                    order by id desc limit 100000) as newest
              where actor_id = $1 order by id desc limit $2",
    },
];

/// About a household.
pub const OF_HOUSEHOLDS: &[List] = &[
    List {
        name: "household",
        sql: "select id, village_code, external_ref, status, consent_on, created_at, updated_at from household
              where id = $1 limit $2",
    },
    List {
        name: "statuses",
        sql: "select status, from_on, to_on from household_status where household_id = $1
              order by from_on desc limit $2",
    },
    List {
        name: "survey_visits",
        sql: "select id, visited_on, outcome, note, created_at from survey_visit where household_id = $1
              order by id desc limit $2",
    },
    List {
        name: "pairings",
        sql: "select id, from_on, to_on, created_at from pairing where household_id = $1 order by id desc limit $2",
    },
    List {
        name: "cooperatives",
        sql: "select cooperative.name, member.from_on, member.to_on from cooperative_member as member
              join cooperative on cooperative.id = member.cooperative_id
              where member.household_id = $1 order by member.from_on desc limit $2",
    },
    List {
        name: "lots",
        sql: "select lot.id, product.name as product, lot.village_code, lot.external_ref, lot.grade, lot.price_fen,
                     lot.pricing_unit, product.measure, lot.offered_base, lot.held_base, lot.confirmed_base,
                     lot.delivered_base, lot.ready_from, lot.sell_by, lot.state, lot.created_at
              from lot join product on product.id = lot.product_id
              where lot.household_id = $1 order by lot.id desc limit $2",
    },
    List {
        name: "allocations",
        sql: "select allocation.id, purchase_order.number as order_number, allocation.lot_id,
                     allocation.quantity_base, allocation.price_fen, allocation.pricing_unit, allocation.amount_fen,
                     allocation.reason, allocation.state
              from allocation join purchase_order on purchase_order.id = allocation.order_id
              where allocation.household_id = $1 order by allocation.id desc limit $2",
    },
    List {
        name: "deliveries",
        sql: "select line.id, delivery.number as delivery_number, delivery.dispatched_at, line.dispatched_base,
                     line.accepted_base, line.refused_base, line.refusal_reason
              from allocation join delivery_line as line on line.allocation_id = allocation.id
              join delivery on delivery.id = line.delivery_id
              where allocation.household_id = $1 order by line.id desc limit $2",
    },
    List {
        name: "settlement_lines",
        sql: "select line.id, settlement.number as settlement_number, line.sold_on, line.household_status,
                     line.measure, line.quantity_base, line.price_fen, line.pricing_unit, line.amount_fen,
                     line.received_fen, line.paid_out_fen
              from settlement_line as line join settlement on settlement.id = line.settlement_id
              where line.household_id = $1 order by line.id desc limit $2",
    },
    List {
        name: "payouts",
        sql: "select payout.id, batch.number as batch_number, payout.amount_fen, payout.state, payout.return_code,
                     payout.return_reason, payee.account_sealed as payee_account_sealed
              from payout join payout_batch as batch on batch.id = payout.batch_id
              left join payout_payee as payee on payee.payout_id = payout.id
              where payout.household_id = $1 order by payout.id desc limit $2",
    },
    List {
        name: "ledger_postings",
        sql: "select posting.entry_id, posting.occurred_on, posting.amount_fen
              from ledger_account as account join ledger_posting as posting on posting.account_id = account.id
              where account.owner_id = $1 order by posting.entry_id desc, posting.line_no limit $2",
    },
    List {
        name: "papers",
        sql: "select id, kind, number, issued_at from paper where household_id = $1 order by id desc limit $2",
    },
    List {
        name: "problems",
        sql: "select id, title, detail, state, opened_at, closed_at, closing_note from problem
              where household_id = $1 order by id desc limit $2",
    },
    List {
        name: "erasure_requests",
        sql: "select id, state, reason, requested_at, decided_at, refusal_reason from erasure_request
              where household_id = $1 order by id desc limit $2",
    },
    List {
        name: "written_about",
        sql: "select id, at, action, actor_role, subject_kind from audit_event where household_id = $1
              order by id desc limit $2",
    },
];

/// The rows of a list, one more than `max` when there are more.
pub async fn rows(
    connection: &impl ConnectionTrait,
    list: &List,
    of: Uuid,
    max: usize,
) -> Result<Vec<Map<String, Json>>, DbErr> {
    let limit = i64::try_from(max).unwrap_or(i64::MAX).saturating_add(1);
    let rows: Vec<Members> = db::rows(connection, list.sql, [of.into(), limit.into()]).await?;
    Ok(rows.into_iter().map(|row| row.0).collect())
}

/// A row as members of an object, whatever its columns; amounts of `_fen` as decimals, what is not there left out.
struct Members(Map<String, Json>);

impl FromQueryResult for Members {
    fn from_query_result(row: &QueryResult, _: &str) -> Result<Self, DbErr> {
        let named = row.column_names().into_iter().map(|name| {
            let value = value(row, &name)?;
            Ok(match (name.strip_suffix("_fen"), value.as_i64()) {
                (Some(amount), Some(fen)) => (amount.to_owned(), json!(Fen::new(fen).to_string())),
                _ => (name, value),
            })
        });
        let named: Vec<(String, Json)> = named.collect::<Result<_, DbErr>>()?;
        Ok(Self(named.into_iter().filter(|(_, value)| !value.is_null()).collect()))
    }
}

/// The first type that the column is of, in an order in which none takes another's values. `SQLite` keeps times as text.
fn value(row: &QueryResult, name: &str) -> Result<Json, DbErr> {
    if let Ok(text) = row.try_get::<Option<String>>("", name) {
        let at = text.as_deref().and_then(|text| DateTime::parse_from_rfc3339(text).ok());
        return Ok(at.map_or_else(|| json!(text), |at| json!(at.to_utc())));
    }
    if let Ok(id) = row.try_get::<Option<Uuid>>("", name) {
        return Ok(json!(id));
    }
    if let Ok(number) = row.try_get::<Option<i64>>("", name) {
        return Ok(json!(number));
    }
    if let Ok(at) = row.try_get::<Option<DateTime<Utc>>>("", name) {
        return Ok(json!(at));
    }
    row.try_get::<Option<NaiveDate>>("", name).map(|day| json!(day))
}
