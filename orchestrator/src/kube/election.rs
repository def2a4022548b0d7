//! Who of several controllers works: a state machine over what the Lease says, with time passed in.
//!
//! The Lease carries times of other machines' clocks; they are never compared with ours. A Lease counts
//! as held for its length from when *we* last saw it change. It knows no API; [`super::leader`] does.
//!
//! 1. Whoever leads stops leading before another can take over: the time it gives itself is shorter than
//!    the time others wait.
//! 2. A Lease that somebody else holds is taken only after it stood still for its whole length.

use std::time::Duration;

/// How long others wait after the last sign of life.
pub(super) const LEASE: Duration = Duration::from_secs(15);
/// How long a leader that cannot renew goes on, counted from when its last good renewal was sent.
pub(super) const RENEW_DEADLINE: Duration = Duration::from_secs(10);
/// How long between two tries.
pub(super) const RETRY: Duration = Duration::from_secs(2);

/// The Lease as it was last read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Found {
    /// Who holds it; empty if it was given up.
    pub(super) holder: String,
    /// Changes with every write.
    pub(super) version: String,
    /// How long it says it lasts.
    pub(super) length: Duration,
}

/// What to do about the Lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Move {
    /// Make one: there is none.
    Create,
    /// Take it, on the condition that it is still as it was read.
    Take,
    /// Renew it, on the same condition.
    Renew,
    /// Leave it: somebody else holds it.
    Leave,
}

/// One candidate.
#[derive(Debug)]
pub(super) struct Election {
    me: String,
    /// The version last seen, and when it was first seen.
    seen: Option<(String, Duration)>,
    /// When the last renewal that succeeded was sent.
    renewed: Option<Duration>,
}

impl Election {
    pub(super) fn new(me: String) -> Self {
        Self {
            me,
            seen: None,
            renewed: None,
        }
    }

    /// What to do about what was read.
    pub(super) fn consider(&mut self, found: Option<&Found>, now: Duration) -> Move {
        let Some(found) = found else {
            return Move::Create;
        };
        let since = match &self.seen {
            Some((version, since)) if *version == found.version => *since,
            _ => now,
        };
        self.seen = Some((found.version.clone(), since));
        if found.holder == self.me {
            // Held by us in an earlier life of this name, too: nobody else has it.
            return Move::Renew;
        }
        if found.holder.is_empty() || now >= since + found.length {
            return Move::Take;
        }
        Move::Leave
    }

    /// A write was accepted; `sent` is when it was sent.
    pub(super) fn wrote(&mut self, sent: Duration) {
        self.renewed = Some(sent);
    }

    /// Somebody else holds it now.
    pub(super) fn lost(&mut self) {
        self.renewed = None;
    }

    /// Until when we lead, if we do.
    pub(super) fn leads_until(&self) -> Option<Duration> {
        self.renewed.map(|renewed| renewed + RENEW_DEADLINE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: fn(u64) -> Duration = Duration::from_secs;

    fn lease(holder: &str, version: u64) -> Found {
        Found {
            holder: holder.into(),
            version: version.to_string(),
            length: LEASE,
        }
    }

    #[test]
    fn a_lease_that_stands_still_is_taken_after_its_length_by_our_own_clock() {
        let mut me = Election::new("me".into());
        assert_eq!(me.consider(None, S(0)), Move::Create);
        assert_eq!(me.consider(Some(&lease("other", 1)), S(1)), Move::Leave);
        assert_eq!(me.consider(Some(&lease("other", 1)), S(15)), Move::Leave);
        assert_eq!(me.consider(Some(&lease("other", 2)), S(16)), Move::Leave);
        assert_eq!(me.consider(Some(&lease("other", 2)), S(30)), Move::Leave);
        assert_eq!(me.consider(Some(&lease("other", 2)), S(31)), Move::Take);
    }

    #[test]
    fn a_lease_that_was_given_up_is_taken_at_once() {
        let mut me = Election::new("me".into());
        assert_eq!(me.consider(Some(&lease("", 7)), S(0)), Move::Take);
    }

    #[test]
    fn whoever_cannot_renew_stops_before_another_may_take_over() {
        let mut leader = Election::new("a".into());
        let mut other = Election::new("b".into());
        assert_eq!(leader.consider(Some(&lease("a", 3)), S(100)), Move::Renew);
        leader.wrote(S(100));
        // The other sees that write at the earliest when it was sent.
        assert_eq!(other.consider(Some(&lease("a", 4)), S(100)), Move::Leave);
        let stops = leader.leads_until().expect("it leads");
        assert_eq!(other.consider(Some(&lease("a", 4)), stops), Move::Leave);
        assert!(stops + S(5) <= S(100) + LEASE);
        leader.lost();
        assert_eq!(leader.leads_until(), None);
    }
}
