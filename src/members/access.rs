//! Who calls, and what that lets them see and do. The first argument of every endpoint that is not public is a
//! [`Signed`]; the scope it carries stands inside every query, so that what a caller may not see does not exist for them.

use std::ops::Deref;

use poem::Request;
use poem_openapi::auth::Bearer;
use poem_openapi::{Enum, SecurityScheme};
use uuid::Uuid;

use crate::app::App;
use crate::http::edge::current_request_id;
use crate::http::peer::current_peer;
use crate::http::problem::Problem;
use crate::members::{api_keys, sessions};
use crate::refusal::Refusal;
use crate::trail::Actor;

/// What a signed-in person does here. One person, one role.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Enum)]
#[oai(rename_all = "snake_case")]
pub enum Role {
    Household,
    Helper,
    Buyer,
    Approver,
    Officer,
    Finance,
    Auditor,
    /// 安全管理员: lets people in, keeps them out, takes lost second factors.
    Security,
    /// 系统管理员: makes people and gives them roles.
    Admin,
}

impl Role {
    pub const ALL: [Self; 9] = [
        Self::Household,
        Self::Helper,
        Self::Buyer,
        Self::Approver,
        Self::Officer,
        Self::Finance,
        Self::Auditor,
        Self::Security,
        Self::Admin,
    ];

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Household => "household",
            Self::Helper => "helper",
            Self::Buyer => "buyer",
            Self::Approver => "approver",
            Self::Officer => "officer",
            Self::Finance => "finance",
            Self::Auditor => "auditor",
            Self::Security => "security",
            Self::Admin => "admin",
        }
    }

    /// Officers, finance, auditors and administrators belong to a region.
    #[must_use]
    pub const fn belongs_to_region(self) -> bool {
        match self {
            Self::Officer | Self::Finance | Self::Auditor | Self::Security | Self::Admin => true,
            Self::Household | Self::Helper | Self::Buyer | Self::Approver => false,
        }
    }

    /// Those who see a region sign in with a second factor besides their password.
    #[must_use]
    pub const fn needs_second_factor(self) -> bool {
        self.belongs_to_region()
    }

    /// Administrators look after the system and its people, and see nothing of its business.
    #[must_use]
    pub const fn is_administration(self) -> bool {
        matches!(self, Self::Security | Self::Admin)
    }

    /// Reads the name stored in the database.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.as_str() == name)
    }
}

/// The rows that exist for a caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    /// One household and what is its own.
    Household(Uuid),
    /// The households paired with this helper today. The id is the helper's.
    Helper(Uuid),
    /// One institution and what is its own.
    Institution(Uuid),
    /// A region and everything below it.
    Region(RegionScope),
}

/// A region as a range of 12-digit codes: `from <= code < before`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegionScope {
    /// The region's own code, such as `341823000000`.
    pub code: String,
    pub from: String,
    /// The first code after the region and all below it.
    pub before: String,
}

impl RegionScope {
    /// The range of a code of 2 to 12 digits: trailing zeros of a 12-digit code widen it to its level
    /// (province 2, city 4, county 6, township 9, village 12 digits).
    #[must_use]
    pub fn of(code: &str) -> Self {
        let levels = [2_usize, 4, 6, 9, 12];
        let significant = code.trim_end_matches('0').len();
        let length = levels.into_iter().find(|&level| level >= significant).unwrap_or(12);
        let padded = format!("{code:0<12}");
        let prefix = padded.get(..length).unwrap_or(&padded);
        let next = prefix.parse::<u64>().map_or(u64::MAX, |number| number.saturating_add(1));
        let before = format!("{:0<12}", format!("{next:0>length$}"));
        Self { from: format!("{prefix:0<12}"), code: format!("{prefix:0<12}"), before }
    }

    #[must_use]
    pub fn contains(&self, code: &str) -> bool {
        self.from.as_str() <= code && code < self.before.as_str()
    }

    /// The counties that lie wholly in the region; below a county there are none.
    #[must_use]
    pub fn counties(&self) -> CountyScope {
        let (from, below) = self.from.split_at_checked(6).unwrap_or((&self.from, ""));
        let before = if below == "000000" { self.before.get(..6).unwrap_or(from) } else { from };
        CountyScope { from: from.to_owned(), before: before.to_owned() }
    }
}

/// Counties as a range of six-digit codes: `from <= code < before`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CountyScope {
    pub from: String,
    pub before: String,
}

impl CountyScope {
    /// Every county there is; no code is 999999.
    #[must_use]
    pub fn all() -> Self {
        Self { from: "000000".to_owned(), before: "999999".to_owned() }
    }

    #[must_use]
    pub fn contains(&self, code: &str) -> bool {
        self.from.as_str() <= code && code < self.before.as_str()
    }

