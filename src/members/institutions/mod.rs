//! Buyers.

pub mod api;

use sea_orm::ConnectionTrait;
use uuid::Uuid;

use crate::members::access::Scope;
use crate::refusal::{Outcome, Refusal};

/// stub
#[derive(Debug, sea_orm::FromQueryResult)]
pub struct InstitutionFacts {
    pub id: Uuid,
    pub county_code: String,
}

/// stub
pub async fn visible(
    connection: &impl ConnectionTrait,
    scope: &Scope,
    id: Uuid,
) -> Outcome<InstitutionFacts> {
    if *scope != Scope::Institution(id) {
        return Err(Refusal::NotFound("institution").into());
    }
    let row =
        crate::db::row(connection, "select id, county_code from institution where id = $1", [id.into()])
            .await?;
    Ok(row.ok_or(Refusal::NotFound("institution"))?)
}
