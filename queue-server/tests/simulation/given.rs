//! The queue whose items are given something, and whose requests may be sent again. It is never purged,
//! sealed or deleted while clients are there, so that what must be so of it can be told exactly: a key is
//! one item's for ever, but for one that was cancelled, and a request comes in once.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::net::SocketAddr;

use serde_json::{Value, json};

use crate::client::{Client, Gone, Line, Told, tag};
use crate::ledger::{Ledger, Moment};

/// Its name.
pub(crate) const GIVEN: &str = "d";
/// Longer than the clock leaps in all lives: no key comes free by itself.
const WINDOW_MS: u64 = 14 * 24 * 3_600_000;
const KEYS: u64 = 40;
const GROUPS: [&str; 4] = ["g", "h", "i", "j"];

/// What an item is given beside its body.
#[derive(Debug, Default, Clone)]
pub(crate) struct Given {
    pub(crate) key: Option<String>,
    may_expire: bool,
}

impl Given {
    pub(crate) fn assert_may_end(&self, tag: &str, state: &str) {
        assert!(state != "expired" || self.may_expire, "{tag} has no end");
    }
}

/// A request that may be sent again.
#[derive(Debug, Clone)]
pub(crate) struct Sent {
    key: String,
    lines: String,
    bodies: Vec<String>,
    /// The ids it was answered, and which of them are of duplicates.
    answer: Option<Vec<(String, bool)>>,
}

/// Makes the queue, with its settings.
pub(crate) async fn prepare(address: SocketAddr) {
    let mut line = Line::connect(address).await.expect("it listens");
    let settings = json!({"key_window_ms": WINDOW_MS}).to_string();
    let path = format!("/v1/queues/{GIVEN}");
    let made = line.call("PUT", &path, settings).await;
    let made = made.expect("it serves");
    assert!(matches!(made.status, 200 | 201 | 507), "{made:?}");
}

impl Client {
    /// One of the requests that only this queue gets.
    pub(crate) async fn give(&mut self) -> Result<(), Gone> {
        match self.chance.below(100) {
            0..50 => self.enqueue_given().await,
            50..75 => self.repeat().await,
            75..88 => self.cancel().await,
            _ => self.redrive().await,
        }
    }

    async fn enqueue_given(&mut self) -> Result<(), Gone> {
        let count = 1 + self.chance.below(4);
        let mut options = Vec::new();
        let mut given = Vec::new();
        for _ in 0..count {
            let (item, option) = self.draw();
            given.push(item);
            options.push(option);
        }
        let lengths: Vec<u64> = (0..count).map(|_| self.chance.below(2_000)).collect();
        let bodies = self.ledger.offer_given(GIVEN, &lengths, given);
        let lines = options.into_iter().zip(&bodies).map(|(mut line, body)| {
            line["body"] = json!(body);
            format!("{line}\n")
        });
        let lines: String = lines.collect();
        let key = tag(&bodies[0]).to_owned();
        let at = self.ledger.sends(Sent {
            key,
            lines,
            bodies,
            answer: None,
        });
        self.send(at).await
    }

    /// Something for an item, and how that is said.
    fn draw(&mut self) -> (Given, Value) {
        let mut given = Given::default();
        let mut option = json!({});
        if self.chance.percent(40) {
            let key = format!("key {}", self.chance.below(KEYS));
            option["key"] = json!(key);
            given.key = Some(key);
        }
        if self.chance.percent(60) {
            option["group"] = json!(self.chance.one_of(&GROUPS));
        }
        if self.chance.percent(40) {
            option["priority"] = json!(self.chance.one_of(&[-3, 1, 7]));
        }
        if self.chance.percent(15) {
            option["delay_ms"] = json!(self.chance.below(60));
        }
        if self.chance.percent(20) {
            option["ttl_ms"] = json!(self.chance.one_of(&[1, 40, 3_600_000]));
            given.may_expire = true;
        }
        (given, option)
    }

    /// Sends again what may have been answered before, in this life or in an earlier one.
    pub(crate) async fn repeat(&mut self) -> Result<(), Gone> {
        let (sent, unanswered) = {
            let state = self.ledger.state();
            let unanswered = state.sent.iter().rposition(|sent| sent.answer.is_none());
            (state.sent.len() as u64, unanswered)
        };
        match unanswered.filter(|_| self.chance.percent(60)) {
            // A crash, or a full disk, may have kept its answer back.
            Some(at) => self.send(at).await,
            None if sent == 0 => Ok(()),
            None => {
                let back = self.chance.below(sent.min(30));
                self.send((sent - 1 - back) as usize).await
            }
        }
    }

    async fn send(&mut self, at: usize) -> Result<(), Gone> {
        let sent = self.ledger.state().sent[at].clone();
        let path = format!("/v1/queues/{GIVEN}/items");
        let headers = [
            ("content-type", "application/x-ndjson"),
            ("idempotency-key", sent.key.as_str()),
        ];
        let told = self.line.call_with("POST", &path, &headers, sent.lines);
        let told = told.await?;
        match told.status {
            201 => self.ledger.answered(at, &told),
            // What was answered once is answered for ever, on a full disk too.
            404 | 429 | 507 if sent.answer.is_none() => {}
            _ => panic!("{told:?}"),
        }
        Ok(())
    }

