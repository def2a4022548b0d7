//! How long a process that failed is left alone before it is tried again.

use std::time::Duration;

/// Wait after the first failure; it doubles with each further one.
const FIRST_WAIT: Duration = Duration::from_millis(500);
/// Longest wait: what a minute of trying does not mend, another minute seldom does.
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// The wait after so many failures.
#[must_use]
pub fn wait_after(failures: u32) -> Duration {
    let doublings = failures.saturating_sub(1).min(16);
    (FIRST_WAIT * 2_u32.pow(doublings)).min(LONGEST_WAIT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_doubles_up_to_its_limit() {
        let waits: Vec<_> = (1..=8).map(|n| wait_after(n).as_millis()).collect();
        assert_eq!(waits, [500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000]);
        assert_eq!(wait_after(u32::MAX), LONGEST_WAIT);
    }
}
