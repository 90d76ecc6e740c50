//! Those who sign in. The first are made on the command line by whoever runs the service; others by an administrator, and
//! a security administrator lets them in: nobody gives rights alone, and nobody makes themselves one.

use chrono::{DateTime, Utc};
use serde_json::json;
use uuid::Uuid;

use crate::app::App;
use crate::db::WriteTxn;
use crate::http::page::{Page, PageRequest};
use crate::members::access::{Caller, CountyScope, Role};
use crate::members::sealed::{Fingerprint, Sealed};
use crate::members::{api_keys, second_factors, sessions};
use crate::refusal::{Outcome, Refusal};
use crate::trail::{self, Actor, Event};

pub mod api;
pub mod passwords;
mod rules;
pub(crate) mod store;

pub use passwords::{change_password, check_password};
pub use rules::{NewPrincipal, Place};
pub use store::Row as PrincipalView;
use store::Secrets;

/// Who reads the list of people.
const READERS: [Role; 2] = [Role::Admin, Role::Security];

/// How somebody begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// May sign in at once.
    Active,
    /// Waits until a security administrator lets them in, and then chooses a password of their own.
    Waiting,
}

/// Makes a principal who may sign in at once, and answers the id. For the command line.
///
/// Refused when the account or the phone exists, the password is none that the policy takes, or role and place do not fit.
pub async fn create(app: &App, actor: &Actor, new: NewPrincipal) -> Outcome<Uuid> {
    let password_hash = checked_hash(app, &new).await?;
    app.db
        .write(|| async {
            let txn = app.db.begin().await?;
            let id = insert(app, &txn, actor, &new, password_hash.as_deref(), Start::Active).await?;
            txn.commit(id).await
        })
        .await
}

/// Makes a principal of the administrator's county, who waits to be let in.
pub async fn propose(app: &App, caller: &Caller, new: NewPrincipal) -> Outcome<PrincipalView> {
    caller.allow(&[Role::Admin])?;
    let counties = counties(caller)?;
    let county_code = new.county_code.clone().unwrap_or_default();
    if !counties.contains(&county_code) {
        return Err(Refusal::invalid("/county", "is not a county of your region").into());
    }
    let password_hash = checked_hash(app, &new).await?;
    app.db
        .write(|| async {
            let txn = app.db.begin().await?;
            if !store::is_in_county(&txn, &new.place, &county_code).await? {
                return Err(Refusal::invalid("/place", "is not in this county").into());
            }
            let actor = caller.actor();
            let id = insert(app, &txn, &actor, &new, password_hash.as_deref(), Start::Waiting).await?;
            let made = store::find(&txn, &counties, id).await?.ok_or(Refusal::NotFound("person"))?;
            txn.commit(made).await
        })
        .await
}

/// Makes a principal inside an open transaction, with a password hashed before.
pub async fn insert(
    app: &App,
    txn: &WriteTxn,
    actor: &Actor,
    new: &NewPrincipal,
    password_hash: Option<&str>,
    start: Start,
) -> Outcome<Uuid> {
    let now = app.clock.now();
    let id = app.ids.next(now);
    let seal = |phone: &String| app.keys.seal(Sealed::PrincipalPhone, id, phone);
    let fingerprint = |phone: &String| app.keys.fingerprint(Fingerprint::SignInPhone, phone);
    let secrets = Secrets {
        password_hash: password_hash.map(str::to_owned),
        must_change_password: start == Start::Waiting && password_hash.is_some(),
        phone_sealed: new.phone.as_ref().map(seal).transpose()?,
        phone_fingerprint: new.phone.as_ref().map(fingerprint).transpose()?,
        is_active: start == Start::Active,
    };
    let taken = |what: &str| Refusal::Duplicate { detail: format!("the {what} is somebody's already") };
    let inserted = store::insert(txn, id, new, &secrets, now).await;
    match inserted {
        Ok(true) => {}
        Ok(false) => return Err(taken(&format!("account {}", new.account)).into()),
        Err(error) if crate::db::is_duplicate(&error) => return Err(taken("phone").into()),
        Err(error) => return Err(error.into()),
    }
    let mut event = event("create_principal", new.county_code.clone(), id);
    event.after = Some(json!({ "account": told_account(new), "role": new.role.as_str() }));
    trail::record(txn, &app.ids, now, actor, vec![event]).await?;
    Ok(id)
}

/// People of the caller's counties, newest first.
pub async fn list(
    app: &App,
    caller: &Caller,
    role: Option<Role>,
    request: PageRequest,
) -> Outcome<Page<PrincipalView>> {
    caller.allow(&READERS)?;
    let rows = store::list(app.db.reader(), &counties(caller)?, role, request).await?;
    Ok(Page::cut(rows, request, |row| row.id))
}

