//! From which page in a browser a request comes, and by which name it found the server.
//!
//! A browser sends whatever any page asks of it, also to servers that only its own machine can reach. What
//! it does not let a page write are the headers that are looked at here.

use std::net::{Ipv6Addr, SocketAddr};
use std::str::FromStr;

use axum::http::header::{HOST, ORIGIN};
use axum::http::{HeaderMap, HeaderName, Method};

use crate::config::Access;

/// Where a browser says from which site a request comes, relative to the one it goes to.
const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Whether the request was made by a page of another site and could change something.
pub(super) fn is_foreign(method: &Method, headers: &HeaderMap) -> bool {
    let changes = method != Method::GET && method != Method::HEAD;
    if !changes || !headers.keys().any(is_telling) {
        return false;
    }
    if let Some(site) = headers.get(SEC_FETCH_SITE) {
        return site != "same-origin" && site != "none";
    }
    let Some(origin) = headers.get(ORIGIN) else {
        return false;
    };
    let host = headers.get(HOST).map_or(&b""[..], |host| host.as_bytes());
    !after_scheme(origin.as_bytes()).is_some_and(|origin| origin.eq_ignore_ascii_case(host))
}

/// Whether a header tells of a page. Hardly any other client sends one, and for those one pass over their few
/// headers costs a tenth of looking two names up.
fn is_telling(name: &HeaderName) -> bool {
    *name == ORIGIN || *name == SEC_FETCH_SITE
}

/// `host:port` of an origin, unless it is opaque.
fn after_scheme(origin: &[u8]) -> Option<&[u8]> {
    let at = origin.windows(3).position(|bytes| bytes == b"://")?;
    Some(&origin[at + 3..])
}

/// The names by which the server may be asked, beside addresses, `localhost` and names below it.
///
/// A page may have a name of its own site resolve to this machine; it is then no foreign site to the
/// browser. The name it used is in the request.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Hosts {
    /// The server's own address, by which most ask.
    address: String,
    names: Vec<String>,
}

impl Hosts {
    /// The names that count on a server of this configuration; none where any name will do. That is where
    /// others than this machine's programs reach it anyway, and where a token is asked for, which a page of
    /// another site has not.
    pub(super) fn of(access: &Access, listening: SocketAddr) -> Option<Self> {
        let is_open = !listening.ip().to_canonical().is_loopback() || access.tokens.is_some();
        (!is_open || !access.allow_hosts.is_empty()).then(|| Self {
            address: listening.to_string(),
            names: access.allow_hosts.clone(),
        })
    }

    /// Whether a request by this name is answered. One without a name does not come from a browser.
    pub(super) fn allow(&self, headers: &HeaderMap) -> bool {
        headers
            .get(HOST)
            .is_none_or(|host| *host == self.address || self.allow_host(host.as_bytes()))
    }

    fn allow_host(&self, host: &[u8]) -> bool {
        let Ok(host) = str::from_utf8(host) else {
            return false;
        };
        let name = without_port(host);
        is_address(name)
            || is_localhost(name)
            || self.names.iter().any(|known| same_name(known, name))
    }
}

fn without_port(host: &str) -> &str {
    if host.starts_with('[') {
        return host.find(']').map_or(host, |end| &host[..=end]);
    }
    host.rsplit_once(':').map_or(host, |(name, _)| name)
}

fn is_address(name: &str) -> bool {
    match name
        .strip_prefix('[')
        .and_then(|name| name.strip_suffix(']'))
    {
        Some(address) => Ipv6Addr::from_str(address).is_ok(),
        None => std::net::Ipv4Addr::from_str(name).is_ok(),
    }
}

fn is_localhost(name: &str) -> bool {
    let name = name.strip_suffix('.').unwrap_or(name);
    match name.len().checked_sub("localhost".len()) {
        Some(0) => name.eq_ignore_ascii_case("localhost"),
        Some(below) => {
            let (below, last) = name.as_bytes().split_at(below);
            below.ends_with(b".") && last.eq_ignore_ascii_case(b"localhost")
        }
        None => false,
    }
}

