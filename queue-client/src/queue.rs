//! The calls on one queue.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::Stream;
use queue_api::{
    Affected, Code, ExtendRequest, LeaseAnswer, LeaseRequest, LeaseToken, Outcome, Queue,
    QueueName, SettingsPatch, SettleRequest, Settled, SettledAnswer, Settlement, Trace, Until,
    limits,
};
use reqwest::Method;
use serde::Serialize;

use crate::transport::{Answer, Call, Repeat, Transport, UPLOAD_TIMEOUT};
use crate::{Error, Renewer, Result, follow};

/// Longest a `wait` is parked in one call: most proxies cut a silent connection after a minute.
const WAIT_SLICE: Duration = Duration::from_secs(30);
/// Most bytes of settlements in one call, by [`carry_bytes`]: half of what a request may hold, so that
/// no estimate need be exact.
pub const CARRY_BYTES: usize = limits::MAX_REQUEST_BYTES / 2;

/// A client of one queue. Cheap to clone.
#[derive(Debug, Clone)]
pub struct QueueClient {
    transport: Arc<Transport>,
    name: QueueName,
    trace: Option<Trace>,
}

impl QueueClient {
    pub(crate) fn new(transport: Arc<Transport>, name: QueueName) -> Self {
        Self {
            transport,
            name,
            trace: None,
        }
    }

    /// The same client, connections and all, whose calls are part of a trace: what it enqueues comes in with
    /// it, and is told so to whoever leases it.
    #[must_use]
    pub fn with_trace(&self, trace: Option<Trace>) -> Self {
        Self {
            trace,
            ..self.clone()
        }
    }

    /// How often a call failed and was tried again: any call of the client that this came from, and of what
    /// came from that.
    #[must_use]
    pub fn retries(&self) -> u64 {
        self.transport.retries()
    }

    /// The queue's name.
    #[must_use]
    pub fn name(&self) -> &QueueName {
        &self.name
    }

    /// The same client, connections and all, with another patience.
    #[must_use]
    pub fn with_give_up_after(&self, patience: Duration) -> Self {
        Self {
            transport: Arc::new(self.transport.with_give_up_after(patience)),
            ..self.clone()
        }
    }

    /// Lends up to `max` items, settling what the request carries first.
    ///
    /// Repeated freely: a carried settlement answers the same twice, and items of an answer that
    /// was lost on the way come back when their lease ends.
    pub async fn lease(&self, request: &LeaseRequest) -> Result<LeaseAnswer> {
        let wait = Duration::from_millis(request.wait_ms.unwrap_or(0));
        let mut call = self.call(Method::POST, "lease from", "/lease").parks(wait);
        if !request.settle.is_empty() {
            call = call.try_timeout(UPLOAD_TIMEOUT).parks(wait);
        }
        self.send_json(call, request).await?.json()
    }

    /// Settles leases; one entry each in the answer, in order. Any number: they go in as many calls
    /// as they need.
    pub async fn settle(&self, settlements: Vec<Settlement>) -> Result<Vec<Settled>> {
        let mut answers = Vec::with_capacity(settlements.len());
        for batch in batches(settlements) {
            let expected = batch.len();
            let call = self
                .call(Method::POST, "settle leases of", "/settle")
                .try_timeout(UPLOAD_TIMEOUT);
            let answer = self
                .send_json(call, &SettleRequest { settle: batch })
                .await?;
            answers.extend(one_each(answer.json()?, expected, &answer)?);
        }
        Ok(answers)
    }

    /// Extends leases, each to this length from now or to the queue's; one entry each, in order.
    pub async fn extend(
        &self,
        leases: &[LeaseToken],
        length: Option<Duration>,
    ) -> Result<Vec<Settled>> {
        let mut answers = Vec::with_capacity(leases.len());
        for batch in leases.chunks(limits::MAX_SETTLEMENTS) {
            answers.extend(self.extend_some(batch, length, None).await?);
        }
        Ok(answers)
    }

    /// Extends leases in one try that takes no longer than `within`.
    pub(crate) async fn extend_once(
        &self,
        leases: &[LeaseToken],
        length: Option<Duration>,
        within: Duration,
    ) -> Result<Vec<Settled>> {
        self.extend_some(leases, length, Some(within)).await
    }

    async fn extend_some(
        &self,
        leases: &[LeaseToken],
        length: Option<Duration>,
        once_within: Option<Duration>,
    ) -> Result<Vec<Settled>> {
        let mut call = self.call(Method::POST, "extend leases of", "/extend");
        if let Some(within) = once_within {
            call = call.try_timeout(within).repeat(Repeat::Never);
        }
        let request = ExtendRequest {
            leases: leases.to_vec(),
            lease_ms: length.map(millis),
        };
        let answer = self.send_json(call, &request).await?;
        one_each(answer.json()?, leases.len(), &answer)
    }

