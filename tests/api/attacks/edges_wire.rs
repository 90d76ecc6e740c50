//! Attacks below HTTP: bytes on a socket that no client library would send, and clients that send or take them slowly.

use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use zhuxiao::members::access::Role;
use zhuxiao::settings::Settings;

use crate::orders::Market;
use crate::support::World;

/// How long a test waits for what must happen at once or after a limit of one second.
const SOON: Duration = Duration::from_secs(20);

/// The address behind `http://`.
fn address(world: &World) -> &str {
    world.base.strip_prefix("http://").unwrap()
}

async fn connect(world: &World) -> TcpStream {
    TcpStream::connect(address(world)).await.unwrap()
}

/// All that the service sends until it closes; fails when it does not close soon.
async fn read_to_end(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    // A reset after an answer is a way to close.
    let read = tokio::time::timeout(SOON, stream.read_to_end(&mut bytes)).await;
    assert!(read.is_ok(), "the connection stays open: {}", String::from_utf8_lossy(&bytes));
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Sends bytes and reads what comes back until the service closes.
async fn sent(world: &World, bytes: &[u8]) -> String {
    let mut stream = connect(world).await;
    stream.write_all(bytes).await.unwrap();
    read_to_end(&mut stream).await
}

/// The statuses of all answers in a text of answers.
fn statuses(text: &str) -> Vec<u16> {
    text.split("HTTP/1.1 ").skip(1).map(|answer| answer[..3].parse().unwrap()).collect()
}

#[tokio::test]
async fn at_s14_an_origin_with_a_byte_that_is_no_text_is_answered() {
    for origins in [Vec::new(), vec!["https://office.example".to_owned()]] {
        let world = World::with(|settings| settings.cors_origins = origins).await;
        let officer = world.official(Role::Officer).await;
        let head = format!("GET /v1/me HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\n", officer.token);
        let request = [head.as_bytes(), b"origin: \xff\r\nconnection: close\r\n\r\n"].concat();
        let answer = sent(&world, &request).await;
        assert_eq!(statuses(&answer), [200]);
        assert!(!answer.to_lowercase().contains("access-control-"), "{answer}");
    }
}

#[tokio::test]
async fn at_j11_what_is_not_json_to_the_last_byte_is_refused() {
    let market = Market::new().await;
    let order = market.order("1").to_string();
    let with = |from: &str, to: &[u8]| {
        let (before, behind) = order.split_once(from).unwrap();
        [before.as_bytes(), to, behind.as_bytes()].concat()
    };
    let bodies = [
        with("max_min", b"max\xff_min"),
        with("max_min", b"\xed\xa0\x80"),
        with("max_min", b"\\ud800"),
        with("max_min", b"\\udc00\\ud800"),
        [order.as_bytes(), b" x"].concat(),
        [order.as_bytes(), b"{}"].concat(),
        [b"\xef\xbb\xbf", order.as_bytes()].concat(),
        Vec::new(),
    ];
    for (number, body) in bodies.into_iter().enumerate() {
        let head = format!(
            "POST /v1/orders HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\ncontent-type: application/json\r\n\
             idempotency-key: j11-{number}\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
            market.buyer.token,
            body.len()
        );
        let answer = sent(&market.world, &[head.as_bytes(), &body].concat()).await;
        assert_eq!(statuses(&answer), [400], "{number}: {answer}");
        assert!(answer.contains("malformed_request"), "{number}: {answer}");
    }
    assert_eq!(market.stock().await, (0, 0, 0));
}

#[tokio::test]
async fn at_f08_a_body_over_the_limit_is_refused_before_it_is_sent_and_in_chunks_at_the_limit() {
    let world = World::new().await.with_regions().await;
    let officer = world.official(Role::Officer).await;
    let head = format!(
        "POST /v1/households/import HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\n\
         content-type: application/octet-stream\r\n",
        officer.token
    );
    // Of the body that the head announces not one byte is sent.
    let answer = sent(&world, format!("{head}content-length: 209715200\r\n\r\n").as_bytes()).await;
    assert_eq!(statuses(&answer), [413], "{answer}");
    let mut stream = connect(&world).await;
    stream.write_all(format!("{head}transfer-encoding: chunked\r\n\r\n").as_bytes()).await.unwrap();
    let chunk = [b"100000\r\n".as_slice(), &vec![b'a'; 1 << 20], b"\r\n"].concat();
    let (mut reading, mut writing) = stream.split();
    let mut answer = Vec::new();
    let sending = async {
        // The service stops reading at 20 MiB; what the sockets hold of the rest is all that can be sent.
        for _ in 0..200 {
            if writing.write_all(&chunk).await.is_err() {
                break;
            }
        }
    };
    let answering = async {
        let mut byte = [0; 1];
        while reading.read(&mut byte).await.is_ok_and(|read| read > 0) {
            answer.extend(byte);
        }
    };
    tokio::time::timeout(SOON, async { tokio::join!(sending, answering) }).await.unwrap();
    // A service that closes with bytes unread resets, and the answer may be lost on the way; never is it another.
    let answer = String::from_utf8_lossy(&answer).into_owned();
    assert!(matches!(statuses(&answer)[..], [413] | []), "{answer}");
    let answer = sent(&world, b"GET /v1/public/lots HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await;
    assert_eq!(statuses(&answer), [200]);
}

#[tokio::test]
async fn at_d03_heads_that_drip_are_cut_off_and_hurt_nobody() {
    let world = World::with(|settings| settings.head_seconds_max = 1).await;
    let begun = Instant::now();
    let mut dripping = tokio::task::JoinSet::new();
    for number in 0..500_usize {
        let mut stream = connect(&world).await;
        dripping.spawn(async move {
            // Some say nothing at all, the others a byte now and then.
            let mut buffer = [0; 64];
            let mut head =
                b"GET /healthz HTTP/1.1\r\nhost: x\r\nx-padding: ".iter().chain(std::iter::repeat(&b'a'));
            loop {
                if number % 5 != 0 {
                    let _ = stream.write_all(&[*head.next().unwrap()]).await;
                }
                let pause = Duration::from_millis(200);
                match tokio::time::timeout(pause, stream.read(&mut buffer)).await {
                    Ok(Ok(0) | Err(_)) => return begun.elapsed(),
                    Ok(Ok(_)) => panic!("half a head was answered"),
                    Err(_) => assert!(begun.elapsed() < SOON, "a dripping head is not cut off"),
                }
            }
        });
    }
    let mut taken = Vec::new();
    for _ in 0..40 {
        let asked = Instant::now();
        assert_eq!(world.get_as(None, "/readyz").await.status, 200);
        taken.push(asked.elapsed());
    }
    taken.sort_unstable();
    assert!(taken[20] < Duration::from_millis(200), "{taken:?}");
    let cut_off = dripping.join_all().await;
    assert_eq!(cut_off.len(), 500);
    assert!(cut_off.iter().all(|after| *after >= Duration::from_secs(1)), "not before its time");
}

#[tokio::test]
async fn at_d03_a_kept_connection_is_closed_after_its_idle_time_and_not_before() {
    let world = World::with(|settings| settings.idle_seconds_max = 2).await;
    let mut stream = connect(&world).await;
    let request = b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n";
    let mut buffer = [0; 4096];
    for _ in 0..3 {
        stream.write_all(request).await.unwrap();
        assert!(stream.read(&mut buffer).await.unwrap() > 0);
    }
    let begun = Instant::now();
    assert_eq!(read_to_end(&mut stream).await, "");
    assert!(begun.elapsed() > Duration::from_secs(1), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn at_d04_a_body_that_drips_is_cut_off() {
    let world = World::with(|settings| settings.body_seconds_max = 1).await;
    let mut stream = connect(&world).await;
    let head = "POST /v1/sessions HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 600\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    let begun = Instant::now();
    let (mut reading, mut writing) = stream.split();
    let mut answer = Vec::new();
    let dripping = async {
        while writing.write_all(b" ").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    let read = async {
        let _ = reading.read_to_end(&mut answer).await;
    };
    tokio::select! {
        () = dripping => {}
        () = read => {}
        () = tokio::time::sleep(SOON) => panic!("a dripping body is not cut off"),
    }
    let answer = String::from_utf8_lossy(&answer).into_owned();
    assert!(matches!(statuses(&answer)[..], [408] | []), "{answer}");
    assert!(begun.elapsed() > Duration::from_millis(900), "not before its time: {:?}", begun.elapsed());
}

#[tokio::test]
async fn at_d05_a_reader_who_takes_nothing_of_an_answer_loses_the_connection() {
    let world = World::with(|settings| {
        settings.stall_seconds_max = 1;
        settings.connections_max = 1;
    })
    .await;
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4_096).unwrap();
    let mut stream = socket.connect(address(&world).parse().unwrap()).await.unwrap();
    // Forty pages of more than a megabyte: more than any two sockets hold.
    let requests = "GET /docs HTTP/1.1\r\nhost: x\r\n\r\n".repeat(40);
    stream.write_all(requests.as_bytes()).await.unwrap();
    // The only connection there may be is taken; the next one is served once the first has been cut off.
    let begun = Instant::now();
    let next = sent(&world, b"GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await;
    assert_eq!(statuses(&next), [200]);
    assert!(begun.elapsed() > Duration::from_millis(900), "{:?}", begun.elapsed());
    drop(stream);
}

#[tokio::test]
async fn at_d03_at_d04_at_d05_the_limits_by_default_are_those_of_the_specification() {
    let settings = Settings::default();
    assert!(settings.head_seconds_max <= 10);
    assert!(settings.body_seconds_max <= 30);
    assert!(settings.stall_seconds_max <= 60);
    assert!(settings.request_seconds_max <= 30);
}

#[tokio::test]
async fn at_d11_http_2_is_not_spoken_and_a_flood_of_its_frames_is_cut_off() {
    let world = World::new().await;
    let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
    // Frames by type: HEADERS without their end, CONTINUATION, RST_STREAM, empty DATA.
    for (kind, flags, payload) in [(1_u8, 0_u8, 1_usize), (9, 0, 16), (3, 0, 4), (0, 0, 0)] {
        let length = u8::try_from(payload).unwrap();
        let frame = [&[0, 0, length, kind, flags, 0, 0, 0, 1], vec![0; payload].as_slice()].concat();
        let mut stream = connect(&world).await;
        let flood = [preface.as_slice(), &frame.repeat(10_000)].concat();
        // The service may close before it was all sent.
        let _ = stream.write_all(&flood).await;
        let answer = read_to_end(&mut stream).await;
        assert!(matches!(statuses(&answer)[..], [400] | []), "{answer}");
    }
    // Asking to go on in HTTP/2 changes nothing either.
    let upgrade =
        b"GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: upgrade, http2-settings, close\r\nupgrade: h2c\r\n\
                    http2-settings: AAMAAABkAAQAAP__\r\n\r\n";
    assert_eq!(statuses(&sent(&world, upgrade).await), [200]);
}

#[tokio::test]
async fn at_d12_a_second_request_hidden_behind_a_body_is_never_answered() {
    let world = World::new().await;
    let hidden = "GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
    let length = hidden.len();
    for (name, headers, body) in [
        (
            "length before chunks",
            format!("content-length: {length}\r\ntransfer-encoding: chunked"),
            "0\r\n\r\n",
        ),
        (
            "chunks before length",
            format!("transfer-encoding: chunked\r\ncontent-length: {length}"),
            "0\r\n\r\n",
        ),
        ("a coding that is none", "transfer-encoding: xchunked".to_owned(), "0\r\n\r\n"),
        ("chunks that are not last", "transfer-encoding: chunked, identity".to_owned(), "0\r\n\r\n"),
        ("chunks twice", "transfer-encoding: chunked\r\ntransfer-encoding: identity".to_owned(), "0\r\n\r\n"),
        ("two lengths", format!("content-length: 0\r\ncontent-length: {length}"), ""),
        ("two lengths in one", format!("content-length: 0, {length}"), ""),
        ("a length with a sign", "content-length: +0".to_owned(), ""),
        ("a length below nothing", "content-length: -1".to_owned(), ""),
        ("a folded line", "x-folded: a\r\n content-length: 0".to_owned(), ""),
        ("a space before the colon", "transfer-encoding : chunked".to_owned(), "0\r\n\r\n"),
        ("a control character", "transfer-encoding: \u{b}chunked".to_owned(), "0\r\n\r\n"),
        ("a bare line end", format!("x: a\rcontent-length: {length}"), ""),
    ] {
        for method in ["POST /v1/sessions", "GET /healthz"] {
            let head = format!(
                "{method} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n{headers}\r\n\r\n"
            );
            let answer = sent(&world, format!("{head}{body}{hidden}").as_bytes()).await;
            assert!(statuses(&answer).len() <= 1, "{name}: {method}: {answer}");
            assert!(!answer.contains("alive") || method.starts_with("GET"), "{name}: {answer}");
        }
    }
    // The same bytes with an honest length are two requests, so that what is asserted above can fail.
    let honest = format!("GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n{hidden}");
    assert_eq!(statuses(&sent(&world, honest.as_bytes()).await), [200, 200]);
}

#[tokio::test]
async fn at_c05_nobody_is_connected_to_anywhere_through_us() {
    let world = World::new().await;
    for target in ["127.0.0.1:22", "evil.example:443"] {
        let request = format!("CONNECT {target} HTTP/1.1\r\nhost: {target}\r\nconnection: close\r\n\r\n");
        let answer = sent(&world, request.as_bytes()).await;
        assert_eq!(statuses(&answer), [405], "{answer}");
        assert!(answer.contains("application/problem+json") && answer.to_lowercase().contains("allow: "));
    }
}
