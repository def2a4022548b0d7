//! How fast a queue lends: so many leases a second, with a burst, counted as one instant that moves on
//! with each lease (the generic cell rate algorithm).
//!
//! Everything is in nanoseconds: at a million leases a second they are a thousand apart.
//!
//! How each lease moves the instant on is part of what a log means, and not of a decision: a queue that is
//! recovered would stand elsewhere if it were changed.

use crate::settings::Settings;
use crate::time::Time;

const NANOS_A_MILLI: u64 = 1_000_000;

/// When the next lease would come if leases came evenly: each moves it on by their distance. It is as
/// far ahead of now as leases were given ahead of their time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Pace {
    /// In nanoseconds since the epoch of [`Time`].
    pub(crate) next: u64,
}

/// What the settings say of the pace.
#[derive(Debug, Clone, Copy)]
struct Spacing {
    /// Between two leases.
    distance: u64,
    /// How far ahead of its time a lease may be given.
    ahead: u64,
}

impl Pace {
    /// A lease was given.
    pub(crate) fn lent(&mut self, settings: &Settings, at: Time) {
        if let Some(spacing) = Spacing::of(settings) {
            self.next = self.next.max(nanos(at)).saturating_add(spacing.distance);
        }
    }

    /// How many leases may be given now; `None` for as many as you like.
    pub(crate) fn tokens(self, settings: &Settings, now: Time) -> Option<u64> {
        let spacing = Spacing::of(settings)?;
        let now = nanos(now);
        let latest = now.saturating_add(spacing.ahead);
        let left = latest.checked_sub(self.next.max(now));
        Some(left.map_or(0, |left| left / spacing.distance + 1))
    }

    /// The instant at which the next lease may be given, if none may be given now.
    pub(crate) fn next_token(self, settings: &Settings, now: Time) -> Option<Time> {
        let spacing = Spacing::of(settings)?;
        let at = self.next.saturating_sub(spacing.ahead);
        let at = Time(at.div_ceil(NANOS_A_MILLI));
        (at > now).then_some(at)
    }
}

impl Spacing {
    fn of(settings: &Settings) -> Option<Self> {
        let rate = settings.rate_per_s?;
        // A cast of floats saturates. Seldom is never, and so is a time beyond all clocks.
        let distance = ((1e9 / rate) as u64).max(1);
        let burst = settings.burst.unwrap_or((rate / 10.0) as u64).max(1);
        // A clock of whole milliseconds finds a lease due a little late: without that much ahead the
        // rate would fall short of what was asked for. Never a whole lease more, unless several are due
        // in one millisecond.
        let slack = match distance > NANOS_A_MILLI {
            true => NANOS_A_MILLI,
            false => NANOS_A_MILLI
                .min(distance - 1)
                .max(NANOS_A_MILLI - distance),
        };
        Some(Self {
            distance,
            ahead: (burst - 1).saturating_mul(distance).saturating_add(slack),
        })
    }
}

fn nanos(time: Time) -> u64 {
    time.0.saturating_mul(NANOS_A_MILLI)
}
