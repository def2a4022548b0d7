//! Settings of a queue: their defaults, their limits, and a patch that changes some of them.

use core::fmt;

use serde::{Deserialize, Deserializer, Serialize};

use crate::limits;

/// All settings of a queue.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Settings {
    /// Length of a lease in milliseconds.
    pub lease_ms: u64,
    /// Hard end of one attempt in milliseconds, however often it is extended; absent: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_lease_ms: Option<u64>,
    /// Attempts an item gets before it is dead.
    pub max_attempts: u32,
    /// Wait before a retry.
    pub backoff: Backoff,
    /// Finished items whose outcome is kept.
    pub done_retention_items: u64,
    /// How long an outcome is kept, in milliseconds.
    pub done_retention_ms: u64,
    /// Bytes of bodies, results and errors that outcomes may hold.
    pub done_retention_bytes: u64,
    /// How long an unsealed queue without work must have been left alone to count as empty.
    pub quiet_ms: u64,
    /// Most items held: ready, leased, delayed and dead; absent: no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_items: Option<u64>,
    /// Most bytes of their bodies, and of the errors and logs of their attempts; absent: no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_bytes: Option<u64>,
    /// Largest body of one item in bytes.
    pub max_body_bytes: u64,
    /// Largest result of one item in bytes.
    pub max_result_bytes: u64,
    /// Most items leased at once; absent: no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_leased: Option<u64>,
    /// Leases given a second; absent: no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate_per_s: Option<f64>,
    /// Leases given at once after a while without any; absent: a tenth of a second's worth, at least
    /// one. Only together with `rate_per_s`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub burst: Option<u64>,
    /// Most items of one group leased at once; absent: no limit. Items without a group are not bound.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_leased_per_group: Option<u64>,
    /// How long after its enqueue an item's unique key stays taken, in milliseconds, even where the
    /// item has ended.
    #[serde(default)]
    pub key_window_ms: u64,
}

/// How long a failed item waits: `min_ms` after the first failure, times `factor` after each
/// further one, at most `max_ms`; of that, a random half is taken off so that items that failed
/// together do not come back together.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields, default)]
pub struct Backoff {
    /// Wait after the first failure.
    #[cfg_attr(feature = "openapi", schema(maximum = 315_360_000_000_u64))]
    pub min_ms: u64,
    /// Longest wait.
    #[cfg_attr(feature = "openapi", schema(maximum = 315_360_000_000_u64))]
    pub max_ms: u64,
    /// Growth a failure, 1 to 10.
    #[cfg_attr(feature = "openapi", schema(minimum = 1.0, maximum = 10.0))]
    pub factor: f64,
}

impl Default for Backoff {
    fn default() -> Self {
        Self {
            min_ms: 1_000,
            max_ms: 300_000,
            factor: 2.0,
        }
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            lease_ms: 30_000,
            max_lease_ms: None,
            max_attempts: 5,
            backoff: Backoff::default(),
            done_retention_items: 1_000_000,
            done_retention_ms: 7 * 24 * 3_600_000,
            done_retention_bytes: 256 * 1024 * 1024,
            quiet_ms: 5_000,
            max_items: None,
            max_bytes: None,
            max_body_bytes: 1024 * 1024,
            max_result_bytes: 64 * 1024,
            max_leased: None,
            rate_per_s: None,
            burst: None,
            max_leased_per_group: None,
            key_window_ms: 0,
        }
    }
}

