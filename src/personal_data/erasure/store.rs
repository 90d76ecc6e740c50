//! SQL of requests to be erased. The state of a request changes only where its `WHERE` says from what.

use chrono::{DateTime, NaiveDate, Utc};
use sea_orm::{ConnectionTrait, DbErr, FromQueryResult, Value};
use uuid::Uuid;

use super::rules::Ties;
use super::{Decision, RequestView, State};
use crate::db::{self, WriteTxn};
use crate::http::page::PageRequest;
use crate::members::access::RegionScope;
use crate::money::Fen;
use crate::refusal::{Failure, Outcome};

const SELECT: &str =
    "select request.id, request.county_code, request.household_id, request.state, request.reason,
    request.requested_by, request.requested_at, request.decided_by, request.decided_at, request.refusal_reason
    from erasure_request as request join household on household.id = request.household_id";

#[derive(FromQueryResult)]
pub struct Row {
    id: Uuid,
    county_code: String,
    household_id: Uuid,
    state: String,
    reason: Option<String>,
    requested_by: Uuid,
    requested_at: DateTime<Utc>,
    decided_by: Option<Uuid>,
    decided_at: Option<DateTime<Utc>>,
    refusal_reason: Option<String>,
}

impl TryFrom<Row> for RequestView {
    type Error = Failure;

    fn try_from(row: Row) -> Outcome<Self> {
        let unknown = || Failure::Broken(format!("unknown state of request {}", row.id));
        Ok(Self {
            state: State::parse(&row.state).ok_or_else(unknown)?,
            id: row.id,
            county_code: row.county_code,
            household_id: row.household_id,
            reason: row.reason,
            requested_by: row.requested_by,
            requested_at: row.requested_at,
            decided_by: row.decided_by,
            decided_at: row.decided_at,
            refusal_reason: row.refusal_reason,
        })
    }
}

/// Adds a request; `false` when the household has an open one.
pub async fn insert(txn: &WriteTxn, request: &RequestView) -> Result<bool, DbErr> {
    let sql = "insert into erasure_request (id, county_code, household_id, state, reason, requested_by, requested_at)
               values ($1, $2, $3, 'requested', $4, $5, $6)
               on conflict (household_id) where state = 'requested' do nothing";
    let values = [
        request.id.into(),
        request.county_code.clone().into(),
        request.household_id.into(),
        request.reason.clone().into(),
        request.requested_by.into(),
        request.requested_at.into(),
    ];
    Ok(db::change(txn, sql, values).await? == 1)
}

/// One row more than the page holds, newest first.
pub async fn list(
    connection: &impl ConnectionTrait,
    region: &RegionScope,
    state: Option<State>,
    request: PageRequest,
) -> Result<Vec<Row>, DbErr> {
    let limit = i64::try_from(request.limit).unwrap_or(i64::MAX).saturating_add(1);
    let mut values: Vec<Value> = vec![region.from.clone().into(), region.before.clone().into(), limit.into()];
    let mut conditions = vec!["household.village_code >= $1 and household.village_code < $2".to_owned()];
    let filters = [
        ("state =", state.map(|state| Value::from(state.as_str()))),
        ("id <", request.before.map(Value::from)),
    ];
    for (comparison, value) in filters {
        if let Some(value) = value {
            values.push(value);
            conditions.push(format!("request.{comparison} ${}", values.len()));
        }
    }
    let sql = format!("{SELECT} where {} order by request.id desc limit $3", conditions.join(" and "));
    db::rows(connection, &sql, values).await
}

/// A request of the region.
pub async fn find(
    connection: &impl ConnectionTrait,
    region: &RegionScope,
    id: Uuid,
) -> Result<Option<Row>, DbErr> {
    let sql = format!(
        "{SELECT} where request.id = $1 and household.village_code >= $2 and household.village_code < $3"
    );
    db::row(connection, &sql, [id.into(), region.from.clone().into(), region.before.clone().into()]).await
}

/// Decides an open request; `false` when it is decided already.
pub async fn decide(txn: &WriteTxn, id: Uuid, decision: &Decision) -> Result<bool, DbErr> {
    let sql = "update erasure_request
               set state = $2, decided_by = $3, decided_at = $4, refusal_reason = $5
               where id = $1 and state = 'requested'";
    let values = [
        id.into(),
        decision.state.as_str().into(),
        decision.by.into(),
        decision.at.into(),
        decision.refusal_reason.clone().into(),
    ];
    Ok(db::change(txn, sql, values).await? == 1)
}

/// What still binds a household to the market.
pub async fn ties(txn: &WriteTxn, household: Uuid, today: NaiveDate) -> Result<Ties, DbErr> {
    #[derive(FromQueryResult)]
    struct Found {
        lots: i64,
        allocations: i64,
        owed_fen: i64,
        payouts: i64,
    }
    let sql = "select
        (select count(*) from lot where household_id = $1 and state = 'on_sale' and sell_by >= $2) as lots,
        (select count(*) from allocation
         where household_id = $1 and state in ('held','confirmed','dispatched')) as allocations,
        (select cast(coalesce(sum(amount_fen - paid_out_fen), 0) as bigint) from settlement_line
         where household_id = $1) as owed_fen,
        (select count(*) from payout where household_id = $1 and state in ('drafted','instructed')) as payouts";
    let found: Option<Found> = db::row(txn, sql, [household.into(), today.into()]).await?;
    Ok(found.map_or_else(Ties::default, |found| Ties {
        lots_on_sale: found.lots.unsigned_abs(),
        open_allocations: found.allocations.unsigned_abs(),
        owed: Fen::new(found.owed_fen),
        open_payouts: found.payouts.unsigned_abs(),
    }))
}
