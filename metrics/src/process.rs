//! What every program tells of itself: its version, and what its process takes.
//!
//! Read off the kernel at each scrape. A figure that the kernel does not give is left out.

use std::fs;

use prometheus::proto::MetricFamily;
use rustix::process::{Resource, getrlimit};
use rustix::time::{ClockId, clock_gettime};

use crate::{Family, Label, Rows};

/// The version of a program.
pub const BUILD_INFO: Family = Family::gauge(
    "memq_build_info",
    "always 1",
    "The program that answers and its version.",
)
.by(&[
    Label::of("program", &["memq-server", "memq-worker", "memq"]),
    Label::any("version", "its version, as `--version` prints it"),
]);

const CPU: Family = Family::counter(
    "process_cpu_seconds_total",
    "seconds",
    "Time on a CPU that the process has used, in user and kernel mode.",
);
const RESIDENT: Family = Family::gauge(
    "process_resident_memory_bytes",
    "bytes",
    "Memory of the process that lies in RAM.",
);
const VIRTUAL: Family = Family::gauge(
    "process_virtual_memory_bytes",
    "bytes",
    "Addresses that the process has mapped.",
);
const OPEN_FDS: Family = Family::gauge(
    "process_open_fds",
    "descriptors",
    "File descriptors that the process has open.",
);
const MAX_FDS: Family = Family::gauge(
    "process_max_fds",
    "descriptors",
    "File descriptors that the process may have open.",
);
const THREADS: Family = Family::gauge("process_threads", "threads", "Threads of the process.");
const START: Family = Family::gauge(
    "process_start_time_seconds",
    "seconds",
    "When the process started, in seconds since 1970.",
);

/// Every family of this module.
pub const PROCESS: &[&Family] = &[
    &BUILD_INFO,
    &CPU,
    &RESIDENT,
    &VIRTUAL,
    &OPEN_FDS,
    &MAX_FDS,
    &THREADS,
    &START,
];

/// What a program tells of itself.
#[derive(Debug, Clone, Copy)]
pub struct Process {
    /// Its name, one of those of [`BUILD_INFO`].
    pub program: &'static str,
    /// Its version.
    pub version: &'static str,
}

impl Process {
    /// The families as they are now.
    #[must_use]
    pub fn collect(&self) -> Vec<MetricFamily> {
        let mut info = Rows::new(&BUILD_INFO);
        info.add(&[self.program, self.version], 1.0);
        let mut families = vec![info.into_family()];
        let mut tell = |family, value: Option<f64>| {
            families.extend(value.map(|value| Rows::one(family, value)));
        };
        let used = clock_gettime(ClockId::ProcessCPUTime);
        let used = used.tv_sec as f64 + used.tv_nsec as f64 / 1e9;
        tell(&CPU, Some(used));
        let [pages, resident] = memory();
        let page = rustix::param::page_size() as f64;
        tell(&VIRTUAL, pages.map(|pages| pages * page));
        tell(&RESIDENT, resident.map(|pages| pages * page));
        // The one that reads the folder is among those it counts.
        let open = fs::read_dir("/proc/self/fd").ok();
        tell(
            &OPEN_FDS,
            open.map(|open| open.count().saturating_sub(1) as f64),
        );
        let most = getrlimit(Resource::Nofile).current;
        tell(
            &MAX_FDS,
            Some(most.map_or(f64::INFINITY, |most| most as f64)),
        );
        let [threads, start] = stat();
        tell(&THREADS, threads);
        tell(&START, start);
        families
    }
}

/// Pages that are mapped, and those of them in RAM.
fn memory() -> [Option<f64>; 2] {
    let text = fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let mut fields = text.split(' ').map(|field| field.parse().ok());
    [fields.next().flatten(), fields.next().flatten()]
}

/// Threads, and the start in seconds since 1970.
fn stat() -> [Option<f64>; 2] {
    let text = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // The program's name stands in parentheses and may have spaces of its own; field 3 is the first after it.
    let rest = text.rsplit_once(") ").map_or("", |(_, rest)| rest);
    let field = |number: usize| -> Option<f64> { rest.split(' ').nth(number - 3)?.parse().ok() };
    let ticks = rustix::param::clock_ticks_per_second() as f64;
    let start = field(22)
        .zip(boot())
        .map(|(since, boot)| boot + since / ticks);
    [field(20), start]
}

/// When the machine started, in seconds since 1970.
fn boot() -> Option<f64> {
    let text = fs::read_to_string("/proc/stat").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("btime "))?;
    line.trim().parse().ok()
}
