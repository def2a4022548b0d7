//! A queue's settings as people read them: durations and sizes with their units, in the order of the docs.
//!
//! Their names are the wire's without the unit that a value has here; [`wire_name`] leads back. It does not know defaults.

use std::fmt::Write as _;

use queue_api::{Backoff, Settings};

/// Settings that are durations: on the wire their names end in `_ms`.
const DURATIONS: [&str; 5] = [
    "lease",
    "max_lease",
    "quiet",
    "key_window",
    "done_retention",
];

/// The name that the server knows a setting by, which may be given as it is shown or as it is on the wire.
pub(super) fn wire_name(name: &str) -> String {
    match DURATIONS.contains(&name) {
        true => format!("{name}_ms"),
        false => name.to_owned(),
    }
}

/// The settings that hold, by name.
pub(super) fn told(settings: &Settings) -> Vec<(&'static str, String)> {
    let Settings {
        lease_ms,
        max_lease_ms,
        max_attempts,
        backoff,
        done_retention_items,
        done_retention_ms,
        done_retention_bytes,
        quiet_ms,
        max_items,
        max_bytes,
        max_body_bytes,
        max_result_bytes,
        max_leased,
        rate_per_s,
        burst,
        max_leased_per_group,
        key_window_ms,
    } = settings;
    let number = |number: u64| number.to_string();
    let all = [
        ("lease", Some(time(*lease_ms))),
        ("max_lease", max_lease_ms.map(time)),
        ("max_attempts", Some(max_attempts.to_string())),
        ("backoff", Some(waits(*backoff))),
        ("quiet", Some(time(*quiet_ms))),
        ("max_items", max_items.map(number)),
        ("max_bytes", max_bytes.map(size)),
        ("max_body_bytes", Some(size(*max_body_bytes))),
        ("max_result_bytes", Some(size(*max_result_bytes))),
        ("max_leased", max_leased.map(number)),
        ("max_leased_per_group", max_leased_per_group.map(number)),
        ("rate_per_s", rate_per_s.map(|rate| rate.to_string())),
        ("burst", burst.map(number)),
        ("key_window", Some(time(*key_window_ms))),
        ("done_retention_items", Some(number(*done_retention_items))),
        ("done_retention", Some(time(*done_retention_ms))),
        ("done_retention_bytes", Some(size(*done_retention_bytes))),
    ];
    let held = |(name, value): (_, Option<_>)| value.map(|value| (name, value));
    all.into_iter().filter_map(held).collect()
}

/// A back-off as `memq queue create` takes it, and its growth where that is not the usual one.
fn waits(backoff: Backoff) -> String {
    let Backoff {
        min_ms,
        max_ms,
        factor,
    } = backoff;
    let mut text = format!("{}..{}", time(min_ms), time(max_ms));
    #[expect(
        clippy::float_cmp,
        reason = "one that was given is another, however near"
    )]
    if factor != Backoff::default().factor {
        text.push_str(&format!(", times {factor} each"));
    }
    text
}

/// A duration as it is given, to the millisecond: `1h30m`, `500ms`.
fn time(ms: u64) -> String {
    let (mut left, mut text) = (ms, String::new());
    for (unit, length) in [
        ("d", 86_400_000),
        ("h", 3_600_000),
        ("m", 60_000),
        ("s", 1_000),
        ("ms", 1),
    ] {
        if left >= length {
            let _infallible = write!(text, "{}{unit}", left / length);
            left %= length;
        }
    }
    match text.is_empty() {
        true => "0s".into(),
        false => text,
    }
}

/// Bytes in the largest unit of which they are a whole number.
fn size(bytes: u64) -> String {
    for (unit, length) in [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)] {
        if bytes >= length && bytes.is_multiple_of(length) {
            return format!("{} {unit}", bytes / length);
        }
    }
    bytes.to_string()
}

#[cfg(test)]
mod tests {
    use queue_api::SettingsPatch;

    use super::*;

    #[test]
    fn settings_read_as_one_would_give_them() {
        let settings = Settings {
            max_lease_ms: Some(5_400_000),
            backoff: Backoff {
                factor: 3.0,
                ..Backoff::default()
            },
            max_bytes: Some(1_000_000),
            rate_per_s: Some(0.5),
            ..Settings::default()
        };
        let told = told(&settings);
        let told: Vec<_> = told.iter().map(|(name, v)| format!("{name} {v}")).collect();
        let wanted = [
            "lease 30s",
            "max_lease 1h30m",
            "max_attempts 5",
            "backoff 1s..5m, times 3 each",
            "quiet 5s",
            "max_bytes 1000000",
            "max_body_bytes 1 MiB",
            "max_result_bytes 64 KiB",
            "rate_per_s 0.5",
            "key_window 0s",
            "done_retention_items 1000000",
            "done_retention 7d",
            "done_retention_bytes 256 MiB",
        ];
        assert_eq!(told, wanted);
        assert_eq!((time(61_500), size(0)), ("1m1s500ms".into(), "0".into()));
    }

    #[test]
    fn each_setting_is_known_by_the_name_that_is_shown() {
        let all = Settings {
            max_lease_ms: Some(1),
            max_items: Some(1),
            max_bytes: Some(1),
            max_leased: Some(1),
            rate_per_s: Some(1.0),
            burst: Some(1),
            max_leased_per_group: Some(1),
            ..Settings::default()
        };
        let wire = serde_json::to_value(all).expect("settings are JSON");
        let mut known: Vec<_> = told(&all).iter().map(|(name, _)| wire_name(name)).collect();
        for name in &known {
            let patch = serde_json::json!({ name: null });
            serde_json::from_value::<SettingsPatch>(patch).expect(name);
        }
        known.sort();
        let members = wire.as_object().expect("an object");
        assert_eq!(known, members.keys().cloned().collect::<Vec<_>>());
    }
}
