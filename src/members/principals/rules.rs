//! Which role belongs where, and what a password must be. Pure.

use uuid::Uuid;

use crate::members::access::Role;
use crate::refusal::Refusal;

/// NIST SP 800-63B asks for at least eight characters, ASVS 5.0 6.2.1 for eight and better fifteen; no rule about kinds
/// of characters.
const PASSWORD_CHARS_MIN: usize = 12;

/// Longer passwords would only cost hashing time.
const PASSWORD_CHARS_MAX: usize = 128;

/// Somebody who is to sign in.
#[derive(Clone, Debug)]
pub struct NewPrincipal {
    pub account: String,
    pub password: String,
    pub display_name: String,
    pub role: Role,
    pub place: Place,
    /// Six digits; `None` only for administrators above counties.
    pub county_code: Option<String>,
}

/// Where a role belongs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    Household(Uuid),
    Institution(Uuid),
    /// A 12-digit region code.
    Region(String),
    /// Helpers: the households they are paired with.
    Pairings,
}

/// Officers, finance, auditors and administrators belong to a region.
fn belongs_to_region(role: Role) -> bool {
    match role {
        Role::Officer | Role::Finance | Role::Auditor | Role::Admin => true,
        Role::Household | Role::Helper | Role::Buyer | Role::Approver => false,
    }
}

/// Refuses a role in the wrong place and a password that is too short or too long.
pub fn check(new: &NewPrincipal) -> Result<(), Refusal> {
    let fits = match (&new.place, new.role) {
        (Place::Household(_), Role::Household)
        | (Place::Institution(_), Role::Buyer | Role::Approver)
        | (Place::Pairings, Role::Helper) => true,
        (Place::Region(_), role) => belongs_to_region(role),
        _ => false,
    };
    if !fits {
        return Err(Refusal::invalid("/role", "this role does not belong there"));
    }
    let length = new.password.chars().count();
    if !(PASSWORD_CHARS_MIN..=PASSWORD_CHARS_MAX).contains(&length) {
        let detail = format!("must have {PASSWORD_CHARS_MIN} to {PASSWORD_CHARS_MAX} characters");
        return Err(Refusal::invalid("/password", detail));
    }
    let is_plain = |text: &str| {
        !text.trim().is_empty() && text.chars().count() <= 100 && !text.contains(char::is_control)
    };
    if !is_plain(&new.account) || !is_plain(&new.display_name) {
        return Err(Refusal::invalid("/account", "account and name have 1 to 100 characters"));
    }
    Ok(())
}
