//! The log, the disk under it, and the last recovery.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use metrics::{Family, Rows, Timing};
use prometheus::proto::MetricFamily;

use crate::engine::LogFigures;

/// From 50 µs, an NVMe disk with a capacitor, to seconds, a disk that fails.
const SYNCS: &[f64] = &[
    0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0,
];
const WITH_A_LOG: &str = "with `--data-dir`";

const SYNCED: Family = Family::seconds(
    "memq_log_sync_duration_seconds",
    SYNCS,
    "How long the syncs of the log took. Its count is the number of syncs.",
)
.when(WITH_A_LOG);
const SYNC_COUNT: Family = Family::counter(
    "memq_log_syncs_total",
    "syncs",
    "Syncs of the log since the start.",
)
.when(WITH_A_LOG);
const FRAMES: Family = Family::counter(
    "memq_log_frames_total",
    "frames",
    "Frames written to the log since the start: groups of records that are synced together.",
)
.when(WITH_A_LOG);
const WRITTEN: Family = Family::counter(
    "memq_log_written_bytes_total",
    "bytes",
    "Bytes that were ever written to the log, also before a restart.",
)
.when(WITH_A_LOG);
const LENGTH: Family = Family::gauge(
    "memq_log_length_bytes",
    "bytes",
    "Bytes of the log from its oldest record that is kept to its end.",
)
.when(WITH_A_LOG);
const LIVE: Family = Family::gauge(
    "memq_log_live_bytes",
    "bytes",
    "Bytes that all queues would take if they were written down now, about. The rest of the log's length is let go by compaction.",
)
.when(WITH_A_LOG);
const ON_DISK: Family = Family::gauge(
    "memq_log_disk_bytes",
    "bytes",
    "Bytes of the log's files on disk.",
)
.when(WITH_A_LOG);
const MAX_ON_DISK: Family = Family::gauge(
    "memq_log_max_disk_bytes",
    "bytes",
    "The most bytes of the log's files: --max-data-bytes.",
)
.when("with `--data-dir` and `--max-data-bytes`");
const LEFT: Family = Family::gauge(
    "memq_log_left_bytes",
    "bytes",
    "Bytes that may be appended until the disk, or --max-data-bytes, has no more room. Enqueueing is refused sooner, because room to end all items and to compact the log is kept back.",
)
.when(WITH_A_LOG);
const COMPACTIONS: Family = Family::counter(
    "memq_log_compactions_total",
    "compactions",
    "Compactions of the log since the start.",
)
.when(WITH_A_LOG);
const DISK_FREE: Family = Family::gauge(
    "memq_disk_free_bytes",
    "bytes",
    "Bytes that the file system of the data folder has free for the server.",
)
.when(WITH_A_LOG);
const DISK_SIZE: Family = Family::gauge(
    "memq_disk_size_bytes",
    "bytes",
    "Bytes of that file system.",
)
.when(WITH_A_LOG);
const RECOVERY: Family = Family::gauge(
    "memq_recovery_duration_seconds",
    "seconds",
    "How long reading the log took at the start.",
)
.when(WITH_A_LOG);
const RECOVERED_RECORDS: Family = Family::gauge(
    "memq_recovery_records",
    "records",
    "Records that were read at the start.",
)
.when(WITH_A_LOG);
const RECOVERED_BYTES: Family = Family::gauge(
    "memq_recovery_bytes",
    "bytes",
    "Bytes of the log that were read at the start.",
)
.when(WITH_A_LOG);
const LOST: Family = Family::gauge(
    "memq_recovery_lost_bytes",
    "bytes",
    "Damaged bytes of the log that were given up at the start, as --accept-loss says.",
)
.when(WITH_A_LOG);

/// Every family of this module.
pub(super) const FAMILIES: &[&Family] = &[
    &SYNCED,
    &SYNC_COUNT,
    &FRAMES,
    &WRITTEN,
    &LENGTH,
    &LIVE,
    &ON_DISK,
    &MAX_ON_DISK,
    &LEFT,
    &COMPACTIONS,
    &DISK_FREE,
    &DISK_SIZE,
    &RECOVERY,
    &RECOVERED_RECORDS,
    &RECOVERED_BYTES,
    &LOST,
];

