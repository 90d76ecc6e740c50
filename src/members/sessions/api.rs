//! Endpoints of sessions: sign in, sign out, who am I.

use chrono::{DateTime, Utc};
use poem_openapi::param::Path;
use poem_openapi::payload::Json;
use poem_openapi::{ApiResponse, Object, OpenApi};
use uuid::Uuid;

use super::{Credentials, SessionView, SignedIn};
use crate::app::App;
use crate::http::answers::Deleted;
use crate::http::body::Body;
use crate::http::peer::current_peer;
use crate::http::problem::{Answer, Problem};
use crate::members::access::{Caller, Role, Scope, Signed};
use crate::refusal::Refusal;
use crate::routes::Tag;

/// Endpoints of sessions.
#[derive(Debug)]
pub struct Api(pub App);

/// What signs somebody in: `account` and `password`, with a `code` of the second factor from those who have one; or `phone`
/// and the one-time `code` that was sent to it.
#[derive(Debug, Object)]
#[oai(deny_unknown_fields)]
pub struct SignIn {
    #[oai(validator(min_length = 1, max_length = 100))]
    pub account: Option<String>,
    #[oai(validator(min_length = 1, max_length = 200))]
    pub password: Option<String>,
    #[oai(validator(min_length = 7, max_length = 20))]
    pub phone: Option<String>,
    /// Six digits.
    #[oai(validator(min_length = 1, max_length = 20))]
    pub code: Option<String>,
}

/// A fresh session.
#[derive(Debug, Object)]
pub struct NewSession {
    pub id: Uuid,
    /// Shown once. Send it as `Authorization: Bearer …`.
    pub token: String,
    pub expires_at: DateTime<Utc>,
    pub role: Role,
}

/// One of your sessions.
#[derive(Debug, Object)]
pub struct Session {
    pub id: Uuid,
    pub created_at: DateTime<Utc>,
    /// To the minute.
    pub last_used_at: DateTime<Utc>,
    pub expires_at: DateTime<Utc>,
    /// Whether this request came with it.
    pub is_current: bool,
}

/// Your live sessions, newest first.
#[derive(Debug, Object)]
pub struct Sessions {
    pub items: Vec<Session>,
}

/// Who you are here.
#[derive(Debug, Object)]
#[oai(skip_serializing_if_is_none)]
pub struct Me {
    pub id: Uuid,
    pub account: String,
    pub display_name: String,
    pub role: Role,
    /// Six digits.
    pub county: Option<String>,
    pub household_id: Option<Uuid>,
    pub institution_id: Option<Uuid>,
    /// Twelve digits.
    pub region: Option<String>,
}

/// A session was made.
#[derive(Debug, ApiResponse)]
pub enum SessionCreated {
    /// Signed in.
    #[oai(status = 201)]
    Created(Json<NewSession>),
}

/// Signed out.
#[derive(Debug, ApiResponse)]
pub enum SignedOut {
    /// The session has ended.
    #[oai(status = 204)]
    SignedOut(
        /// Browsers forget what they kept of this service.
        #[oai(header = "Clear-Site-Data")]
        String,
    ),
}

#[OpenApi(prefix_path = "/v1", tag = "Tag::Sessions")]
impl Api {
    /// Sign in
    ///
    /// Answers a token, once. Too many failures for one account or from one peer are answered 429 for a while.
    #[oai(path = "/sessions", method = "post", operation_id = "create_session")]
    async fn create_session(&self, body: Body<SignIn>) -> Answer<SessionCreated> {
        let peer = current_peer().unwrap_or_default();
        let signed_in = super::sign_in(&self.0, &credentials(body.0)?, &peer).await?;
        Ok(SessionCreated::Created(Json(signed_in.into())))
    }

    /// List your sessions
    ///
    /// The live ones, newest first, at most 20.
    #[oai(path = "/sessions", method = "get", operation_id = "list_sessions")]
    async fn list_sessions(&self, caller: Signed) -> Answer<Json<Sessions>> {
        let sessions = super::list(&self.0, &caller).await?;
        let items = sessions.into_iter().map(|session| shape(session, &caller)).collect();
        Ok(Json(Sessions { items }))
    }

    /// Sign out
    ///
    /// Ends the session that this request came with.
    #[oai(path = "/sessions/current", method = "delete", operation_id = "delete_current_session")]
    async fn delete_current_session(&self, caller: Signed) -> Answer<SignedOut> {
        super::revoke(&self.0, &caller, caller.session_id).await?;
        Ok(SignedOut::SignedOut(r#""cache", "cookies", "storage""#.to_owned()))
    }

    /// Sign out everywhere
    ///
    /// Ends every session of yours, this one too. Keys of your own systems stay.
    #[oai(path = "/sessions", method = "delete", operation_id = "delete_all_sessions")]
    async fn delete_all_sessions(&self, caller: Signed) -> Answer<Deleted> {
        super::revoke_all(&self.0, &caller).await?;
        Ok(Deleted::Deleted)
    }

    /// End one of your sessions
    ///
    /// For a device you lost. Sessions of others do not exist for you.
    #[oai(path = "/sessions/:id", method = "delete", operation_id = "delete_session")]
    async fn delete_session(&self, caller: Signed, id: Path<Uuid>) -> Answer<Deleted> {
        super::revoke(&self.0, &caller, id.0).await?;
        Ok(Deleted::Deleted)
    }

    /// Who am I
    ///
    /// Your role and what you see.
    #[oai(path = "/me", method = "get", operation_id = "get_me")]
    async fn get_me(&self, caller: Signed) -> Answer<Json<Me>> {
        Ok::<_, Problem>(Json(Me::from(&*caller)))
    }
}

fn credentials(body: SignIn) -> Result<Credentials, Refusal> {
    match (body.account, body.password, body.phone, body.code) {
        (Some(account), Some(password), None, code) => Ok(Credentials::Password { account, password, code }),
        (None, None, Some(phone), Some(code)) => Ok(Credentials::OneTimeCode { phone, code }),
        _ => Err(Refusal::invalid("", "send account and password, or phone and code")),
    }
}

impl From<SignedIn> for NewSession {
    fn from(signed_in: SignedIn) -> Self {
        Self {
            id: signed_in.session_id,
            token: signed_in.token,
            expires_at: signed_in.expires_at,
            role: signed_in.role,
        }
    }
}

fn shape(session: SessionView, caller: &Caller) -> Session {
    Session {
        id: session.id,
        created_at: session.created_at,
        last_used_at: session.last_used_at,
        expires_at: session.expires_at,
        is_current: session.id == caller.session_id,
    }
}

impl From<&Caller> for Me {
    fn from(caller: &Caller) -> Self {
        let mut me = Self {
            id: caller.principal_id,
            account: caller.account.clone(),
            display_name: caller.display_name.clone(),
            role: caller.role,
            county: caller.county_code.clone(),
            household_id: None,
            institution_id: None,
            region: None,
        };
        match &caller.scope {
            Scope::Household(id) => me.household_id = Some(*id),
            Scope::Institution(id) => me.institution_id = Some(*id),
            Scope::Region(region) => me.region = Some(region.code.clone()),
            Scope::Helper(_) => {}
        }
        me
    }
}
