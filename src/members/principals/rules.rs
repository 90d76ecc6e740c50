//! Which role belongs where. Pure.

use uuid::Uuid;

use crate::members::access::Role;
use crate::refusal::Refusal;

/// Somebody who is to sign in.
#[derive(Clone, Debug)]
pub struct NewPrincipal {
    pub account: String,
    /// Absent for whoever signs in with one-time codes alone.
    pub password: Option<String>,
    /// Digits only, see `households::phone`. One-time codes go there.
    pub phone: Option<String>,
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

impl Place {
    /// Whether somebody of a role belongs here.
    #[must_use]
    pub fn fits(&self, role: Role) -> bool {
        match self {
            Self::Household(_) => role == Role::Household,
            Self::Institution(_) => matches!(role, Role::Buyer | Role::Approver),
            Self::Pairings => role == Role::Helper,
            Self::Region(_) => role.belongs_to_region(),
        }
    }
}

/// Refuses a role in the wrong place, names that are none, and somebody who could not sign in at all.
pub fn check(new: &NewPrincipal) -> Result<(), Refusal> {
    if !new.place.fits(new.role) {
        return Err(Refusal::invalid("/role", "this role does not belong there"));
    }
    if new.password.is_none() && new.phone.is_none() {
        return Err(Refusal::invalid("/phone", "somebody without a password needs a phone to sign in with"));
    }
    if new.password.is_none() && new.role.needs_second_factor() {
        return Err(Refusal::invalid("/password", "this role signs in with a password"));
    }
    let is_plain = |text: &str| {
        !text.trim().is_empty() && text.chars().count() <= 100 && !text.contains(char::is_control)
    };
    if !is_plain(&new.account) || !is_plain(&new.display_name) {
        return Err(Refusal::invalid("/account", "account and name have 1 to 100 characters"));
    }
    Ok(())
}
