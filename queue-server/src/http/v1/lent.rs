//! The answer to a lease call, written in one go. It is what a worker hears for every item.

use queue_api::{LeaseToken, QueueState, Settled};
use queue_core::{Fence, Seq, Time};

use crate::engine::{Grant, Granted, Shown, Token};
use crate::http::json;

/// Bytes of an answer beside its items and settlements, of an item with a small body, and of a settlement.
const AROUND: usize = 64;
const EACH_ITEM: usize = 384;
const EACH_SETTLED: usize = 96;

/// [`queue_api::LeaseAnswer`], as serde would write it.
pub(super) fn answer(incarnation: u64, granted: Granted, settled: &[Settled]) -> Vec<u8> {
    let Granted {
        now, items, state, ..
    } = granted;
    let items = items.into_iter().map(Lent::from);
    written(incarnation, now, items, state, settled)
}

/// An item whose bytes are at hand.
struct Lent {
    seq: Seq,
    fence: Fence,
    deadline: Time,
    attempt: u32,
    enqueued: Time,
    body: Vec<u8>,
    terms: Option<Box<Shown>>,
}

impl From<Grant> for Lent {
    fn from(grant: Grant) -> Self {
        let Grant {
            seq,
            fence,
            deadline,
            attempt,
            enqueued,
            body,
            terms,
        } = grant;
        Self {
            seq,
            fence,
            deadline,
            attempt,
            enqueued,
            body: body.into_vec(),
            terms,
        }
    }
}

