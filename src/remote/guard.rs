//! The SSRF guard: which addresses out of remote data may be called at all (design.md section 9).
//!
//! Two gates. [`Guard::check`] judges the parsed address itself, since clients connect to a literal IP without asking a resolver
//! (measured: `127.0.0.1`, `2130706433`, `0x7f.1` and `[::ffff:127.0.0.1]` all pass a guard that only resolves). As
//! [`reqwest::dns::Resolve`] the guard filters what names resolve to; the client connects to just those addresses, so a name that
//! answers otherwise a moment later (DNS rebinding) gains nothing. Redirects are followed by nobody but
//! [`super::foreign`], which comes back here for each hop.

use std::{
    collections::BTreeSet,
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::Arc,
};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use url::{Host, Url};

/// Ports on which the web is served. Others are doors of other services, which answer an HTTP request with surprises.
const PORTS: [u16; 4] = [80, 443, 8080, 8443];

/// Why an address is not called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// The host, as far as there is one.
    pub host: String,
    /// One clause: what is wrong with the address.
    pub why: &'static str,
}

impl fmt::Display for Refused {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}: {}", self.host, self.why)
    }
}

impl std::error::Error for Refused {}

const NOT_PUBLIC: &str = "the host is in a private or reserved network";

/// Judges addresses that came inside remote data. Clones share the list of hosts.
#[derive(Clone, Debug, Default)]
pub struct Guard {
    /// Hosts that a person has allowed, in the form that [`Host`] prints.
    allowed: Arc<BTreeSet<String>>,
}

/// The form in which hosts are compared; `None` if the text is no host.
pub fn host_form(text: &str) -> Option<String> {
    let text = text.trim().trim_end_matches('.');
    Host::parse(text).ok().map(|host| host.to_string())
}

impl Guard {
    /// A guard that lets these hosts through whatever their addresses (names or IPs, no ports).
    pub fn new(allowed: &[String]) -> Self {
        Self { allowed: Arc::new(allowed.iter().filter_map(|host| host_form(host)).collect()) }
    }

    fn allows(&self, host: &str) -> bool {
        host_form(host).is_some_and(|host| self.allowed.contains(&host))
    }

    /// The first gate: the address as it is written.
    pub fn check(&self, url: &Url) -> Result<(), Refused> {
        let refuse = |why| Err(Refused { host: url.host_str().unwrap_or_default().to_owned(), why });
        if !matches!(url.scheme(), "http" | "https") {
            return refuse("only http and https are called");
        }
        let Some(host) = url.host() else { return refuse("the address names no host") };
        if !url.username().is_empty() || url.password().is_some() {
            return refuse("the address holds a user or a password");
        }
        if self.allows(&host.to_string()) {
            return Ok(());
        }
        if url.port_or_known_default().is_none_or(|port| !PORTS.contains(&port)) {
            return refuse("the port is none that pictures are served on");
        }
        match host {
            Host::Ipv4(ip) if !is_public(ip.into()) => refuse(NOT_PUBLIC),
            Host::Ipv6(ip) if !is_public(ip.into()) => refuse(NOT_PUBLIC),
            Host::Domain(name) if name.trim_end_matches('.').rsplit('.').next().is_some_and(|last| last == "localhost") => {
                refuse(NOT_PUBLIC)
            }
            Host::Ipv4(_) | Host::Ipv6(_) | Host::Domain(_) => Ok(()),
        }
    }

    /// The second gate: what a name resolved to.
    fn filter(&self, host: &str, found: impl Iterator<Item = SocketAddr>) -> Result<Vec<SocketAddr>, Refused> {
        let allowed = self.allows(host);
        let good: Vec<SocketAddr> = found.filter(|address| allowed || is_public(address.ip())).collect();
        if good.is_empty() { Err(Refused { host: host.to_owned(), why: NOT_PUBLIC }) } else { Ok(good) }
    }
}

impl Resolve for Guard {
    fn resolve(&self, name: Name) -> Resolving {
        let guard = self.clone();
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let good = guard.filter(name.as_str(), found)?;
            Ok(Box::new(good.into_iter()) as Addrs)
        })
    }
}

