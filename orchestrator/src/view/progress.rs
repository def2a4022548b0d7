//! Progress while a run goes: a bar on a terminal, now and then a line elsewhere.

use std::io::{IsTerminal as _, Write as _};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::{count, human, per_second};
use crate::tally::Tally;

/// Without news for so long a line is written all the same: a log that stands still looks dead.
const QUIET: Duration = Duration::from_secs(15);
/// Between lines there is at least this.
const BREATH: Duration = Duration::from_secs(1);
/// How often a bar is drawn.
const REDRAWS_A_SECOND: u8 = 10;

/// What besides the tally is shown.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moment {
    /// Since the start of the run.
    pub(crate) now: Duration,
    /// Workers that run.
    pub(crate) workers: usize,
    /// The run has been asked to stop.
    pub(crate) stopping: bool,
    /// Items in the queue so far, while they are still going in.
    pub(crate) loading: Option<u64>,
}

/// Where progress is shown.
pub(crate) enum Progress {
    Bar(ProgressBar),
    Lines(Lines),
}

/// When the last line was written, and of which tenth.
pub(crate) struct Lines {
    run: String,
    at: Duration,
    tenth: u64,
}

impl Progress {
    /// A bar if standard error is a terminal, else lines.
    pub(crate) fn new(run: &str, tally: &Tally) -> Self {
        let capable = std::env::var_os("TERM").is_none_or(|term| term != "dumb");
        if !std::io::stderr().is_terminal() || !capable {
            return Self::Lines(Lines {
                run: run.to_owned(),
                at: Duration::ZERO,
                tenth: tenth(tally),
            });
        }
        let bar = ProgressBar::with_draw_target(
            Some(tally.total),
            ProgressDrawTarget::stderr_with_hz(REDRAWS_A_SECOND),
        );
        let style = ProgressStyle::with_template("{prefix} {bar:24} {pos}/{len}  {wide_msg}")
            .unwrap_or_else(|_| ProgressStyle::default_bar());
        bar.set_style(style.progress_chars("█▌ "));
        bar.set_prefix(run.to_owned());
        Self::Bar(bar)
    }

    /// Shows how far it is.
    pub(crate) fn show(&mut self, tally: &Tally, moment: Moment) {
        match self {
            Self::Bar(bar) => {
                bar.set_position(tally.already + tally.finished());
                bar.set_message(details(tally, moment));
            }
            Self::Lines(lines) => lines.show(tally, moment),
        }
    }

    /// Says something without disturbing the bar.
    pub(crate) fn say(&self, text: &str) {
        match self {
            Self::Bar(bar) => bar.suspend(|| say(text)),
            Self::Lines(_) => say(text),
        }
    }

    /// Takes the bar away.
    pub(crate) fn end(&self) {
        if let Self::Bar(bar) = self {
            bar.finish_and_clear();
        }
    }
}

impl Lines {
    fn show(&mut self, tally: &Tally, moment: Moment) {
        let since = moment.now.saturating_sub(self.at);
        let news = tenth(tally) > self.tenth && tally.left() > 0 && since >= BREATH;
        if !news && since < QUIET {
            return;
        }
        self.at = moment.now;
        self.tenth = tenth(tally);
        let (run, done) = (&self.run, tally.already + tally.finished());
        say(&format!(
            "{run}: {done}/{}  {}",
            tally.total,
            details(tally, moment)
        ));
    }
}

fn details(tally: &Tally, moment: Moment) -> String {
    let mut parts = Vec::new();
    if let Some(loaded) = moment.loading {
        parts.push(format!("{loaded} loaded"));
    }
    if tally.finished() > 0 {
        parts.push(per_second(tally.rate(moment.now)));
    }
    match tally.eta(moment.now).filter(|_| tally.left() > 0) {
        _ if moment.stopping => parts.push("stopping".into()),
        Some(eta) => parts.push(format!("{} left", human(eta))),
        None => {}
    }
    if tally.dead > 0 {
        parts.push(format!("{} dead", tally.dead));
    }
    parts.push(count(moment.workers as u64, "worker"));
    parts.join(", ")
}

/// How many tenths of all items are finished.
fn tenth(tally: &Tally) -> u64 {
    (tally.already + tally.finished()) * 10 / tally.total.max(1)
}

/// A line on standard error.
fn say(text: &str) {
    let _gone = writeln!(std::io::stderr(), "{text}");
}
