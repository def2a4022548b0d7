//! What of TLS does not pass by itself: none at the other end, nobody who is trusted, or TLS where plain HTTP was sent.
//!
//! Trust is the machine's, or that of the file in `SSL_CERT_FILE`; it is read when a client is made.

use std::error::Error as StdError;
use std::time::Duration;

use reqwest::Url;
use rustls::{CertificateError, Error as TlsError, InvalidMessage};

use crate::Error;
use crate::transport::unreachable;

type Cause = Box<dyn StdError + Send + Sync>;

/// How long a server may take to show its certificate.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(5);

/// Why there was no answer from what has never given one.
pub(crate) async fn broken(base: &str, what: String, error: reqwest::Error) -> Error {
    if let Some((why, source)) = trouble(&error, base) {
        return Error::Tls { what, why, source };
    }
    // Without a connection there is nobody who could speak TLS.
    let reached = !error.is_connect() && !error.is_timeout();
    match reached && speaks(base).await {
        true => wanted(base, what, Box::new(error)),
        false => unreachable(what, error),
    }
}

/// What such an answer means: many who speak TLS give one to those who do not, each in words of its own.
pub(crate) async fn refused(base: &str, error: Error) -> Error {
    match error {
        Error::Protocol {
            what,
            status: status @ 400,
            detail,
        } => match speaks(base).await {
            true => wanted(base, what, detail.into()),
            false => Error::Protocol {
                what,
                status,
                detail,
            },
        },
        other => other,
    }
}

/// Why there can be no TLS with what answers at this address, and what to do; none if something else failed.
fn trouble(error: &reqwest::Error, base: &str) -> Option<(String, Cause)> {
    let cause = cause(error)?;
    let why = match cause {
        TlsError::InvalidMessage(InvalidMessage::InvalidContentType) => format!(
            "what answers there speaks no TLS; if it is a memq server call it at {}, or put a proxy with TLS in front of it",
            by("http", base)
        ),
        TlsError::InvalidCertificate(CertificateError::UnknownIssuer) => format!(
            "the certificate of {base} was signed by nobody who is trusted here; name a file (PEM) with the certificate of \
             who signed it in SSL_CERT_FILE"
        ),
        TlsError::InvalidCertificate(_) => {
            format!(
                "the certificate of {base} is not to be trusted; it needs another, or another address"
            )
        }
        _ => return None,
    };
    Some((why, Box::new(cause.clone())))
}

/// The error of a call of this `http:` address, where TLS is spoken.
fn wanted(base: &str, what: String, source: Cause) -> Error {
    let secured = by("https", base);
    let why = format!("what answers there speaks TLS; call it at {secured}");
    Error::Tls { what, why, source }
}

/// Whether what answers at this `http:` address speaks TLS, for sure: it shows a certificate.
///
/// What it says to plain HTTP is its own affair: an alert, a page of its own, nothing. The handshake ends there and
/// nothing is sent, because nobody is trusted.
async fn speaks(base: &str) -> bool {
    if !base.starts_with("http:") {
        return false;
    }
    // By no proxy, which would show a certificate of its own.
    let nobody = reqwest::Client::builder().no_proxy().tls_certs_only([]);
    let Ok(nobody) = nobody.build() else {
        return false;
    };
    let asked = nobody.get(by("https", base)).timeout(HANDSHAKE_TIMEOUT);
    let shaken = asked.send().await;
    let failure = shaken.as_ref().err().and_then(cause);
    matches!(failure, Some(TlsError::InvalidCertificate(_)))
}

/// The address of the same port by another scheme.
fn by(scheme: &str, base: &str) -> String {
    let changed = || {
        let mut url = Url::parse(base).ok()?;
        let port = url.port_or_known_default();
        url.set_scheme(scheme).ok()?;
        url.set_port(port).ok()?;
        Some(url.as_str().trim_end_matches('/').to_owned())
    };
    changed().unwrap_or_else(|| base.into())
}

