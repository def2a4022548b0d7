//! Servers that are called by `https:` and cannot be: they speak plain HTTP, or nobody trusts them.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use axum::response::IntoResponse;
use futures_util::StreamExt;
use queue_api::LeaseRequest;
use queue_client::{Client, Error, QueueClient};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;

use crate::serve_at;

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
            let _refused = acceptor.accept(stream).await;
        }
    });
    (url, calls)
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
