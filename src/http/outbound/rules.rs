//! Where a request of ours may go: the form of an address, and which sockets are nobody's own network. Pure; nothing
//! here asks a name server.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use url::{Host, Url};

/// Characters of an address at most.
pub const URL_CHARS_MAX: usize = 500;

/// What may be reached besides the public internet.
#[derive(Clone, Debug, Default)]
pub struct Policy {
    /// `http` beside `https`: for development and tests.
    pub plain_http: bool,
    /// Sockets that are reached though they are not public or their port is another than 80 and 443.
    pub allowed: Vec<SocketAddr>,
}

/// An address of the right form. Whether its host may be reached is known once it is resolved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    pub is_tls: bool,
    pub host: Name,
    pub port: u16,
    /// Path and query, as they stand in the first line of a request.
    pub path: String,
}

/// The host of an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Name {
    Address(IpAddr),
    /// In lower case, as name servers take it.
    Domain(String),
}

/// Why nothing was sent, or no answer came.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Not an address that is called at all.
    #[error("{0}")]
    Form(&'static str),
    #[error("the address is not on the public internet, or its port is neither 80 nor 443")]
    NotPublic,
    #[error("the name does not resolve")]
    Unresolved,
    #[error("no connection: {0}")]
    Unreachable(String),
    #[error("no answer in time")]
    TimedOut,
}

/// Reads an address. Forms of numbers such as `0x7f.1` are read as browsers do, so that none of them hides an address.
pub fn target(text: &str, policy: &Policy) -> Result<Target, Refused> {
    if text.chars().count() > URL_CHARS_MAX {
        return Err(Refused::Form("the address is longer than 500 characters"));
    }
    if text.contains(|char: char| char.is_control() || char.is_whitespace() || char == '\\') {
        return Err(Refused::Form("the address holds spaces, control characters or backslashes"));
    }
    let url = Url::parse(text).map_err(|_| Refused::Form("this is no address such as https://host/path"))?;
    let is_tls = match url.scheme() {
        "https" => true,
        "http" if policy.plain_http => false,
        _ => return Err(Refused::Form("begin the address with https://")),
    };
    if !url.username().is_empty() || url.password().is_some() || text.contains('@') {
        return Err(Refused::Form("the address must not name a user"));
    }
    if url.fragment().is_some() {
        return Err(Refused::Form("the address must not have a #"));
    }
    let host = match url.host() {
        Some(Host::Ipv4(address)) => Name::Address(IpAddr::V4(address)),
        Some(Host::Ipv6(address)) => Name::Address(IpAddr::V6(address)),
        Some(Host::Domain(name)) => Name::Domain(name.trim_end_matches('.').to_owned()),
        None => return Err(Refused::Form("the address names no host")),
    };
    let port = url.port_or_known_default().ok_or(Refused::Form("the address names no port"))?;
    let path = url.query().map_or_else(|| url.path().to_owned(), |query| format!("{}?{query}", url.path()));
    let target = Target { is_tls, host, port, path };
    target.refuse_port(policy)?;
    Ok(target)
}

impl Target {
    /// The sockets that may be connected to: all of what the host resolved to, or none of it when one is not allowed.
    /// A name that stands for a public and a private address at once is made to get past a check.
    pub fn sockets(&self, resolved: &[IpAddr], policy: &Policy) -> Result<Vec<SocketAddr>, Refused> {
        if resolved.is_empty() {
            return Err(Refused::Unresolved);
        }
        let sockets: Vec<SocketAddr> = resolved.iter().map(|ip| SocketAddr::new(*ip, self.port)).collect();
        let is_allowed = sockets.iter().all(|socket| may_reach(*socket, policy));
        if is_allowed { Ok(sockets) } else { Err(Refused::NotPublic) }
    }

    /// As the `Host` header names it.
    #[must_use]
    pub fn authority(&self) -> String {
        let host = match &self.host {
            Name::Address(IpAddr::V6(address)) => format!("[{address}]"),
            Name::Address(IpAddr::V4(address)) => address.to_string(),
            Name::Domain(name) => name.clone(),
        };
        let is_usual = self.port == if self.is_tls { 443 } else { 80 };
        if is_usual { host } else { format!("{host}:{}", self.port) }
    }

