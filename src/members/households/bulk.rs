//! Many households at once: sealed, with their first status and an audit event each, a few statements per thousand.

use std::collections::HashSet;

use chrono::{DateTime, NaiveDate, Utc};
use serde_json::{Value as Json, json};
use uuid::Uuid;

use super::rules::{self, Status};
use super::sealing::{self, Written};
use super::store::{self, Insert, Row};
use crate::app::App;
use crate::db::WriteTxn;
use crate::refusal::{Outcome, Refusal};
use crate::regions;
use crate::trail::{self, Actor, Event};

/// Households written by one statement.
pub const CHUNK: usize = 1_000;

/// A household that is to be made.
#[derive(Clone, Debug)]
pub struct NewHousehold {
    /// Drawn when absent.
    pub id: Option<Uuid>,
    /// Twelve digits; its first six are the county.
    pub village_code: String,
    pub head_name: String,
    pub status: Status,
    pub status_from: NaiveDate,
    /// 居民身份证号码; once per county.
    pub identity_number: Option<String>,
    pub phone: Option<String>,
    pub bank_account: Option<String>,
    pub address: Option<String>,
    /// The household's number in the list it came from; once per county.
    pub external_ref: Option<String>,
    pub consent_on: Option<NaiveDate>,
}

/// Makes households inside an open transaction and answers their ids in the same order. The caller has checked that the
/// villages may be used.
pub async fn insert_many(
    txn: &WriteTxn,
    app: &App,
    actor: &Actor,
    new: Vec<NewHousehold>,
) -> Outcome<Vec<Uuid>> {
    let now = app.clock.now();
    let mut ids = Vec::with_capacity(new.len());
    for chunk in new.chunks(CHUNK) {
        let inserts = chunk.iter().map(|one| seal(app, one, now)).collect::<Outcome<Vec<Insert>>>()?;
        refuse_taken(txn, &inserts).await?;
        store::insert(txn, &inserts, now).await?;
        let events = inserts.iter().map(made).collect();
        trail::record(txn, &app.ids, now, actor, events).await?;
        ids.extend(inserts.iter().map(|insert| insert.row.id));
    }
    Ok(ids)
}

fn seal(app: &App, new: &NewHousehold, now: DateTime<Utc>) -> Outcome<Insert> {
    let id = new.id.unwrap_or_else(|| app.ids.next(now));
    let head_name =
        rules::head_name(&new.head_name).map_err(|reason| Refusal::invalid("/head_name", reason))?;
    rules::not_later(new.status_from, app.clock.today(), "/status_from")?;
    let written = Written {
        identity_number: new.identity_number.as_deref(),
        phone: new.phone.as_deref(),
        bank_account: new.bank_account.as_deref(),
        address: new.address.as_deref(),
    };
    let sealed = sealing::seal(app, id, written)?;
    let row = Row {
        id,
        county_code: regions::county_of(&new.village_code),
        village_code: new.village_code.clone(),
        external_ref: new.external_ref.clone(),
        head_name,
        identity_number_sealed: sealed.identity_number_sealed,
        identity_fingerprint: sealed.identity_fingerprint,
        phone_sealed: sealed.phone_sealed,
        phone_fingerprint: sealed.phone_fingerprint,
        bank_account_sealed: sealed.bank_account_sealed,
        address_sealed: sealed.address_sealed,
        status: new.status.as_str().to_owned(),
        consent_on: new.consent_on,
        created_at: now,
        updated_at: now,
        erased_at: None,
        version: 1,
    };
    let masked = sealed.identity_number_masked;
    Ok(Insert { row, masked, status_id: app.ids.next(now), status_from: new.status_from })
}

/// Refuses an identity number that the county has already, and one that comes twice.
async fn refuse_taken(txn: &WriteTxn, inserts: &[Insert]) -> Outcome<()> {
    let numbered = inserts.iter().filter_map(|insert| {
        let fingerprint = insert.row.identity_fingerprint.clone()?;
        Some(((insert.row.county_code.clone(), fingerprint), insert.masked.as_deref().unwrap_or_default()))
    });
    let numbered: Vec<((String, String), &str)> = numbered.collect();
    if numbered.is_empty() {
        return Ok(());
    }
    let pairs: Vec<(String, String)> = numbered.iter().map(|(pair, _)| pair.clone()).collect();
    let mut seen: HashSet<(String, String)> =
        store::taken_identities(txn, &pairs).await?.into_iter().collect();
    match numbered.into_iter().find(|(pair, _)| !seen.insert(pair.clone())) {
        Some((_, masked)) => Err(identity_taken(masked).into()),
        None => Ok(()),
    }
}

/// The refusal of an identity number that another household of the county has.
pub fn identity_taken(masked: &str) -> Refusal {
    Refusal::Duplicate { detail: format!("The county has a household with the identity number {masked}.") }
}

fn made(insert: &Insert) -> Event {
    let row = &insert.row;
    Event {
        county_code: Some(row.county_code.clone()),
        household_id: Some(row.id),
        action: "create_household",
        subject_kind: "household",
        subject_id: row.id,
        before: None,
        after: Some(facts(row, json!({ "status_from": insert.status_from }))),
    }
}

/// What the trail may say about a household: that there is a number, never the number, so that nothing needs to be taken
/// out of the trail when the household is erased.
pub fn facts(row: &Row, more: Json) -> Json {
    let mut facts = json!({
        "village_code": row.village_code,
        "has_external_ref": row.external_ref.is_some(),
        "status": row.status,
        "consent_on": row.consent_on,
        "has_identity_number": row.identity_number_sealed.is_some(),
        "has_phone": row.phone_sealed.is_some(),
        "has_bank_account": row.bank_account_sealed.is_some(),
        "has_address": row.address_sealed.is_some(),
    });
    if let (Json::Object(facts), Json::Object(more)) = (&mut facts, more) {
        facts.extend(more);
    }
    facts
}
