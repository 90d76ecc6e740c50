//! A gateway for text messages that speaks HTTP and keeps what it is given.

use std::net::SocketAddr;
use std::time::Duration;

use poem::listener::TcpAcceptor;
use poem::web::{Data, Json};
use poem::{EndpointExt, Route, Server, handler, post};
use serde_json::Value;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use zhuxiao::settings::{Settings, Sockets};

/// The gateway and the messages that nobody has looked at yet.
pub struct SmsStub {
    address: SocketAddr,
    messages: UnboundedReceiver<Value>,
}

#[handler]
fn keep(Json(message): Json<Value>, kept: Data<&UnboundedSender<Value>>) {
    kept.send(message).unwrap();
}

impl SmsStub {
    pub async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (sender, messages) = unbounded_channel();
        let acceptor = TcpAcceptor::from_tokio(listener).unwrap();
        tokio::spawn(
            Server::new_with_acceptor(acceptor).run(Route::new().at("/sms", post(keep)).data(sender)),
        );
        Self { address, messages }
    }

    /// Lets a service use it.
    pub fn set(&self, settings: &mut Settings) {
        settings.sms_url = Some(format!("http://{}/sms", self.address));
        settings.outbound_plain_http = true;
        settings.outbound_allowed = Sockets(vec![self.address]);
    }

    /// The six digits of the next message, which is for `phone`.
    pub async fn code_for(&mut self, phone: &str) -> String {
        let message = tokio::time::timeout(Duration::from_secs(20), self.messages.recv()).await;
        let message = message.unwrap_or_else(|_| panic!("no message came")).unwrap();
        assert_eq!(message["phone"], phone);
        let text = message["text"].as_str().unwrap();
        let digits: String =
            text.chars().skip_while(|sign| !sign.is_ascii_digit()).take_while(char::is_ascii_digit).collect();
        assert_eq!(digits.len(), 6, "{text}");
        digits
    }

    /// Whether every message has been looked at.
    pub fn is_empty(&mut self) -> bool {
        self.messages.try_recv().is_err()
    }
}
