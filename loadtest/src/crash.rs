//! Crash runs: servers that are killed, stopped, doubled and starved under load, and the ledger's
//! verdict over each.
//!
//! A scenario owns its servers, its load and its ledger, and reports what it found; this file runs
//! them one after the other and prints the table. Nothing here knows how a server stores anything.

mod chance;
mod ending;
mod full;
mod hold;
mod images;
mod inside;
mod kill;
mod load;
mod power;
mod putter;
mod scenario;
mod second;
mod stopped;
mod worker;

use anyhow::{Result, bail};

use crate::args::CrashArgs;
use crate::machine;
use crate::report;
use crate::scratch::Scratch;
use chance::Chance;
use scenario::{Found, HEAD, Setting};

pub(crate) use hold::hold;

/// Open files that clients and servers of a scenario may need.
const FILES: u64 = 1024;

/// Runs the scenarios and prints what they found.
///
/// # Errors
///
/// A scenario could not be carried out, or found that a server broke its word.
pub(crate) async fn crash(args: CrashArgs) -> Result<()> {
    let CrashArgs {
        server_bin,
        data_dir,
        short,
        kills,
        seed,
        only,
    } = args;
    machine::allow_open_files(FILES)?;
    let scratch = Scratch::new(&data_dir, "crash")?;
    let setting = Setting {
        program: server_bin,
        scratch,
        short,
        kills: kills.unwrap_or(if short { 10 } else { 100 }),
        seed: seed.unwrap_or_else(Chance::new_seed),
    };
    report::say(&format!("seed {}", setting.seed));
    let wanted = |name: &str| {
        only.as_ref()
            .is_none_or(|only| name.contains(only.as_str()))
    };
    let mut rows = Vec::new();
    let (mut ran, mut bad) = (0, 0);
    for (name, run) in scenario::ALL {
        if !wanted(name) {
            continue;
        }
        ran += 1;
        report::progress(&format!("{name} …"));
        let found = Found::of(name, run(&setting).await);
        if let Some(trouble) = found.trouble() {
            bad += 1;
            report::say(&format!("{name}: {trouble}"));
        }
        let cells = found.cells(setting.seed);
        // Who stops a long run has what it found so far.
        report::progress(&cells.join(" | "));
        rows.push(cells);
    }
    report::say(&report::table(&HEAD, &rows));
    if ran == 0 {
        bail!("no scenario has that in its name");
    }
    if bad > 0 {
        bail!(
            "{bad} of {ran} scenarios failed; --seed {} draws the same moments",
            setting.seed
        );
    }
    Ok(())
}
