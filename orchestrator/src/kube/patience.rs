//! How long a call to the API server may take.
//!
//! A server that is gone without a word never answers, and a keeper that waited for it would keep nothing.

use std::time::Duration;

use kube::Client;
use tokio::time::timeout;
use tower::service_fn;

/// How long an ordinary call may take: a busy server answers within it, and nothing waits for ever.
pub(super) const CALL: Duration = Duration::from_secs(15);

/// How long the head of any answer may take, that of a watch too: what it brings may take as long as it likes.
const HEAD: Duration = Duration::from_secs(20);

/// The same client, none of whose requests waits for ever for an answer to begin.
pub(super) fn patient(client: Client) -> Client {
    let namespace = client.default_namespace().to_owned();
    let send = service_fn(move |request| {
        let client = client.clone();
        async move { within(HEAD, client.send(request)).await }
    });
    Client::new(send, namespace)
}

/// What came of a call; one that took longer than `limit` has failed.
pub(super) async fn within<T>(
    limit: Duration,
    call: impl Future<Output = kube::Result<T>>,
) -> kube::Result<T> {
    match timeout(limit, call).await {
        Ok(result) => result,
        Err(_elapsed) => Err(kube::Error::Service(
            format!("no answer within {} s", limit.as_secs()).into(),
        )),
    }
}
