//! SQL of payment terms. They are only added.

use chrono::{DateTime, NaiveDate, Utc};
use sea_orm::{ConnectionTrait, DbErr, FromQueryResult, Value};
use uuid::Uuid;

use super::{Conditions, NewPaymentTerm, PaymentTermView};
use crate::db::{self, WriteTxn};
use crate::http::page::PageRequest;
use crate::money::Rate;

pub async fn conditions_on(
    connection: &impl ConnectionTrait,
    county_code: &str,
    institution_id: Uuid,
    on: NaiveDate,
) -> Result<Conditions, DbErr> {
    #[derive(FromQueryResult)]
    struct Row {
        days: Option<i64>,
        rate_ppm: Option<i64>,
    }
    let sql = "select (select days from payment_term where institution_id = $2 and from_on <= $3
                       order by from_on desc, created_at desc, id desc limit 1) as days,
                      (select rate_ppm from fee_rate where county_code = $1 and from_on <= $3
                       order by from_on desc, created_at desc, id desc limit 1) as rate_ppm";
    let row: Option<Row> =
        db::row(connection, sql, [county_code.into(), institution_id.into(), on.into()]).await?;
    let Row { days, rate_ppm } = row.unwrap_or(Row { days: None, rate_ppm: None });
    Ok(Conditions { days, fee: rate_ppm.map_or(Rate::ZERO, Rate::of_ppm) })
}

pub async fn insert(txn: &WriteTxn, county_code: &str, term: &PaymentTermView) -> Result<(), DbErr> {
    let sql = "insert into payment_term (id, county_code, institution_id, from_on, days, source, set_by, created_at)
               values ($1, $2, $3, $4, $5, $6, $7, $8)";
    let values: [Value; 8] = [
        term.id.into(),
        county_code.into(),
        term.institution_id.into(),
        term.set.from_on.into(),
        term.set.days.into(),
        term.set.source.clone().into(),
        term.set_by.into(),
        term.created_at.into(),
    ];
    db::change(txn, sql, values).await?;
    Ok(())
}

/// One row more than the page holds, the one set last first.
pub async fn list(
    connection: &impl ConnectionTrait,
    institution_id: Uuid,
    request: PageRequest,
) -> Result<Vec<PaymentTermView>, DbErr> {
    #[derive(FromQueryResult)]
    struct Row {
        id: Uuid,
        institution_id: Uuid,
        from_on: NaiveDate,
        days: i64,
        source: String,
        set_by: Uuid,
        created_at: DateTime<Utc>,
    }
    let before = if request.before.is_some() { "and id < $3" } else { "" };
    let sql = format!(
        "select id, institution_id, from_on, days, source, set_by, created_at from payment_term
         where institution_id = $1 {before} order by id desc limit $2"
    );
    let limit = i64::try_from(request.limit.saturating_add(1)).unwrap_or(i64::MAX);
    let values = [Some(institution_id.into()), Some(limit.into()), request.before.map(Value::from)];
    let rows: Vec<Row> = db::rows(connection, &sql, values.into_iter().flatten()).await?;
    let view = |row: Row| PaymentTermView {
        id: row.id,
        institution_id: row.institution_id,
        set: NewPaymentTerm { from_on: row.from_on, days: row.days, source: row.source },
        set_by: row.set_by,
        created_at: row.created_at,
    };
    Ok(rows.into_iter().map(view).collect())
}
