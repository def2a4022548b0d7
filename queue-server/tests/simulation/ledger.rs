//! What clients asked and what they were told, and what must be so because of it.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::client::tag;
use crate::given::{GIVEN, Given, Sent};
use crate::seen::Seen;

/// How an attempt was ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum How {
    Acked,
    Nacked,
    Released,
    Dead,
}

/// What is known of one item.
#[derive(Debug)]
pub(crate) struct Item {
    pub(crate) queue: &'static str,
    body: String,
    /// The request that brought it: all of its items came in, or none, those with a key apart.
    request: u64,
    /// Its enqueue was acknowledged.
    pub(crate) is_in: bool,
    /// Its enqueue was refused, or it is a duplicate.
    pub(crate) is_refused: bool,
    /// It was told that it has ended, and when: who asks from then on must never be lent it.
    pub(crate) has_ended: Option<(&'static str, Moment)>,
    /// It was told that it is dead. In the queue of those that are redriven, that is no end.
    has_died: bool,
    /// The result that was acknowledged.
    result: Option<String>,
    /// A purge or a deletion may have taken it, or somebody may have cancelled it.
    pub(crate) may_be_gone: bool,
    /// A deletion that was acknowledged took it, by then.
    is_gone: Option<Moment>,
    pub(crate) given: Given,
}

/// Orders what is told and what is asked.
pub(crate) type Moment = u64;

#[derive(Debug, Default)]
pub(crate) struct State {
    pub(crate) items: HashMap<String, Item>,
    tokens: HashSet<String>,
    requests: u64,
    moments: Moment,
    /// Outcomes that were told, until their queue is deleted.
    outcomes: HashMap<(&'static str, u64), String>,
    /// Requests that may be sent again.
    pub(crate) sent: Vec<Sent>,
    pub(crate) seen: Seen,
}

#[derive(Debug, Default)]
pub(crate) struct Ledger(Mutex<State>);

/// One line of a joblog.
#[derive(Debug)]
pub(crate) struct Line {
    pub(crate) number: u64,
    pub(crate) body: String,
    pub(crate) state: String,
    pub(crate) result: Option<String>,
}

impl Ledger {
    pub(crate) fn see(&self, what: impl FnOnce(&mut Seen)) {
        what(&mut self.state().seen);
    }

    pub(crate) fn seen(&self) -> Seen {
        self.state().seen
    }

    /// The moment in which something is asked: all that was told before lies before it.
    pub(crate) fn moment(&self) -> Moment {
        self.state().moment()
    }

    /// New bodies of about these lengths, noted before they are sent.
    pub(crate) fn offer(&self, queue: &'static str, lengths: &[u64]) -> Vec<String> {
        let given = vec![Given::default(); lengths.len()];
        self.offer_given(queue, lengths, given)
    }

    /// The same, of items that are given something.
    pub(crate) fn offer_given(
        &self,
        queue: &'static str,
        lengths: &[u64],
        given: Vec<Given>,
    ) -> Vec<String> {
        let mut state = self.state();
        state.requests += 1;
        let request = state.requests;
        let all = lengths.iter().zip(given).enumerate();
        let offered = all.map(|(at, (length, given))| {
            let padding = "x".repeat(*length as usize);
            let body = format!("{queue}-{request}-{at}:{padding}");
            let item = Item {
                queue,
                body: body.clone(),
                request,
                is_in: false,
                is_refused: false,
                has_ended: None,
                has_died: false,
                result: None,
                may_be_gone: false,
                is_gone: None,
                given,
            };
            state.items.insert(tag(&body).to_owned(), item);
            body
        });
        offered.collect()
    }

    pub(crate) fn enqueued(&self, bodies: &[String]) {
        let mut state = self.state();
        state.seen.enqueued += bodies.len() as u64;
        for body in bodies {
            state.item(body).is_in = true;
        }
    }

    pub(crate) fn refused(&self, bodies: &[String], status: u16) {
        let mut state = self.state();
        state.seen.refused_full += u64::from(status == 507);
        for body in bodies {
            state.item(body).is_refused = true;
        }
    }

    pub(crate) fn leased(&self, body: &str, lease: &str, asked: Moment) {
        let mut state = self.state();
        state.seen.leased += 1;
        assert!(
            state.tokens.insert(lease.to_owned()),
            "{lease} is lent twice"
        );
        state.item(body).assert_may_be_lent(body, asked);
    }

    pub(crate) fn taken(&self, body: &str, asked: Moment) {
        let mut state = self.state();
        state.seen.taken += 1;
        let now = state.moment();
        let item = state.item(body);
        item.assert_may_be_lent(body, asked);
        item.has_ended = Some(("taken", now));
    }

    pub(crate) fn settled(&self, body: &str, how: How, said: &str) {
        let mut state = self.state();
        state.seen.acked += u64::from(how == How::Acked);
        let now = state.moment();
        let item = state.item(body);
        match how {
            How::Acked => {
                item.has_ended = Some(("acked", now));
                item.result = Some(said.to_owned());
            }
            How::Dead if item.queue == GIVEN => item.has_died = true,
            How::Dead => item.has_ended = Some(("dead", now)),
            How::Nacked | How::Released => {}
        }
    }

