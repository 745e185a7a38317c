// SPDX-License-Identifier: MPL-2.0
//! How a listening address is told to people.
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

/// The address of the player page, as it is to be typed into a browser.
pub(crate) fn page_uri(bound: SocketAddr) -> String {
    let reachable = match bound.ip() {
        ip if ip.is_unspecified() => SocketAddr::new(outward_address(ip), bound.port()),
        _ => bound,
    };
    format!("http://{reachable}/")
}

/// What to know beside the page's address.
pub(crate) fn hint(uri: &str, bound: SocketAddr) -> String {
    let base = uri.trim_end_matches('/');
    let mut text = format!("publish at {base}/publish, WHEP {base}/whep, WHIP {base}/whip");
    if bound.ip().is_loopback() {
        text += &format!("; set web-address=0.0.0.0:{} for the LAN", bound.port());
    }
    text
}

/// The address that packets to the world would leave from. Connecting a UDP socket sends nothing.
fn outward_address(unspecified: IpAddr) -> IpAddr {
    // Documentation addresses (RFC 5737, RFC 3849): routed as any other would be.
    let (any, far, local): (SocketAddr, SocketAddr, IpAddr) = match unspecified {
        IpAddr::V4(any) => (
            (any, 0).into(),
            (Ipv4Addr::new(192, 0, 2, 1), 9).into(),
            Ipv4Addr::LOCALHOST.into(),
        ),
        IpAddr::V6(any) => (
            (any, 0).into(),
            (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1), 9).into(),
            Ipv6Addr::LOCALHOST.into(),
        ),
    };
    UdpSocket::bind(any)
        .and_then(|socket| {
            socket.connect(far)?;
            socket.local_addr()
        })
        .map_or(local, |address| address.ip())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_s_address_can_be_typed() {
        assert_eq!(
            page_uri("127.0.0.1:8080".parse().unwrap()),
            "http://127.0.0.1:8080/"
        );
        assert_eq!(page_uri("[::1]:80".parse().unwrap()), "http://[::1]:80/");
        let uri = page_uri("0.0.0.0:8080".parse().unwrap());
        assert!(!uri.contains("0.0.0.0") && uri.ends_with(":8080/"), "{uri}");
    }

    #[test]
    fn only_a_loopback_address_is_told_how_to_reach_the_lan() {
        let local: SocketAddr = "127.0.0.1:8080".parse().unwrap();
        assert!(hint("http://127.0.0.1:8080/", local).contains("set web-address=0.0.0.0:8080"));
        assert!(!hint("http://10.0.0.1:8080/", "0.0.0.0:8080".parse().unwrap()).contains("set "));
    }
}
