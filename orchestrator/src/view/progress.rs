//! Progress while a run goes: a bar a step on a terminal, now and then a line elsewhere.

use std::io::IsTerminal as _;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use super::bars::{bar, say_beside, take_away};
use super::{count, human, per_second, plain, say};
use crate::tally::Tally;

/// Without news for so long a line is written all the same: a log that stands still looks dead.
const QUIET: Duration = Duration::from_secs(15);
/// Between lines there is at least this.
const BREATH: Duration = Duration::from_secs(1);
/// A step that counts something.
const COUNTING: &str = "{prefix} {bar:24} {pos}/{len}  {wide_msg}";
/// A step that does not, or has not begun, or has ended.
const TELLING: &str = "{prefix} {wide_msg}";

/// What besides the tally is shown.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moment {
    /// Since the start of the step.
    pub(crate) now: Duration,
    /// Workers that run.
    pub(crate) workers: usize,
    /// The step has been asked to stop.
    pub(crate) stopping: bool,
    /// Items in the queue so far, while they are still going in.
    pub(crate) loading: Option<u64>,
}

/// Where the progress of all steps of a run is shown.
#[derive(Debug)]
pub(crate) struct Board {
    /// What lines begin with, a step each.
    titles: Vec<String>,
    /// The bars, if standard error is a terminal; a step each.
    bars: Option<Vec<ProgressBar>>,
    /// Whether there is but one line, which is the run's.
    alone: bool,
}

/// Where the progress of one step is shown.
#[derive(Debug)]
pub(crate) struct Progress {
    title: String,
    face: Face,
    alone: bool,
}

#[derive(Debug)]
enum Face {
    Bar(ProgressBar),
    Lines(Mutex<Last>),
}

/// When the last line was written, and of which tenth.
#[derive(Debug)]
struct Last {
    at: Duration,
    tenth: u64,
}

impl Board {
    /// For a run whose only step is shown under the run's name, with a bar once there is progress.
    pub(crate) fn of_one(run: &str) -> Self {
        Self {
            alone: true,
            ..Self::of_steps([(run.to_owned(), String::new())])
        }
    }

    /// For several steps, each with what is shown until it begins.
    pub(crate) fn of_steps(steps: impl IntoIterator<Item = (String, String)>) -> Self {
        let (titles, waits): (Vec<_>, Vec<_>) = steps.into_iter().unzip();
        let capable = std::env::var_os("TERM").is_none_or(|term| term != "dumb");
        let bars = (std::io::stderr().is_terminal() && capable).then(|| {
            let longest = titles.iter().map(String::len).max().unwrap_or(0);
            let bars = titles.iter().zip(waits).map(|(title, wait)| {
                let bar = bar(Some(0)).with_style(style(TELLING));
                bar.set_prefix(plain(&format!("{title:longest$}")).into_owned());
                if !wait.is_empty() {
                    bar.set_message(plain(&wait).into_owned());
                }
                bar
            });
            bars.collect()
        });
        Self {
            titles,
            bars,
            alone: false,
        }
    }

    /// A step that has items, from where an earlier run left it.
    pub(crate) fn items(&self, step: usize, tally: &Tally) -> Progress {
        self.progress(step, Some(tally.total), tenth(tally))
    }

    /// A step that counts its elements.
    pub(crate) fn elements(&self, step: usize, total: u64) -> Progress {
        self.progress(step, Some(total), 0)
    }

    /// A step that counts nothing.
    pub(crate) fn process(&self, step: usize) -> Progress {
        self.progress(step, None, 0)
    }

    fn progress(&self, step: usize, length: Option<u64>, tenth: u64) -> Progress {
        let face = match &self.bars {
            Some(bars) => {
                let bar = bars[step].clone();
                if let Some(length) = length {
                    bar.set_length(length);
                    bar.set_style(style(COUNTING));
                }
                bar.set_message("");
                Face::Bar(bar)
            }
            None => Face::Lines(Mutex::new(Last {
                at: Duration::ZERO,
                tenth,
            })),
        };
        Progress {
            title: self.titles[step].clone(),
            face,
            alone: self.alone,
        }
    }

    /// Says something without disturbing the bars.
    pub(crate) fn say(&self, text: &str) {
        match self.bars.as_ref().and_then(|bars| bars.first()) {
            Some(bar) => say_beside(bar, text),
            None => say(text),
        }
    }

    /// Shows how a step ended.
    pub(crate) fn ended(&self, step: usize, how: &str) {
        match &self.bars {
            Some(bars) => {
                bars[step].set_style(style(TELLING));
                bars[step].finish_with_message(plain(how).into_owned());
            }
            None => say(&format!("{}: {how}", self.titles[step])),
        }
    }

    /// Takes the bars away.
    pub(crate) fn end(&self) {
        if let Some(bars) = &self.bars {
            take_away(bars);
        }
    }
}

impl Progress {
    /// Shows how far its items are.
    pub(crate) fn show(&self, tally: &Tally, moment: Moment) {
        let done = tally.already + tally.finished();
        match &self.face {
            Face::Bar(bar) => {
                bar.set_length(tally.total);
                bar.set_position(done);
                bar.set_message(details(tally, moment));
            }
            Face::Lines(last) => {
                let tenth = tenth(tally);
                let mut last = last.lock().unwrap_or_else(PoisonError::into_inner);
                let since = moment.now.saturating_sub(last.at);
                let news = tenth > last.tenth && tally.left() > 0 && since >= BREATH;
                if news || since >= QUIET {
                    *last = Last {
                        at: moment.now,
                        tenth,
                    };
                    let (title, total) = (&self.title, tally.total);
                    say(&format!(
                        "{title}: {done}/{total}  {}",
                        details(tally, moment)
                    ));
                }
            }
        }
    }

    /// Shows how far a step without items is: of so many elements this many, and what else there is.
    pub(crate) fn tell(&self, now: Duration, done: u64, text: &str) {
        match &self.face {
            Face::Bar(bar) => {
                bar.set_position(done);
                bar.set_message(plain(&format!("{text}, {}", human(now))).into_owned());
            }
            Face::Lines(last) => {
                let mut last = last.lock().unwrap_or_else(PoisonError::into_inner);
                if now.saturating_sub(last.at) >= QUIET {
                    last.at = now;
                    say(&format!("{}: {text} after {}", self.title, human(now)));
                }
            }
        }
    }

    /// Says something of this step without disturbing the bars.
    pub(crate) fn say(&self, text: &str) {
        let text = match self.alone {
            true => text.to_owned(),
            false => format!("{}: {text}", self.title),
        };
        match &self.face {
            Face::Bar(bar) => say_beside(bar, &text),
            Face::Lines(_) => say(&text),
        }
    }
}

fn style(template: &str) -> ProgressStyle {
    let style = ProgressStyle::with_template(template);
    let style = style.unwrap_or_else(|_| ProgressStyle::default_bar());
    style.progress_chars("█▌ ")
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
