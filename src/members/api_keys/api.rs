//! Endpoints of keys: make, list, end.

use chrono::{DateTime, NaiveDate, Utc};
use poem_openapi::param::Path;
use poem_openapi::payload::Json;
use poem_openapi::{Object, OpenApi};
use uuid::Uuid;

use super::{KeyView, MadeKey, NewKey};
use crate::app::App;
use crate::http::answers::{Created, Deleted};
use crate::http::body::Body;
use crate::http::problem::Answer;
use crate::members::access::Signed;
use crate::members::api_keys;
use crate::routes::Tag;

/// Endpoints of keys.
#[derive(Debug)]
pub struct Api(pub App);

/// A key to be made.
#[derive(Debug, Object)]
#[oai(deny_unknown_fields)]
pub struct NewApiKey {
    /// What you will know it by, such as the system that uses it.
    #[oai(validator(min_length = 1, max_length = 100))]
    pub name: String,
    /// What it may be used for, such as `orders:write` or `settlements:read`. Writing includes reading.
    #[oai(validator(min_items = 1, max_items = 22))]
    pub scopes: Vec<String>,
    /// The last day it is good for, at most a year from now; a year when absent.
    pub last_on: Option<NaiveDate>,
}

/// A key that was just made.
#[derive(Debug, Object)]
pub struct MadeApiKey {
    pub id: Uuid,
    /// Shown once. Send it as `Authorization: Bearer …`.
    pub key: String,
    pub scopes: Vec<String>,
    pub expires_at: DateTime<Utc>,
}

/// One of your keys.
#[derive(Debug, Object)]
pub struct ApiKey {
    pub id: Uuid,
    pub name: String,
    pub scopes: Vec<String>,
    pub created_at: DateTime<Utc>,
    pub expires_at: DateTime<Utc>,
}

/// Your live keys, newest first.
#[derive(Debug, Object)]
pub struct ApiKeys {
    pub items: Vec<ApiKey>,
}

#[OpenApi(prefix_path = "/v1", tag = "Tag::Sessions")]
impl Api {
    /// Make a key for your own system
    ///
    /// It acts for you, within its scopes. Shown once; at most 20 live ones.
    #[oai(path = "/api_keys", method = "post", operation_id = "create_api_key")]
    async fn create_api_key(&self, caller: Signed, body: Body<NewApiKey>) -> Answer<Created<MadeApiKey>> {
        let NewApiKey { name, scopes, last_on } = body.0;
        let made = api_keys::create(&self.0, &caller, &NewKey { name, scopes, last_on }).await?;
        Ok(Created::at("/v1/api_keys".to_owned(), made.into()))
    }

    /// List your keys
    ///
    /// The live ones, newest first, without the keys themselves.
    #[oai(path = "/api_keys", method = "get", operation_id = "list_api_keys")]
    async fn list_api_keys(&self, caller: Signed) -> Answer<Json<ApiKeys>> {
        let keys = api_keys::list(&self.0, &caller).await?;
        Ok(Json(ApiKeys { items: keys.into_iter().map(ApiKey::from).collect() }))
    }

    /// End a key
    ///
    /// At once. Keys of others do not exist for you.
    #[oai(path = "/api_keys/:id", method = "delete", operation_id = "delete_api_key")]
    async fn delete_api_key(&self, caller: Signed, id: Path<Uuid>) -> Answer<Deleted> {
        api_keys::revoke(&self.0, &caller, id.0).await?;
        Ok(Deleted::Deleted)
    }
}

fn scopes(stored: &str) -> Vec<String> {
    stored.split(' ').map(str::to_owned).collect()
}

impl From<MadeKey> for MadeApiKey {
    fn from(made: MadeKey) -> Self {
        Self {
            id: made.view.id,
            key: made.key,
            scopes: scopes(&made.view.scopes),
            expires_at: made.view.expires_at,
        }
    }
}

impl From<KeyView> for ApiKey {
    fn from(view: KeyView) -> Self {
        Self {
            id: view.id,
            name: view.name,
            scopes: scopes(&view.scopes),
            created_at: view.created_at,
            expires_at: view.expires_at,
        }
    }
}