/// A change of settings: an absent field keeps its value, `null` resets it to its default.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields, default)]
pub struct SettingsPatch {
    /// See [`Settings::lease_ms`].
    #[serde(deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<u64>, minimum = 100, maximum = 315_360_000_000_u64))]
    pub lease_ms: Option<Option<u64>>,
    /// See [`Settings::max_lease_ms`].
    #[serde(deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<u64>, minimum = 100, maximum = 315_360_000_000_u64))]
    pub max_lease_ms: Option<Option<u64>>,
    /// See [`Settings::max_attempts`].
    #[serde(deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<u32>, minimum = 1, maximum = 1_000))]
    pub max_attempts: Option<Option<u32>>,
    /// See [`Settings::backoff`].
    #[serde(deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Backoff>))]
    pub backoff: Option<Option<Backoff>>,
    /// See [`Settings::done_retention_items`].
    #[serde(deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<u64>))]
    pub done_retention_items: Option<Option<u64>>,
    /// See [`Settings::done_retention_ms`].
    #[serde(deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<u64>, maximum = 315_360_000_000_u64))]
    pub done_retention_ms: Option<Option<u64>>,
    /// See [`Settings::done_retention_bytes`].
    #[serde(deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<u64>))]
    pub done_retention_bytes: Option<Option<u64>>,
    /// See [`Settings::quiet_ms`].
    #[serde(deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<u64>, maximum = 315_360_000_000_u64))]
    pub quiet_ms: Option<Option<u64>>,
    /// See [`Settings::max_items`].
    #[serde(deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<u64>))]
    pub max_items: Option<Option<u64>>,
    /// See [`Settings::max_bytes`].
    #[serde(deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<u64>))]
    pub max_bytes: Option<Option<u64>>,
    /// See [`Settings::max_body_bytes`].
    #[serde(deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<u64>, minimum = 1, maximum = 16_777_216))]
    pub max_body_bytes: Option<Option<u64>>,
    /// See [`Settings::max_result_bytes`].
    #[serde(deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<u64>, maximum = 16_777_216))]
    pub max_result_bytes: Option<Option<u64>>,
    /// See [`Settings::max_leased`].
    #[serde(deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<u64>, minimum = 1))]
    pub max_leased: Option<Option<u64>>,
    /// See [`Settings::rate_per_s`]. Resetting it resets the burst, too.
    #[serde(deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<f64>, minimum = 0.000_001, maximum = 1_000_000.0))]
    pub rate_per_s: Option<Option<f64>>,
    /// See [`Settings::burst`].
    #[serde(deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<u64>, minimum = 1, maximum = 1_000_000))]
    pub burst: Option<Option<u64>>,
    /// See [`Settings::max_leased_per_group`].
    #[serde(deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<u64>, minimum = 1))]
    pub max_leased_per_group: Option<Option<u64>>,
    /// See [`Settings::key_window_ms`].
    #[serde(deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<u64>, maximum = 315_360_000_000_u64))]
    pub key_window_ms: Option<Option<u64>>,
}

/// Tells a field that is `null` from one that is absent.
fn given<'de, D, T>(deserializer: D) -> Result<Option<Option<T>>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    Option::deserialize(deserializer).map(Some)
}

/// Why settings are refused: the field, its value and the limit it broke.
#[derive(Debug, Clone, PartialEq)]
pub struct SettingsError {
    field: &'static str,
    value: f64,
    rule: String,
}

impl fmt::Display for SettingsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "setting `{}` is {}: {}",
            self.field, self.value, self.rule
        )
    }
}

impl core::error::Error for SettingsError {}

