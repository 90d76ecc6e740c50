//! Entities that bundle member households (四带一自). The households stay the payees: nothing here holds money.

use chrono::{DateTime, Utc};
use serde_json::json;
use uuid::Uuid;

use crate::app::App;
use crate::db::WriteTxn;
use crate::http::page::{Page, PageRequest};
use crate::members::access::{Caller, Role};
use crate::members::households;
use crate::refusal::{Failure, Outcome, Refusal};
use crate::regions;
use crate::trail::{self, Actor, Event};

pub mod api;
mod store;

const READERS: [Role; 3] = [Role::Officer, Role::Finance, Role::Auditor];

const NAME_CHARS_MAX: usize = 100;

/// 带动主体: what bundles households.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// 园区
    Park,
    /// 龙头企业
    LeadingEnterprise,
    /// 合作社
    Cooperative,
    /// 家庭农场、能人大户
    FamilyFarm,
}

impl Kind {
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Park => "park",
            Self::LeadingEnterprise => "leading_enterprise",
            Self::Cooperative => "cooperative",
            Self::FamilyFarm => "family_farm",
        }
    }

    /// Reads the name stored in the database.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Park, Self::LeadingEnterprise, Self::Cooperative, Self::FamilyFarm]
            .into_iter()
            .find(|kind| kind.as_str() == name)
    }
}

/// A cooperative that is to be made.
#[derive(Clone, Debug)]
pub struct NewCooperative {
    /// Twelve digits; the first six are the county.
    pub region_code: String,
    pub name: String,
    pub kind: Kind,
}

/// A cooperative.
#[derive(Clone, Debug)]
pub struct CooperativeView {
    pub id: Uuid,
    pub region_code: String,
    pub name: String,
    pub kind: Kind,
    /// Households that are members now.
    pub members: i64,
    pub created_at: DateTime<Utc>,
}

/// Makes a cooperative inside an open transaction and answers its id. The caller has checked that the region may be
/// used.
pub async fn insert(txn: &WriteTxn, app: &App, actor: &Actor, new: &NewCooperative) -> Outcome<Uuid> {
    let now = app.clock.now();
    let name = new.name.trim();
    if name.is_empty() || name.chars().count() > NAME_CHARS_MAX || name.contains(char::is_control) {
        return Err(Refusal::invalid("/name", format!("write 1 to {NAME_CHARS_MAX} characters")).into());
    }
    let row = store::Row {
        id: app.ids.next(now),
        county_code: regions::county_of(&new.region_code),
        region_code: new.region_code.clone(),
        name: name.to_owned(),
        kind: new.kind.as_str().to_owned(),
        created_at: now,
        members: 0,
    };
    store::insert(txn, &row).await?;
    let event = Event {
        county_code: Some(row.county_code),
        household_id: None,
        action: "create_cooperative",
        subject_kind: "cooperative",
        subject_id: row.id,
        before: None,
        after: Some(json!({ "region_code": row.region_code, "name": row.name, "kind": row.kind })),
    };
    trail::record(txn, &app.ids, now, actor, vec![event]).await?;
    Ok(row.id)
}

/// Makes households of a county members from today on, inside an open transaction. Answers how many were not.
pub async fn add_members(
    txn: &WriteTxn,
    app: &App,
    actor: &Actor,
    cooperative_id: Uuid,
    county_code: &str,
    households: &[Uuid],
) -> Outcome<usize> {
    let (now, today) = (app.clock.now(), app.clock.today());
    let added = store::add_members(txn, cooperative_id, households, today).await?;
    let event = |household| member_event("add_cooperative_member", county_code, cooperative_id, household);
    trail::record(txn, &app.ids, now, actor, added.iter().map(|id| event(*id)).collect()).await?;
    Ok(added.len())
}

/// Makes a cooperative in the officer's region.
pub async fn create(app: &App, caller: &Caller, new: NewCooperative) -> Outcome<CooperativeView> {
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
            let one = NewCooperative { region_code: region.code, ..new.clone() };
            let id = insert(&txn, app, &caller.actor(), &one).await?;
            let row = store::find(&txn, scope, id).await?.ok_or(Refusal::NotFound("cooperative"))?;
            txn.commit(view(row)?).await
        })
        .await
}

/// The cooperatives of the caller's region, newest first.
pub async fn list(app: &App, caller: &Caller, request: PageRequest) -> Outcome<Page<CooperativeView>> {
    caller.allow(&READERS)?;
    let rows = store::list(app.db.reader(), caller.region()?, request).await?;
    let page = Page::cut(rows, request, |row| row.id);
    let items = page.items.into_iter().map(view).collect::<Outcome<_>>()?;
    Ok(Page { items, next: page.next })
}

/// Makes a household a member from today on; one that is a member stays one.
pub async fn join(app: &App, caller: &Caller, id: Uuid, household_id: Uuid) -> Outcome<CooperativeView> {
    caller.allow(&[Role::Officer])?;
    let (scope, today) = (caller.region()?, app.clock.today());
    app.db
        .write(|| async {
            let txn = app.db.begin().await?;
            let found = store::find(&txn, scope, id).await?.ok_or(Refusal::NotFound("cooperative"))?;
            households::visible(&txn, &caller.scope, household_id, today).await?;
            add_members(&txn, app, &caller.actor(), id, &found.county_code, &[household_id]).await?;
            let row = store::find(&txn, scope, id).await?.ok_or(Refusal::NotFound("cooperative"))?;
            txn.commit(view(row)?).await
        })
        .await
}

/// Ends a membership with yesterday.
pub async fn leave(app: &App, caller: &Caller, id: Uuid, household_id: Uuid) -> Outcome<()> {
    caller.allow(&[Role::Officer])?;
    let (scope, now, today) = (caller.region()?, app.clock.now(), app.clock.today());
    let yesterday = today.pred_opt().unwrap_or(today);
    app.db
        .write(|| async {
            let txn = app.db.begin().await?;
            let found = store::find(&txn, scope, id).await?.ok_or(Refusal::NotFound("cooperative"))?;
            if !store::remove_member(&txn, id, household_id, yesterday).await? {
                return Err(Refusal::NotFound("member").into());
            }
            let event = member_event("remove_cooperative_member", &found.county_code, id, household_id);
            trail::record(&txn, &app.ids, now, &caller.actor(), vec![event]).await?;
            txn.commit(()).await
        })
        .await
}

fn member_event(action: &'static str, county_code: &str, cooperative_id: Uuid, household_id: Uuid) -> Event {
    Event {
        county_code: Some(county_code.to_owned()),
        household_id: Some(household_id),
        action,
        subject_kind: "cooperative",
        subject_id: cooperative_id,
        before: None,
        after: Some(json!({ "household_id": household_id })),
    }
}

fn view(row: store::Row) -> Outcome<CooperativeView> {
    let kind = Kind::parse(&row.kind)
        .ok_or_else(|| Failure::Broken(format!("unknown kind of cooperative {}", row.kind)))?;
    Ok(CooperativeView {
        id: row.id,
        region_code: row.region_code,
        name: row.name,
        kind,
        members: row.members,
        created_at: row.created_at,
    })
}