fn same_name(known: &str, name: &str) -> bool {
    known.eq_ignore_ascii_case(name.strip_suffix('.').unwrap_or(name))
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;
    use rstest::rstest;

    use super::*;

    fn headers(pairs: &[(HeaderName, &str)]) -> HeaderMap {
        let value = |text: &str| HeaderValue::from_str(text).expect("a header");
        let pairs = pairs.iter().map(|(name, text)| (name.clone(), value(text)));
        pairs.collect()
    }

    #[rstest]
    #[case::no_browser(&[], false)]
    #[case::the_page(&[(SEC_FETCH_SITE, "same-origin")], false)]
    #[case::a_person(&[(SEC_FETCH_SITE, "none")], false)]
    #[case::another_site(&[(SEC_FETCH_SITE, "cross-site")], true)]
    #[case::a_neighbour(&[(SEC_FETCH_SITE, "same-site")], true)]
    #[case::what_it_says_counts(&[(SEC_FETCH_SITE, "cross-site"), (ORIGIN, "http://q:1"), (HOST, "q:1")], true)]
    #[case::behind_tls(&[(SEC_FETCH_SITE, "same-origin"), (ORIGIN, "https://q"), (HOST, "q:8080")], false)]
    #[case::own_origin(&[(ORIGIN, "http://Q:1"), (HOST, "q:1")], false)]
    #[case::own_origin_of_tls(&[(ORIGIN, "https://q"), (HOST, "q")], false)]
    #[case::other_origin(&[(ORIGIN, "http://evil"), (HOST, "q:1")], true)]
    #[case::other_port(&[(ORIGIN, "http://q:2"), (HOST, "q:1")], true)]
    #[case::hidden_origin(&[(ORIGIN, "null"), (HOST, "null")], true)]
    #[case::no_host(&[(ORIGIN, "http://q")], true)]
    fn what_a_page_of_another_site_sends_is_known(
        #[case] pairs: &[(HeaderName, &str)],
        #[case] foreign: bool,
    ) {
        let headers = headers(pairs);
        for method in [Method::POST, Method::PUT, Method::DELETE, Method::OPTIONS] {
            assert_eq!(is_foreign(&method, &headers), foreign, "{method}");
        }
        for method in [Method::GET, Method::HEAD] {
            assert!(!is_foreign(&method, &headers), "{method} changes nothing");
        }
    }

    #[rstest]
    #[case("127.0.0.1", true)]
    #[case("127.0.0.1:8080", true)]
    #[case("192.168.0.7:80", true)]
    #[case("[::1]", true)]
    #[case("[::1]:8080", true)]
    #[case("localhost", true)]
    #[case("LocalHost:8080", true)]
    #[case("localhost.", true)]
    #[case("queue.localhost:8080", true)]
    #[case("queue.example.com", true)]
    #[case("Queue.example.com.:8080", true)]
    #[case("example.com", false)]
    #[case("a.queue.example.com", false)]
    #[case("evil.com:8080", false)]
    #[case("evillocalhost", false)]
    #[case("localhost.evil.com", false)]
    #[case("127.0.0.1.evil.com", false)]
    #[case("[evil.com]", false)]
    #[case("[::1", false)]
    #[case("::1", false)]
    #[case("", false)]
    fn a_name_that_may_be_anybodys_is_not_answered(#[case] host: &str, #[case] answered: bool) {
        let hosts = named(&["queue.example.com"]);
        assert_eq!(hosts.allow(&headers(&[(HOST, host)])), answered, "{host}");
    }

    fn named(names: &[&str]) -> Hosts {
        Hosts {
            address: "[::1]:8080".into(),
            names: names.iter().map(|name| (*name).to_owned()).collect(),
        }
    }

    #[test]
    fn a_request_without_a_name_is_no_browsers() {
        assert!(named(&[]).allow(&HeaderMap::new()));
    }

    #[rstest]
    #[case::on_loopback("127.0.0.1:1", false, false, true)]
    #[case::on_loopback_of_ipv6("[::1]:1", false, false, true)]
    #[case::on_mapped_loopback("[::ffff:127.0.0.1]:1", false, false, true)]
    #[case::with_tokens("127.0.0.1:1", true, false, false)]
    #[case::everywhere("0.0.0.0:1", false, false, false)]
    #[case::everywhere_with_names("0.0.0.0:1", false, true, true)]
    #[case::with_tokens_and_names("127.0.0.1:1", true, true, true)]
    fn names_count_where_a_browser_could_be_misled_or_some_are_given(
        #[case] listening: &str,
        #[case] tokens: bool,
        #[case] names: bool,
        #[case] count: bool,
    ) {
        let access = Access {
            tokens: tokens.then(|| "tokens".into()),
            allow_hosts: names.then(|| "queue".to_owned()).into_iter().collect(),
        };
        let listening = listening.parse().expect("an address");
        assert_eq!(Hosts::of(&access, listening).is_some(), count);
    }
}