/// What TLS said, wherever it lies: an error of input and output names as its source what lies below what it holds.
fn cause(error: &reqwest::Error) -> Option<&TlsError> {
    let mut next = error.source();
    while let Some(error) = next {
        if let Some(said) = error.downcast_ref() {
            return Some(said);
        }
        next = match error.downcast_ref().map(std::io::Error::get_ref) {
            Some(held) => held.map(|held| held as &(dyn StdError + 'static)),
            None => error.source(),
        };
    }
    None
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use reqwest::Method;
    use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
    use tokio::net::TcpListener;
    use tokio_rustls::TlsAcceptor;
    use tokio_rustls::rustls::ServerConfig;

    use super::by;
    use crate::Error;
    use crate::transport::{Call, Transport};

    async fn answer(mut stream: impl AsyncRead + AsyncWrite + Unpin, head: &str) {
        let mut request = [0; 1024];
        let read = stream.read(&mut request).await;
        assert!(read.expect("a request") > 0);
        let answer = format!("HTTP/1.1 {head}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
        let sent = stream.write_all(answer.as_bytes()).await;
        sent.expect("the caller is there");
        stream.shutdown().await.expect("the caller is there");
    }

    fn client(trusted: &[u8]) -> reqwest::Client {
        let trusted = reqwest::Certificate::from_der(trusted).expect("a certificate");
        let builder = reqwest::Client::builder().no_proxy();
        let client = builder.tls_certs_only([trusted]).build();
        client.expect("a client")
    }

    /// TLS at an address, but where the number of the connection, from 0, is this: plain HTTP there. Whom to trust, and
    /// where it is.
    async fn secured_but(plain: usize) -> (reqwest::Client, String) {
        let signed = rcgen::generate_simple_self_signed(["127.0.0.1".into()]).expect("signed");
        let key = signed.signing_key.serialize_der();
        let config = ServerConfig::builder().with_no_client_auth();
        let config = config.with_single_cert(
            vec![signed.cert.der().clone()],
            key.try_into().expect("a key"),
        );
        let acceptor = TlsAcceptor::from(Arc::new(config.expect("a pair")));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let base = format!("https://{}", listener.local_addr().expect("an address"));
        tokio::spawn(async move {
            for number in 0.. {
                let (stream, _) = listener.accept().await.expect("a caller");
                if number == plain {
                    answer(stream, "400 Bad Request").await;
                } else if let Ok(stream) = acceptor.accept(stream).await {
                    answer(stream, "200 OK").await;
                }
            }
        });
        (client(signed.cert.der()), base)
    }

    #[tokio::test]
    async fn a_server_that_has_answered_may_be_away_for_a_while_behind_something_else() {
        let (http, base) = secured_but(1).await;
        let way = Transport::new(http, base, None, Duration::from_secs(60));
        let call = Call::new(Method::GET, "look", None, "/");
        for _ in 0..2 {
            way.send(&call).await.expect("it is there, or comes back");
        }
        assert_eq!(way.retries(), 1);
    }

    #[tokio::test]
    async fn a_server_that_never_answered_is_not_waited_for() {
        let (http, base) = secured_but(0).await;
        let way = Transport::new(http, base, None, Duration::from_secs(60));
        let call = Call::new(Method::GET, "look", None, "/");
        let error = way.send(&call).await.expect_err("there is no TLS");
        assert!(matches!(error, Error::Tls { .. }), "{error:?}");
        assert_eq!(way.retries(), 0);
    }

    #[tokio::test]
    async fn a_certificate_for_another_name_is_told_of() {
        let (http, base) = secured_but(usize::MAX).await;
        let base = base.replace("127.0.0.1", "localhost");
        let way = Transport::new(http, base, None, Duration::from_secs(60));
        let call = Call::new(Method::GET, "look", None, "/");
        let error = way.send(&call).await.expect_err("it is for another name");
        let cause = std::error::Error::source(&error).expect("a cause");
        assert!(cause.to_string().contains("localhost"), "{cause}");
        assert!(error.to_string().contains("not to be trusted"), "{error}");
    }

    #[test]
    fn what_answers_at_a_port_is_called_at_that_port() {
        for (base, scheme, called) in [
            ("http://h:8080/x", "https", "https://h:8080/x"),
            ("http://[::1]:8080", "https", "https://[::1]:8080"),
            ("http://h", "https", "https://h:80"),
            ("http://h:443", "https", "https://h"),
            ("https://h", "http", "http://h:443"),
            ("https://h:80", "http", "http://h"),
        ] {
            assert_eq!(by(scheme, base), called);
        }
    }
}
