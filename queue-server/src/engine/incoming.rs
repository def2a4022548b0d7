//! Letting items in: their options, keys that are taken, requests that are repeated.

use queue_api::limits::MAX_KEY_BYTES;
use queue_api::{LeaseToken, QueueName, Settings};
use queue_core::{Options, Recalled, Refusal, Seq, Time};
use queue_log::Room;

use super::Shared;
use super::fault::Fault;
use super::live::LiveQueue;
use super::turn::Turn;

/// Bytes of an item's options in a record, beside its key and the name of its group, at most.
const OPTIONS_BYTES: u64 = 48;
/// Bytes of an answer that is remembered beside its key and its duplicates, and of a duplicate, at most.
const ANSWER_BYTES: u64 = 48;
const DUPLICATE_BYTES: u64 = 16;

/// What an enqueue brings: all of it comes in, or none.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Incoming<'a> {
    /// The items in their order.
    pub(crate) entries: &'a [Entry<'a>],
    /// Seal the queue in the same step.
    pub(crate) seal: bool,
    /// Only while this lease of an item of the same queue lives; then on a sealed queue, too.
    pub(crate) under: Option<&'a LeaseToken>,
    /// Answer the same to the same request, and let nothing in twice.
    pub(crate) idempotent: Option<Idempotent<'a>>,
}

/// One item on its way in.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Entry<'a> {
    /// Its bytes.
    pub(crate) body: &'a [u8],
    /// What is said of it, within its limits; most often nothing.
    pub(crate) options: Option<&'a Options>,
}

/// How a request says that it may be sent again.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Idempotent<'a> {
    /// The key that its sender chose.
    pub(crate) key: &'a str,
    /// Of all that the request asks for. The same in every release, for it is kept.
    pub(crate) digest: u64,
}

/// What came in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entered {
    /// When.
    pub(crate) at: Time,
    /// The place of the first; the others follow it.
    pub(crate) first: Seq,
    /// How many.
    pub(crate) count: u64,
    /// Those that did not, by their position in the request, and the places of the items that have their
    /// keys. In the order of the request.
    pub(crate) duplicates: Vec<(usize, Seq)>,
    /// It came in with an earlier request, of which this one is a repetition.
    pub(crate) replayed: bool,
}

impl<'a> Incoming<'a> {
    /// Items, and nothing else.
    pub(crate) fn of(entries: &'a [Entry<'a>]) -> Self {
        Self {
            entries,
            ..Self::default()
        }
    }
}

impl Entered {
    /// The places of all items of the request, in its order, and whether each is a duplicate.
    pub(crate) fn places(&self) -> impl Iterator<Item = (Seq, bool)> {
        let mut duplicates = self.duplicates.iter().peekable();
        let mut next = self.first.0;
        (0..self.count as usize + self.duplicates.len()).map(move |at| {
            match duplicates.next_if(|(position, _)| *position == at) {
                Some((_, seq)) => (*seq, true),
                None => {
                    next += 1;
                    (Seq(next - 1), false)
                }
            }
        })
    }
}

impl<'a> Entry<'a> {
    /// An item of which nothing is said.
    pub(crate) fn plain(body: &'a [u8]) -> Self {
        Self {
            body,
            options: None,
        }
    }

    /// Bytes of it that count as held, as the core counts them.
    fn held_bytes(&self) -> u64 {
        let trace = self.options.and_then(|options| options.trace.as_ref());
        self.body.len() as u64 + trace.map_or(0, |trace| trace.len() as u64)
    }

    /// Bytes that it brings into a record.
    fn bytes(&self) -> u64 {
        let options = self.options.map_or(0, |options| {
            let texts = [&options.key, &options.group, &options.trace];
            let texts = texts.into_iter().flatten();
            OPTIONS_BYTES + texts.map(|text| text.len() as u64).sum::<u64>()
        });
        self.body.len() as u64 + options
    }
}

impl LiveQueue {
    /// Lets items in, all or none, and seals the queue in the same step if asked. Of two with one key
    /// the second is a duplicate, of which nothing is kept.
    pub(crate) async fn enqueue(&self, incoming: Incoming<'_>) -> Result<Entered, Fault> {
        self.commit(|turn| {
            if let Some(asked) = incoming.idempotent
                && let Some(entered) = self.recall(turn, asked)?
            {
                return Ok(entered);
            }
            self.enter(turn, incoming)
        })
        .await?
    }

    /// The answer that this request was given before.
    fn recall(&self, turn: &mut Turn<'_>, asked: Idempotent<'_>) -> Result<Option<Entered>, Fault> {
        let Some(answer) = turn.inner.core.recalled(turn.now, asked.key) else {
            return Ok(None);
        };
        if answer.digest != asked.digest {
            return Err(Fault::IdempotencyMismatch(asked.key.to_owned()));
        }
        let Recalled {
            first,
            count,
            ref duplicates,
            ..
        } = *answer;
        let duplicates = duplicates.iter().map(|(at, seq)| (*at as usize, *seq));
        let entered = Entered {
            at: turn.now,
            first,
            count,
            duplicates: duplicates.collect(),
            replayed: true,
        };
        // On a full disk it is not prolonged, and answered all the same.
        let room = self.shared.room_for(Room::Grow, 1, MAX_KEY_BYTES as u64);
        if room.is_ok() {
            let key = asked.key.into();
            turn.apply(|core, now, events| core.recall(now, &key, events));
        }
        Ok(Some(entered))
    }