    /// Starts a task that keeps leases of this queue alive, each for this length from its renewal
    /// or for the queue's.
    #[must_use]
    pub fn renewer(&self, length: Option<Duration>) -> Renewer {
        Renewer::start(self.clone(), length)
    }

    /// Makes the queue, or changes its settings: absent ones keep their value.
    pub async fn create(&self, settings: &SettingsPatch) -> Result<Queue> {
        let call = self.call(Method::PUT, "create", "");
        self.send_json(call, settings).await?.json()
    }

    /// The queue as it is.
    pub async fn show(&self) -> Result<Queue> {
        let call = self.call(Method::GET, "show", "");
        self.transport.send(&call).await?.json()
    }

    /// Deletes the queue and all it holds; refused while items are leased unless `force`.
    ///
    /// A queue that is gone when an earlier try failed on the way counts as deleted.
    pub async fn delete(&self, force: bool) -> Result<()> {
        let path = if force { "?force=true" } else { "" };
        self.remove("delete", path, Code::NoSuchQueue).await
    }

    /// Removes what is there once; if an earlier try failed on the way, `gone` says that it went through.
    pub(crate) async fn remove(&self, does: &'static str, path: &str, gone: Code) -> Result<()> {
        let once = self.call(Method::DELETE, does, path).repeat(Repeat::Unsent);
        match self.transport.attempt(&once).await {
            Err(failure) if failure.error.is_transient() && !failure.unsent => {
                let again = self.call(Method::DELETE, does, path);
                match self.transport.send(&again).await {
                    Err(error) if error.code() == Some(gone) => Ok(()),
                    other => other.map(drop),
                }
            }
            Err(failure) => Err(failure.error),
            Ok(_) => Ok(()),
        }
    }

    /// Waits until the queue is drained, or empty, for this long at most; `None` if it is not.
    pub async fn wait(&self, until: Until, timeout: Duration) -> Result<Option<Queue>> {
        let end = Instant::now() + timeout;
        let word = match until {
            Until::Drained => "drained",
            Until::Empty => "empty",
        };
        loop {
            let slice = end
                .saturating_duration_since(Instant::now())
                .min(WAIT_SLICE);
            let path = format!("/wait?for={word}&wait_ms={}", millis(slice));
            let call = self.call(Method::GET, "wait for", &path).parks(slice);
            let answer = self.transport.send(&call).await?;
            if !answer.is_empty() {
                return answer.json().map(Some);
            }
            if Instant::now() >= end {
                return Ok(None);
            }
        }
    }

    /// Up to `limit` finished items whose place in the queue's order is past `after`.
    pub async fn outcomes(&self, after: u64, limit: usize) -> Result<Vec<Outcome>> {
        let path = format!("/outcomes?after={after}&limit={limit}");
        let call = self.call(Method::GET, "read outcomes of", &path);
        let answer = self.transport.send(&call).await?;
        let lines = answer.bytes().split(|&byte| byte == b'\n');
        lines
            .filter(|line| !line.is_empty())
            .map(serde_json::from_slice)
            .collect::<std::result::Result<_, _>>()
            .map_err(|e| answer.odd(&format!("odd outcome: {e}")))
    }

    /// Finished items past `after` as they finish, each once, in order. Ends when the queue is
    /// drained; a broken connection is made anew without a gap.
    pub fn follow(&self, after: u64) -> impl Stream<Item = Result<Outcome>> + Send + use<> {
        follow::follow(self.clone(), after)
    }

    /// Opens the endless form of the outcomes.
    pub(crate) async fn open_outcomes(&self, after: u64) -> Result<reqwest::Response> {
        let path = format!("/outcomes?after={after}&follow=true");
        let call = self.call(Method::GET, "follow outcomes of", &path);
        self.transport.open(&call).await
    }

    pub(crate) fn may_pass(&self, error: &Error) -> bool {
        self.transport.may_pass(error)
    }

    pub(crate) fn patience(&self) -> Duration {
        self.transport.give_up_after()
    }

    /// No new items from now on.
    pub async fn seal(&self) -> Result<Queue> {
        self.change("seal", "/seal").await?.json()
    }

    /// New items are taken again.
    pub async fn reopen(&self) -> Result<Queue> {
        self.change("reopen", "/reopen").await?.json()
    }