    /// A port that no socket may have is refused before anything is resolved.
    fn refuse_port(&self, policy: &Policy) -> Result<(), Refused> {
        let is_known = is_web_port(self.port) || policy.allowed.iter().any(|one| one.port() == self.port);
        if is_known { Ok(()) } else { Err(Refused::NotPublic) }
    }
}

fn may_reach(socket: SocketAddr, policy: &Policy) -> bool {
    let plain = SocketAddr::new(unmapped(socket.ip()), socket.port());
    policy.allowed.contains(&plain) || (is_public(socket.ip()) && is_web_port(socket.port()))
}

const fn is_web_port(port: u16) -> bool {
    matches!(port, 80 | 443)
}

/// An IPv4 address that is written as an IPv6 one is what it is underneath.
fn unmapped(ip: IpAddr) -> IpAddr {
    match ip {
        IpAddr::V6(address) => address.to_ipv4_mapped().map_or(ip, IpAddr::V4),
        IpAddr::V4(_) => ip,
    }
}

/// Whether an address is one of the public internet: none of the special-purpose registries of IANA (RFC 6890 and what
/// was added to it), of which the addresses of cloud metadata services are part.
#[must_use]
pub fn is_public(ip: IpAddr) -> bool {
    match unmapped(ip) {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [first, second, third, _] = address.octets();
    let is_special = match (first, second, third) {
        // This network, private, loopback, multicast, reserved and broadcast.
        (0 | 10 | 127 | 224..=255, _, _)
        // Carrier-grade NAT, where the metadata of one big cloud is (100.100.100.200).
        | (100, 64..=127, _)
        // Link-local, where the metadata of the others is (169.254.169.254).
        | (169, 254, _)
        | (172, 16..=31, _)
        // Protocol assignments, documentation, the relay of 6to4.
        | (192, 0, 0 | 2)
        | (192, 88, 99)
        | (192, 168, _)
        // Benchmarks, documentation.
        | (198, 18 | 19, _)
        | (198, 51, 100)
        | (203, 0, 113) => true,
        _ => false,
    };
    !is_special
}

/// Global unicast is `2000::/3`; of that, what carries an IPv4 address inside (NAT64 lies outside), Teredo and the other
/// protocol assignments, and documentation are not public.
fn is_public_v6(address: Ipv6Addr) -> bool {
    let [first, second, ..] = address.segments();
    let is_global_unicast = first & 0xe000 == 0x2000;
    let is_assigned = first == 0x2001 && second < 0x0200;
    let is_documentation = (first == 0x2001 && second == 0x0db8) || (first == 0x3fff && second < 0x1000);
    let is_6to4 = first == 0x2002;
    is_global_unicast && !is_assigned && !is_documentation && !is_6to4
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Result<Target, Refused> {
        target(text, &Policy::default())
    }

    /// The sockets that a literal address leads to.
    fn reached(text: &str, policy: &Policy) -> Result<Vec<SocketAddr>, Refused> {
        let target = target(text, policy)?;
        match &target.host {
            Name::Address(ip) => target.sockets(&[*ip], policy),
            Name::Domain(_) => Ok(Vec::new()),
        }
    }

    #[test]
    fn only_https_without_user_and_fragment_on_the_ports_of_the_web_is_an_address() {
        assert_eq!(
            parsed("https://shop.example/hook?a=1").unwrap(),
            Target {
                is_tls: true,
                host: Name::Domain("shop.example".to_owned()),
                port: 443,
                path: "/hook?a=1".to_owned(),
            }
        );
        for bad in [
            "http://shop.example/",
            "file:///etc/passwd",
            "gopher://shop.example/",
            "ftp://shop.example/",
            "https://good.example@127.0.0.1/",
            "https://user:pass@shop.example/",
            "https://good.example:22/",
            "https://shop.example/#x",
            "https://",
            "//shop.example/",
            "shop.example",
            "",
            "https://shop .example/",
            "https://shop.example\\@127.0.0.1/",
            "https://shop.example/\r\nHost: x",
            "data:text/plain,x",
        ] {
            assert!(parsed(bad).is_err(), "{bad}");
        }
        assert!(parsed(&format!("https://shop.example/{}", "x".repeat(500))).is_err());
    }

    #[test]
    fn no_address_of_a_private_or_special_network_is_reached_however_it_is_written() {
        let policy = Policy { plain_http: true, ..Policy::default() };
        for bad in [
            "http://127.0.0.1/",
            "http://127.1/",
            "http://0x7f.1/",
            "http://2130706433/",
            "http://0177.0.0.1/",
            "http://0.0.0.0/",
            "http://10.0.0.1/",
            "http://172.16.0.1/",
            "http://172.31.255.255/",
            "http://192.168.1.1/",
            "http://169.254.169.254/latest/meta-data/",
            "http://100.100.100.200/",
            "http://100.64.0.1/",
            "http://100.127.255.255/",
            "http://192.0.0.1/",
            "http://192.0.2.1/",
            "http://198.18.0.1/",
            "http://198.51.100.1/",
            "http://203.0.113.1/",
            "http://224.0.0.1/",
            "http://240.0.0.1/",
            "http://255.255.255.255/",
            "http://[::1]/",
            "http://[::]/",
            "http://[::ffff:127.0.0.1]/",
            "http://[::ffff:10.0.0.1]/",
            "http://[::127.0.0.1]/",
            "http://[fe80::1]/",
            "http://[fc00::1]/",
            "http://[fd00:ec2::254]/",
            "http://[ff02::1]/",
            "http://[2001:db8::1]/",
            "http://[2001::1]/",
            "http://[2002:7f00:1::1]/",
            "http://[64:ff9b::7f00:1]/",
            "http://[64:ff9b:1::1]/",
            "http://[3fff::1]/",
            "http://[fec0::1]/",
            "http://[100::1]/",
        ] {
            assert_eq!(reached(bad, &policy), Err(Refused::NotPublic), "{bad}");
        }
        for good in [
            "http://1.1.1.1/",
            "http://100.63.0.1/",
            "http://100.128.0.1/",
            "http://172.32.0.1/",
            "http://192.0.1.1/",
            "http://198.20.0.1/",
            "http://[2606:4700::1111]/",
            "http://[::ffff:1.1.1.1]/",
        ] {
            assert!(reached(good, &policy).is_ok(), "{good}");
        }
    }

    #[test]
    fn a_name_that_stands_for_a_public_and_a_private_address_is_not_reached() {
        let target = parsed("https://shop.example/").unwrap();
        let public: IpAddr = "1.1.1.1".parse().unwrap();
        let private: IpAddr = "10.0.0.1".parse().unwrap();
        let policy = Policy::default();
        assert_eq!(target.sockets(&[public], &policy), Ok(vec![SocketAddr::new(public, 443)]));
        assert_eq!(target.sockets(&[public, private], &policy), Err(Refused::NotPublic));
        assert_eq!(target.sockets(&[], &policy), Err(Refused::Unresolved));
    }

    #[test]
    fn a_socket_that_is_allowed_by_name_is_reached_and_no_other_port_of_it() {
        let policy = Policy { plain_http: true, allowed: vec!["127.0.0.1:8443".parse().unwrap()] };
        assert!(reached("http://127.0.0.1:8443/", &policy).is_ok());
        assert!(reached("http://[::ffff:127.0.0.1]:8443/", &policy).is_ok());
        for bad in ["http://127.0.0.1/", "http://127.0.0.1:8444/", "http://1.1.1.1:8443/"] {
            assert_eq!(reached(bad, &policy), Err(Refused::NotPublic), "{bad}");
        }
    }

    #[test]
    fn the_authority_names_a_port_that_is_not_the_usual_one() {
        let policy = Policy { plain_http: true, allowed: vec!["[::1]:8443".parse().unwrap()] };
        assert_eq!(target("http://shop.example/", &policy).unwrap().authority(), "shop.example");
        assert_eq!(target("https://[::1]:8443/", &policy).unwrap().authority(), "[::1]:8443");
    }
}
