//! `memq-server fsck`: what a data directory holds and whether it is sound, without changing it.
#![expect(clippy::print_stdout, reason = "its report is what it is for")]

use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;

use queue_log::RealDisk;
use queue_log::inspect::{Inspection, SegmentFound, inspect};

use crate::engine::{Recovered, Replay};
use telemetry::chain;

/// Check a data directory, without changing it.
///
/// Exits 0 if a server can start on it, 1 if it is damaged or cannot be read.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Args {
    /// The directory of the log
    #[arg(
        long,
        env = "MEMQ_DATA_DIR",
        value_name = "DIR",
        default_value = "memq-data"
    )]
    data_dir: PathBuf,
}

/// Looks, and says what there is.
pub(crate) fn run(args: &Args) -> ExitCode {
    let shown = args.data_dir.display();
    match check(args) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            println!(
                "`{shown}` cannot be checked: {}; is it the server's --data-dir?",
                chain(error.as_ref())
            );
            ExitCode::FAILURE
        }
    }
}

fn check(args: &Args) -> Result<bool, Box<dyn Error>> {
    let disk = RealDisk::existing(&args.data_dir)?;
    // Bodies stay on disk: a log may be larger than memory.
    let mut replay = Replay::new(0);
    let mut refused = None;
    let found = inspect(&disk, &mut |at, bytes| {
        // The rest of the log is looked at in any case.
        if refused.is_none()
            && let Err(error) = replay.frame(at, bytes)
        {
            refused = Some((at, error));
        }
        Ok(())
    })?;
    for segment in &found.segments {
        println!("{}", of_segment(segment));
    }
    for spare in &found.spares {
        println!("{}: {} bytes, ready to be used", spare.file, spare.size);
    }
    let Inspection {
        end,
        durable,
        epoch,
        ..
    } = found;
    println!("ends at position {end}, synced at least up to {durable}, after {epoch} starts");
    let mut queues = replay.finish();
    queues.sort_unstable_by(|a, b| a.name.cmp(&b.name));
    for queue in &queues {
        println!("{}", of_queue(queue));
    }
    if found.in_use {
        println!("a server uses it: what it writes meanwhile may look cut off");
    }
    if let Some(damage) = &found.damage {
        println!("DAMAGED: {}", chain(damage));
        println!(
            "{} bytes are lost if the server is started with --accept-loss; copy the directory first, or \
             restore a backup",
            found.lost
        );
    }
    if let Some((at, error)) = &refused {
        println!(
            "WRONG: the record at position {at} makes no sense: {}",
            chain(error.as_ref())
        );
        println!("this is a bug, of this release or of the one that wrote it: please report it");
    }
    let sound = found.damage.is_none() && refused.is_none();
    if sound {
        println!("sound");
    }
    Ok(sound)
}

fn of_segment(segment: &SegmentFound) -> String {
    let SegmentFound {
        file,
        size,
        base,
        epoch,
        passed,
    } = segment;
    let read = match passed {
        Some(passed) => format!(
            "{} frames with {} bytes of records",
            passed.frames, passed.bytes
        ),
        None => "not read: the damage lies before it".into(),
    };
    format!("{file}: {size} bytes, from position {base} on, begun at start {epoch}: {read}")
}

fn of_queue(queue: &Recovered) -> String {
    let counts = queue.core.counts();
    format!(
        "queue {}: {} ready, {} leased, {} delayed, {} dead, {} done",
        queue.name, counts.ready, counts.leased, counts.delayed, counts.dead, counts.done
    )
}
