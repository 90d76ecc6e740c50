//! What leaves this machine and where it goes, seen by a listener that speaks the real protocol.

use super::*;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
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

fn answer(status: &str, more: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n{more}\r\n{body}", body.len())
}

#[tokio::test]
async fn a_request_arrives_with_its_headers_and_the_answer_is_read() {
    let (address, heard) = receiver(Some(answer("202 Accepted", "", "taken"))).await;
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
    let (inside, mut visited) = receiver(Some(answer("200 OK", "", ""))).await;
    let (address, _heard) =
        receiver(Some(answer("302 Found", &format!("location: http://{inside}/\r\n"), ""))).await;
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
    let (address, _heard) = receiver(Some(answer("200 OK", "", &"x".repeat(100_000)))).await;
    let sent =
        outbound(&[address], 5_000).post(&format!("http://{address}/"), &[], b"the body".to_vec()).await;
    assert_eq!(sent.unwrap().body.len(), ANSWER_BYTES_MAX);
}

#[tokio::test]
async fn a_name_that_now_means_this_machine_is_not_connected_to() {
    let (address, mut heard) = receiver(Some(answer("200 OK", "", ""))).await;
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
    let (address, _heard) = receiver(Some(answer("200 OK", "", ""))).await;
    let sent =
        outbound(&[address], 300).post(&format!("https://{address}/"), &[], b"the body".to_vec()).await;
    assert!(matches!(sent, Err(Refused::Unreachable(_) | Refused::TimedOut)), "{sent:?}");
}

/// A root that nobody else trusts, and what it says `shop.example` is: made for this run.
struct Authority {
    root: CertificateDer<'static>,
    certificate: CertificateDer<'static>,
    key: PrivateKeyDer<'static>,
}

fn authority() -> Authority {
    let mut root = CertificateParams::new(Vec::new()).unwrap();
    root.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let (root_key, key) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
    let signed_root = root.self_signed(&root_key).unwrap();
    let shop = CertificateParams::new(vec!["shop.example".to_owned()]).unwrap();
    let shop = shop.signed_by(&key, &Issuer::new(root, root_key)).unwrap();
    Authority {
        root: signed_root.der().clone(),
        certificate: shop.der().clone(),
        key: PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
    }
}

/// A receiver at `shop.example` on this machine.
async fn encrypted_receiver(authority: &Authority) -> (SocketAddr, JoinHandle<String>) {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let (certificate, key) = (authority.certificate.clone(), authority.key.clone_key());
    let config = config.with_no_client_auth().with_single_cert(vec![certificate], key).unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let heard = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let Ok(mut stream) = acceptor.accept(stream).await else { return String::new() };
        let mut chunk = [0_u8; 4_096];
        let mut heard = String::new();
        while !heard.contains("the body") {
            let read = stream.read(&mut chunk).await.unwrap();
            heard.push_str(std::str::from_utf8(&chunk[..read]).unwrap());
        }
        stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await.unwrap();
        heard
    });
    (address, heard)
}

#[tokio::test]
async fn over_tls_only_who_proves_the_name_is_talked_to() {
    let authority = authority();
    let mut roots = RootCertStore::empty();
    roots.add(authority.root.clone()).unwrap();
    for (name, is_trusted, is_sent) in
        [("shop.example", true, true), ("other.example", true, false), ("shop.example", false, false)]
    {
        let (address, heard) = encrypted_receiver(&authority).await;
        let policy = Policy { plain_http: false, allowed: vec![address] };
        let mut outbound = if is_trusted {
            Outbound::trusting(roots.clone(), policy, Duration::from_secs(5)).unwrap()
        } else {
            Outbound::new(policy, Duration::from_secs(5)).unwrap()
        };
        outbound.names =
            Names::Table(Arc::new(Mutex::new(HashMap::from([(name.to_owned(), vec![address.ip()])]))));
        let url = format!("https://{name}:{}/hook", address.port());
        let sent = outbound.post(&url, &[], b"the body".to_vec()).await;
        assert_eq!(
            sent.as_ref().map(|answer| answer.status).ok(),
            is_sent.then_some(204),
            "{name}: {sent:?}"
        );
        assert_eq!(heard.await.unwrap().contains("the body"), is_sent, "{name}");
    }
}
