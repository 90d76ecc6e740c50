//! Many households at once: sealed, with their first status and an audit event each, a few statements per thousand.

use chrono::{DateTime, NaiveDate, Utc};
use serde_json::{Value as Json, json};
use uuid::Uuid;

use super::rules::{self, Status};
use super::store::{self, Insert, Row};
use crate::app::App;
use crate::db::WriteTxn;
use crate::members::sealed::Sealed;
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
    pub phone: Option<String>,
    pub bank_account: Option<String>,
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
    let row = Row {
        id,
        county_code: regions::county_of(&new.village_code),
        village_code: new.village_code.clone(),
        external_ref: new.external_ref.clone(),
        head_name,
        phone_sealed: seal_phone(app, id, new.phone.as_deref())?,
        bank_account_sealed: seal_bank_account(app, id, new.bank_account.as_deref())?,
        status: new.status.as_str().to_owned(),
        consent_on: new.consent_on,
        created_at: now,
        updated_at: now,
        version: 1,
    };
    Ok(Insert { row, status_id: app.ids.next(now), status_from: new.status_from })
}

pub fn seal_phone(app: &App, id: Uuid, phone: Option<&str>) -> Outcome<Option<String>> {
    let Some(phone) = phone else { return Ok(None) };
    let phone = rules::phone(phone).map_err(|reason| Refusal::invalid("/phone", reason))?;
    app.keys.seal(Sealed::HouseholdPhone, id, &phone).map(Some)
}

pub fn seal_bank_account(app: &App, id: Uuid, account: Option<&str>) -> Outcome<Option<String>> {
    let Some(account) = account else { return Ok(None) };
    let account = rules::bank_account(account).map_err(|reason| Refusal::invalid("/bank_account", reason))?;
    app.keys.seal(Sealed::HouseholdBankAccount, id, &account).map(Some)
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

/// What the trail may say about a household: no name, no phone, no bank account.
pub fn facts(row: &Row, more: Json) -> Json {
    let mut facts = json!({
        "village_code": row.village_code,
        "external_ref": row.external_ref,
        "status": row.status,
        "consent_on": row.consent_on,
        "has_phone": row.phone_sealed.is_some(),
        "has_bank_account": row.bank_account_sealed.is_some(),
    });
    if let (Json::Object(facts), Json::Object(more)) = (&mut facts, more) {
        facts.extend(more);
    }
    facts
}
