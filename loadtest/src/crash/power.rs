//! Lives that end without notice, on a disk that fails on demand: the power goes in the middle of a
//! write, the disk fails a write or a sync, the wall clock is set anew.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use queue_log::Disk;
use queue_log::faulty::FaultyDisk;

use super::chance::Chance;
use super::ending;
use super::inside::{CREW, Life, TODAY};
use super::load::Load;
use super::scenario::{Report, Setting};

/// How long a life lasts, in milliseconds.
const LIFE: (u64, u64) = (10, 250);
/// After how many more operations the power goes, or a write or sync fails: within a few groups.
const SOON: u64 = 12;
/// How far the wall clock jumps: a year.
const JUMP: Duration = Duration::from_secs(365 * 24 * 3600);

/// How a life ends.
#[derive(Debug, Clone, Copy)]
enum Blow {
    /// The power goes: what was not synced is there, gone, or torn, in any order.
    Power,
    /// A write fails, and half of it is done.
    Write,
    /// A sync fails, and what it should have synced is lost with the power.
    Sync,
    /// The process ends and the wall clock is set forth or back.
    Clock,
}

/// The power goes.
pub(super) async fn cut(setting: &Setting) -> Result<Report> {
    lives(setting, &[Blow::Power], honest).await
}

/// Writes and syncs fail.
pub(super) async fn errors(setting: &Setting) -> Result<Report> {
    lives(setting, &[Blow::Write, Blow::Sync], honest).await
}

/// The wall clock jumps.
pub(super) async fn clock(setting: &Setting) -> Result<Report> {
    lives(setting, &[Blow::Clock], honest).await
}

/// The disk as it is.
fn honest(disk: &FaultyDisk) -> Arc<dyn Disk> {
    Arc::new(disk.clone())
}

/// Lives that end by these blows in turns, on a disk that the server sees as `seen` shows it.
async fn lives(
    setting: &Setting,
    blows: &[Blow],
    seen: fn(&FaultyDisk) -> Arc<dyn Disk>,
) -> Result<Report> {
    let mut chance = Chance::new(setting.seed, blows.len() as u64 + 7);
    let mut disk = FaultyDisk::new();
    let mut life = Life::start(seen(&disk), TODAY).await?;
    let mut load = Load::start(&life.target, setting.seed, CREW).await?;
    let mut recoveries = Vec::new();
    let times = if setting.short { 10 } else { 100 };
    for number in 0..times {
        load.go_on(chance.millis(LIFE.0, LIFE.1)).await?;
        let blow = blows[number % blows.len()];
        let mut wall_clock = TODAY;
        let nth = 1 + chance.below(SOON);
        match blow {
            Blow::Power => disk.power_off_after(nth),
            Blow::Write => disk.fail_write(nth),
            Blow::Sync => disk.fail_sync(nth),
            Blow::Clock => {
                wall_clock = match chance.below(3) {
                    0 => TODAY + JUMP,
                    1 => TODAY - JUMP,
                    _ => TODAY,
                };
                disk.power_off_after(0);
            }
        }
        load.while_it(life.fails()).await?;
        life.drop_dead(&disk);
        disk = match blow {
            Blow::Power | Blow::Sync => disk.crash(setting.seed ^ number as u64),
            Blow::Write | Blow::Clock => disk.kill(),
        };
        life = Life::start(seen(&disk), wall_clock).await?;
        recoveries.push(life.recovery);
        load.field.server_is_at(&life.target);
    }
    let audit = ending::audit(load, &life.target).await?;
    life.end().await?;
    Ok(Report {
        audit,
        blows: times as u64,
        recoveries,
    })
}

#[cfg(test)]
mod tests {
    use std::io;

    use queue_log::DiskFile;

    use super::*;
    use crate::scratch::Scratch;

    /// A disk that says that it has synced and has not.
    #[derive(Debug)]
    struct LyingDisk(FaultyDisk);

    #[derive(Debug)]
    struct LyingFile(Box<dyn DiskFile>);

    impl Disk for LyingDisk {
        fn list(&self) -> io::Result<Vec<String>> {
            self.0.list()
        }

        fn create(&self, name: &str, bytes: u64) -> io::Result<Box<dyn DiskFile>> {
            Ok(Box::new(LyingFile(self.0.create(name, bytes)?)))
        }

        fn open(&self, name: &str) -> io::Result<Box<dyn DiskFile>> {
            Ok(Box::new(LyingFile(self.0.open(name)?)))
        }

        fn rename(&self, from: &str, to: &str) -> io::Result<()> {
            self.0.rename(from, to)
        }

        fn remove(&self, name: &str) -> io::Result<()> {
            self.0.remove(name)
        }

        fn lock(&self) -> io::Result<()> {
            self.0.lock()
        }
    }

    impl DiskFile for LyingFile {
        fn len(&self) -> io::Result<u64> {
            self.0.len()
        }

        fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<()> {
            self.0.read_at(bytes, offset)
        }

        fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
            self.0.write_at(bytes, offset)
        }

        fn sync(&self) -> io::Result<()> {
            Ok(())
        }
    }

    #[tokio::test]
    async fn a_disk_that_lies_about_its_syncs_is_found_out() {
        let setting = Setting {
            program: None,
            scratch: Scratch::new(&std::env::temp_dir(), "lying-disk").expect("a directory"),
            short: true,
            kills: 0,
            seed: 7,
        };
        let lies = |disk: &FaultyDisk| -> Arc<dyn Disk> { Arc::new(LyingDisk(disk.clone())) };
        let found = lives(&setting, &[Blow::Power], lies).await;
        // Either the ledger misses something, or the log itself sees that synced bytes are gone.
        match found {
            Ok(report) => assert!(report.audit.lost() > 0, "{}", report.audit),
            Err(error) => {
                let error = format!("{error:#}");
                assert!(
                    error.contains("recover") || error.contains("404"),
                    "{error}"
                );
            }
        }
    }
}
