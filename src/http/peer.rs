//! Where a request comes from: the other end of its socket, or, behind proxies that the operator has named, the nearest
//! address that is not one of them. A header from anybody else says nothing.

use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;
use poem::{Endpoint, Middleware, Request, Result};
use serde::Deserialize;

/// Addresses of a forwarding header that are looked at, from the nearest on.
const HOPS_MAX: usize = 10;

tokio::task_local! {
    static PEER: String;
}

/// The peer of the request that this task is working on.
#[must_use]
pub fn current_peer() -> Option<String> {
    PEER.try_with(Clone::clone).ok()
}

/// The proxies that are believed, as addresses and networks separated by commas: `10.0.0.7, 10.1.0.0/16`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Proxies(Arc<[IpNet]>);

impl TryFrom<String> for Proxies {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let named = text.split(',').map(str::trim).filter(|name| !name.is_empty());
        let networks = named.map(|name| {
            name.parse::<IpNet>()
                .or_else(|_| name.parse::<IpAddr>().map(IpNet::from))
                .map_err(|_| format!("{name} is no address and no network"))
        });
        networks.collect::<Result<_, _>>().map(Self)
    }
}

impl Proxies {
    fn hold(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(&address))
    }

    /// The address a request came from, given the socket's other end and the values of `X-Forwarded-For`.
    #[must_use]
    pub fn peer<'a>(&self, socket: IpAddr, forwarded: impl DoubleEndedIterator<Item = &'a str>) -> IpAddr {
        let mut nearest = socket.to_canonical();
        let hops = forwarded.rev().flat_map(|value| value.rsplit(',')).take(HOPS_MAX);
        for hop in hops {
            if !self.hold(nearest) {
                break;
            }
            match hop.trim().parse::<IpAddr>() {
                Ok(address) => nearest = address.to_canonical(),
                Err(_) => break,
            }
        }
        nearest
    }
}

/// Tells everything further in where the request came from.
#[derive(Clone, Debug)]
pub struct Peers {
    pub proxies: Proxies,
}

impl<E: Endpoint> Middleware<E> for Peers {
    type Output = PeersEndpoint<E>;

    fn transform(&self, inner: E) -> Self::Output {
        PeersEndpoint { inner, proxies: self.proxies.clone() }
    }
}

/// The endpoint that [`Peers`] makes.
#[derive(Debug)]
pub struct PeersEndpoint<E> {
    inner: E,
    proxies: Proxies,
}

impl<E: Endpoint> Endpoint for PeersEndpoint<E> {
    type Output = E::Output;

    async fn call(&self, request: Request) -> Result<E::Output> {
        let forwarded = request.headers().get_all("x-forwarded-for").iter();
        let forwarded: Vec<&str> = forwarded.filter_map(|value| value.to_str().ok()).take(HOPS_MAX).collect();
        let peer = request.remote_addr().as_socket_addr().map_or_else(
            || "local".to_owned(),
            |socket| self.proxies.peer(socket.ip(), forwarded.into_iter()).to_string(),
        );
        PEER.scope(peer, self.inner.call(request)).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(proxies: &str, socket: &str, forwarded: &[&str]) -> String {
        let proxies = Proxies::try_from(proxies.to_owned()).unwrap();
        proxies.peer(socket.parse().unwrap(), forwarded.iter().copied()).to_string()
    }

    #[test]
    fn a_header_from_anybody_but_a_named_proxy_says_nothing() {
        assert_eq!(peer("", "203.0.113.9", &["198.51.100.1"]), "203.0.113.9");
        assert_eq!(peer("10.0.0.7", "203.0.113.9", &["198.51.100.1"]), "203.0.113.9");
    }

    #[test]
    fn behind_named_proxies_it_is_the_nearest_address_that_is_none_of_them() {
        assert_eq!(peer("10.0.0.0/8", "10.0.0.7", &["198.51.100.1"]), "198.51.100.1");
        assert_eq!(peer("10.0.0.0/8", "10.0.0.7", &["192.0.2.66, 198.51.100.1, 10.9.9.9"]), "198.51.100.1");
        assert_eq!(peer("10.0.0.0/8", "10.0.0.7", &["192.0.2.66", "198.51.100.1"]), "198.51.100.1");
        assert_eq!(peer("10.0.0.0/8", "::ffff:10.0.0.7", &["198.51.100.1"]), "198.51.100.1");
    }

    #[test]
    fn what_is_no_address_ends_the_search_at_the_proxy() {
        assert_eq!(peer("10.0.0.7", "10.0.0.7", &["198.51.100.1, unknown"]), "10.0.0.7");
        assert_eq!(peer("10.0.0.7", "10.0.0.7", &[]), "10.0.0.7");
    }

    #[test]
    fn a_proxy_that_cannot_be_read_is_named() {
        assert!(Proxies::try_from("10.0.0.7, here".to_owned()).unwrap_err().contains("here"));
    }
}
