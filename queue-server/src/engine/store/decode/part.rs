//! One part of a snapshot from bytes.

use queue_core::{Attempt, Fence, GroupId, Kept, Lease, Outcome, Part, Seq, State, Terms};

use super::terms::{answer, terms};
use super::{Keeper, code_of, flags, log_of, note_of, text, time};
use crate::engine::store::tags::{self, attempt_flag, part_tag};
use crate::engine::store::wire::{Malformed, Reader};

/// One part of a snapshot.
pub(in crate::engine::store) fn part(
    reader: &mut Reader<'_>,
    keeper: &mut dyn Keeper,
) -> Result<Part, Malformed> {
    Ok(match reader.u8("a part of a snapshot")? {
        part_tag::OUTCOME => Part::Outcome {
            number: reader.number("the number of an outcome")?,
            outcome: Outcome {
                seq: Seq(reader.number("the place of an item")?),
                state: tags::read_ending(reader.u8("an outcome")?)?,
                ended: time(reader)?,
            },
        },
        part_tag::ITEM => Part::Item(item(reader, false, keeper)?),
        part_tag::ITEM_ON_TERMS => Part::Item(item(reader, true, keeper)?),
        part_tag::KEY => Part::Key {
            seq: Seq(reader.number("the place of an item")?),
            text: text(reader, "a unique key")?.into(),
            until: time(reader)?,
        },
        part_tag::ANSWER => Part::Answer {
            number: reader.number("the number of an answer")?,
            at: time(reader)?,
            key: text(reader, "an idempotency key")?.into(),
            answer: answer(reader)?,
        },
        part_tag::ORDER => {
            let pace = reader.number("the pace of a queue")?;
            let last = u32::try_from(reader.number("a group")?);
            Part::Order {
                pace,
                last: GroupId(last.map_err(|_| Malformed::new("a group"))?),
                first_answer: reader.number("the number of an answer")?,
            }
        }
        part_tag::CLOSED => {
            let count = reader.number("the number of totals")?;
            let totals: Result<Vec<u64>, _> =
                (0..count).map(|_| reader.number("a total")).collect();
            let mut totals = totals?.into_iter();
            Part::Closed {
                totals: tags::read_totals(|| totals.next().unwrap_or(0)),
            }
        }
        _ => return Err(Malformed::new("the kind of a part")),
    })
}

fn item(
    reader: &mut Reader<'_>,
    on_terms: bool,
    keeper: &mut dyn Keeper,
) -> Result<Kept, Malformed> {
    let seq = Seq(reader.number("the place of an item")?);
    let state = reader.u8("the state of an item")?;
    let state = tags::read_state(state, || time(reader))?;
    let attempts = count(reader)?;
    let releases = reader.u8("the releases of an item")?;
    let enqueued = time(reader)?;
    let given = on_terms.then(|| terms(reader, enqueued));
    let given = given.transpose()?;
    let key_until = given.as_ref().and_then(|given| given.held);
    let uncounted = given.as_ref().and_then(|given| given.uncounted);
    let terms = given.map(|given| given.terms);
    let body = keeper.keep(reader.blob("the body of an item")?);
    let leased = matches!(state, State::Leased);
    let lease = leased.then(|| lease(reader, keeper)).transpose()?;
    let len = reader.number("the length of a story")?;
    let story: Result<Vec<Attempt>, _> = (0..len).map(|_| attempt(reader, keeper)).collect();
    let story = story?;
    if !adds_up(attempts, uncounted, leased, story.len()) {
        return Err(Malformed::new("the attempts of an item"));
    }
    Ok(Kept {
        seq,
        state,
        attempts,
        uncounted,
        releases,
        enqueued,
        terms: terms
            .filter(|terms| *terms != Terms::default())
            .map(Box::new),
        key_until,
        body,
        lease,
        story,
    })
}

/// Most attempts of an item that are believed, and most that do not count any more: far more than any has, and
/// few enough that no sum of them overflows.
const MOST_ATTEMPTS: u16 = 1 << 15;
const MOST_UNCOUNTED: u32 = 1 << 31;

/// Whether an item can have had these attempts: who looks at it adds them up, and counts back from there.
fn adds_up(attempts: u16, uncounted: Option<u32>, leased: bool, story: usize) -> bool {
    let running = u16::from(leased);
    let begun = u64::from(running) + story as u64;
    // Where it is not told how many do not count, there are as many as it takes.
    let told = uncounted.map_or(begun, u64::from);
    attempts >= running
        && attempts <= MOST_ATTEMPTS
        && told <= u64::from(MOST_UNCOUNTED)
        && u64::from(attempts) + told >= begun
}

fn lease(reader: &mut Reader<'_>, keeper: &mut dyn Keeper) -> Result<Lease, Malformed> {
    Ok(Lease {
        fence: Fence(reader.word("a fence")?),
        worker: reader.name(&mut |name| keeper.name(name))?,
        started: time(reader)?,
        renewed: time(reader)?,
        deadline: time(reader)?,
    })
}

fn attempt(reader: &mut Reader<'_>, keeper: &mut dyn Keeper) -> Result<Attempt, Malformed> {
    let fence = Fence(reader.word("a fence")?);
    let worker = reader.name(&mut |name| keeper.name(name))?;
    let started = time(reader)?;
    let ended = time(reader)?;
    let flags = flags(reader, attempt_flag::ALL, "how an attempt ended")?;
    let log = flags & attempt_flag::LOG != 0;
    let note = flags & attempt_flag::NOTE != 0;
    let exit_code = flags & attempt_flag::EXIT_CODE != 0;
    let nth = flags & attempt_flag::NTH != 0;
    Ok(Attempt {
        fence,
        worker,
        started,
        ended,
        how: tags::read_how(flags & attempt_flag::HOW_MASK)?,
        note: note.then(|| note_of(reader, keeper)).transpose()?,
        exit_code: exit_code.then(|| code_of(reader)).transpose()?,
        log: log.then(|| log_of(reader, keeper)).transpose()?,
        nth: match nth {
            true => count(reader)?,
            false => 0,
        },
    })
}

fn count(reader: &mut Reader<'_>) -> Result<u16, Malformed> {
    let what = "the attempts of an item";
    u16::try_from(reader.number(what)?).map_err(|_| Malformed::new(what))
}