    /// No new leases from now on.
    pub async fn pause(&self) -> Result<Queue> {
        self.change("pause", "/pause").await?.json()
    }

    /// Leases are given again.
    pub async fn resume(&self) -> Result<Queue> {
        self.change("resume", "/resume").await?.json()
    }

    /// Throws ready and delayed items away, leaves leased ones.
    ///
    /// Not repeated: items that came after the first try would go as well, and the number would be
    /// of the last try only.
    pub async fn purge(&self) -> Result<Affected> {
        let call = self
            .call(Method::POST, "purge", "/purge")
            .repeat(Repeat::Unsent);
        self.transport.send(&call).await?.json()
    }

    async fn change(&self, does: &'static str, path: &str) -> Result<Answer> {
        self.transport
            .send(&self.call(Method::POST, does, path))
            .await
    }

    pub(crate) fn transport(&self) -> &Transport {
        &self.transport
    }

    pub(crate) fn call(&self, method: Method, does: &'static str, rest: &str) -> Call<'_> {
        let path = format!("/v1/queues/{}{rest}", self.name);
        Call::new(method, does, Some(&self.name), path).trace(self.trace.as_ref())
    }

    /// A call with a query, from a struct whose fields are its words.
    pub(crate) fn asking<T: Serialize>(
        &self,
        method: Method,
        does: &'static str,
        rest: &str,
        query: &T,
    ) -> Result<Call<'_>> {
        let call = self.call(method, does, rest);
        let query = serde_urlencoded::to_string(query).map_err(|e| Error::Protocol {
            what: call.what(),
            status: 0,
            detail: format!("the query cannot be written: {e}"),
        })?;
        Ok(call.query(&query))
    }

    pub(crate) async fn send_json<T: Serialize + Sync>(
        &self,
        call: Call<'_>,
        value: &T,
    ) -> Result<Answer> {
        self.transport.send_json(call, value).await
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// The entries of an answer, if there is one for each lease of the request.
fn one_each(answer: SettledAnswer, expected: usize, raw: &Answer) -> Result<Vec<Settled>> {
    let got = answer.settled.len();
    if got == expected {
        Ok(answer.settled)
    } else {
        Err(raw.odd(&format!("{got} answers to {expected} leases")))
    }
}

/// The settlements in order, cut so that each batch fits a request.
fn batches(settlements: Vec<Settlement>) -> Vec<Vec<Settlement>> {
    let mut batches = Vec::new();
    let mut batch = Vec::new();
    let mut bytes = 0;
    for settlement in settlements {
        let size = carry_bytes(&settlement);
        if !batch.is_empty()
            && (bytes + size > CARRY_BYTES || batch.len() == limits::MAX_SETTLEMENTS)
        {
            batches.push(std::mem::take(&mut batch));
            bytes = 0;
        }
        bytes += size;
        batch.push(settlement);
    }
    if !batch.is_empty() {
        batches.push(batch);
    }
    batches
}

/// Most bytes a settlement can take in a request: a control character becomes six in JSON. A lease
/// call carries settlements of up to [`CARRY_BYTES`]; [`QueueClient::settle`] counts by itself.
#[must_use]
pub fn carry_bytes(settlement: &Settlement) -> usize {
    let result = match &settlement.result {
        None => 0,
        Some(serde_json::Value::String(text)) => 6 * text.len(),
        Some(other) => other.to_string().len(),
    };
    let texts = [&settlement.error, &settlement.log].into_iter().flatten();
    256 + result + texts.map(|text| 6 * text.len()).sum::<usize>()
}

#[cfg(test)]
mod tests {
    use super::*;
    use queue_api::SettleAs;

    fn ack(result_bytes: usize) -> Settlement {
        Settlement {
            result: Some("\u{1}".repeat(result_bytes).into()),
            ..Settlement::new("token".parse().expect("a token"), SettleAs::Ack)
        }
    }

    #[test]
    fn settlements_are_cut_into_requests_the_server_takes() {
        let many = batches(vec![ack(0); limits::MAX_SETTLEMENTS + 1]);
        let sizes: Vec<_> = many.iter().map(Vec::len).collect();
        assert_eq!(sizes, [limits::MAX_SETTLEMENTS, 1]);

        let large = batches(vec![ack(64 * 1024); 100]);
        assert_eq!(large.iter().map(Vec::len).sum::<usize>(), 100);
        for batch in large {
            let json = serde_json::to_vec(&SettleRequest { settle: batch }).expect("JSON");
            assert!(json.len() <= limits::MAX_REQUEST_BYTES, "{}", json.len());
        }
        assert!(batches(Vec::new()).is_empty());
    }
}