    fn enter(&self, turn: &mut Turn<'_>, incoming: Incoming<'_>) -> Result<Entered, Fault> {
        let Incoming {
            entries,
            seal,
            under,
            idempotent,
        } = incoming;
        // Those with keys may turn out to be duplicates, of which nothing is kept.
        let has_key = |entry: &Entry<'_>| entry.options.is_some_and(|it| it.key.is_some());
        let may_be_duplicates = entries.iter().any(has_key);
        let mut certain = entries.iter().filter(|entry| !has_key(entry)).peekable();
        if certain.peek().is_some() || !may_be_duplicates {
            self.has_room_for(certain, answer_bytes(idempotent, 0))?;
        }
        check_sizes(&self.name, &turn.inner.settings, entries)?;
        let under = under.map(|lease| self.token(lease).ok_or(Fault::LeaseLost));
        let under = under.transpose()?;
        let stored: Vec<queue_core::Entry<'_>> = entries
            .iter()
            .map(|entry| queue_core::Entry {
                body: turn.inner.bodies.put(entry.body),
                options: entry.options,
            })
            .collect();
        let key = idempotent.map(|asked| (asked.key.into(), asked.digest));
        let enqueue = queue_core::Enqueue {
            entries: &stored,
            under: under.map(|token| (token.seq, token.fence)),
            idempotent: key.as_ref().map(|(key, digest)| queue_core::Idempotent {
                key,
                digest: *digest,
            }),
        };
        let entered = turn.apply(|core, now, events| {
            let before = events.len();
            let entered = core.enqueue(now, enqueue, events);
            let entered = entered.map_err(|refusal| self.refused(refusal, idempotent))?;
            let recorded = match may_be_duplicates {
                true => self.can_record(&entered, &incoming),
                false => Ok(true),
            };
            if !matches!(recorded, Ok(true)) {
                events.truncate(before);
            }
            recorded?;
            if seal {
                core.seal(events);
            }
            Ok(entered)
        });
        match entered {
            Ok(entered) => {
                for (at, _) in &entered.duplicates {
                    turn.inner.bodies.free(stored[*at].body);
                }
                Ok(Entered {
                    at: turn.now,
                    first: entered.first,
                    count: entered.count,
                    duplicates: entered.duplicates,
                    replayed: false,
                })
            }
            Err(fault) => {
                for entry in stored {
                    turn.inner.bodies.free(entry.body);
                }
                Err(fault)
            }
        }
    }

    /// Whether there is room for what came in. Where nothing did, a full disk does not keep the answer back:
    /// it is false then, and the duplicates are not counted. An answer that is to be remembered must be
    /// written down, or the same request could be answered otherwise.
    fn can_record(
        &self,
        entered: &queue_core::Entered,
        incoming: &Incoming<'_>,
    ) -> Result<bool, Fault> {
        let Incoming {
            entries,
            seal,
            idempotent,
            ..
        } = *incoming;
        let mut duplicates = entered.duplicates.iter().map(|(at, _)| *at).peekable();
        let new = entries.iter().enumerate();
        let new = new.filter(|(at, _)| duplicates.next_if_eq(at).is_none());
        let answer = answer_bytes(idempotent, entered.duplicates.len());
        let room = self.has_room_for(new.map(|(_, entry)| entry), answer);
        if room.is_ok() || entered.count > 0 || idempotent.is_some() {
            return room.map(|()| true);
        }
        if seal {
            self.shared.room_for(Room::Settle, 1, 0)?;
        }
        Ok(false)
    }

    /// Whether there is room for these, and for so many bytes beside them.
    fn has_room_for<'e>(
        &self,
        entries: impl Iterator<Item = &'e Entry<'e>>,
        beside: u64,
    ) -> Result<(), Fault> {
        let (mut items, mut held_bytes, mut bytes) = (0, 0, beside);
        for entry in entries {
            items += 1;
            held_bytes += entry.held_bytes();
            bytes += entry.bytes();
        }
        self.shared.room_for(Room::Grow, items, bytes)?;
        let Shared { held, limits, .. } = &*self.shared;
        match items {
            0 => Ok(()),
            _ => held.has_room_for(limits, items as u64, held_bytes),
        }
    }

    fn refused(&self, refusal: Refusal, idempotent: Option<Idempotent<'_>>) -> Fault {
        let name = self.name.clone();
        match (refusal, idempotent) {
            (Refusal::LeaseLost, _) => Fault::LeaseLost,
            (Refusal::IdempotencyMismatch, Some(asked)) => {
                Fault::IdempotencyMismatch(asked.key.to_owned())
            }
            (refusal, _) => Fault::Refused { name, refusal },
        }
    }
}

/// Bytes of the answer that is remembered, if one is, with so many duplicates.
fn answer_bytes(idempotent: Option<Idempotent<'_>>, duplicates: usize) -> u64 {
    idempotent.map_or(0, |asked| {
        ANSWER_BYTES + asked.key.len() as u64 + duplicates as u64 * DUPLICATE_BYTES
    })
}

/// Whether each body is within a queue's limit.
pub(crate) fn check_sizes(
    name: &QueueName,
    settings: &Settings,
    entries: &[Entry<'_>],
) -> Result<(), Fault> {
    let limit = settings.max_body_bytes;
    let bytes = |entry: &Entry<'_>| entry.body.len();
    let over = entries.iter().position(|it| bytes(it) as u64 > limit);
    over.map_or(Ok(()), |at| {
        Err(Fault::BodyTooLarge {
            name: name.clone(),
            index: at + 1,
            bytes: bytes(&entries[at]),
            limit,
        })
    })
}
