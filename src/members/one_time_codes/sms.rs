//! How text messages leave: by a gateway of the county that takes a JSON body over HTTP, or, while somebody develops, into
//! the log. A message is sent beside the request that asked for it, so that the time of the answer says nothing.

use std::path::PathBuf;
use std::sync::Arc;

use serde_json::json;
use tokio::io::AsyncReadExt;
use tokio::sync::Semaphore;

use crate::http::outbound::Outbound;

/// Messages that are being sent at once; those beyond are not sent, and whoever waits for one asks again.
const UNDER_WAY_MAX: usize = 64;

/// The value of `sms_url` that writes messages into the log, for whoever develops.
pub const LOG: &str = "log:";

/// Bytes of the file with the gateway's token at most.
const TOKEN_BYTES_MAX: u64 = 4_096;

/// A text for a phone.
#[derive(Clone)]
pub struct Message {
    pub phone: String,
    pub text: String,
}

/// The way messages go.
#[derive(Clone, Debug)]
pub enum SmsGateway {
    /// Nobody has set one.
    Missing,
    /// Into the log, in the clear. Never with real people.
    Log,
    /// `POST url` with `{"phone", "text"}` and the token of a file as a bearer; 2xx says that it was taken.
    Http { url: Arc<str>, token_file: Option<Arc<PathBuf>>, outbound: Outbound, under_way: Arc<Semaphore> },
}

impl SmsGateway {
    /// The gateway that the settings name.
    #[must_use]
    pub fn of(url: Option<&str>, token_file: Option<PathBuf>, outbound: Outbound) -> Self {
        match url {
            None => Self::Missing,
            Some(LOG) => Self::Log,
            Some(url) => Self::Http {
                url: url.into(),
                token_file: token_file.map(Arc::new),
                outbound,
                under_way: Arc::new(Semaphore::new(UNDER_WAY_MAX)),
            },
        }
    }

    #[must_use]
    pub const fn is_missing(&self) -> bool {
        matches!(self, Self::Missing)
    }

    /// Sends a message in the background. What goes wrong is logged, without the message.
    pub fn send(&self, message: Message) {
        match self {
            Self::Missing => {}
            Self::Log => tracing::info!(phone = message.phone, text = message.text, "text message"),
            Self::Http { url, token_file, outbound, under_way } => {
                let Ok(permit) = Arc::clone(under_way).try_acquire_owned() else {
                    tracing::warn!("a text message was not sent: too many are under way");
                    return;
                };
                let (url, token_file, outbound) = (Arc::clone(url), token_file.clone(), outbound.clone());
                tokio::spawn(async move {
                    let _permit = permit;
                    if let Err(reason) = post(&outbound, &url, token_file.as_deref(), &message).await {
                        tracing::warn!(reason, "a text message was not taken");
                    }
                });
            }
        }
    }
}

async fn post(
    outbound: &Outbound,
    url: &str,
    token_file: Option<&PathBuf>,
    message: &Message,
) -> Result<(), String> {
    let authorization = match token_file {
        Some(file) => {
            let mut text = String::new();
            let file = tokio::fs::File::open(file).await.map_err(|error| error.to_string())?;
            let mut bounded = file.take(TOKEN_BYTES_MAX);
            bounded.read_to_string(&mut text).await.map_err(|error| error.to_string())?;
            Some(format!("Bearer {}", text.lines().next().unwrap_or("").trim()))
        }
        None => None,
    };
    let mut headers = vec![("content-type", "application/json")];
    headers.extend(authorization.as_deref().map(|value| ("authorization", value)));
    let body = json!({ "phone": message.phone, "text": message.text }).to_string();
    let answer =
        outbound.post(url, &headers, body.into_bytes()).await.map_err(|refused| refused.to_string())?;
    if answer.is_success() { Ok(()) } else { Err(format!("the gateway answered {}", answer.status)) }
}
