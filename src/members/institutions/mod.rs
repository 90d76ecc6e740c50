//! Buyers: agencies, schools, hospitals, public institutions, enterprises, unions. Each is known by its unified social
//! credit code, which is checked here and never changes.

use chrono::{DateTime, Utc};
use sea_orm::ConnectionTrait;
use serde_json::json;
use uuid::Uuid;

use crate::app::App;
use crate::db::WriteTxn;
use crate::http::page::{Page, PageRequest};
use crate::members::access::{Caller, Role, Scope};
use crate::refusal::{Failure, Outcome, Refusal};
use crate::regions;
use crate::trail::{self, Actor, Event};

pub mod api;
mod rules;
mod store;

pub use rules::{Kind, is_credit_code};
pub use store::Filter;

/// Institutions written by one statement.
const CHUNK: usize = 1_000;

const NAME_CHARS_MAX: usize = 100;

/// Buyers and approvers read their own; officers, finance and auditors those of their region.
const READERS: [Role; 5] = [Role::Buyer, Role::Approver, Role::Officer, Role::Finance, Role::Auditor];

/// What other slices need to know of an institution.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InstitutionFacts {
    pub id: Uuid,
    pub county_code: String,
    pub region_code: String,
    pub name: String,
    pub kind: Kind,
}

/// An institution.
#[derive(Clone, Debug)]
pub struct InstitutionView {
    pub facts: InstitutionFacts,
    pub credit_code: String,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
    pub version: i64,
}

/// An institution that is to be made.
#[derive(Clone, Debug)]
pub struct NewInstitution {
    /// Drawn when absent.
    pub id: Option<Uuid>,
    /// Twelve digits; the first six are the county.
    pub region_code: String,
    pub name: String,
    pub kind: Kind,
    pub credit_code: String,
}

/// The institution, whoever asks.
pub async fn find(connection: &impl ConnectionTrait, id: Uuid) -> Outcome<Option<InstitutionFacts>> {
    store::find(connection, id).await?.map(|row| Ok(view(row)?.facts)).transpose()
}

/// The institution, when it is one of the scope.
pub async fn visible(
    connection: &impl ConnectionTrait,
    scope: &Scope,
    id: Uuid,
) -> Outcome<InstitutionFacts> {
    let row = store::find_in(connection, scope, id).await?.ok_or(Refusal::NotFound("institution"))?;
    Ok(view(row)?.facts)
}

/// Makes institutions inside an open transaction and answers their ids in the same order. The caller has checked that
/// the regions may be used.
///
/// Refused when a credit code is none, or known already.
pub async fn insert_many(
    txn: &WriteTxn,
    app: &App,
    actor: &Actor,
    new: Vec<NewInstitution>,
) -> Outcome<Vec<Uuid>> {
    let now = app.clock.now();
    let rows = new.into_iter().map(|one| row_of(app, one, now)).collect::<Result<Vec<_>, Refusal>>()?;
    for chunk in rows.chunks(CHUNK) {
        store::insert(txn, chunk, now).await.map_err(code_taken)?;
        trail::record(txn, &app.ids, now, actor, chunk.iter().map(made).collect()).await?;
    }
    Ok(rows.into_iter().map(|row| row.id).collect())
}

/// Makes an institution.
///
/// Refused when its credit code is none or known already, and when its region does not exist, is revoked or lies
/// outside the officer's.
pub async fn create(app: &App, caller: &Caller, new: NewInstitution) -> Outcome<InstitutionView> {
    caller.allow(&[Role::Officer])?;
    let scope = caller.region()?;
    let today = app.clock.today();
    app.db
        .write(|| async {
            let txn = app.db.begin().await?;
            let region = regions::require(&txn, &new.region_code, today, "/region").await?;
            if !scope.contains(&region.code) || region.level < regions::Level::County {
                return Err(Refusal::invalid("/region", "must be a county, or lower, of your region").into());
            }
            let one = NewInstitution { region_code: region.code, ..new.clone() };
            let ids = insert_many(&txn, app, &caller.actor(), vec![one]).await?;
            let id = ids.first().copied().ok_or_else(|| Failure::Broken("no id was made".to_owned()))?;
            let row = store::find(&txn, id).await?.ok_or(Refusal::NotFound("institution"))?;
            txn.commit(view(row)?).await
        })
        .await
}