    async fn cancel(&mut self) -> Result<(), Gone> {
        let ids = self.ledger.ids();
        if ids.is_empty() {
            return Ok(());
        }
        let at = self.chance.below(ids.len() as u64) as usize;
        let (id, body) = &ids[at];
        // Whether it is answered or not.
        self.ledger.state().item(body).may_be_gone = true;
        let path = format!("/v1/queues/{GIVEN}/items/{id}");
        let told = self.line.call("DELETE", &path, String::new()).await?;
        match told.status {
            204 => self.ledger.cancelled(body),
            // It has ended; it was thrown away when it was dead; there is no room to say so.
            404 | 409 | 507 => {}
            _ => panic!("{told:?}"),
        }
        Ok(())
    }

    async fn redrive(&mut self) -> Result<(), Gone> {
        let which = match self.chance.below(3) {
            0 => json!({}),
            1 => json!({"limit": 2}),
            _ => json!({"error_contains": self.chance.one_of(&["n", "-1"])}),
        };
        let path = format!("/v1/queues/{GIVEN}/redrive");
        let told = self.line.call("POST", &path, which.to_string()).await?;
        match told.status {
            200 => {
                let affected = told.json()["affected"].as_u64().expect("a number");
                self.ledger.see(|seen| seen.redriven += affected);
            }
            404 | 507 => {}
            _ => panic!("{told:?}"),
        }
        Ok(())
    }
}

impl Ledger {
    /// Notes a request before it is sent, and gives its number.
    fn sends(&self, sent: Sent) -> usize {
        let mut state = self.state();
        state.sent.push(sent);
        state.sent.len() - 1
    }

    fn answered(&self, at: usize, told: &Told) {
        let mut state = self.state();
        let answer = told.json();
        let items = answer["items"].as_array().expect("items").iter();
        let items: Vec<(String, bool)> = items
            .map(|item| {
                let id = item["id"].as_str().expect("an id").to_owned();
                (id, item["duplicate"] == true)
            })
            .collect();
        let sent = &mut state.sent[at];
        assert_eq!(items.len(), sent.bodies.len(), "{answer}");
        if let Some(before) = &sent.answer {
            assert_eq!(&items, before, "{} is answered anew", sent.key);
            let replayed = u64::from(told.is_replayed);
            state.seen.replayed += replayed;
            return;
        }
        let is_learned = told.is_replayed;
        let bodies = sent.bodies.clone();
        sent.answer = Some(items.clone());
        // Its first answer was lost.
        state.seen.learned += u64::from(is_learned);
        for (body, (_, is_duplicate)) in bodies.iter().zip(items) {
            state.seen.enqueued += u64::from(!is_duplicate);
            state.seen.duplicates += u64::from(is_duplicate);
            let item = state.item(body);
            assert!(!is_duplicate || item.given.key.is_some(), "{body:.20}");
            item.is_refused = is_duplicate;
            item.is_in = !is_duplicate;
        }
    }

    /// The items that are known by their ids: those that came in.
    fn ids(&self) -> Vec<(String, String)> {
        let state = self.state();
        let answered = state.sent.iter().filter_map(|sent| {
            let answer = sent.answer.as_ref()?;
            Some(answer.iter().zip(&sent.bodies))
        });
        let new = answered.flatten().filter(|((_, duplicate), _)| !duplicate);
        new.map(|((id, _), body)| (id.clone(), body.clone()))
            .collect()
    }

    fn cancelled(&self, body: &str) {
        let mut state = self.state();
        state.seen.cancelled += 1;
        let now: Moment = state.moment();
        let item = state.item(body);
        assert!(item.result().is_none(), "{body:.20} is acked and cancelled");
        item.has_ended.get_or_insert(("cancelled", now));
    }

    /// What one call is lent at once: higher priorities first, and within one groups take turns.
    pub(crate) fn judge_order(&self, items: &[Value]) {
        let priority = |item: &Value| item["priority"].as_i64().unwrap_or(0);
        let all: Vec<(i64, &str)> = items
            .iter()
            .map(|item| (priority(item), item["group"].as_str().unwrap_or_default()))
            .collect();
        assert!(all.is_sorted_by(|a, b| a.0 >= b.0), "{all:?}");
        let mut judged = 0;
        for level in all.chunk_by(|a, b| a.0 == b.0) {
            for (at, (_, group)) in level.iter().enumerate() {
                let rest = &level[at + 1..];
                let Some(next) = rest.iter().position(|(_, other)| other == group) else {
                    continue;
                };
                let groups = |turn: &[(i64, &'_ str)]| -> BTreeSet<String> {
                    turn.iter().map(|(_, group)| (*group).to_owned()).collect()
                };
                let (between, later) = (groups(&rest[..next]), groups(&rest[next + 1..]));
                let mut later = later.iter().filter(|other| other.as_str() != *group);
                assert!(later.all(|other| between.contains(other)), "{level:?}");
                judged += u64::from(!between.is_empty());
            }
        }
        self.see(|seen| seen.in_order += judged);
    }

    /// Everything was worked off: a key is of one item, but for those that may have been cancelled.
    pub(crate) fn judge_keys(&self, told: &HashSet<String>) {
        let state = self.state();
        let mut holders: HashMap<&str, Vec<&String>> = HashMap::new();
        for (tag, item) in &state.items {
            if let Some(key) = &item.given.key
                && told.contains(tag)
                && !item.may_be_gone
            {
                holders.entry(key).or_default().push(tag);
            }
        }
        for (key, tags) in holders {
            assert!(tags.len() == 1, "{tags:?} all came in with {key:?}");
        }
    }
}
