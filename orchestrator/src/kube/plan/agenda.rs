//! What one look collects: actions, the next time to look, and what stands in the way.
//!
//! It does not decide anything.

use std::time::Duration;

use jiff::Timestamp;

use super::{Action, News};

/// What a look has come to so far.
#[derive(Debug)]
pub(super) struct Agenda {
    now: Timestamp,
    pub(super) actions: Vec<Action>,
    pub(super) news: Vec<News>,
    pub(super) troubles: Vec<Trouble>,
    /// Elements that may still be begun in this look.
    pub(super) room: usize,
    /// Pods that steps looked at before want beyond those they have.
    pub(super) promised: u32,
    wake: Option<Timestamp>,
}

/// Something that a person should know and that may pass.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Trouble {
    /// The condition it shows as.
    pub(super) kind: Kind,
    /// One word for programs.
    pub(super) reason: String,
    /// A sentence for people, which names the step.
    pub(super) message: String,
}

/// The conditions that come and go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Something must be put right by somebody, or pass, before it goes on as it should.
    Blocked,
    /// No node has room.
    CapacityBlocked,
    /// The wished end cannot be met.
    DeadlineInfeasible,
}

impl Agenda {
    pub(super) fn new(now: Timestamp, room: usize) -> Self {
        Self {
            now,
            actions: Vec::new(),
            news: Vec::new(),
            troubles: Vec::new(),
            room,
            promised: 0,
            wake: None,
        }
    }

    pub(super) fn act(&mut self, action: Action) {
        self.actions.push(action);
    }

    /// Asks for a look at this time, or as soon as can be if that is over.
    pub(super) fn look_at(&mut self, at: Timestamp) {
        self.wake = Some(self.wake.map_or(at, |wake| wake.min(at)));
    }

    /// Asks for a look after this time.
    pub(super) fn look_in(&mut self, wait: Duration) {
        self.look_at(later(self.now, wait));
    }

    pub(super) fn blocked(&mut self, reason: impl Into<String>, message: impl Into<String>) {
        self.trouble(Kind::Blocked, reason, message);
    }

    pub(super) fn trouble(
        &mut self,
        kind: Kind,
        reason: impl Into<String>,
        message: impl Into<String>,
    ) {
        self.troubles.push(Trouble {
            kind,
            reason: reason.into(),
            message: message.into(),
        });
    }

    pub(super) fn tell(&mut self, warning: bool, reason: &'static str, note: String) {
        self.news.push(News {
            warning,
            reason,
            note,
        });
    }

    /// The time until the next look.
    pub(super) fn wake(&self) -> Option<Duration> {
        let wait = self.wake?.duration_since(self.now);
        Some(
            Duration::try_from(wait)
                .unwrap_or_default()
                .max(SHORTEST_WAIT),
        )
    }
}

/// Nothing is looked at more often than this for the sake of time alone.
const SHORTEST_WAIT: Duration = Duration::from_millis(100);

/// A time after another; the end of time if there is none.
pub(super) fn later(from: Timestamp, by: Duration) -> Timestamp {
    from.checked_add(by).unwrap_or(Timestamp::MAX)
}

/// How long to wait before trying again for the so-manyeth time, from 1: 10 s, doubled each time, at
/// most 5 min, as Kubernetes itself does with pods.
pub(super) fn backoff(tries: u32) -> Duration {
    const FIRST: Duration = Duration::from_secs(10);
    const LONGEST: Duration = Duration::from_secs(300);
    FIRST
        .saturating_mul(1 << tries.saturating_sub(1).min(16))
        .min(LONGEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_five_minutes() {
        let waits = [1, 2, 3, 4, 5, 6, u32::MAX].map(|tries| backoff(tries).as_secs());
        assert_eq!(waits, [10, 20, 40, 80, 160, 300, 300]);
    }

    #[test]
    fn the_earliest_look_counts() {
        let mut agenda = Agenda::new(Timestamp::UNIX_EPOCH, 0);
        assert_eq!(agenda.wake(), None);
        agenda.look_in(Duration::from_secs(9));
        agenda.look_in(Duration::from_secs(5));
        assert_eq!(agenda.wake(), Some(Duration::from_secs(5)));
    }
}
