//! SQL of the audit: runs the checks and reads the trail. Never writes.

use chrono::{DateTime, Utc};
use sea_orm::{ConnectionTrait, DbErr, FromQueryResult, QueryResult, Statement, Value};
use uuid::Uuid;

use super::checks::Check;
use super::touched;
use super::{FINDINGS_PER_CHECK_MAX, Finding};
use crate::db::{self, Reader};
use crate::http::page::PageRequest;
use crate::members::access::RegionScope;

/// One event of the trail.
#[derive(Clone, Debug, FromQueryResult)]
pub struct EventRow {
    pub id: Uuid,
    pub at: DateTime<Utc>,
    pub actor_id: Option<Uuid>,
    pub actor_role: String,
    pub household_id: Option<Uuid>,
    pub action: String,
    pub subject_kind: String,
    pub subject_id: Uuid,
    pub before_json: Option<serde_json::Value>,
    pub after_json: Option<serde_json::Value>,
    pub request_id: Option<String>,
}

/// Which events are asked for.
#[derive(Clone, Debug, Default)]
pub struct EventFilter {
    pub subject_kind: Option<String>,
    pub subject_id: Option<Uuid>,
    pub actor_id: Option<Uuid>,
}

/// The differing rows of one check, and whether there were more than are answered.
pub async fn differing_rows(
    reader: &Reader,
    check: &Check,
    since: Option<DateTime<Utc>>,
) -> Result<(Vec<Finding>, bool), DbErr> {
    let limit = u64::try_from(FINDINGS_PER_CHECK_MAX).unwrap_or(u64::MAX).saturating_add(1);
    let values: Vec<Value> = since
        .filter(|_| check.is_narrowed())
        .map_or_else(Vec::new, |since| vec![since.into(), touched::first_id(since).into()]);
    let statement = Statement::from_sql_and_values(reader.get_database_backend(), check.sql(limit), values);
    let rows = reader.query_all_raw(statement).await.map_err(|error| {
        DbErr::Custom(format!("the check of {} that {} could not run: {error}", check.table, check.what))
    })?;
    let mut findings = Vec::new();
    for row in rows.iter().take(FINDINGS_PER_CHECK_MAX) {
        findings.extend(differences(row, check)?);
    }
    Ok((findings, rows.len() > FINDINGS_PER_CHECK_MAX))
}

/// One finding for every pair of the row that differs.
fn differences(row: &QueryResult, check: &Check) -> Result<Vec<Finding>, DbErr> {
    let row_id: Option<String> = row.try_get("", "row_id")?;
    let mut findings = Vec::new();
    for (at, pair) in check.pairs.iter().enumerate() {
        let stored: Option<String> = row.try_get("", &format!("s{at}"))?;
        let recomputed: Option<String> = row.try_get("", &format!("r{at}"))?;
        if stored != recomputed {
            findings.push(Finding {
                invariant: check.invariant,
                table: check.table,
                row_id: row_id.clone().unwrap_or_else(|| "none".to_owned()),
                column: pair.column,
                stored,
                recomputed,
                what: check.what,
            });
        }
    }
    Ok(findings)
}

/// A page of the trail of a region. Events carry their county, so a region below a county sees none.
pub async fn list_events(
    connection: &impl ConnectionTrait,
    region: &RegionScope,
    filter: &EventFilter,
    page: PageRequest,
) -> Result<Vec<EventRow>, DbErr> {
    let county = |code: &str| code.get(..6).unwrap_or(code).to_owned();
    let mut values: Vec<Value> = vec![county(&region.from).into(), county(&region.before).into()];
    let mut conditions = vec!["county_code >= $1 and county_code < $2".to_owned()];
    let filters = [
        ("subject_kind =", filter.subject_kind.clone().map(Value::from)),
        ("subject_id =", filter.subject_id.map(Value::from)),
        ("actor_id =", filter.actor_id.map(Value::from)),
        ("id <", page.before.map(Value::from)),
    ];
    for (comparison, value) in filters {
        if let Some(value) = value {
            values.push(value);
            conditions.push(format!("{comparison} ${}", values.len()));
        }
    }
    values.push(i64::try_from(page.limit.saturating_add(1)).unwrap_or(i64::MAX).into());
    let sql = format!(
        "select id, at, actor_id, actor_role, household_id, action, subject_kind, subject_id, before_json, after_json,
                request_id
         from audit_event where {} order by id desc limit ${}",
        conditions.join(" and "),
        values.len()
    );
    db::rows(connection, &sql, values).await
}
