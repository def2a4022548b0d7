//! What unit tests of handlers need: an item, as if it were leased.

use queue_api::{LeaseToken, Leased};
use queue_client::{Client, Lease};

/// An item with everything an item can have. Its lease is renewed by nobody; within a runtime.
pub(crate) fn lease(body: &str) -> Lease {
    let client = Client::new("http://127.0.0.1:1").expect("an address");
    let renewer = client.queue("q".parse().expect("a name")).renewer(None);
    renewer.hold(Leased {
        id: "0123456789abcdef0123456789abcdef".parse().expect("an id"),
        body: body.into(),
        attempt: 3,
        lease: "token".parse::<LeaseToken>().expect("a token"),
        lease_ms: 3_600_000,
        lease_expires: "2026-01-02T04:04:05Z".parse().expect("a time"),
        key: Some("user/42".into()),
        group: Some("customer a".into()),
        priority: -5,
        traceparent: Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".into()),
        tracestate: Some("a=1".into()),
        enqueued: "2026-01-02T03:04:05Z".parse().expect("a time"),
    })
}
