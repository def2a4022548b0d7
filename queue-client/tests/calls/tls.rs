//! Servers that cannot be called by `https:`, for they speak plain HTTP or nobody trusts them, or by `http:`, for they
//! speak TLS.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use axum::response::IntoResponse;
use futures_util::StreamExt;
use queue_api::LeaseRequest;
use queue_client::{Client, Error, QueueClient};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;

use crate::{HANDSHAKE, serve_at};

/// A client that would wait for ten minutes, and is to say at once what cannot become better.
fn patient(url: &str) -> QueueClient {
    let builder = Client::builder(url).give_up_after(Duration::from_secs(600));
    builder.build().unwrap().queue("q".parse().unwrap())
}

/// What a call says that is over long before its client's patience is.
async fn at_once<T>(call: impl Future<Output = queue_client::Result<T>>) -> Error {
    let over = tokio::time::timeout(Duration::from_secs(60), call).await;
    over.expect("it is tried again").err().expect("it failed")
}

fn causes(error: &Error) -> String {
    let cause = std::error::Error::source(error).expect("a cause");
    cause.to_string()
}

/// Asks each caller for a handshake, with a certificate that nobody signed but itself; where, and how often it was called.
async fn self_signed() -> (String, Arc<AtomicUsize>) {
    self_signed_that_says(None).await
}

/// The same, but who begins with anything but a handshake is told this.
async fn self_signed_that_says(plain: Option<&'static str>) -> (String, Arc<AtomicUsize>) {
    let signed = rcgen::generate_simple_self_signed(["127.0.0.1".into()]).unwrap();
    let key = signed.signing_key.serialize_der().try_into().unwrap();
    let config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![signed.cert.der().clone()], key);
    let acceptor = TlsAcceptor::from(Arc::new(config.unwrap()));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}", listener.local_addr().unwrap());
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = calls.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            counted.fetch_add(1, SeqCst);
            match plain {
                Some(said) if !begins_a_handshake(&stream).await => answer(stream, said).await,
                _ => drop(acceptor.accept(stream).await),
            }
        }
    });
    (url, calls)
}

async fn begins_a_handshake(stream: &TcpStream) -> bool {
    let mut first = [0];
    let seen = stream.peek(&mut first).await.expect("a caller");
    seen == 1 && first[0] == HANDSHAKE
}

/// Reads a request and closes the connection after this.
async fn answer(mut stream: TcpStream, said: &str) {
    let _request = stream.read(&mut [0; 4096]).await.expect("a request");
    let sent = stream.write_all(said.as_bytes()).await;
    sent.expect("the caller is there");
}

#[tokio::test]
async fn https_to_a_server_of_plain_http_is_told_at_once() {
    let (plain, calls) = serve_at(|_, _| async { "never asked".into_response() }).await;
    let queue = patient(&plain.replace("http:", "https:"));
    let error = at_once(queue.show()).await;
    assert!(matches!(error, Error::Tls { .. }), "{error:?}");
    assert!(!error.is_transient());
    assert_eq!(
        error.to_string(),
        format!(
            "cannot show queue q: what answers there speaks no TLS; if it is a memq server call it at {plain}, or put a \
             proxy with TLS in front of it"
        )
    );
    assert!(causes(&error).contains("InvalidContentType"), "{error:?}");
    assert_eq!(calls.load(SeqCst), 0);
    // Nor are those repeated that may be while nothing was carried out, or those that wait for something to read.
    for error in [
        at_once(queue.purge()).await,
        at_once(queue.lease(&LeaseRequest::default())).await,
        at_once(async { queue.follow(0).next().await.unwrap() }).await,
    ] {
        assert!(matches!(error, Error::Tls { .. }), "{error:?}");
    }
}

#[tokio::test]
async fn a_certificate_that_nobody_trusts_is_told_at_once() {
    let (url, calls) = self_signed().await;
    let error = at_once(patient(&url).show()).await;
    assert!(matches!(error, Error::Tls { .. }), "{error:?}");
    let said = error.to_string();
    assert!(said.contains("nobody who is trusted here"), "{said}");
    assert!(said.contains("SSL_CERT_FILE"), "{said}");
    assert!(causes(&error).contains("UnknownIssuer"), "{error:?}");
    assert_eq!(calls.load(SeqCst), 1);
}

/// What Go's and nginx's servers tell a caller who speaks no TLS. Theirs by OpenSSL close the connection without a word,
/// rustls sends an alert.
const GO: &str =
    "HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n";
const NGINX: &str = "HTTP/1.1 400 Bad Request\r\nContent-Length: 59\r\nConnection: close\r\n\r\n\
    <html>\r\nThe plain HTTP request was sent to HTTPS port\r\n</html>";

#[tokio::test]
async fn http_to_a_server_of_tls_is_told_at_once() {
    for plain in [None, Some(""), Some(GO), Some(NGINX)] {
        let (https, _) = self_signed_that_says(plain).await;
        let http = https.replace("https:", "http:");
        let queue = patient(&format!("{http}/below"));
        for error in [
            at_once(queue.show()).await,
            at_once(queue.purge()).await,
            at_once(queue.lease(&LeaseRequest::default())).await,
            at_once(async { queue.follow(0).next().await.unwrap() }).await,
        ] {
            assert!(matches!(error, Error::Tls { .. }), "{plain:?} {error:?}");
            assert!(!error.is_transient());
            let said = error.to_string();
            let expected = format!(": what answers there speaks TLS; call it at {https}/below");
            assert!(said.ends_with(&expected), "{said}");
            assert!(!causes(&error).contains("certificate"), "{error:?}");
        }
    }
}

#[tokio::test]
async fn who_breaks_off_or_refuses_and_speaks_no_tls_is_taken_as_before() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        for said in ["", "SSH-2.0-OpenSSH_10.0\r\n", GO].iter().cycle() {
            // The first is the call, the second asks whether this is TLS.
            for _ in 0..2 {
                let (stream, _) = listener.accept().await.expect("a caller");
                answer(stream, said).await;
            }
        }
    });
    for status in [None, None, Some(400)] {
        // Each as a client that never had an answer.
        let builder = Client::builder(&url).give_up_after(Duration::ZERO);
        let queue = builder.build().unwrap().queue("q".parse().unwrap());
        let error = at_once(queue.show()).await;
        assert!(!matches!(error, Error::Tls { .. }), "{error:?}");
        assert_eq!(error.status(), status);
        assert_eq!(error.is_transient(), status.is_none());
    }
}
