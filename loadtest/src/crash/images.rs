//! The disk as it was at every sync, opened again: each image must hold all that was acknowledged by
//! then.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::Result;
use queue_log::faulty::FaultyDisk;
use queue_log::{Disk, DiskFile};

use super::chance::Chance;
use super::ending;
use super::inside::{CREW, Life, TODAY};
use super::load::{Load, Phase};
use super::scenario::{Report, Setting};
use crate::ledger::{Book, Tick};

/// How long the load lasts of which images are kept.
const LOAD: Duration = Duration::from_millis(400);

pub(super) async fn run(setting: &Setting) -> Result<Report> {
    let mut report = Report::default();
    let lives = if setting.short { 1 } else { 5 };
    for number in 0..lives {
        one(setting, number, &mut report).await?;
    }
    Ok(report)
}

/// One life under load, and everything that was kept of it.
async fn one(setting: &Setting, number: u64, report: &mut Report) -> Result<()> {
    let chance = Chance::new(setting.seed, 40 + number);
    let camera = Camera::new(chance, if setting.short { 10 } else { 40 });
    let disk = WatchedDisk {
        disk: FaultyDisk::new(),
        camera: camera.clone(),
    };
    let life = Life::start(Arc::new(disk), TODAY).await?;
    let mut load = Load::start(&life.target, setting.seed ^ number, CREW).await?;
    camera.watch(&load.field.book);
    load.go_on(LOAD).await?;
    let images = camera.images();
    let field = load.end().await?;
    life.end().await?;
    for (seen, disk) in images {
        let life = Life::start(Arc::new(disk), TODAY).await?;
        report.recoveries.push(life.recovery);
        let book = Book::of(field.book.lock().as_of(seen));
        let load = Load::resume(&life.target, setting.seed, CREW, book, Phase::Drain)?;
        let audit = ending::audit(load, &life.target).await?;
        life.end().await?;
        report.audit.add(&audit);
        report.blows += 1;
    }
    Ok(())
}

/// Keeps images of a disk, each with the moment until which the ledger had heard answers.
#[derive(Debug, Clone)]
struct Camera(Arc<Mutex<Film>>);

#[derive(Debug)]
struct Film {
    book: Option<Book>,
    chance: Chance,
    images: Vec<(Tick, FaultyDisk)>,
    /// Most images; of more, chance decides which are kept.
    most: usize,
    seen: u64,
}

impl Camera {
    fn new(chance: Chance, most: usize) -> Self {
        Self(Arc::new(Mutex::new(Film {
            book: None,
            chance,
            images: Vec::new(),
            most,
            seen: 0,
        })))
    }

    fn lock(&self) -> MutexGuard<'_, Film> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn watch(&self, book: &Book) {
        self.lock().book = Some(book.clone());
    }

    /// The images so far; no more are kept.
    fn images(&self) -> Vec<(Tick, FaultyDisk)> {
        let mut film = self.lock();
        film.book = None;
        std::mem::take(&mut film.images)
    }

    /// Whatever was acknowledged by now must be on what `left` gives; it is asked only for images that
    /// are kept.
    fn take(&self, left: impl FnOnce(u64) -> FaultyDisk) {
        let mut film = self.lock();
        let Some(book) = film.book.clone() else {
            return;
        };
        film.seen += 1;
        let (seen, most) = (film.seen, film.most);
        // Each image is as likely as any other to be kept (reservoir sampling).
        let place = if film.images.len() < most {
            film.images.len()
        } else {
            film.chance.below(seen) as usize
        };
        if place >= most {
            return;
        }
        // First the moment: what is acknowledged after it may be missing.
        let tick = book.lock().tick();
        let image = (tick, left(seen));
        if place < film.images.len() {
            film.images[place] = image;
        } else {
            film.images.push(image);
        }
    }
}

/// A disk that is photographed at every sync: before it as a loss of power then may leave it, and
/// after it with everything that was not synced gone.
#[derive(Debug)]
struct WatchedDisk {
    disk: FaultyDisk,
    camera: Camera,
}

#[derive(Debug)]
struct WatchedFile {
    file: Box<dyn DiskFile>,
    disk: FaultyDisk,
    camera: Camera,
}

impl WatchedDisk {
    fn watched(&self, file: Box<dyn DiskFile>) -> Box<dyn DiskFile> {
        Box::new(WatchedFile {
            file,
            disk: self.disk.clone(),
            camera: self.camera.clone(),
        })
    }
}

impl Disk for WatchedDisk {
    fn list(&self) -> io::Result<Vec<String>> {
        self.disk.list()
    }

    fn create(&self, name: &str, bytes: u64) -> io::Result<Box<dyn DiskFile>> {
        Ok(self.watched(self.disk.create(name, bytes)?))
    }

    fn open(&self, name: &str) -> io::Result<Box<dyn DiskFile>> {
        Ok(self.watched(self.disk.open(name)?))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.disk.rename(from, to)
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.disk.remove(name)
    }

    fn lock(&self) -> io::Result<()> {
        self.disk.lock()
    }

    fn free(&self) -> io::Result<u64> {
        self.disk.free()
    }
}

impl DiskFile for WatchedFile {
    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }

    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<()> {
        self.file.read_at(bytes, offset)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.file.write_at(bytes, offset)
    }

    fn sync(&self) -> io::Result<()> {
        self.camera.take(|seed| self.disk.crash(seed));
        self.file.sync()?;
        self.camera.take(|seed| self.disk.crash(seed));
        Ok(())
    }
}