/// One institution.
pub async fn get(app: &App, caller: &Caller, id: Uuid) -> Outcome<InstitutionView> {
    caller.allow(&READERS)?;
    let row = store::find_in(app.db.reader(), &caller.scope, id).await?;
    view(row.ok_or(Refusal::NotFound("institution"))?)
}

/// The caller's institutions, newest first.
pub async fn list(
    app: &App,
    caller: &Caller,
    filter: &Filter,
    request: PageRequest,
) -> Outcome<Page<InstitutionView>> {
    caller.allow(&READERS)?;
    let rows = store::list(app.db.reader(), &caller.scope, filter, request).await?;
    let page = Page::cut(rows, request, |row| row.id);
    let items = page.items.into_iter().map(view).collect::<Outcome<_>>()?;
    Ok(Page { items, next: page.next })
}

/// Changes name or kind of an institution that is still at `version`; what is absent stays.
pub async fn update(
    app: &App,
    caller: &Caller,
    id: Uuid,
    version: i64,
    name: Option<String>,
    kind: Option<Kind>,
) -> Outcome<InstitutionView> {
    caller.allow(&[Role::Officer])?;
    let name = name.as_deref().map(plain_name).transpose()?;
    let now = app.clock.now();
    app.db
        .write(|| async {
            let txn = app.db.begin().await?;
            let found = store::find_in(&txn, &caller.scope, id).await?;
            let before = found.ok_or(Refusal::NotFound("institution"))?;
            if !store::update(&txn, id, version, name.as_deref(), kind, now).await? {
                return Err(Refusal::Stale.into());
            }
            let after = store::find(&txn, id).await?.ok_or(Refusal::NotFound("institution"))?;
            let event = Event { action: "update_institution", before: Some(facts(&before)), ..made(&after) };
            trail::record(&txn, &app.ids, now, &caller.actor(), vec![event]).await?;
            txn.commit(view(after)?).await
        })
        .await
}

fn row_of(app: &App, new: NewInstitution, now: DateTime<Utc>) -> Result<store::Row, Refusal> {
    if !is_credit_code(&new.credit_code) {
        return Err(Refusal::CreditCodeInvalid { pointer: "/credit_code".to_owned() });
    }
    Ok(store::Row {
        id: new.id.unwrap_or_else(|| app.ids.next(now)),
        county_code: regions::county_of(&new.region_code),
        region_code: new.region_code,
        name: plain_name(&new.name)?,
        kind: new.kind.as_str().to_owned(),
        credit_code: new.credit_code,
        created_at: now,
        updated_at: now,
        version: 1,
    })
}

fn plain_name(text: &str) -> Result<String, Refusal> {
    let name = text.trim();
    let is_plain =
        !name.is_empty() && name.chars().count() <= NAME_CHARS_MAX && !name.contains(char::is_control);
    if is_plain {
        Ok(name.to_owned())
    } else {
        Err(Refusal::invalid("/name", format!("write 1 to {NAME_CHARS_MAX} characters")))
    }
}

fn made(row: &store::Row) -> Event {
    Event {
        county_code: Some(row.county_code.clone()),
        household_id: None,
        action: "create_institution",
        subject_kind: "institution",
        subject_id: row.id,
        before: None,
        after: Some(facts(row)),
    }
}

fn facts(row: &store::Row) -> serde_json::Value {
    json!({
        "region_code": row.region_code, "name": row.name, "kind": row.kind, "credit_code": row.credit_code,
    })
}

fn code_taken(error: sea_orm::DbErr) -> Failure {
    if crate::db::is_duplicate(&error) {
        Refusal::Duplicate { detail: "An institution with this credit_code exists.".to_owned() }.into()
    } else {
        error.into()
    }
}

fn view(row: store::Row) -> Outcome<InstitutionView> {
    let kind = Kind::parse(&row.kind)
        .ok_or_else(|| Failure::Broken(format!("unknown kind of institution {}", row.kind)))?;
    Ok(InstitutionView {
        facts: InstitutionFacts {
            id: row.id,
            county_code: row.county_code,
            region_code: row.region_code,
            name: row.name,
            kind,
        },
        credit_code: row.credit_code,
        created_at: row.created_at,
        updated_at: row.updated_at,
        version: row.version,
    })
}