/// What is counted of the log as it goes.
#[derive(Debug)]
pub(crate) struct LogMeter {
    /// How long its syncs took.
    pub(crate) syncs: Arc<Timing>,
    compactions: AtomicU64,
    recovery: OnceLock<Recovery>,
}

/// What the last start read, and what the log may take from then on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Recovery {
    pub(crate) took: Duration,
    pub(crate) records: u64,
    pub(crate) bytes: u64,
    /// Damaged bytes that were given up.
    pub(crate) lost: u64,
    /// Most bytes of all files.
    pub(crate) max_bytes: Option<u64>,
}

impl Default for LogMeter {
    fn default() -> Self {
        Self {
            syncs: Arc::new(Timing::new(&SYNCED)),
            compactions: AtomicU64::new(0),
            recovery: OnceLock::new(),
        }
    }
}

impl LogMeter {
    /// The log was compacted.
    pub(crate) fn compacted(&self) {
        self.compactions.fetch_add(1, Relaxed);
    }

    /// The log was read.
    pub(crate) fn recovered(&self, recovery: Recovery) {
        // A log is opened once.
        let _again = self.recovery.set(recovery);
    }

    pub(super) fn collect(&self, figures: &LogFigures) -> Vec<MetricFamily> {
        let LogFigures {
            syncs,
            frames,
            written,
            length,
            live,
            on_disk,
            left,
            disk_free,
            disk_size,
        } = *figures;
        let recovery = self.recovery.get();
        let of_recovery = |of: fn(&Recovery) -> u64| recovery.map(of);
        let mut families: Vec<_> = [
            (&SYNC_COUNT, Some(syncs)),
            (&FRAMES, Some(frames)),
            (&WRITTEN, Some(written)),
            (&LENGTH, Some(length)),
            (&LIVE, Some(live)),
            (&ON_DISK, Some(on_disk)),
            (&LEFT, Some(left)),
            (&COMPACTIONS, Some(self.compactions.load(Relaxed))),
            (&DISK_FREE, disk_free),
            (&DISK_SIZE, disk_size),
            (
                &MAX_ON_DISK,
                recovery.and_then(|recovery| recovery.max_bytes),
            ),
            (&RECOVERED_RECORDS, of_recovery(|recovery| recovery.records)),
            (&RECOVERED_BYTES, of_recovery(|recovery| recovery.bytes)),
            (&LOST, of_recovery(|recovery| recovery.lost)),
        ]
        .into_iter()
        .filter_map(|(family, value)| Some(Rows::one(family, value? as f64)))
        .collect();
        families.push(self.syncs.collect());
        families.extend(recovery.map(|it| Rows::one(&RECOVERY, it.took.as_secs_f64())));
        families
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_figure_of_the_log_is_told_under_its_own_name() {
        let meter = LogMeter::default();
        for _ in 0..10 {
            meter.compacted();
        }
        meter.recovered(Recovery {
            took: Duration::from_secs(11),
            records: 12,
            bytes: 13,
            lost: 14,
            max_bytes: Some(15),
        });
        let figures = LogFigures {
            syncs: 1,
            frames: 2,
            written: 3,
            length: 4,
            live: 5,
            on_disk: 6,
            left: 7,
            disk_free: Some(8),
            disk_size: Some(9),
        };
        let text = metrics::text(meter.collect(&figures)).expect("legal families");
        for (name, value) in [
            ("memq_log_syncs_total", 1),
            ("memq_log_frames_total", 2),
            ("memq_log_written_bytes_total", 3),
            ("memq_log_length_bytes", 4),
            ("memq_log_live_bytes", 5),
            ("memq_log_disk_bytes", 6),
            ("memq_log_left_bytes", 7),
            ("memq_disk_free_bytes", 8),
            ("memq_disk_size_bytes", 9),
            ("memq_log_compactions_total", 10),
            ("memq_recovery_duration_seconds", 11),
            ("memq_recovery_records", 12),
            ("memq_recovery_bytes", 13),
            ("memq_recovery_lost_bytes", 14),
            ("memq_log_max_disk_bytes", 15),
        ] {
            let line = format!("\n{name} {value}\n");
            assert!(text.contains(&line), "{line}{text}");
        }
    }
}
