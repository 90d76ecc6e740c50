//! SQL of the differences that are on the problem list.

use chrono::{DateTime, NaiveDate, Utc};
use sea_orm::{ConnectionTrait, DbErr, FromQueryResult};
use uuid::Uuid;

use crate::db;
use crate::members::access::CountyScope;
use crate::reports::store::one_more;

/// A difference in the books that somebody has to close.
#[derive(Clone, Debug, FromQueryResult)]
pub struct Difference {
    pub problem_id: Uuid,
    pub rule: String,
    pub title: String,
    pub detail: String,
    pub due_on: NaiveDate,
    pub opened_at: DateTime<Utc>,
}

/// Open problems about the books, newest first, one more than `rows_max` when there are too many.
pub async fn differences(
    connection: &impl ConnectionTrait,
    counties: &CountyScope,
    rows_max: usize,
) -> Result<Vec<Difference>, DbErr> {
    let sql = "select id as problem_id, rule, title, detail, due_on, opened_at from problem
               where region_code >= $1 and region_code < $2 and state = 'open'
                 and rule in ('audit_difference', 'bank_balance_differs', 'statement_line_unmatched', 'booked_not_at_bank')
               order by id desc limit $3";
    let values = [
        format!("{}000000", counties.from).into(),
        format!("{}000000", counties.before).into(),
        one_more(rows_max).into(),
    ];
    db::rows(connection, sql, values).await
}

/// When the whole database was last audited for the problem list.
pub async fn audited_at(connection: &impl ConnectionTrait) -> Result<Option<DateTime<Utc>>, DbErr> {
    #[derive(FromQueryResult)]
    struct Row {
        run_at: DateTime<Utc>,
    }
    let sql = "select run_at from problem_run where name = $1";
    Ok(db::row::<Row>(connection, sql, ["audited".into()]).await?.map(|row| row.run_at))
}