fn written(
    incarnation: u64,
    now: Time,
    items: impl ExactSizeIterator<Item = Lent>,
    state: QueueState,
    settled: &[Settled],
) -> Vec<u8> {
    let expected = AROUND + EACH_ITEM * items.len() + EACH_SETTLED * settled.len();
    let mut text = Vec::with_capacity(expected);
    text.extend_from_slice(br#"{"items":["#);
    for (at, lent) in items.enumerate() {
        if at > 0 {
            text.push(b',');
        }
        item(incarnation, now, &lent, &mut text);
    }
    text.extend_from_slice(br#"],"state":""#);
    text.extend_from_slice(word(state).as_bytes());
    text.push(b'"');
    for (at, settled) in settled.iter().enumerate() {
        let begin: &[u8] = if at == 0 { br#","settled":["# } else { b"," };
        text.extend_from_slice(begin);
        settlement(settled, &mut text);
    }
    if !settled.is_empty() {
        text.push(b']');
    }
    text.push(b'}');
    text
}

/// Names a lease.
pub(super) fn token(incarnation: u64, seq: Seq, fence: Fence) -> LeaseToken {
    let token = Token {
        incarnation,
        seq,
        fence,
    };
    token.encode()
}

/// [`queue_api::Leased`].
fn item(incarnation: u64, now: Time, lent: &Lent, text: &mut Vec<u8>) {
    text.extend_from_slice(br#"{"id":"#);
    json::item_id(incarnation, lent.seq.0, text);
    text.push(b',');
    json::body_field(&lent.body, text);
    text.extend_from_slice(br#","attempt":"#);
    json::number(lent.attempt.into(), text);
    text.extend_from_slice(br#","lease":""#);
    text.extend_from_slice(token(incarnation, lent.seq, lent.fence).as_str().as_bytes());
    text.extend_from_slice(br#"","lease_ms":"#);
    json::number(lent.deadline.since(now).as_millis() as u64, text);
    text.extend_from_slice(br#","lease_expires":"#);
    json::time(lent.deadline, text);
    text.extend_from_slice(br#","enqueued":"#);
    json::time(lent.enqueued, text);
    if let Some(terms) = &lent.terms {
        given(terms, text);
    }
    text.push(b'}');
}

/// What an item was given besides its body.
fn given(terms: &Shown, text: &mut Vec<u8>) {
    let Shown {
        priority,
        group,
        key,
        trace,
    } = terms;
    for (field, value) in [
        (br#","key":"#.as_slice(), key.as_deref()),
        (br#","group":"#, group.as_deref()),
    ] {
        if let Some(value) = value {
            text.extend_from_slice(field);
            json::string(value, text);
        }
    }
    if *priority != 0 {
        text.extend_from_slice(br#","priority":"#);
        if *priority < 0 {
            text.push(b'-');
        }
        json::number(priority.unsigned_abs().into(), text);
    }
    if let Some(trace) = trace {
        text.extend_from_slice(br#","traceparent":"#);
        json::string(trace.traceparent(), text);
        if let Some(state) = trace.tracestate() {
            text.extend_from_slice(br#","tracestate":"#);
            json::string(state, text);
        }
    }
}

/// [`Settled`]. A token has no character that JSON escapes.
fn settlement(settled: &Settled, text: &mut Vec<u8>) {
    let Settled {
        lease,
        ok,
        repeated,
        code,
        lease_ms,
    } = settled;
    text.extend_from_slice(br#"{"lease":""#);
    text.extend_from_slice(lease.as_str().as_bytes());
    text.extend_from_slice(if *ok {
        br#"","ok":true"#
    } else {
        br#"","ok":false"#
    });
    if *repeated {
        text.extend_from_slice(br#","repeated":true"#);
    }
    if let Some(code) = code {
        text.extend_from_slice(br#","code":""#);
        text.extend_from_slice(code.as_str().as_bytes());
        text.push(b'"');
    }
    if let Some(lease_ms) = lease_ms {
        text.extend_from_slice(br#","lease_ms":"#);
        json::number(*lease_ms, text);
    }
    text.push(b'}');
}

fn word(state: QueueState) -> &'static str {
    match state {
        QueueState::Open => "open",
        QueueState::Drained => "drained",
        QueueState::Empty => "empty",
        QueueState::Paused => "paused",
        QueueState::Waiting => "waiting",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::timestamp;
    use queue_api::{Body, Code, ItemId, LeaseAnswer, Leased, Trace};

    const INCARNATION: u64 = 0xfedc_ba98_7654_3210;

    fn lent(seq: u64, body: &[u8]) -> Lent {
        Lent {
            seq: Seq(seq),
            fence: Fence(seq.wrapping_mul(0x9e37_79b9_7f4a_7c15)),
            deadline: Time(1_790_000_030_000 + seq),
            attempt: seq as u32 + 1,
            enqueued: Time(1_789_999_999_990),
            body: body.to_vec(),
            terms: terms(seq),
        }
    }

    /// Of every fourth item nothing, of the others more and more.
    fn terms(seq: u64) -> Option<Box<Shown>> {
        let given = Shown {
            priority: [0, 0, i16::MIN, 7][seq as usize % 4],
            group: (seq % 4 > 1).then(|| "g".into()),
            key: Some("k \"1\" é".into()),
            trace: (seq % 4 > 1).then(|| trace(seq % 4 == 3)),
        };
        (!seq.is_multiple_of(4)).then(|| Box::new(given))
    }

    fn trace(with_state: bool) -> Trace {
        let parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        Trace::new(parent, with_state.then_some("a=\"1\\")).expect("a trace")
    }

    fn shown(lent: &Lent) -> Option<&Trace> {
        lent.terms.as_ref()?.trace.as_ref()
    }

    fn serdes(now: Time, items: &[Lent], state: QueueState, settled: &[Settled]) -> String {
        let leased = items.iter().map(|lent| Leased {
            id: ItemId::derive(INCARNATION, lent.seq.0),
            body: Body(lent.body.clone()),
            attempt: lent.attempt,
            lease: token(INCARNATION, lent.seq, lent.fence),
            lease_ms: lent.deadline.since(now).as_millis() as u64,
            lease_expires: timestamp(lent.deadline),
            enqueued: timestamp(lent.enqueued),
            key: lent
                .terms
                .as_ref()
                .and_then(|terms| terms.key.as_deref().map(str::to_owned)),
            group: lent
                .terms
                .as_ref()
                .and_then(|terms| terms.group.as_deref().map(str::to_owned)),
            priority: lent.terms.as_ref().map_or(0, |terms| terms.priority),
            traceparent: shown(lent).map(|trace| trace.traceparent().to_owned()),
            tracestate: shown(lent).and_then(|trace| trace.tracestate().map(str::to_owned)),
        });
        let answer = LeaseAnswer {
            items: leased.collect(),
            state,
            settled: settled.to_vec(),
        };
        serde_json::to_string(&answer).expect("JSON")
    }

    fn settled(lease: &str, ok: bool) -> Settled {
        Settled {
            lease: lease.parse().expect("a token"),
            ok,
            repeated: false,
            code: (!ok).then_some(Code::LeaseLost),
            lease_ms: None,
        }
    }

    #[test]
    fn the_answer_is_as_serde_writes_it() {
        let bodies: [&[u8]; 5] = [
            b"",
            b"work",
            "\"é\n\u{2028}".as_bytes(),
            b"\xff\x00",
            b"<&>",
        ];
        let repeated = Settled {
            repeated: true,
            ..settled("b", true)
        };
        let extended = Settled {
            lease_ms: Some(30_000),
            ..settled("c_-9", true)
        };
        let all = [
            settled("a", true),
            repeated,
            extended,
            settled("lost", false),
        ];
        for (items, settlements) in [(0, 0), (1, 0), (1, 1), (0, 1), (5, 4), (2, 3)] {
            for state in [
                QueueState::Open,
                QueueState::Drained,
                QueueState::Empty,
                QueueState::Paused,
                QueueState::Waiting,
            ] {
                let now = Time(1_790_000_000_000);
                let lent = (0..).zip(bodies).map(|(n, body)| lent(n, body));
                let lent: Vec<_> = lent.take(items).collect();
                let settled = &all[..settlements];
                let expected = serdes(now, &lent, state, settled);
                let ours = written(INCARNATION, now, lent.into_iter(), state, settled);
                assert_eq!(String::from_utf8(ours).expect("text"), expected);
            }
        }
    }
}