/// Whether an address belongs to the public internet: what remote data may send us to.
pub fn is_public(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => is_public_v4(ip),
        IpAddr::V6(ip) => is_public_v6(ip),
    }
}

/// The IANA registry of special purposes, and one public address that is a cloud's inner door.
fn is_public_v4(ip: Ipv4Addr) -> bool {
    let [a, b, c, _] = ip.octets();
    let reserved = match (a, b, c) {
        // This network, private, loopback, link-local (clouds keep their metadata there), multicast and all above it.
        (0 | 10 | 127 | 224..=255, _, _) | (169, 254, _) | (192, 168, _) => true,
        (172, 16..=31, _) => true,
        // Carrier-grade NAT.
        (100, 64..=127, _) => true,
        // Protocol assignments, documentation, 6to4 relays, benchmarks.
        (192, 0, 0 | 2) | (192, 88, 99) | (198, 18 | 19, _) | (198, 51, 100) | (203, 0, 113) => true,
        _ => false,
    };
    // Azure's metadata and DNS door has a public address.
    !reserved && ip != Ipv4Addr::new(168, 63, 129, 16)
}

fn is_public_v6(ip: Ipv6Addr) -> bool {
    let [a, b, c, d, e, f, g, h] = ip.segments();
    let inner = |high: u16, low: u16| {
        let ([one, two], [three, four]) = (high.to_be_bytes(), low.to_be_bytes());
        is_public_v4(Ipv4Addr::new(one, two, three, four))
    };
    // An IPv4 address in other clothes is judged as what it is: mapped, and behind NAT64.
    match (a, b, c, d, e, f) {
        (0, 0, 0, 0, 0, 0xffff) | (0x64, 0xff9b, 0, 0, 0, 0) => return inner(g, h),
        _ => {}
    }
    let reserved = match (a, b) {
        // Protocol assignments (Teredo, ORCHID, benchmarks), documentation, 6to4.
        (0x2001, 0..=0x01ff) | (0x2001, 0x0db8) | (0x2002, _) => true,
        (0x3fff, 0..=0x0fff) => true,
        _ => false,
    };
    // Only 2000::/3 is given out as public; loopback, link-local, unique-local and multicast lie outside.
    a & 0xe000 == 0x2000 && !reserved
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn refused(address: &str) -> bool {
        Url::parse(address).is_err() || Guard::default().check(&Url::parse(address).unwrap()).is_err()
    }

    #[test]
    fn every_evil_form_of_an_inner_address_is_refused() {
        for address in [
            "http://127.0.0.1/a.jpg",
            "http://2130706433/a.jpg",
            "http://0x7f.1/a.jpg",
            "http://0x7f000001/",
            "http://0177.0.0.1/",
            "http://127.1/",
            "http://127.0.0.1./",
            "http://①②⑦.0.0.1/",
            "http://[::1]/",
            "http://[::ffff:127.0.0.1]/",
            "http://[::ffff:7f00:1]/",
            "http://[64:ff9b::7f00:1]/",
            "http://[::]/",
            "http://0/",
            "http://0.0.0.0/",
            "http://localhost/",
            "http://LOCALHOST./",
            "http://a.localhost/",
            "http://169.254.169.254/latest/meta-data/",
            "http://[fd00:ec2::254]/",
            "http://100.100.100.200/",
            "http://168.63.129.16/",
            "http://10.0.0.1/",
            "http://172.16.0.1/",
            "http://172.31.255.255/",
            "http://192.168.1.1/",
            "http://100.64.0.1/",
            "http://192.0.2.1/",
            "http://198.51.100.7/",
            "http://203.0.113.7/",
            "http://198.18.0.1/",
            "http://192.88.99.1/",
            "http://224.0.0.1/",
            "http://255.255.255.255/",
            "http://240.0.0.1/",
            "http://[fe80::1]/",
            "http://[fc00::1]/",
            "http://[ff02::1]/",
            "http://[2001:db8::1]/",
            "http://[3fff::1]/",
            "http://[2002:7f00:1::]/",
            "http://[2001::1]/",
            "http://user:word@example.com/",
            "http://example.com:22/",
            "http://example.com:3306/",
            "http://example.com:6379/",
            "ftp://example.com/a.jpg",
            "file:///etc/passwd",
            "gopher://example.com/",
            "data:image/png;base64,AAAA",
            "javascript:alert(1)",
            "//example.com/a.jpg",
            "a.jpg",
            "",
        ] {
            assert!(refused(address), "{address}");
        }
    }

    #[test]
    fn public_addresses_pass() {
        for address in [
            "https://fra1.digitaloceanspaces.com/billz/a.jpg",
            "http://app.billz.uz/fileupload/products/000001/example.jpeg",
            "https://example.com:8443/a.png",
            "http://8.8.8.8/a.jpg",
            "http://[2a00:1450:4001:81b::200e]/a.jpg",
            "http://[::ffff:8.8.8.8]/a.jpg",
            "http://172.32.0.1/",
            "http://100.128.0.1/",
            "http://not-localhost.example/",
        ] {
            assert!(!refused(address), "{address}");
        }
    }

    #[test]
    fn allowed_hosts_pass_on_any_port_and_nothing_else_does() {
        let guard = Guard::new(&["127.0.0.1".into(), "Pictures.Local.".into(), "[::1]".into()]);
        let passes = |address: &str| guard.check(&Url::parse(address).unwrap()).is_ok();
        for good in ["http://127.0.0.1:40123/a.jpg", "http://2130706433:1/", "http://pictures.local:9000/", "http://[::1]/"] {
            assert!(passes(good), "{good}");
        }
        for bad in ["http://127.0.0.2/", "http://x.pictures.local:9000/", "ftp://127.0.0.1/", "http://a:b@127.0.0.1/"] {
            assert!(!passes(bad), "{bad}");
        }
    }

    #[test]
    fn what_a_name_resolves_to_is_filtered() {
        let guard = Guard::new(&["inner.example".into()]);
        let addresses = ["8.8.8.8:0", "10.0.0.1:0", "[::1]:0"].map(|text| text.parse::<SocketAddr>().unwrap());
        assert_eq!(guard.filter("evil.example", addresses.into_iter()).unwrap(), addresses[..1]);
        assert_eq!(guard.filter("INNER.example.", addresses.into_iter()).unwrap(), addresses);
        assert!(guard.filter("evil.example", addresses[1..].iter().copied()).is_err());
    }

    #[tokio::test]
    async fn the_clients_resolver_refuses_names_of_this_machine() {
        let name = || "localhost".parse::<Name>().unwrap();
        let Err(error) = Guard::default().resolve(name()).await else { panic!("localhost must be refused") };
        assert!(error.downcast_ref::<Refused>().is_some(), "{error}");
        assert!(Guard::new(&["localhost".into()]).resolve(name()).await.is_ok());
    }

    proptest! {
        #[test]
        fn however_an_ipv4_address_is_written_the_answer_is_the_same(number: u32) {
            let ip = Ipv4Addr::from(number);
            let [a, b, c, d] = ip.octets();
            let mapped = ip.to_ipv6_mapped();
            let forms = [
                format!("http://{ip}/"), format!("http://{number}/"), format!("http://{number:#x}/"), format!("http://{a}.{b}.{}/", u32::from(c) * 256 + u32::from(d)),
                format!("http://{a:#o}.{b}.{c}.{d:#x}/").replace("0o", "0"), format!("http://[{mapped}]/"),
            ];
            for form in forms {
                prop_assert_eq!(refused(&form), !is_public(ip.into()), "{}", form);
            }
        }

        #[test]
        fn std_agrees_where_it_has_a_word(number: u32, wide: u128) {
            let (four, six) = (Ipv4Addr::from(number), Ipv6Addr::from(wide));
            if four.is_private() || four.is_loopback() || four.is_link_local() || four.is_multicast() || four.is_broadcast() || four.is_documentation() || four.is_unspecified() {
                prop_assert!(!is_public(four.into()));
            }
            if six.is_loopback() || six.is_multicast() || six.is_unspecified() || six.is_unique_local() || six.is_unicast_link_local() {
                prop_assert!(!is_public(six.into()));
            }
        }
    }
}