    pub(crate) fn may_be_gone(&self, body: &str) {
        let mut state = self.state();
        let item = state.item(body);
        assert!(
            item.may_be_gone,
            "{} was acked, and its lease is lost",
            tag(body)
        );
    }

    /// The items of a queue whose enqueue was acknowledged by now.
    pub(crate) fn known(&self, queue: &str) -> Vec<String> {
        let state = self.state();
        let items = state.items.iter();
        items
            .filter(|(_, item)| item.queue == queue && item.is_in)
            .map(|(tag, _)| tag.clone())
            .collect()
    }

    /// The queue was told to be drained: those that were in have ended.
    pub(crate) fn drained(&self, known: &[String]) {
        let mut state = self.state();
        state.seen.drained += 1;
        let now = state.moment();
        for tag in known {
            let item = state.item(tag);
            item.has_ended = item.has_ended.or(Some(("drained", now)));
        }
    }

    pub(crate) fn purging(&self, queue: &str) {
        let mut state = self.state();
        for item in state.items.values_mut() {
            item.may_be_gone |= item.queue == queue;
        }
    }

    /// The items that an acknowledged deletion will have taken.
    pub(crate) fn deleting(&self, queue: &'static str) -> Vec<String> {
        self.purging(queue);
        self.state().outcomes.retain(|(of, _), _| *of != queue);
        self.known(queue)
    }

    pub(crate) fn deleted(&self, before: &[String]) {
        let mut state = self.state();
        state.seen.deleted += 1;
        let now = state.moment();
        for tag in before {
            state.item(tag).is_gone.get_or_insert(now);
        }
    }

    /// Nobody asks any more: what a joblog tells now it tells for ever, if its queue is not deleted.
    pub(crate) fn judge(&self, queue: &'static str, lines: &[Line]) {
        let mut state = self.state();
        let mut told: HashMap<String, &str> = HashMap::new();
        for line in lines {
            let tag = tag(&line.body).to_owned();
            let before = told.insert(tag.clone(), &line.state);
            state.seen.expired += u64::from(line.state == "expired");
            let is_redriven = queue == GIVEN && before == Some("dead");
            assert!(before.is_none() || is_redriven, "{tag} ended twice");
            let item = state.item(&line.body);
            // Purged when dead: what is left of it is that it died.
            assert!(
                item.is_gone.is_none(),
                "{tag} is in the joblog of a deleted queue's successor"
            );
            assert!(!item.is_refused, "{tag} was refused and came in");
            assert_eq!(item.body, line.body, "the body of {tag}");
            item.given.assert_may_end(&tag, &line.state);
            if let Some(result) = &item.result
                && !(queue == GIVEN && line.state == "dead")
            {
                assert_eq!(line.state, "done", "{tag} was acked");
                assert_eq!(Some(result), line.result.as_ref(), "the result of {tag}");
            }
            let before = state.outcomes.insert((queue, line.number), tag.clone());
            let same = before.as_ref().is_none_or(|before| *before == tag);
            assert!(same, "outcome {} was {before:?}, is {tag}", line.number);
        }
        let items = state.items.iter();
        let missing = items
            .filter(|(_, item)| item.queue == queue && !item.may_be_gone)
            .find(|(tag, item)| {
                let has_ended = item.has_ended.is_some() || item.has_died;
                has_ended && !told.contains_key(*tag)
            });
        assert!(
            missing.is_none(),
            "ended and not in the joblog: {missing:?}"
        );
    }

    /// Everything was worked off: each item that came in has ended, and of a request all items or none.
    pub(crate) fn conclude(&self, told: &HashSet<String>) {
        let state = self.state();
        let mut requests: HashMap<u64, (u64, u64)> = HashMap::new();
        for (tag, item) in &state.items {
            if item.may_be_gone {
                continue;
            }
            let is_told = told.contains(tag);
            assert!(
                is_told || !item.is_in,
                "{tag} was acknowledged, and is lost"
            );
            if item.given.key.is_some() {
                continue;
            }
            let (came, all) = requests.entry(item.request).or_default();
            *came += u64::from(is_told);
            *all += 1;
        }
        for (request, (came, all)) in requests {
            assert!(
                came == 0 || came == all,
                "{came} of {all} items of request {request}"
            );
        }
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        // One client's failed assertion is told as itself, and not as everybody's.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    pub(crate) fn moment(&mut self) -> Moment {
        self.moments += 1;
        self.moments
    }

    pub(crate) fn item(&mut self, body: &str) -> &mut Item {
        let tag = tag(body);
        let item = self.items.get_mut(tag);
        item.unwrap_or_else(|| panic!("nobody enqueued {tag:?}"))
    }
}

impl Item {
    /// The result that was acknowledged.
    pub(crate) fn result(&self) -> Option<&str> {
        self.result.as_deref()
    }

    fn assert_may_be_lent(&self, body: &str, asked: Moment) {
        let tag = tag(body);
        assert_eq!(self.body, body, "the body of {tag}");
        assert!(!self.is_refused, "{tag} was refused and is lent");
        let gone = self.is_gone.is_some_and(|then| then < asked);
        assert!(!gone, "{tag} was deleted and is lent");
        let ended = self.has_ended.filter(|(_, then)| *then < asked);
        assert_eq!(ended, None, "{tag} has ended and is lent");
    }
}