    /// Whether there is no county in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.from >= self.before
    }
}

/// A signed-in caller.
#[derive(Clone, Debug)]
pub struct Caller {
    pub principal_id: Uuid,
    pub session_id: Uuid,
    pub account: String,
    pub display_name: String,
    pub role: Role,
    pub scope: Scope,
    /// Six digits; the county whose rows the caller writes. `None` only for administrators above counties.
    pub county_code: Option<String>,
    pub reach: Reach,
}

/// How far a session or a key reaches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reach {
    /// Everything that the role may do.
    Whole,
    /// Only what makes it whole; the refusal says what is missing.
    Unfinished(Refusal),
    /// Only what a key was made for.
    Scopes(Vec<api_keys::Scope>),
}

impl Reach {
    /// Refuses a request that is out of reach.
    fn check(&self, path: &str, is_safe: bool) -> Result<(), Refusal> {
        let is_own = ["/v1/me", "/v1/sessions"]
            .iter()
            .any(|own| path.strip_prefix(own).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')));
        match self {
            Self::Whole => Ok(()),
            Self::Unfinished(_) if is_own => Ok(()),
            Self::Unfinished(missing) => Err(missing.clone()),
            Self::Scopes(scopes) if scopes.iter().any(|scope| scope.covers(path, is_safe)) => Ok(()),
            Self::Scopes(_) => Err(Refusal::NotAllowed),
        }
    }
}

impl Caller {
    /// Refuses a role that is not among `roles`.
    pub fn allow(&self, roles: &[Role]) -> Result<(), Refusal> {
        if roles.contains(&self.role) { Ok(()) } else { Err(Refusal::NotAllowed) }
    }

    /// The caller's county, for rows it writes.
    pub fn county(&self) -> Result<&str, Refusal> {
        self.county_code.as_deref().ok_or(Refusal::NotAllowed)
    }

    /// The region an officer, finance, audit or admin caller sees.
    pub fn region(&self) -> Result<&RegionScope, Refusal> {
        match &self.scope {
            Scope::Region(region) => Ok(region),
            _ => Err(Refusal::NotAllowed),
        }
    }

    /// The institution a buyer or approver belongs to.
    pub fn institution(&self) -> Result<Uuid, Refusal> {
        match self.scope {
            Scope::Institution(id) => Ok(id),
            _ => Err(Refusal::NotAllowed),
        }
    }

    /// As the audit trail names the caller.
    #[must_use]
    pub fn actor(&self) -> Actor {
        Actor {
            principal_id: Some(self.principal_id),
            role: self.role.as_str(),
            request_id: current_request_id(),
            peer: current_peer(),
        }
    }
}

/// Proof that the request carries a valid session.
#[derive(Debug, SecurityScheme)]
#[oai(rename = "session", ty = "bearer", checker = "check")]
pub struct Signed(Caller);

impl Deref for Signed {
    type Target = Caller;

    fn deref(&self) -> &Caller {
        &self.0
    }
}

async fn check(request: &Request, bearer: Bearer) -> poem::Result<Caller> {
    let app = request
        .data::<App>()
        .ok_or_else(|| Problem::of(500, "internal_error", "The service is not set up."))?;
    let caller = sessions::caller_of(app, &bearer.token).await.map_err(Problem::from)?;
    let counted = app.pace.count(caller.principal_id, app.clock.now());
    let too_fast = |retry_after_seconds| Problem::from(Refusal::TooFast { retry_after_seconds });
    counted.map_err(too_fast)?;
    let is_safe = request.method().is_safe();
    caller.reach.check(request.original_uri().path(), is_safe).map_err(Problem::from)?;
    Ok(caller)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_region_holds_itself_and_everything_below_it() {
        let county = RegionScope::of("341823000000");
        assert_eq!((county.from.as_str(), county.before.as_str()), ("341823000000", "341824000000"));
        assert!(county.contains("341823101202") && !county.contains("341824000000"));
        assert_eq!(RegionScope::of("341823").before, "341824000000");
        assert_eq!(RegionScope::of("341823101000").before, "341823102000");
        assert_eq!(RegionScope::of("341823100000").before, "341823101000");
        assert_eq!(RegionScope::of("340000000000").before, "350000000000");
        assert_eq!(RegionScope::of("341823101202").before, "341823101203");
    }
    #[test]
    fn a_county_or_province_holds_whole_counties_and_a_township_holds_none() {
        let county = RegionScope::of("341823000000").counties();
        assert!(county.contains("341823") && !county.contains("341824") && !county.contains("341822"));
        let province = RegionScope::of("340000000000").counties();
        assert!(province.contains("341823") && !province.contains("350000"));
        assert!(RegionScope::of("341823100000").counties().is_empty());
    }
}
