//! `memq queue create`: the settings of a queue as words of a command line.

use std::time::Duration;

use queue_api::{Backoff, SettingsPatch};

use super::One;
use crate::cli::duration;

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(in crate::cli) struct Create {
    #[command(flatten)]
    pub(super) one: One,
    /// Length of a lease.
    #[arg(long, value_name = "TIME", value_parser = duration)]
    lease: Option<Duration>,
    /// Hard end of one attempt, however often its lease is renewed.
    #[arg(long, value_name = "TIME", value_parser = duration)]
    max_lease: Option<Duration>,
    /// Attempts before an item is dead.
    #[arg(long, value_name = "N")]
    attempts: Option<u32>,
    /// Shortest and longest wait before a retry, as 1s..30s.
    #[arg(long, value_name = "FROM..TO", value_parser = backoff)]
    backoff: Option<(Duration, Duration)>,
    /// How long a queue without work must have been left alone to count as empty.
    #[arg(long, value_name = "TIME", value_parser = duration)]
    quiet: Option<Duration>,
    /// Most items held.
    #[arg(long, value_name = "N")]
    max_items: Option<u64>,
    /// Most bytes of items held.
    #[arg(long, value_name = "BYTES")]
    max_bytes: Option<u64>,
    /// Largest item.
    #[arg(long, value_name = "BYTES")]
    max_body_bytes: Option<u64>,
    /// Largest result of an item.
    #[arg(long, value_name = "BYTES")]
    max_result_bytes: Option<u64>,
    /// Most items leased at once.
    #[arg(long, value_name = "N")]
    max_leased: Option<u64>,
    /// Most items of one group leased at once.
    #[arg(long, value_name = "N")]
    max_leased_per_group: Option<u64>,
    /// Most items leased in a second.
    #[arg(long, value_name = "PER-SECOND")]
    rate: Option<f64>,
    /// Items leased at once after a while without any, where --rate holds.
    #[arg(long, value_name = "N")]
    burst: Option<u64>,
    /// How long after its enqueue an item's unique key stays taken, even where the item has ended.
    #[arg(long, value_name = "TIME", value_parser = duration)]
    key_window: Option<Duration>,
    /// Most finished items whose outcomes are kept.
    #[arg(long, value_name = "N")]
    keep_done: Option<u64>,
    /// How long outcomes are kept.
    #[arg(long, value_name = "TIME", value_parser = duration)]
    keep_done_for: Option<Duration>,
    /// Give settings back their defaults: their names as `memq queue show` has them.
    #[arg(long, value_name = "SETTING", value_delimiter = ',')]
    reset: Vec<String>,
}

const EXAMPLES: &str = "\
Of a queue that is there already the settings that are named change at once, and the others stay.

Examples:
  memq queue create thumbs --attempts 3 --backoff 1s..30s
  memq queue create mails --rate 20 --burst 5 --max-leased-per-group 2
  memq queue create mails --reset rate_per_s,quiet";

fn backoff(text: &str) -> Result<(Duration, Duration), String> {
    crate::spec::backoff_range(text).ok_or_else(|| format!("give {}", crate::spec::BACKOFF))
}

impl Create {
    /// What is to change. An error names a setting that there is not.
    pub(super) fn settings(&self) -> Result<SettingsPatch, String> {
        let ms = |time: Duration| Some(u64::try_from(time.as_millis()).unwrap_or(u64::MAX));
        // What is null is reset; what is named besides wins.
        let reset: serde_json::Map<_, _> = (self.reset.iter())
            .map(|name| (super::settings::wire_name(name), serde_json::Value::Null))
            .collect();
        let reset: SettingsPatch = serde_json::from_value(reset.into())
            .map_err(|error| format!("cannot reset that: {error}"))?;
        let backoff = self.backoff.map(|(least, most)| {
            Some(Backoff {
                min_ms: ms(least).unwrap_or_default(),
                max_ms: ms(most).unwrap_or_default(),
                ..Backoff::default()
            })
        });
        Ok(SettingsPatch {
            lease_ms: self.lease.map(ms).or(reset.lease_ms),
            max_lease_ms: self.max_lease.map(ms).or(reset.max_lease_ms),
            max_attempts: self.attempts.map(Some).or(reset.max_attempts),
            backoff: backoff.or(reset.backoff),
            quiet_ms: self.quiet.map(ms).or(reset.quiet_ms),
            max_items: self.max_items.map(Some).or(reset.max_items),
            max_bytes: self.max_bytes.map(Some).or(reset.max_bytes),
            max_body_bytes: self.max_body_bytes.map(Some).or(reset.max_body_bytes),
            max_result_bytes: self.max_result_bytes.map(Some).or(reset.max_result_bytes),
            max_leased: self.max_leased.map(Some).or(reset.max_leased),
            max_leased_per_group: (self.max_leased_per_group.map(Some))
                .or(reset.max_leased_per_group),
            rate_per_s: self.rate.map(Some).or(reset.rate_per_s),
            burst: self.burst.map(Some).or(reset.burst),
            key_window_ms: self.key_window.map(ms).or(reset.key_window_ms),
            done_retention_items: self.keep_done.map(Some).or(reset.done_retention_items),
            done_retention_ms: self.keep_done_for.map(ms).or(reset.done_retention_ms),
            ..reset
        })
    }
}
