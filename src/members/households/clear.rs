//! What is personal about households in the clear, and households found by it. Whoever calls this has said why: a payout
//! pays an account, an open delivery needs somebody to ask for, a person may know what is stored about them. None of it is
//! ever logged.

use std::collections::BTreeSet;

use sea_orm::ConnectionTrait;
use uuid::Uuid;

use super::store::LookUp;
use super::{HouseholdView, mask_name, rules, sealing, store, view};
use crate::app::App;
use crate::members::access::{Caller, Role, Scope};
use crate::members::sealed::Sealed;
use crate::refusal::{Outcome, Refusal};

/// Households that one look-up answers at most; more than one share a phone, none an identity number.
const FOUND_MAX: u64 = 50;

/// A household as a bank knows it. Never shown and never logged.
#[derive(Clone)]
pub struct Payee {
    pub id: Uuid,
    pub head_name: String,
    pub account: String,
}

/// Whom to ask for when goods are picked up.
#[derive(Clone)]
pub struct Contact {
    pub id: Uuid,
    pub masked_name: String,
    /// In the clear; read only for open deliveries.
    pub phone: Option<String>,
}

/// All that is personal about a household, in the clear.
#[derive(Clone)]
pub struct Personal {
    pub id: Uuid,
    pub county_code: String,
    pub head_name: String,
    pub identity_number: Option<String>,
    pub phone: Option<String>,
    pub bank_account: Option<String>,
    pub address: Option<String>,
}

/// What a household is looked up by, as somebody wrote it.
#[derive(Clone)]
pub enum Wanted {
    IdentityNumber(String),
    Phone(String),
}

/// The households of the caller's region with exactly this identity number or phone, masked, newest first.
pub async fn find(app: &App, caller: &Caller, wanted: &Wanted) -> Outcome<Vec<HouseholdView>> {
    caller.allow(&[Role::Officer, Role::Finance])?;
    let today = app.clock.today();
    let refuse = |pointer, reason: &str| Refusal::invalid(pointer, reason);
    let fingerprint = match wanted {
        Wanted::IdentityNumber(text) => {
            let number = rules::identity_number(text, today);
            let number = number.map_err(|reason| refuse("/identity_number", reason))?;
            LookUp::IdentityNumber(sealing::identity_fingerprint(app, &number)?)
        }
        Wanted::Phone(text) => {
            let phone = rules::phone(text).map_err(|reason| refuse("/phone", reason))?;
            LookUp::Phone(sealing::phone_fingerprint(app, &phone)?)
        }
    };
    let reader = app.db.reader();
    let rows = store::with_fingerprint(reader, &caller.scope, &fingerprint, today, FOUND_MAX).await?;
    rows.into_iter().map(|row| view(app, caller, row)).collect()
}

/// All that is personal about one household of a scope. The caller leaves an event in the trail about why.
pub async fn personal(
    app: &App,
    connection: &impl ConnectionTrait,
    scope: &Scope,
    id: Uuid,
) -> Outcome<Personal> {
    let row = store::find(connection, scope, id, app.clock.today()).await?;
    let row = row.ok_or(Refusal::NotFound("household"))?;
    let open = |column| sealing::open(app, &row, column);
    Ok(Personal {
        id: row.id,
        identity_number: open(Sealed::HouseholdIdentityNumber)?,
        phone: open(Sealed::HouseholdPhone)?,
        bank_account: open(Sealed::HouseholdBankAccount)?,
        address: open(Sealed::HouseholdAddress)?,
        county_code: row.county_code,
        head_name: row.head_name,
    })
}

/// Names and bank accounts in the clear, for payouts and for nothing else. Households without an account are left out.
pub async fn payees(
    app: &App,
    connection: &impl ConnectionTrait,
    households: &[Uuid],
) -> Outcome<Vec<Payee>> {
    let rows = store::payees(connection, households).await?;
    let open = |row: store::PayeeRow| {
        let account = app.keys.open(Sealed::HouseholdBankAccount, row.id, &row.bank_account_sealed)?;
        Ok(Payee { id: row.id, head_name: row.head_name, account })
    };
    rows.into_iter().map(open).collect()
}

/// Whom to ask for at households: the name masked, and the phone of those in `open`, from whom a delivery is open.
pub async fn contacts(
    app: &App,
    connection: &impl ConnectionTrait,
    households: &[Uuid],
    open: &BTreeSet<Uuid>,
) -> Outcome<Vec<Contact>> {
    let rows = store::contacts(connection, households).await?;
    let shape = |row: store::ContactRow| {
        let sealed = row.phone_sealed.as_ref().filter(|_| open.contains(&row.id));
        let phone = sealed.map(|sealed| app.keys.open(Sealed::HouseholdPhone, row.id, sealed)).transpose()?;
        Ok(Contact { id: row.id, masked_name: mask_name(&row.head_name), phone })
    };
    rows.into_iter().map(shape).collect()
}
