//! Behind a proxy: whose request it is, by what the proxy says. Pure.

use http::{HeaderMap, HeaderName};
use ipnet::IpNet;
use std::net::IpAddr;

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The address of the client: the last one in the chain that is none of our proxies. What a client says
/// itself stands before what proxies add, and is never reached.
pub(super) fn client(peer: IpAddr, headers: &HeaderMap, proxies: &[IpNet]) -> IpAddr {
    let is_ours = |address: IpAddr| {
        let address = address.to_canonical();
        proxies.iter().any(|proxy| proxy.contains(&address))
    };
    let mut client = peer;
    let values = headers.get_all(FORWARDED_FOR).iter().collect::<Vec<_>>();
    let hops = values.iter().rev().filter_map(|value| value.to_str().ok());
    for hop in hops.flat_map(|value| value.rsplit(',')) {
        if !is_ours(client) {
            break;
        }
        match hop.trim().parse::<IpAddr>() {
            Ok(address) => client = address,
            Err(_) => break,
        }
    }
    client
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_proxies_are_believed() {
        let proxies: Vec<IpNet> =
            ["10.0.0.0/8", "127.0.0.1/32", "fd00::/8"].map(|net| net.parse().unwrap()).to_vec();
        let check = |peer: &str, forwarded: &[&str], expected: &str| {
            let mut headers = HeaderMap::new();
            for value in forwarded {
                headers.append(FORWARDED_FOR, value.parse().unwrap());
            }
            let found = client(peer.parse().unwrap(), &headers, &proxies);
            assert_eq!(found.to_string(), expected, "{peer} {forwarded:?}");
        };
        check("192.0.2.7", &[], "192.0.2.7");
        check("192.0.2.7", &["198.51.100.1"], "192.0.2.7");
        check("127.0.0.1", &[], "127.0.0.1");
        check("127.0.0.1", &["198.51.100.1"], "198.51.100.1");
        check("::ffff:127.0.0.1", &["198.51.100.1"], "198.51.100.1");
        check("127.0.0.1", &["1.1.1.1, 198.51.100.1, 10.1.2.3"], "198.51.100.1");
        check("127.0.0.1", &["1.1.1.1", "198.51.100.1", "10.1.2.3,fd00::1"], "198.51.100.1");
        check("127.0.0.1", &["1.1.1.1, nonsense"], "127.0.0.1");
        check("127.0.0.1", &["10.0.0.1"], "10.0.0.1");
        check("127.0.0.1", &["2001:db8::7"], "2001:db8::7");
    }
}
