//! A server, and what can be asked of it as a whole.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use queue_api::{Code, Queue, QueueList, QueueName};
use reqwest::Method;
use reqwest::header::{HeaderMap, HeaderValue};

use crate::queue::QueueClient;
use crate::transport::{Call, Transport};
use crate::{Error, Result, Token};

/// How long a call is repeated while the server cannot be reached, unless said otherwise: long
/// enough for a restart, short enough for a person who waits.
const GIVE_UP_AFTER: Duration = Duration::from_secs(10);
/// A connection that is not made in this time is tried anew.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Unused connections are closed after this: before most proxies and servers close them.
const IDLE_TIMEOUT: Duration = Duration::from_secs(50);

/// A client of one server. Cheap to clone; clones share their connections.
#[derive(Debug, Clone)]
pub struct Client {
    transport: Arc<Transport>,
}

/// Makes a [`Client`] with other than the usual patience.
#[derive(Clone)]
pub struct ClientBuilder {
    url: String,
    token: Option<Token>,
    shown: HeaderMap,
    give_up_after: Duration,
}

impl fmt::Debug for ClientBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientBuilder")
            .field("url", &without_user(&self.url))
            .field("token", &self.token)
            .field("give_up_after", &self.give_up_after)
            .finish()
    }
}

impl ClientBuilder {
    /// Repeats a call that may be repeated for this long after its first failure.
    #[must_use]
    pub fn give_up_after(mut self, patience: Duration) -> Self {
        self.give_up_after = patience;
        self
    }

    /// Shows this token with each call.
    #[must_use]
    pub fn token(mut self, token: Option<Token>) -> Self {
        self.token = token;
        self
    }

    /// Shows this with each call, too, under a name of a header: to whatever stands before the server.
    #[must_use]
    pub fn secret_header(mut self, name: &'static str, value: HeaderValue) -> Self {
        let mut value = value;
        value.set_sensitive(true);
        self.shown.insert(name, value);
        self
    }

