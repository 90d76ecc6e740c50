//! SQL of the list of what is overdue.

use chrono::NaiveDate;
use sea_orm::{ConnectionTrait, DbErr, FromQueryResult};
use uuid::Uuid;

use crate::db;
use crate::members::access::RegionScope;
use crate::reports::rules::SHEET_ROWS_MAX;
use crate::reports::store::one_more;
use crate::settlement::late::{payment_stood, use_stood};

/// A settlement of which something was open at the end of a day after its due day.
#[derive(Clone, Debug, FromQueryResult)]
pub struct Overdue {
    pub id: Uuid,
    pub institution_id: Uuid,
    pub institution_name: String,
    pub institution_kind: String,
    pub due_on: NaiveDate,
    pub amount_fen: i64,
    pub fee_fen: i64,
}

/// Those of the institutions of a region, one more than there may be when there are too many.
pub async fn overdue(
    connection: &impl ConnectionTrait,
    region: &RegionScope,
    day: NaiveDate,
) -> Result<Vec<Overdue>, DbErr> {
    let (paid, taken) = (payment_stood("$3"), use_stood("$3"));
    let sql = format!(
        "select s.id, s.institution_id, institution.name as institution_name, institution.kind as institution_kind,
                s.due_on, s.amount_fen, s.fee_fen
         from settlement s join institution on institution.id = s.institution_id
         where institution.region_code >= $1 and institution.region_code < $2 and s.due_on < $3
           and s.amount_fen + s.fee_fen
               > (select coalesce(sum(part.amount_fen), 0) from settlement_line line
                  join payment_part part on part.settlement_line_id = line.id
                  join payment on payment.id = part.payment_id
                  where line.settlement_id = s.id and {paid})
               + (select coalesce(sum(part.amount_fen), 0) from settlement_line line
                  join deposit_use_part part on part.settlement_line_id = line.id
                  join deposit_use used on used.id = part.deposit_use_id
                  where line.settlement_id = s.id and {taken})
               + (select coalesce(sum(part.amount_fen), 0) from payment_fee_part part
                  join payment on payment.id = part.payment_id where part.settlement_id = s.id and {paid})
               + (select coalesce(sum(part.amount_fen), 0) from deposit_use_fee_part part
                  join deposit_use used on used.id = part.deposit_use_id
                  where part.settlement_id = s.id and {taken})
         order by s.due_on, s.id limit $4"
    );
    let values = [
        region.from.as_str().into(),
        region.before.as_str().into(),
        day.into(),
        one_more(SHEET_ROWS_MAX).into(),
    ];
    db::rows(connection, &sql, values).await
}
