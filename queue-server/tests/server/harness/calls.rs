//! The calls that a test makes of its server, most of them about one queue, `q`.

use hyper::body::Bytes;
use serde_json::{Value, json};

use super::client::{self, IntoBody, Lines, Wire};
use super::{Answer, Api, until, within};

/// An item in a test's hands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Held {
    pub(crate) id: String,
    pub(crate) lease: String,
    pub(crate) attempt: u64,
    pub(crate) body: String,
}

impl Api {
    pub(crate) async fn call(&self, method: &str, path: &str, body: impl IntoBody) -> Answer {
        client::call(self.address(), method, path, &[], body.into_body()).await
    }

    pub(crate) async fn call_with(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: impl IntoBody,
    ) -> Answer {
        client::call(self.address(), method, path, headers, body.into_body()).await
    }

    /// The status of an answer, whose body nobody waits for: it may never end.
    pub(crate) async fn status_of(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
    ) -> u16 {
        let answer = client::open(self.address(), method, path, headers, Bytes::new());
        within(answer).await.status().as_u16()
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.call("GET", path, ()).await
    }

    pub(crate) async fn put(&self, path: &str, body: impl IntoBody) -> Answer {
        self.call("PUT", path, body).await
    }

    pub(crate) async fn post(&self, path: &str, body: impl IntoBody) -> Answer {
        self.call("POST", path, body).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Answer {
        self.call("DELETE", path, ()).await
    }

    pub(crate) async fn wire(&self) -> Wire {
        Wire::connect(self.address()).await
    }

    /// A stream of JSON lines.
    pub(crate) async fn lines(&self, path: &str) -> Lines {
        let response = within(client::open(self.address(), "GET", path, &[], Bytes::new())).await;
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "application/x-ndjson");
        Lines::new(response.into_body())
    }

    /// Makes the queue `q` with these settings.
    pub(crate) async fn make(&self, settings: Value) {
        self.put("/v1/queues/q", settings).await.is(201);
    }

    /// Makes the queue `q` and puts these items in.
    pub(crate) async fn load(&self, settings: Value, items: &[&str]) {
        self.make(settings).await;
        for item in items {
            self.enqueue(*item).await;
        }
    }

    /// Puts an item into `q` and gives its id.
    pub(crate) async fn enqueue(&self, item: impl IntoBody) -> String {
        let answer = self.post("/v1/queues/q/items", item).await.is(201).json();
        answer["items"][0]["id"].as_str().expect("an id").to_owned()
    }

    /// Enqueues lines of JSON into `q`, with this query.
    pub(crate) async fn ndjson(&self, query: &str, lines: impl IntoBody) -> Answer {
        let path = format!("/v1/queues/q/items{query}");
        let headers = [("content-type", "application/x-ndjson")];
        self.call_with("POST", &path, &headers, lines).await
    }

    /// An item of `q` as it is looked at.
    pub(crate) async fn item(&self, id: &str) -> Value {
        let path = format!("/v1/queues/q/items/{id}");
        self.get(&path).await.is(200).json()
    }

    /// All outcomes of `q`, up to a thousand.
    pub(crate) async fn outcomes(&self) -> Vec<Value> {
        let text = self.get("/v1/queues/q/outcomes").await.is(200).text();
        let outcome = |line| serde_json::from_str(line).expect("JSON");
        text.lines().map(outcome).collect()
    }

    /// `q` as it is.
    pub(crate) async fn queue(&self) -> Value {
        self.get("/v1/queues/q").await.is(200).json()
    }

    /// A lease call on `q`.
    pub(crate) async fn lease(&self, request: Value) -> Value {
        self.post("/v1/queues/q/lease", request)
            .await
            .is(200)
            .json()
    }

    /// Leases one item of `q`, which must have one.
    pub(crate) async fn take(&self) -> Held {
        self.take_with(json!({})).await
    }

    /// Leases one item of `q`, which must have one or get one in time.
    pub(crate) async fn take_with(&self, request: Value) -> Held {
        Held::of(&self.lease(request).await)
    }

    /// Settles one lease of `q` and gives what became of it.
    pub(crate) async fn settle(&self, settlement: Value) -> Value {
        let answer = self
            .post("/v1/queues/q/settle", json!({"settle": [settlement]}))
            .await;
        answer.is(200).json()["settled"][0].clone()
    }

    /// A call about one lease, such as `ack`.
    pub(crate) async fn one(&self, held: &Held, what: &str, body: impl IntoBody) -> Answer {
        self.post(&format!("/v1/leases/{}/{what}", held.lease), body)
            .await
    }

    /// Waits until so many calls are parked on the server.
    pub(crate) async fn until_parked(&self, calls: usize) {
        until(&format!("{calls} calls are parked"), async || {
            let text = self.get("/metrics").await.is(200).text();
            text.lines()
                .any(|line| line == format!("memq_parked_calls {calls}"))
        })
        .await;
    }

    /// Waits until the queue `q` has so many items of a state.
    pub(crate) async fn until_count(&self, state: &str, count: u64) {
        until(&format!("{count} items are {state}"), async || {
            self.queue().await["counts"][state] == count
        })
        .await;
    }
}

impl Held {
    /// The one item of a lease's answer.
    #[track_caller]
    pub(crate) fn of(answer: &Value) -> Self {
        assert_eq!(
            answer["items"].as_array().map(Vec::len),
            Some(1),
            "{answer}"
        );
        let item = &answer["items"][0];
        let text = |name: &str| item[name].as_str().unwrap_or_default().to_owned();
        Self {
            id: text("id"),
            lease: text("lease"),
            attempt: item["attempt"].as_u64().expect("a number"),
            body: text("body"),
        }
    }
}