    /// The client. Nothing is sent yet.
    pub fn build(self) -> Result<Client> {
        let Base { url, local } = base_of(&self.url)?;
        let mut http = reqwest::Client::builder()
            .user_agent(concat!("memq/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT_TIMEOUT)
            .pool_idle_timeout(IDLE_TIMEOUT)
            .tcp_keepalive(Duration::from_secs(15))
            // The API never redirects: something else is listening, and the error should show it.
            .redirect(reqwest::redirect::Policy::none())
            .default_headers(self.shown);
        if url.starts_with("http:") {
            // Plain HTTP needs no certificates, and an image without any must work.
            http = http.tls_certs_only([]);
        }
        if local {
            // A proxy for the outside world does not know this machine's own ports.
            http = http.no_proxy();
        }
        let http = http.build().map_err(|e| Error::Setup(Box::new(e)))?;
        Ok(Client {
            transport: Arc::new(Transport::new(http, url, self.token, self.give_up_after)),
        })
    }
}

impl Client {
    /// A client of the server at this address, `http://host:port` with or without a path prefix. One with a user or a
    /// password before its host is refused, for addresses are shown to many: see [`ClientBuilder::token`].
    pub fn new(url: &str) -> Result<Self> {
        Self::builder(url).build()
    }

    /// A client to be set up further.
    #[must_use]
    pub fn builder(url: &str) -> ClientBuilder {
        ClientBuilder {
            url: url.into(),
            token: None,
            shown: HeaderMap::new(),
            give_up_after: GIVE_UP_AFTER,
        }
    }

    /// The same client, connections and all, with another patience.
    #[must_use]
    pub fn with_give_up_after(&self, patience: Duration) -> Self {
        Self {
            transport: Arc::new(self.transport.with_give_up_after(patience)),
        }
    }

    /// The address all calls go to, without what it had before its host.
    #[must_use]
    pub fn url(&self) -> &str {
        self.transport.base()
    }

    pub(crate) fn transport(&self) -> &Transport {
        &self.transport
    }

    pub(crate) fn into_transport(self) -> Arc<Transport> {
        self.transport
    }

    /// All queues, by name.
    pub async fn queues(&self) -> Result<Vec<Queue>> {
        let call = Call::new(Method::GET, "list the queues", None, "/v1/queues");
        let list: QueueList = self.transport.send(&call).await?.json()?;
        Ok(list.queues)
    }

    /// One queue, which need not exist yet.
    #[must_use]
    pub fn queue(&self, name: QueueName) -> QueueClient {
        QueueClient::new(self.transport.clone(), name)
    }

    /// Asks for what every token may see: an error says that this one, or none, is not let in.
    pub async fn let_in(&self) -> Result<()> {
        // Whether there is a queue of this name is of no interest.
        let call = Call::new(Method::GET, "look at queues", None, "/v1/queues/memq");
        match self.transport.send(&call).await {
            Err(error) if error.code() == Some(Code::NoSuchQueue) => Ok(()),
            answer => answer.map(drop),
        }
    }

    /// Waits until the server may serve, as long as its patience lasts.
    pub async fn ready(&self) -> Result<()> {
        let call = Call::new(Method::GET, "see whether it is ready", None, "/readyz");
        let call = call.open_to_all();
        self.transport.send(&call).await.map(drop)
    }
}

/// An address, taken apart.
struct Base {
    /// Without a trailing slash.
    url: String,
    /// Whether it is this machine's own.
    local: bool,
}

/// Whether a server may be at this address: what [`Client`] checks, too, for whoever passes it on.
pub fn check_address(address: &str) -> Result<()> {
    base_of(address).map(drop)
}

fn base_of(text: &str) -> Result<Base> {
    let bad = |rule: String| Error::BadUrl {
        url: without_user(text),
        rule,
    };
    let example = "write it like http://127.0.0.1:8080";
    let url = reqwest::Url::parse(text).map_err(|e| bad(format!("{e}; {example}")))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(bad(format!("only http and https are spoken; {example}")));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(bad(format!("it must end before any ? or #; {example}")));
    }
    if !url.username().is_empty() || url.password().is_some() {
        // Addresses stand in logs, in arguments and in what a cluster keeps.
        return Err(bad(
            "what stands before its `@` would be seen by others; give a token by --token-file or MEMQ_TOKEN_FILE"
                .into(),
        ));
    }
    let host = url.host_str().unwrap_or_default();
    let local = host == "localhost"
        || host
            .trim_matches(['[', ']'])
            .parse::<std::net::IpAddr>()
            .is_ok_and(|ip| ip.is_loopback());
    Ok(Base {
        url: url.as_str().trim_end_matches('/').into(),
        local,
    })
}

/// A server's address as it may be shown, whether it is one or not: without what stands before an `@`.
#[must_use]
pub fn without_user(address: &str) -> String {
    let Some(at) = address.rfind('@') else {
        return address.into();
    };
    let start = address.find("://").map_or(0, |scheme| scheme + 3).min(at);
    format!("{}{}", &address[..start], &address[at + 1..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_read_once_and_errors_say_how_to_write_it() {
        for (text, base, local) in [
            ("http://127.0.0.1:8080", "http://127.0.0.1:8080", true),
            ("http://localhost:8080/", "http://localhost:8080", true),
            ("http://[::1]:8080", "http://[::1]:8080", true),
            (
                "https://queue.example/memq/",
                "https://queue.example/memq",
                false,
            ),
        ] {
            let read = base_of(text).expect(text);
            assert_eq!((read.url.as_str(), read.local), (base, local), "{text}");
        }
        for text in [
            "",
            "localhost:8080",
            "ftp://x",
            "http://",
            "http://x/?a",
            "http://x/#a",
        ] {
            let error = base_of(text).err().expect(text);
            assert!(
                error.to_string().contains("http://127.0.0.1:8080"),
                "{error}"
            );
        }
    }

    #[test]
    fn what_stands_before_the_host_is_refused_and_not_repeated() {
        for text in [
            "http://x:secret@h",
            "http://secret@h/sub",
            "https://:secret@h:1",
        ] {
            let error = base_of(text).err().expect(text).to_string();
            assert!(!error.contains("secret"), "{error}");
            assert!(error.contains("MEMQ_TOKEN_FILE"), "{error}");
        }
        for text in ["http://x:secret@h/?a", "x:secret@h", "ftp://secret@h"] {
            let error = base_of(text).err().expect(text).to_string();
            assert!(!error.contains("secret"), "{error}");
            assert!(error.contains("h"), "{error}");
        }
    }
}