impl SettingsPatch {
    /// These settings with the patch laid over them, checked.
    pub fn apply(&self, old: &Settings) -> Result<Settings, SettingsError> {
        fn set<T: Copy>(patch: Option<Option<T>>, old: T, default: T) -> T {
            patch.map_or(old, |value| value.unwrap_or(default))
        }
        let base = Settings::default();
        let new = Settings {
            lease_ms: set(self.lease_ms, old.lease_ms, base.lease_ms),
            max_lease_ms: self.max_lease_ms.unwrap_or(old.max_lease_ms),
            max_attempts: set(self.max_attempts, old.max_attempts, base.max_attempts),
            backoff: set(self.backoff, old.backoff, base.backoff),
            done_retention_items: set(
                self.done_retention_items,
                old.done_retention_items,
                base.done_retention_items,
            ),
            done_retention_ms: set(
                self.done_retention_ms,
                old.done_retention_ms,
                base.done_retention_ms,
            ),
            done_retention_bytes: set(
                self.done_retention_bytes,
                old.done_retention_bytes,
                base.done_retention_bytes,
            ),
            quiet_ms: set(self.quiet_ms, old.quiet_ms, base.quiet_ms),
            max_items: self.max_items.unwrap_or(old.max_items),
            max_bytes: self.max_bytes.unwrap_or(old.max_bytes),
            max_body_bytes: set(self.max_body_bytes, old.max_body_bytes, base.max_body_bytes),
            max_result_bytes: set(
                self.max_result_bytes,
                old.max_result_bytes,
                base.max_result_bytes,
            ),
            max_leased: self.max_leased.unwrap_or(old.max_leased),
            rate_per_s: self.rate_per_s.unwrap_or(old.rate_per_s),
            burst: match (self.burst, self.rate_per_s) {
                (Some(burst), _) => burst,
                (None, Some(None)) => None,
                (None, _) => old.burst,
            },
            max_leased_per_group: self
                .max_leased_per_group
                .unwrap_or(old.max_leased_per_group),
            key_window_ms: set(self.key_window_ms, old.key_window_ms, base.key_window_ms),
        };
        new.check()?;
        Ok(new)
    }
}

impl Settings {
    /// Whether each setting is within its limits.
    pub fn check(&self) -> Result<(), SettingsError> {
        let min_lease = limits::MIN_LEASE.as_millis() as u64;
        let longest = limits::MAX_DURATION.as_millis() as u64;
        let request = limits::MAX_REQUEST_BYTES as u64;
        within("lease_ms", self.lease_ms, min_lease, longest)?;
        if let Some(max_lease_ms) = self.max_lease_ms {
            within("max_lease_ms", max_lease_ms, min_lease, longest)?;
        }
        within(
            "max_attempts",
            u64::from(self.max_attempts),
            1,
            u64::from(limits::MAX_ATTEMPTS),
        )?;
        within("backoff.min_ms", self.backoff.min_ms, 0, longest)?;
        within(
            "backoff.max_ms",
            self.backoff.max_ms,
            self.backoff.min_ms,
            longest,
        )?;
        if !(1.0..=10.0).contains(&self.backoff.factor) {
            return Err(SettingsError {
                field: "backoff.factor",
                value: self.backoff.factor,
                rule: "give 1 to 10".into(),
            });
        }
        within("done_retention_ms", self.done_retention_ms, 0, longest)?;
        within("quiet_ms", self.quiet_ms, 0, longest)?;
        within("max_body_bytes", self.max_body_bytes, 1, request)?;
        within("max_result_bytes", self.max_result_bytes, 0, request)?;
        for (field, most) in [
            ("max_leased", self.max_leased),
            ("max_leased_per_group", self.max_leased_per_group),
        ] {
            most.map_or(Ok(()), |most| within(field, most, 1, u64::MAX))?;
        }
        self.check_rate()?;
        within("key_window_ms", self.key_window_ms, 0, longest)
    }

    fn check_rate(&self) -> Result<(), SettingsError> {
        let refused = |field, value, rule: String| Err(SettingsError { field, value, rule });
        let rates = limits::MIN_RATE..=limits::MAX_RATE;
        match (self.rate_per_s, self.burst) {
            (None, None) => Ok(()),
            (None, Some(burst)) => {
                let rule = "give rate_per_s with it, or leave it out".into();
                refused("burst", burst as f64, rule)
            }
            (Some(rate), _) if !rates.contains(&rate) => {
                let rule = format!("give {} to {}", limits::MIN_RATE, limits::MAX_RATE);
                refused("rate_per_s", rate, rule)
            }
            (Some(_), None) => Ok(()),
            (Some(rate), Some(burst)) => {
                within("burst", burst, 1, limits::MAX_BURST)?;
                if burst as f64 / rate > limits::MAX_DURATION.as_secs_f64() {
                    let rule =
                        format!("at {rate} a second it would take over ten years to save up");
                    return refused("burst", burst as f64, rule);
                }
                Ok(())
            }
        }
    }
}

