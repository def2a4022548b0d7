//! The conditions of a run: what holds now, and since when.
//!
//! 1. `Finished` is true at the end, whichever end it is, and false before.
//! 2. A condition's time changes when its status does, and only then.
//! 3. A condition that never held is not listed.

use jiff::Timestamp;

use super::agenda::{Kind, Trouble};
use super::text;
use crate::kube::status::{Condition, KEPT_MESSAGE_BYTES, RunPhase, RunStatus};

const PASSING: [(Kind, &str); 3] = [
    (Kind::Blocked, "Blocked"),
    (Kind::CapacityBlocked, "CapacityBlocked"),
    (Kind::DeadlineInfeasible, "DeadlineInfeasible"),
];

/// Puts down what holds now.
pub(super) fn show(status: &mut RunStatus, troubles: &[Trouble], now: Timestamp) {
    let finished = matches!(
        status.phase,
        RunPhase::Succeeded | RunPhase::Failed | RunPhase::Cancelled
    );
    let (reason, message) = (status.reason.clone(), status.message.clone());
    set(status, "Finished", finished, &reason, &message, now);
    for (kind, name) in PASSING {
        let trouble = troubles.iter().find(|trouble| trouble.kind == kind);
        match trouble.filter(|_| !finished) {
            Some(trouble) => set(status, name, true, &trouble.reason, &trouble.message, now),
            None if status.conditions.iter().any(|held| held.r#type == name) => {
                set(status, name, false, "Passed", "", now);
            }
            None => {}
        }
    }
}

fn set(
    status: &mut RunStatus,
    name: &str,
    holds: bool,
    reason: &str,
    message: &str,
    now: Timestamp,
) {
    let holds = if holds { "True" } else { "False" };
    let new = Condition {
        r#type: name.to_owned(),
        status: holds.to_owned(),
        reason: word(reason),
        message: text::fit(message, KEPT_MESSAGE_BYTES),
        last_transition_time: now,
    };
    match status
        .conditions
        .iter_mut()
        .find(|held| held.r#type == name)
    {
        Some(held) if held.status == new.status => {
            let since = held.last_transition_time;
            *held = Condition {
                last_transition_time: since,
                ..new
            };
        }
        Some(held) => *held = new,
        None => status.conditions.push(new),
    }
}

/// A reason as the API's conventions have it: a letter first, then letters, digits and `_`.
fn word(reason: &str) -> String {
    let legal = |c: &char| c.is_ascii_alphanumeric() || *c == '_';
    let word: String = reason.chars().filter(legal).take(128).collect();
    if word.starts_with(|c: char| c.is_ascii_alphabetic()) {
        word
    } else {
        format!("Reason{word}")
    }
}
