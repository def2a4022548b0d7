//! What of a handshake's failures does not pass by itself: no TLS at the other end, or nobody who is trusted.
//!
//! Trust is the machine's, or that of the file in `SSL_CERT_FILE`; it is read when a client is made.

use std::error::Error as StdError;

use rustls::{CertificateError, Error as TlsError, InvalidMessage};

/// Why there can be no TLS with what answers at this address, and what to do; none if something else failed.
pub(crate) fn trouble(
    error: &reqwest::Error,
    base: &str,
) -> Option<(String, Box<dyn StdError + Send + Sync>)> {
    let cause = cause(error)?;
    let why = match cause {
        TlsError::InvalidMessage(InvalidMessage::InvalidContentType) => format!(
            "what answers there speaks no TLS; if it is a memq server call it at {}, or put a proxy with TLS in front of it",
            base.replacen("https:", "http:", 1)
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
}
