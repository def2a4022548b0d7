//! What is asked of the operating system: processor time, memory, cores, open files.
//!
//! Each answer may be missing where a system does not give it; a figure is left out then, and
//! nothing fails.

use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustix::time::{ClockId, clock_gettime};

/// Processor time that this program has used.
pub(crate) fn cpu_of_self() -> Option<Duration> {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Some(Duration::new(
        time.tv_sec.try_into().ok()?,
        time.tv_nsec.try_into().ok()?,
    ))
}

/// Processor time that all threads of a process have used, in steps of a clock tick.
pub(crate) fn cpu_of(pid: u32) -> Option<Duration> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let ticks = cpu_ticks(&stat)?;
    let per_second = rustix::param::clock_ticks_per_second();
    Some(Duration::from_secs_f64(ticks as f64 / per_second as f64))
}

/// The ticks in user and kernel mode. The program's name stands in parentheses before them and may
/// hold anything, parentheses too.
fn cpu_ticks(stat: &str) -> Option<u64> {
    let mut fields = stat.rsplit_once(") ")?.1.split(' ').skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let kernel: u64 = fields.next()?.parse().ok()?;
    Some(user + kernel)
}

/// Processor time that all programs of this machine have used, ours and our ended children's apart.
pub(crate) fn cpu_of_others() -> Option<Duration> {
    let all = all_ticks(&std::fs::read_to_string("/proc/stat").ok()?)?;
    let ours = family_ticks(&std::fs::read_to_string("/proc/self/stat").ok()?)?;
    let per_second = rustix::param::clock_ticks_per_second();
    let others = all.saturating_sub(ours);
    Some(Duration::from_secs_f64(others as f64 / per_second as f64))
}

/// The ticks of all cores in which something ran: user, nice, system, and interrupts.
fn all_ticks(stat: &str) -> Option<u64> {
    let line = stat.lines().next()?.strip_prefix("cpu ")?;
    let ticks: Vec<u64> = line
        .split_whitespace()
        .map_while(|n| n.parse().ok())
        .collect();
    let [user, nice, system, _idle, _waiting, hard, soft, ..] = ticks[..] else {
        return None;
    };
    Some(user + nice + system + hard + soft)
}

/// The ticks of a process and of those children that it has waited for.
fn family_ticks(stat: &str) -> Option<u64> {
    let fields = stat.rsplit_once(") ")?.1.split(' ').skip(11).take(4);
    fields.map(|ticks| ticks.parse::<u64>().ok()).sum()
}

/// Bytes of memory that a process has resident.
pub(crate) fn resident(pid: u32) -> Option<u64> {
    resident_in(&std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?)
}

fn resident_in(status: &str) -> Option<u64> {
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}

/// Keeps this thread, and what it starts from now on, to one core: the first or second of those it
/// had. False if there is only one core, or the system cannot do it.
#[cfg(target_os = "linux")]
pub(crate) fn keep_to(core: Core) -> bool {
    use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
    use std::sync::OnceLock;

    static CORES: OnceLock<Vec<usize>> = OnceLock::new();
    // Asked once: after the first call only one core would be left.
    let cores = CORES.get_or_init(|| {
        let Ok(set) = sched_getaffinity(None) else {
            return Vec::new();
        };
        (0..CpuSet::MAX_CPU)
            .filter(|core| set.is_set(*core))
            .collect()
    });
    let [first, second, ..] = cores[..] else {
        return false;
    };
    let mut set = CpuSet::new();
    set.set(match core {
        Core::Server => first,
        Core::Client => second,
    });
    sched_setaffinity(None, &set).is_ok()
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn keep_to(_: Core) -> bool {
    false
}

/// Which side of a measurement a core is for.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Core {
    /// The server or the floor: never both at work at a time.
    Server,
    /// This program.
    Client,
}

/// Raises the limit of open files to this many, for this program and what it starts from now on.
pub(crate) fn allow_open_files(wanted: u64) -> anyhow::Result<()> {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current.is_none_or(|current| current >= wanted) {
        return Ok(());
    }
    let most = maximum.unwrap_or(u64::MAX);
    anyhow::ensure!(
        most >= wanted,
        "this needs {wanted} open files and the system allows {most}: ask for fewer waiters, or \
         raise the hard limit (`ulimit -Hn`)"
    );
    let raised = Rlimit {
        current: Some(wanted),
        maximum,
    };
    anyhow::Context::context(
        setrlimit(Resource::Nofile, raised),
        "cannot raise the open files",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processor_time_is_read_behind_a_name_with_parentheses() {
        let stat = "7 (a) b (c) S 1 7 7 0 -1 4194304 90 0 0 0 120 34 0 0 20 0 3 0 1 2 3";
        assert_eq!(cpu_ticks(stat), Some(154));
        assert_eq!(cpu_ticks("no such thing"), None);
    }

    #[test]
    fn time_of_all_and_of_a_family_is_added_up() {
        let stat = "cpu  10 20 30 400 500 6 7 8 0 0\ncpu0 1 2 3 4 5 6 7 8 0 0\n";
        assert_eq!(all_ticks(stat), Some(10 + 20 + 30 + 6 + 7));
        let stat = "7 (a) S 1 7 7 0 -1 4194304 90 0 0 0 120 34 1000 200 20 0 3 0 1 2 3";
        assert_eq!(family_ticks(stat), Some(120 + 34 + 1000 + 200));
    }

    #[test]
    fn memory_is_read_in_bytes() {
        assert_eq!(
            resident_in("Name:\ta\nVmRSS:\t    2048 kB\nThreads:\t1\n"),
            Some(2 << 20)
        );
        assert_eq!(resident_in("Name:\ta\n"), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn this_process_has_memory_and_used_its_processor() {
        let pid = std::process::id();
        assert!(resident(pid).is_some_and(|bytes| bytes > 0));
        assert!(cpu_of(pid).is_some());
        assert!(cpu_of_self().is_some_and(|time| time > Duration::ZERO));
        assert_eq!(cpu_of(u32::MAX), None);
    }
}
