//! Where the load goes: plain HTTP, and this machine only unless one insists. A load test pointed
//! at a server that others use is an outage.

use std::net::SocketAddr;

use anyhow::{Context as _, Result, bail, ensure};
use queue_client::{HeaderValue, Token};

/// A server to measure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    authority: String,
    address: SocketAddr,
    /// The value of `Authorization`, if the server asks for it.
    authorization: Option<HeaderValue>,
}

impl Target {
    /// Looks the URL's host up.
    ///
    /// # Errors
    ///
    /// The URL is not `http://host:port`, its host has no address, or it is not on this machine
    /// and `allow_remote` is false.
    pub async fn resolve(url: &str, allow_remote: bool) -> Result<Self> {
        let authority = authority(url)?;
        let mut addresses = tokio::net::lookup_host(authority.as_str())
            .await
            .with_context(|| format!("cannot look up the host of `{url}`"))?;
        let address = addresses.next();
        drop(addresses);
        let address = address.with_context(|| format!("the host of `{url}` has no address"))?;
        ensure!(
            allow_remote || address.ip().is_loopback(),
            "`{url}` is not on this machine; --allow-remote measures it all the same"
        );
        Ok(Self {
            authority,
            address,
            authorization: None,
        })
    }

    /// The same, to be shown this token with each request.
    #[must_use]
    pub fn with_token(mut self, token: Option<&Token>) -> Self {
        self.authorization = token.map(Token::header);
        self
    }

    /// What is shown to it.
    #[must_use]
    pub fn authorization(&self) -> Option<&HeaderValue> {
        self.authorization.as_ref()
    }

    /// Where to connect.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What the `Host` header says.
    #[must_use]
    pub fn authority(&self) -> &str {
        &self.authority
    }

    /// The URL, for clients that want one.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.authority)
    }
}

/// The `host:port` of a URL.
fn authority(url: &str) -> Result<String> {
    let example = "write it like http://127.0.0.1:8080";
    let Some(rest) = url.strip_prefix("http://") else {
        bail!("`{url}` is not a URL to measure: only plain http is spoken; {example}");
    };
    let authority = rest.strip_suffix('/').unwrap_or(rest);
    ensure!(
        !authority.is_empty() && !authority.contains(['/', '?', '#', '@', ' ']),
        "`{url}` is not a URL to measure: give host and port only; {example}"
    );
    let has_port = authority
        .rsplit_once(':')
        .is_some_and(|(_, port)| port.parse::<u16>().is_ok());
    Ok(if has_port {
        authority.into()
    } else {
        format!("{authority}:80")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_has_a_host_and_a_port() {
        for (url, expected) in [
            ("http://127.0.0.1:8080", "127.0.0.1:8080"),
            ("http://127.0.0.1:8080/", "127.0.0.1:8080"),
            ("http://[::1]:8080", "[::1]:8080"),
            ("http://localhost", "localhost:80"),
        ] {
            assert_eq!(authority(url).expect(url), expected);
        }
        for url in [
            "",
            "127.0.0.1:8080",
            "https://a:1",
            "http://",
            "http://a:1/b",
            "http://a@b:1",
        ] {
            assert!(authority(url).is_err(), "{url}");
        }
    }

    #[tokio::test]
    async fn another_machine_is_refused_unless_one_insists() {
        let error = Target::resolve("http://192.0.2.1:8080", false)
            .await
            .expect_err("refused");
        assert!(error.to_string().contains("--allow-remote"), "{error}");
        let insisted = Target::resolve("http://192.0.2.1:8080", true)
            .await
            .expect("allowed");
        assert_eq!(insisted.authority(), "192.0.2.1:8080");
        assert!(Target::resolve("http://127.0.0.1:1", false).await.is_ok());
    }
}