/// What an administrator does to somebody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Another role of the same place. They wait to be let in again.
    Role(Role),
    /// Lets in whoever waits or was kept out.
    Activate,
    /// Keeps them out.
    Deactivate,
    /// Takes the second factor of somebody who lost it. They set up another when they sign in.
    ResetSecondFactor,
}

impl Step {
    /// The system administrator says who is what, the security administrator who comes in.
    const fn by(self) -> Role {
        match self {
            Self::Role(_) => Role::Admin,
            Self::Activate | Self::Deactivate | Self::ResetSecondFactor => Role::Security,
        }
    }

    const fn action(self) -> &'static str {
        match self {
            Self::Role(_) => "change_role",
            Self::Activate => "activate_principal",
            Self::Deactivate => "deactivate_principal",
            Self::ResetSecondFactor => "reset_second_factor",
        }
    }
}

/// Does something to somebody of the caller's counties, and records it. Whatever takes rights ends their sessions and keys at
/// once. Nobody does this to themselves.
pub async fn change(app: &App, caller: &Caller, id: Uuid, step: Step) -> Outcome<PrincipalView> {
    caller.allow(&[step.by()])?;
    let counties = counties(caller)?;
    let now = app.clock.now();
    if id == caller.principal_id {
        return Err(Refusal::SecondPersonNeeded.into());
    }
    app.db
        .write(|| async {
            let txn = app.db.begin().await?;
            let missing = || Refusal::NotFound("person");
            let person = store::find(&txn, &counties, id).await?.ok_or_else(missing)?;
            take(&txn, &person, step).await?;
            if step != Step::Activate {
                sessions::end_others(&txn, id, None, now).await?;
                api_keys::revoke_all(&txn, id, now).await?;
            }
            let changed = store::find(&txn, &counties, id).await?.ok_or_else(missing)?;
            let told = |row: &PrincipalView| Some(json!({ "role": row.role, "is_active": row.is_active }));
            let mut event = event(step.action(), person.county_code.clone(), id);
            (event.before, event.after) = (told(&person), told(&changed));
            trail::record(&txn, &app.ids, now, &caller.actor(), vec![event]).await?;
            txn.commit(changed).await
        })
        .await
}

async fn take(txn: &WriteTxn, person: &PrincipalView, step: Step) -> Outcome<()> {
    let must = |has_changed: bool, from: &str, attempted| {
        let refused = Refusal::WrongState { what: "person", from: from.to_owned(), attempted };
        if has_changed { Ok(()) } else { Err(refused) }
    };
    match step {
        Step::Role(role) => {
            if !place_of(person).fits(role) {
                return Err(Refusal::invalid("/role", "this role does not belong there").into());
            }
            must(person.role != role.as_str(), role.as_str(), "change the role")?;
            store::change_role(txn, person.id, role).await?;
        }
        Step::Activate => must(store::set_active(txn, person.id, true).await?, "active", "activate")?,
        Step::Deactivate => {
            must(store::set_active(txn, person.id, false).await?, "not active", "deactivate")?;
        }
        Step::ResetSecondFactor => {
            must(second_factors::remove(txn, person.id).await?, "without a second factor", "reset it")?;
        }
    }
    Ok(())
}

/// The counties whose people an administrator looks after. One of less than a county looks after nobody.
fn counties(caller: &Caller) -> Result<CountyScope, Refusal> {
    Ok(caller.region()?.counties())
}

fn place_of(person: &PrincipalView) -> Place {
    let household = person.household_id.map(Place::Household);
    let institution = person.institution_id.map(Place::Institution);
    let region = person.region_code.clone().map(Place::Region);
    household.or(institution).or(region).unwrap_or(Place::Pairings)
}

async fn checked_hash(app: &App, new: &NewPrincipal) -> Outcome<Option<String>> {
    rules::check(new)?;
    let Some(password) = &new.password else { return Ok(None) };
    let own = [new.account.as_str(), new.display_name.as_str(), new.phone.as_deref().unwrap_or("")];
    passwords::check_new(app, password, &own, "/password")?;
    app.hashing.hash(password).await.map(Some)
}

fn event(action: &'static str, county_code: Option<String>, id: Uuid) -> Event {
    Event {
        county_code,
        household_id: None,
        action,
        subject_kind: "principal",
        subject_id: id,
        before: None,
        after: None,
    }
}

/// Ends for good the sign-in of everybody of a household: no sessions, no account, no name. Answers how many there were.
pub async fn retire_of_household(txn: &WriteTxn, household_id: Uuid, now: DateTime<Utc>) -> Outcome<u64> {
    store::revoke_sessions_of_household(txn, household_id, now).await?;
    store::remove_second_factors_of_household(txn, household_id).await?;
    Ok(store::retire_of_household(txn, household_id).await?)
}

/// Households sign in by their phone, or whatever their helper made up from their name: the trail does without.
fn told_account(new: &NewPrincipal) -> Option<&str> {
    (new.role != Role::Household).then_some(new.account.as_str())
}