fn within(field: &'static str, value: u64, min: u64, max: u64) -> Result<(), SettingsError> {
    if (min..=max).contains(&value) {
        Ok(())
    } else {
        Err(SettingsError {
            field,
            value: value as f64,
            rule: format!("give {min} to {max}"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_absent_setting_keeps_its_value_and_null_resets_it() {
        let old = Settings {
            lease_ms: 1_000,
            max_attempts: 3,
            max_items: Some(7),
            ..Settings::default()
        };
        let patch: SettingsPatch =
            serde_json::from_str(r#"{"lease_ms":null,"max_items":null}"#).expect("a patch");
        let new = patch.apply(&old).expect("within limits");
        assert_eq!(
            (new.lease_ms, new.max_attempts, new.max_items),
            (30_000, 3, None)
        );
    }

    #[test]
    fn an_unknown_setting_is_refused_by_name() {
        let error = serde_json::from_str::<SettingsPatch>(r#"{"leese_ms":1}"#).unwrap_err();
        assert!(error.to_string().contains("leese_ms"), "{error}");
    }

    #[test]
    fn a_setting_is_refused_one_past_its_limit() {
        for (json, field) in [
            (r#"{"lease_ms":99}"#, "lease_ms"),
            (r#"{"max_attempts":0}"#, "max_attempts"),
            (r#"{"max_attempts":1001}"#, "max_attempts"),
            (r#"{"backoff":{"factor":0.5}}"#, "backoff.factor"),
            (r#"{"backoff":{"min_ms":9,"max_ms":8}}"#, "backoff.max_ms"),
            (r#"{"max_body_bytes":16777217}"#, "max_body_bytes"),
            (r#"{"max_leased":0}"#, "max_leased"),
            (r#"{"max_leased_per_group":0}"#, "max_leased_per_group"),
            (r#"{"rate_per_s":0}"#, "rate_per_s"),
            (r#"{"rate_per_s":-1}"#, "rate_per_s"),
            (r#"{"rate_per_s":1000000.1}"#, "rate_per_s"),
            (r#"{"burst":1}"#, "burst"),
            (r#"{"rate_per_s":1,"burst":0}"#, "burst"),
            (r#"{"rate_per_s":1,"burst":1000001}"#, "burst"),
            (r#"{"rate_per_s":0.001,"burst":1000000}"#, "burst"),
            (r#"{"key_window_ms":315360000001}"#, "key_window_ms"),
        ] {
            let patch: SettingsPatch = serde_json::from_str(json).expect("a patch");
            let error = patch.apply(&Settings::default()).expect_err(json);
            assert!(error.to_string().contains(field), "{error}");
        }
        let patch: SettingsPatch =
            serde_json::from_str(r#"{"lease_ms":100,"max_attempts":1000}"#).expect("a patch");
        assert!(patch.apply(&Settings::default()).is_ok());
        let json = r#"{"max_leased":1,"max_leased_per_group":1,"rate_per_s":1000000,"burst":1000000,
            "key_window_ms":315360000000}"#;
        let patch: SettingsPatch = serde_json::from_str(json).expect("a patch");
        assert!(patch.apply(&Settings::default()).is_ok());
    }

    #[test]
    fn a_rate_that_is_reset_takes_its_burst_along() {
        let old = Settings {
            rate_per_s: Some(10.0),
            burst: Some(5),
            ..Settings::default()
        };
        let change = |json: &str| {
            let patch: SettingsPatch = serde_json::from_str(json).expect("a patch");
            patch.apply(&old).map(|new| (new.rate_per_s, new.burst))
        };
        assert_eq!(change(r#"{"rate_per_s":null}"#), Ok((None, None)));
        assert_eq!(change(r#"{"rate_per_s":20}"#), Ok((Some(20.0), Some(5))));
        assert!(change(r#"{"rate_per_s":null,"burst":5}"#).is_err());
    }
}
