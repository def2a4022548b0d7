//! The core's half of a queue's settings. The other half (sizes of bodies, the default lease) is
//! checked at the edge, where the bytes are.

use std::time::Duration;

use queue_api::Settings;

pub(super) fn for_core(settings: &Settings) -> queue_core::Settings {
    queue_core::Settings {
        max_lease: settings.max_lease_ms.map(Duration::from_millis),
        max_attempts: settings.max_attempts,
        backoff: queue_core::Backoff {
            min: Duration::from_millis(settings.backoff.min_ms),
            max: Duration::from_millis(settings.backoff.max_ms),
            factor: settings.backoff.factor,
        },
        done_retention_items: settings.done_retention_items,
        done_retention: Duration::from_millis(settings.done_retention_ms),
        done_retention_bytes: settings.done_retention_bytes,
        quiet: Duration::from_millis(settings.quiet_ms),
        max_items: settings.max_items,
        max_bytes: settings.max_bytes,
        max_leased: settings.max_leased,
        rate_per_s: settings.rate_per_s,
        burst: settings.burst,
        max_leased_per_group: settings.max_leased_per_group,
        key_window: Duration::from_millis(settings.key_window_ms),
    }
}
