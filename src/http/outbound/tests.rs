//! What leaves this machine and where it goes, seen by a listener that speaks the real protocol.

use super::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// Answers one connection with `reply` and keeps what came; without a reply it stays silent.
async fn receiver(reply: Option<String>) -> (SocketAddr, JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let heard = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut heard = Vec::new();
        let mut chunk = [0_u8; 4_096];
        while !String::from_utf8_lossy(&heard).contains("the body") {
            let read = stream.read(&mut chunk).await.unwrap();
            if read == 0 {
                break;
            }
            heard.extend_from_slice(&chunk[..read]);
        }
        match reply {
            Some(reply) => {
                let _ = stream.write_all(reply.as_bytes()).await;
            }
            None => std::future::pending().await,
        }
        String::from_utf8(heard).unwrap()
    });
    (address, heard)
}

fn outbound(allowed: &[SocketAddr], millis: u64) -> Outbound {
    let policy = Policy { plain_http: true, allowed: allowed.to_vec() };
    Outbound::new(policy, Duration::from_millis(millis)).unwrap()
}

fn answer(status: &str, more: &str, body: &str) -> Option<String> {
    Some(format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n{more}\r\n{body}", body.len()))
}

#[tokio::test]
async fn a_request_arrives_with_its_headers_and_the_answer_is_read() {
    let (address, heard) = receiver(answer("202 Accepted", "", "taken")).await;
    let url = format!("http://{address}/hook?a=1");
    let sent = outbound(&[address], 5_000).post(&url, &[("x-kind", "test")], b"the body".to_vec()).await;
    assert_eq!(sent, Ok(Answer { status: 202, body: b"taken".to_vec() }));
    let heard = heard.await.unwrap();
    assert!(heard.starts_with("POST /hook?a=1 HTTP/1.1\r\n"), "{heard}");
    assert!(heard.contains("x-kind: test\r\n") && heard.contains(&format!("host: {address}\r\n")), "{heard}");
    assert!(heard.ends_with("\r\n\r\nthe body"), "{heard}");
}

#[tokio::test]
async fn a_redirect_is_an_answer_and_not_followed() {
    let (inside, mut visited) = receiver(answer("200 OK", "", "")).await;
    let (address, _heard) =
        receiver(answer("302 Found", &format!("location: http://{inside}/\r\n"), "")).await;
    let (outbound, url) = (outbound(&[address, inside], 5_000), format!("http://{address}/"));
    let sent = outbound.post(&url, &[], b"the body".to_vec()).await.unwrap();
    assert_eq!((sent.status, sent.is_success()), (302, false));
    assert!(futures_util::poll!(&mut visited).is_pending(), "nobody went there");
}

#[tokio::test]
async fn who_accepts_and_never_answers_is_left_in_time() {
    let (address, _silent) = receiver(None).await;
    let sent = outbound(&[address], 100).post(&format!("http://{address}/"), &[], b"the body".to_vec()).await;
    assert_eq!(sent, Err(Refused::TimedOut));
}

#[tokio::test]
async fn of_a_long_answer_only_the_beginning_is_kept() {
    let (address, _heard) = receiver(answer("200 OK", "", &"x".repeat(100_000))).await;
    let sent =
        outbound(&[address], 5_000).post(&format!("http://{address}/"), &[], b"the body".to_vec()).await;
    assert_eq!(sent.unwrap().body.len(), ANSWER_BYTES_MAX);
}

#[tokio::test]
async fn a_name_that_now_means_this_machine_is_not_connected_to() {
    let (address, mut heard) = receiver(answer("200 OK", "", "")).await;
    let table =
        Arc::new(Mutex::new(HashMap::from([("shop.example".to_owned(), vec!["1.1.1.1".parse().unwrap()])])));
    // Only its port is known to the policy, so that the name alone decides.
    let known = SocketAddr::new("9.9.9.9".parse().unwrap(), address.port());
    let mut outbound = outbound(&[known, SocketAddr::new("1.1.1.1".parse().unwrap(), address.port())], 5_000);
    outbound.names = Names::Table(Arc::clone(&table));
    let url = format!("http://shop.example:{}/", address.port());
    assert_eq!(outbound.check(&url).await, Ok(()));
    table.lock().unwrap().insert("shop.example".to_owned(), vec![address.ip()]);
    assert_eq!(outbound.post(&url, &[], b"the body".to_vec()).await, Err(Refused::NotPublic));
    assert!(futures_util::poll!(&mut heard).is_pending(), "nobody came");
}

#[tokio::test]
async fn what_answers_without_a_certificate_is_not_talked_to_over_tls() {
    let (address, _heard) = receiver(answer("200 OK", "", "")).await;
    let sent =
        outbound(&[address], 300).post(&format!("https://{address}/"), &[], b"the body".to_vec()).await;
    assert!(matches!(sent, Err(Refused::Unreachable(_) | Refused::TimedOut)), "{sent:?}");
}
