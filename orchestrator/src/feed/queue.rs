//! The settings of the queue that a step's items are put into, wherever the run is carried out.

use std::time::Duration;

use queue_api::{Backoff, Settings, SettingsPatch};

use crate::spec::ItemRules;

/// What an attempt may take beyond its own time limit before the server gives its item to another:
/// time to kill the handler and to say so.
const BEYOND_TIMEOUT: Duration = Duration::from_secs(30);
/// How long a key stays taken in the queue of a run: longer than its items take to come in.
const KEYS_KEPT: Duration = Duration::from_secs(7 * 24 * 3600);

/// What the rules say of the queue. `longest` is the length of the longest item in bytes: a queue takes no
/// longer ones than it is told, and these are to go in. `keyed` is whether items may have unique keys.
#[must_use]
pub fn queue_settings(rules: &ItemRules, keyed: bool, longest: u64) -> SettingsPatch {
    let ms = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    let usual = Settings::default().max_body_bytes;
    SettingsPatch {
        max_lease_ms: rules
            .timeout
            .map(|timeout| Some(ms(timeout + BEYOND_TIMEOUT))),
        max_attempts: rules.attempts.map(Some),
        backoff: rules.backoff.map(|(least, most)| {
            Some(Backoff {
                min_ms: ms(least),
                max_ms: ms(most),
                ..Backoff::default()
            })
        }),
        max_body_bytes: (longest > usual).then_some(Some(longest)),
        // Of items with one key the first is done, and no second once it is.
        key_window_ms: keyed.then(|| Some(ms(KEYS_KEPT))),
        ..SettingsPatch::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_queue_takes_the_longest_of_its_items_and_keeps_the_rules() {
        let rules = ItemRules {
            timeout: Some(Duration::from_secs(60)),
            attempts: Some(3),
            backoff: Some((Duration::from_secs(1), Duration::from_secs(30))),
            ..ItemRules::default()
        };
        let usual = Settings::default().max_body_bytes;
        let settings = queue_settings(&rules, false, usual);
        assert_eq!(
            (settings.max_body_bytes, settings.key_window_ms),
            (None, None)
        );
        assert_eq!(settings.max_lease_ms, Some(Some(90_000)));
        assert_eq!(settings.max_attempts, Some(Some(3)));
        let waits = settings.backoff.flatten().map(|b| (b.min_ms, b.max_ms));
        assert_eq!(waits, Some((1_000, 30_000)));
        let settings = queue_settings(&rules, true, usual + 1);
        assert_eq!(settings.max_body_bytes, Some(Some(usual + 1)));
        assert!(settings.key_window_ms.is_some());
    }

    #[test]
    fn without_rules_the_servers_own_hold() {
        let settings = queue_settings(&ItemRules::default(), false, 0);
        assert_eq!(settings, SettingsPatch::default());
    }
}
