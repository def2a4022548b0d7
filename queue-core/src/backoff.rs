//! How long a failed item waits, and where chance comes from.

use core::time::Duration;

use crate::settings::Backoff;

/// A number as good as random, made of the entropy of a command and what it is for. The caller's
/// entropy is the only source of chance; this spreads it over the items of one command (the
/// splitmix64 finaliser).
pub(crate) fn spread(entropy: u64, salt: u64) -> u64 {
    let mut z = entropy.wrapping_add(salt.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

impl Backoff {
    /// The wait after failure number `failures` (from 1): grown by `factor` a failure, at most
    /// `max`, less a random part of up to a half, so that items which failed together do not come
    /// back together.
    #[must_use]
    pub fn wait(&self, failures: u32, random: u64) -> Duration {
        let max = millis(self.max);
        let mut wait = millis(self.min);
        for _ in 1..failures {
            if wait >= max || self.factor <= 1.0 {
                break;
            }
            wait *= self.factor;
        }
        let wait = wait.min(max) as u64;
        let half = wait / 2;
        Duration::from_millis(wait - random % (half + 1))
    }
}

fn millis(duration: Duration) -> f64 {
    duration.as_millis() as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    const BACKOFF: Backoff = Backoff {
        min: Duration::from_millis(100),
        max: Duration::from_millis(1_000),
        factor: 2.0,
    };

    #[test]
    fn the_wait_doubles_up_to_its_maximum() {
        let longest: [u64; 6] = [100, 200, 400, 800, 1_000, 1_000];
        for (failures, ms) in (1..).zip(longest) {
            assert_eq!(BACKOFF.wait(failures, 0), Duration::from_millis(ms));
        }
        assert_eq!(BACKOFF.wait(u32::MAX, 0), Duration::from_millis(1_000));
    }

    #[test]
    fn chance_takes_off_half_at_most() {
        for salt in 0..1_000 {
            let wait = BACKOFF.wait(3, spread(7, salt)).as_millis();
            assert!((200..=400).contains(&wait), "{wait}");
        }
    }

    #[test]
    fn no_wait_stays_no_wait() {
        let none = Backoff {
            min: Duration::ZERO,
            max: Duration::ZERO,
            factor: 2.0,
        };
        assert_eq!(none.wait(5, u64::MAX), Duration::ZERO);
    }
}
