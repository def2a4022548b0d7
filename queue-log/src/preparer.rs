//! The thread that has files ready before they are wanted, and lets go of those that are not.

use std::io;
use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::Duration;

use crate::segment::{self, Segment, Spare};
use crate::store::{State, Store};

/// Files that are kept ready: one to be begun, and one because recycling comes in bursts.
const SPARES: usize = 2;
/// After a failure the disk is asked again this often: room may come back without our doing.
const AGAIN: Duration = Duration::from_secs(1);

/// Works until the store closes.
pub(crate) fn run(store: &Store) {
    let mut state = store.state();
    loop {
        // The oldest goes first, and nothing goes while it cannot: a gap would read as damage.
        let stuck = if let Some(oldest) = state.doomed.pop_front() {
            let (after, stuck) = let_go(store, state, oldest);
            state = after;
            stuck
        } else {
            false
        };
        if state.closing && (stuck || state.doomed.is_empty()) {
            return;
        }
        if !stuck && !state.doomed.is_empty() {
            continue;
        }
        if let Some(surplus) = surplus(store, &mut state) {
            state = remove_spare(store, state, surplus);
            continue;
        }
        let lacks = lacks(store, &state);
        if let Some(size) = lacks.filter(|_| state.refused.is_none()) {
            state = make(store, state, size);
            continue;
        }
        store.publish(&state);
        let waits = stuck || state.refused.is_some();
        if waits {
            let (after, timeout) = store
                .work
                .wait_timeout(state, AGAIN)
                .unwrap_or_else(PoisonError::into_inner);
            state = after;
            if timeout.timed_out() {
                state = again(store, state);
            }
        } else {
            state = store
                .work
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// The size of the file that is lacking, if one is.
fn lacks(store: &Store, state: &State) -> Option<u64> {
    if let Some(span) = state.wanted {
        let fits = state.spares.iter().any(|spare| spare.room() >= span);
        return (!fits).then(|| store.sizes.for_frame(span, state.size));
    }
    let serves = |spare: &Spare| store.sizes.serves(spare.size, state.size);
    (!state.spares.iter().any(serves)).then_some(state.size)
}

/// Tries what was refused once more.
fn again<'a>(store: &'a Store, mut state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
    let before = state.refused.take();
    match lacks(store, &state) {
        Some(size) if before.is_some() => make(store, state, size),
        _ => state,
    }
}

/// A spare that serves no more: the log has become smaller, or there are too many.
fn surplus(store: &Store, state: &mut State) -> Option<Spare> {
    if state.wanted.is_some() {
        return None;
    }
    let serves = |spare: &Spare| store.sizes.serves(spare.size, state.size);
    // The last one that serves stays, and one that serves worse until there is one: it is the
    // reserve.
    if !state.spares.iter().any(serves) {
        return None;
    }
    let unfit = state.spares.iter().position(|spare| !serves(spare));
    let at = unfit.or((state.spares.len() > SPARES).then_some(0))?;
    Some(state.spares.swap_remove(at))
}

fn remove_spare<'a>(
    store: &'a Store,
    state: MutexGuard<'a, State>,
    spare: Spare,
) -> MutexGuard<'a, State> {
    drop(state);
    let removed = store.disk.remove(&segment::name(spare.number));
    let mut state = store.state();
    // One that cannot be removed is found by the next start, and takes no room from what runs.
    if removed.is_ok() {
        state.total -= spare.size;
        state.refused = None;
    }
    state
}

/// Makes a file, or notes why not.
fn make<'a>(
    store: &'a Store,
    mut state: MutexGuard<'a, State>,
    size: u64,
) -> MutexGuard<'a, State> {
    let number = state.next_number;
    state.next_number += 1;
    let within = size <= store.sizes.limit.saturating_sub(state.total);
    drop(state);
    let made = if within {
        store.disk.create(&segment::name(number), size)
    } else {
        Err(io::ErrorKind::QuotaExceeded.into())
    };
    let mut state = store.state();
    match made {
        Ok(file) => {
            state.refused = None;
            state.total += size;
            state.spares.push(Spare { number, size, file });
        }
        Err(error) => state.refused = Some(Arc::new(error)),
    }
    store.publish(&state);
    store.ready.notify_one();
    state
}

/// Recycles a trimmed segment or removes it. Returns true if it had to stay.
fn let_go<'a>(
    store: &'a Store,
    mut state: MutexGuard<'a, State>,
    oldest: Arc<Segment>,
) -> (MutexGuard<'a, State>, bool) {
    let size = oldest.header.size;
    let old = segment::name(oldest.header.number);
    let wanted = state.spares.len() < SPARES && store.sizes.serves(size, state.size);
    // A reader that holds it must not see it overwritten. None can come to hold it: it is not in
    // the log any more.
    let recycled = if wanted && Arc::strong_count(&oldest) == 1 {
        state.next_number += 1;
        Some(state.next_number - 1)
    } else {
        None
    };
    drop(state);
    let done = match recycled {
        Some(number) => store.disk.rename(&old, &segment::name(number)),
        None => store.disk.remove(&old),
    };
    let mut state = store.state();
    let stuck = match done {
        // A rename that failed may have been done after all; the file is found by the next start.
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            state.doomed.push_front(oldest);
            true
        }
        done => {
            match (done, recycled, Arc::into_inner(oldest)) {
                (Ok(()), Some(number), Some(Segment { file, .. })) => {
                    state.spares.push(Spare { number, size, file });
                }
                _ => state.total -= size,
            }
            state.refused = None;
            false
        }
    };
    store.publish(&state);
    store.ready.notify_one();
    (state, stuck)
}
