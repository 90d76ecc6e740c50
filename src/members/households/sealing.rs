//! What is personal about a household on its way to rest: checked, sealed for its row and column, and fingerprinted where
//! it is looked up. The clear text lives here no longer than that takes.

use uuid::Uuid;

use super::{rules, store};
use crate::app::App;
use crate::members::sealed::{Fingerprint, Sealed};
use crate::refusal::{Outcome, Refusal};

/// What somebody wrote; what is absent stays as it is.
#[derive(Clone, Copy, Default)]
pub struct Written<'a> {
    pub identity_number: Option<&'a str>,
    pub phone: Option<&'a str>,
    pub bank_account: Option<&'a str>,
    pub address: Option<&'a str>,
}

/// The same sealed for one household.
#[derive(Clone, Debug, Default)]
pub struct SealedFacts {
    pub identity_number_sealed: Option<String>,
    pub identity_fingerprint: Option<String>,
    /// Names the number in a refusal.
    pub identity_number_masked: Option<String>,
    pub phone_sealed: Option<String>,
    pub phone_fingerprint: Option<String>,
    pub bank_account_sealed: Option<String>,
    pub address_sealed: Option<String>,
}

/// Seals what was written for the household `id`. Refused when it is not what it is meant to be.
pub fn seal(app: &App, id: Uuid, written: Written<'_>) -> Outcome<SealedFacts> {
    let today = app.clock.today();
    let number =
        read(written.identity_number, "/identity_number", |text| rules::identity_number(text, today))?;
    let phone = read(written.phone, "/phone", rules::phone)?;
    let account = read(written.bank_account, "/bank_account", rules::bank_account)?;
    let address = read(written.address, "/address", rules::address)?;
    let sealed = |column, text: Option<&String>| text.map(|text| app.keys.seal(column, id, text)).transpose();
    Ok(SealedFacts {
        identity_number_sealed: sealed(Sealed::HouseholdIdentityNumber, number.as_ref())?,
        identity_fingerprint: number
            .as_deref()
            .map(|number| identity_fingerprint(app, number))
            .transpose()?,
        identity_number_masked: number.as_deref().map(rules::mask_identity_number),
        phone_sealed: sealed(Sealed::HouseholdPhone, phone.as_ref())?,
        phone_fingerprint: phone.as_deref().map(|phone| phone_fingerprint(app, phone)).transpose()?,
        bank_account_sealed: sealed(Sealed::HouseholdBankAccount, account.as_ref())?,
        address_sealed: sealed(Sealed::HouseholdAddress, address.as_ref())?,
    })
}

/// By which households with one identity number are found. The number has been read by [`rules::identity_number`].
pub fn identity_fingerprint(app: &App, number: &str) -> Outcome<String> {
    app.keys.fingerprint(Fingerprint::HouseholdIdentityNumber, number)
}

/// By which households with one phone are found. The phone has been read by [`rules::phone`].
pub fn phone_fingerprint(app: &App, phone: &str) -> Outcome<String> {
    app.keys.fingerprint(Fingerprint::HouseholdPhone, phone)
}

/// What is sealed in a row, in the clear; nothing for what is not there.
pub fn open(app: &App, row: &store::Row, column: Sealed) -> Outcome<Option<String>> {
    let sealed = match column {
        Sealed::HouseholdIdentityNumber => row.identity_number_sealed.as_ref(),
        Sealed::HouseholdPhone => row.phone_sealed.as_ref(),
        Sealed::HouseholdAddress => row.address_sealed.as_ref(),
        Sealed::HouseholdBankAccount => row.bank_account_sealed.as_ref(),
        _ => None,
    };
    sealed.map(|text| app.keys.open(column, row.id, text)).transpose()
}

fn read(
    text: Option<&str>,
    pointer: &str,
    check: impl Fn(&str) -> Result<String, &'static str>,
) -> Result<Option<String>, Refusal> {
    text.map(|text| check(text).map_err(|reason| Refusal::invalid(pointer, reason))).transpose()
}
