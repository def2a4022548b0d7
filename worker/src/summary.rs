//! What a worker did, in one line at its end.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use queue_api::SettleAs;

use crate::metrics::{Ended, Meters};

/// Counts of what became of the attempts that a worker made. Not of items: which of those died is the queue's to tell.
#[derive(Debug)]
pub(crate) struct Summary {
    started: Instant,
    acked: u64,
    nacked: u64,
    dead: u64,
    released: u64,
    lost: u64,
    busy: Duration,
    /// The same for those who look meanwhile.
    meters: Arc<Meters>,
}

impl Summary {
    pub(crate) fn new(meters: Arc<Meters>) -> Self {
        Self {
            started: Instant::now(),
            acked: 0,
            nacked: 0,
            dead: 0,
            released: 0,
            lost: 0,
            busy: Duration::ZERO,
            meters,
        }
    }

    /// The server took a verdict.
    pub(crate) fn settled(&mut self, verdict: SettleAs) {
        let count = match verdict {
            SettleAs::Ack => &mut self.acked,
            SettleAs::Nack => &mut self.nacked,
            SettleAs::Dead => &mut self.dead,
            SettleAs::Release => &mut self.released,
        };
        *count += 1;
        self.meters.ended(verdict.into());
    }

    /// A lease ended before its item was settled.
    pub(crate) fn lost(&mut self) {
        self.lost += 1;
        self.meters.ended(Ended::Lost);
    }

    /// A slot was busy for this long.
    pub(crate) fn busy(&mut self, time: Duration) {
        self.busy += time;
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            started,
            acked,
            nacked,
            dead,
            released,
            lost,
            busy,
            meters: _,
        } = self;
        let elapsed = started.elapsed().as_secs_f64();
        let rate = *acked as f64 / elapsed.max(0.001);
        let busy = busy.as_secs_f64();
        write!(f, "{acked} acked, {nacked} nacked, ")?;
        // Those alone that were not to be tried again: "0 dead" would be misread where items died of their last attempt.
        if *dead > 0 {
            write!(f, "{dead} dead at once, ")?;
        }
        write!(
            f,
            "{released} released, {lost} lost; busy {busy:.1} s of {elapsed:.1} s, {rate:.1} items/s"
        )
    }
}
