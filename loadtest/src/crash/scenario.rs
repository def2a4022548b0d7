//! What a scenario is, and what it found.

use std::path::PathBuf;
use std::pin::Pin;
use std::time::Duration;

use anyhow::Result;

use super::{full, images, kill, power, second, stopped};
use crate::ledger::Audit;
use crate::process::{ServerPlan, Storage};
use crate::report::Spread;
use crate::scratch::Scratch;

/// What all scenarios share.
#[derive(Debug)]
pub(super) struct Setting {
    pub(super) program: Option<PathBuf>,
    pub(super) scratch: Scratch,
    /// As much as fits into a minute, all scenarios together.
    pub(super) short: bool,
    pub(super) kills: u64,
    pub(super) seed: u64,
}

impl Setting {
    /// A server on a directory of its own, of that name.
    pub(super) fn plan(&self, name: &str) -> Result<ServerPlan> {
        let data = self.scratch.dir(name)?;
        let mut plan = match &self.program {
            Some(program) => ServerPlan::new(Some(program), Storage::Disk, data)?,
            None => ServerPlan::own(Storage::Disk, data)?,
        };
        plan.pinned = false;
        Ok(plan)
    }
}

/// What one scenario did and saw.
#[derive(Debug, Default)]
pub(super) struct Report {
    /// What the ledger says in the end.
    pub(super) audit: Audit,
    /// Times that something was done to the server.
    pub(super) blows: u64,
    /// How long each recovery took, from start to ready.
    pub(super) recoveries: Vec<Duration>,
}

type Running<'a> = Pin<Box<dyn Future<Output = Result<Report>> + 'a>>;
type Run = for<'a> fn(&'a Setting) -> Running<'a>;

/// All scenarios in the order in which they run.
pub(super) const ALL: [(&str, Run); 9] = [
    ("kill -9 under load", |setting| Box::pin(kill::run(setting))),
    ("client stopped past its lease", |setting| {
        Box::pin(stopped::client(setting))
    }),
    ("server stopped", |setting| {
        Box::pin(stopped::server(setting))
    }),
    ("two servers on one directory", |setting| {
        Box::pin(second::run(setting))
    }),
    ("disk full", |setting| Box::pin(full::run(setting))),
    ("image at every sync", |setting| {
        Box::pin(images::run(setting))
    }),
    ("power lost, writes torn", |setting| {
        Box::pin(power::cut(setting))
    }),
    ("write and sync fail", |setting| {
        Box::pin(power::errors(setting))
    }),
    ("wall clock jumps", |setting| {
        Box::pin(power::clock(setting))
    }),
];

/// The columns.
pub(super) const HEAD: [&str; 9] = [
    "scenario",
    "times",
    "acknowledged",
    "settled",
    "lost",
    "beyond at-least-once",
    "redelivered",
    "recovery, ms",
    "seed",
];

/// What a scenario found, or why it could not be carried out.
#[derive(Debug)]
pub(super) struct Found {
    name: &'static str,
    report: Result<Report>,
}

impl Found {
    pub(super) fn of(name: &'static str, report: Result<Report>) -> Self {
        Self { name, report }
    }

    /// What is wrong, if anything is.
    pub(super) fn trouble(&self) -> Option<String> {
        match &self.report {
            Ok(report) if report.audit.is_clean() => None,
            Ok(report) => Some(report.audit.to_string()),
            Err(error) => Some(format!("{error:#}")),
        }
    }

    pub(super) fn cells(&self, seed: u64) -> Vec<String> {
        let Ok(report) = &self.report else {
            return vec![self.name.into(), "**failed**".into()];
        };
        let Report {
            audit,
            blows,
            recoveries,
        } = report;
        let recovery = if recoveries.is_empty() {
            "-".into()
        } else {
            let times = recoveries.iter().map(|time| time.as_secs_f64() * 1e3);
            Spread::of(times).show(|millis| format!("{millis:.0}"))
        };
        let zero = |count: u64| match count {
            0 => "0".into(),
            count => format!("**{count}**"),
        };
        vec![
            self.name.into(),
            blows.to_string(),
            audit.accepted.to_string(),
            audit.settled.to_string(),
            zero(audit.lost()),
            zero(audit.beyond()),
            audit.redelivered.to_string(),
            recovery,
            seed.to_string(),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::{Bodies, LEAST_BODY, Ledger};

    #[test]
    fn a_lost_item_is_trouble_and_printed_bold() {
        let mut ledger = Ledger::new(Bodies::new(1, LEAST_BODY).expect("long enough"));
        let number = ledger.send();
        let report = |ledger: &Ledger| Report {
            audit: ledger.audit(),
            ..Report::default()
        };
        assert_eq!(Found::of("kill", Ok(report(&ledger))).trouble(), None);
        ledger.accepted(number);
        let found = Found::of("kill", Ok(report(&ledger)));
        let trouble = found.trouble().expect("an item is lost");
        assert!(trouble.contains("1 acknowledged and lost"), "{trouble}");
        assert_eq!(found.cells(7)[4..6], ["**1**", "0"]);
    }
}
