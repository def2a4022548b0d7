//! A disk in memory that fails on demand: for tests of whatever keeps a log, in this crate and in
//! others. It tells what was written from what was synced, and shows what may be left after a loss of
//! power. Time and chance are not known here: faults are counted, and crashes are told their seed.

mod chance;
mod content;

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::{Disk, DiskFile};
pub use chance::Chance;
use content::Content;

/// A disk in memory. Clones are the same disk; [`FaultyDisk::crash`] and [`FaultyDisk::kill`] give
/// the disk that the next process finds.
#[derive(Debug, Clone, Default)]
pub struct FaultyDisk(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    /// Wakes those who wait in a slow sync when it is slow no more.
    quick: Condvar,
}

#[derive(Debug, Default)]
struct State {
    names: BTreeMap<String, usize>,
    /// Files by the numbers that handles have; those that were removed stay for them.
    files: Vec<Content>,
    locked: bool,
    /// Bytes that all files with a name may have.
    capacity: Option<u64>,
    slow: Duration,
    writes: u64,
    syncs: u64,
    /// How many more writes, syncs and operations of any kind go well.
    fail_write: Option<u64>,
    fail_sync: Option<u64>,
    power: Option<u64>,
    images: Option<Vec<FaultyDisk>>,
}

impl FaultyDisk {
    /// An empty disk without faults.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Lets the n-th write from now on fail, 1 being the next. Half of it is written.
    pub fn fail_write(&self, n: u64) {
        self.state().fail_write = Some(n);
    }

    /// Lets the n-th sync from now on fail, 1 being the next. What it should have synced counts as
    /// clean and is lost with the power, whatever later syncs say, as Linux has it.
    pub fn fail_sync(&self, n: u64) {
        self.state().fail_sync = Some(n);
    }

    /// Lets n more operations that change something go well (writes, syncs, making, renaming and
    /// removing files) and none after them, reads neither. `crash` or `kill` gives the disk with
    /// power.
    pub fn power_off_after(&self, n: u64) {
        self.state().power = Some(n);
    }

    /// Has room for so many bytes of files from now on, and refuses more as a full disk does.
    pub fn fill_up(&self, bytes: u64) {
        self.state().capacity = Some(bytes);
    }

    /// Is never full again.
    pub fn make_room(&self) {
        self.state().capacity = None;
    }

    /// Lets each sync take so long.
    pub fn slow_sync(&self, takes: Duration) {
        self.state().slow = takes;
        self.0.quick.notify_all();
    }

    /// Keeps an image of the disk after every sync from now on.
    pub fn keep_images(&self) {
        self.state().images = Some(Vec::new());
    }

    /// The images since [`FaultyDisk::keep_images`]: each as after a loss of power right after a
    /// sync, that took everything that was not synced.
    #[must_use]
    pub fn images(&self) -> Vec<Self> {
        self.state().images.clone().unwrap_or_default()
    }

    /// Writes since the start.
    #[must_use]
    pub fn writes(&self) -> u64 {
        self.state().writes
    }

    /// Syncs since the start.
    #[must_use]
    pub fn syncs(&self) -> u64 {
        self.state().syncs
    }

    /// The disk as it may look after a loss of power: each write that was not synced is there, is
    /// not, or is there in part (by sectors of 512 bytes), whatever came before or after it.
    #[must_use]
    pub fn crash(&self, seed: u64) -> Self {
        let mut chance = Chance::new(seed);
        self.next(|content| content.crash(&mut chance))
    }

    /// The disk as it is when the process is gone and the machine goes on: what was written is
    /// there, and still to be synced.
    #[must_use]
    pub fn kill(&self) -> Self {
        self.next(Content::clone)
    }

    /// The bytes of a file, as they are read.
    ///
    /// # Panics
    ///
    /// If there is no such file.
    #[must_use]
    pub fn bytes(&self, file: &str) -> Vec<u8> {
        let state = self.state();
        let number = state.names.get(file).copied();
        let number = number.unwrap_or_else(|| panic!("there is no file `{file}`"));
        state.files[number].read().to_vec()
    }

    /// Changes bytes of a file that were synced, as a medium does that forgets.
    ///
    /// # Panics
    ///
    /// If there is no such file.
    pub fn damage(&self, file: &str, damage: impl FnOnce(&mut [u8])) {
        let mut state = self.state();
        let number = state.names.get(file).copied();
        let number = number.unwrap_or_else(|| panic!("there is no file `{file}`"));
        state.files[number].damage(damage);
    }

    /// Lets every read of this place of a file fail from now on, as a bad sector does.
    ///
    /// # Panics
    ///
    /// If there is no such file.
    pub fn go_bad(&self, file: &str, at: u64) {
        let mut state = self.state();
        let number = state.names.get(file).copied();
        let number = number.unwrap_or_else(|| panic!("there is no file `{file}`"));
        state.files[number].go_bad(at);
    }

    fn next(&self, mut after: impl FnMut(&Content) -> Content) -> Self {
        let state = self.state();
        let mut next = State {
            capacity: state.capacity,
            ..State::default()
        };
        for (name, number) in &state.names {
            next.names.insert(name.clone(), next.files.len());
            next.files.push(after(&state.files[*number]));
        }
        Self(Arc::new(Shared {
            state: Mutex::new(next),
            quick: Condvar::new(),
        }))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Counts an operation that changes something.
    fn change(&mut self) -> io::Result<()> {
        self.alive()?;
        if let Some(left) = &mut self.power {
            *left -= 1;
        }
        Ok(())
    }

    fn alive(&self) -> io::Result<()> {
        match self.power {
            Some(0) => Err(io::Error::other("the power is off")),
            _ => Ok(()),
        }
    }

    fn number(&self, name: &str) -> io::Result<usize> {
        let number = self.names.get(name).copied();
        number.ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn free(&self) -> u64 {
        let used = self.names.values().map(|number| self.files[*number].len());
        self.capacity
            .map_or(u64::MAX, |capacity| capacity.saturating_sub(used.sum()))
    }
}

/// Counts down to a failure: true when it is due.
fn due(fault: &mut Option<u64>) -> bool {
    let Some(left) = fault else { return false };
    *left = left.saturating_sub(1);
    let due = *left == 0;
    if due {
        *fault = None;
    }
    due
}

impl Disk for FaultyDisk {
    fn list(&self) -> io::Result<Vec<String>> {
        let state = self.state();
        state.alive()?;
        Ok(state.names.keys().cloned().collect())
    }

    fn create(&self, name: &str, bytes: u64) -> io::Result<Box<dyn DiskFile>> {
        let mut state = self.state();
        state.change()?;
        if state.free() < bytes {
            return Err(io::ErrorKind::StorageFull.into());
        }
        let number = state.files.len();
        state.files.push(Content::zeros(bytes));
        state.names.insert(name.to_owned(), number);
        Ok(Box::new(FaultyFile {
            disk: self.clone(),
            number,
        }))
    }

    fn open(&self, name: &str) -> io::Result<Box<dyn DiskFile>> {
        let state = self.state();
        state.alive()?;
        let number = state.number(name)?;
        Ok(Box::new(FaultyFile {
            disk: self.clone(),
            number,
        }))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut state = self.state();
        state.change()?;
        let number = state.number(from)?;
        state.names.remove(from);
        state.names.insert(to.to_owned(), number);
        Ok(())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let mut state = self.state();
        state.change()?;
        state.number(name)?;
        state.names.remove(name);
        Ok(())
    }

    fn lock(&self) -> io::Result<()> {
        let mut state = self.state();
        state.alive()?;
        if state.locked {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        state.locked = true;
        Ok(())
    }

    fn free(&self) -> io::Result<u64> {
        Ok(self.state().free())
    }
}

/// A file of such a disk.
#[derive(Debug)]
struct FaultyFile {
    disk: FaultyDisk,
    number: usize,
}

impl DiskFile for FaultyFile {
    fn len(&self) -> io::Result<u64> {
        let state = self.disk.state();
        state.alive()?;
        Ok(state.files[self.number].len())
    }

    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<()> {
        let state = self.disk.state();
        state.alive()?;
        let from = offset as usize;
        let content = &state.files[self.number];
        if content.is_bad(offset, bytes.len()) {
            return Err(io::Error::other("the disk fails a read"));
        }
        let found = content.read();
        let found = found.get(from..from + bytes.len());
        bytes.copy_from_slice(found.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let mut state = self.disk.state();
        state.change()?;
        state.writes += 1;
        let fails = due(&mut state.fail_write);
        let content = &mut state.files[self.number];
        if fails {
            content.write(&bytes[..bytes.len() / 2], offset);
            return Err(io::Error::other("the disk fails a write"));
        }
        content.write(bytes, offset);
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        let state = self.disk.state();
        let slow = state.slow;
        let waits = |state: &mut State| state.slow == slow && !slow.is_zero();
        let (mut state, _) = self
            .disk
            .0
            .quick
            .wait_timeout_while(state, slow, waits)
            .unwrap_or_else(PoisonError::into_inner);
        state.change()?;
        state.syncs += 1;
        if due(&mut state.fail_sync) {
            state.files[self.number].forget();
            return Err(io::Error::other("the disk fails a sync"));
        }
        state.files[self.number].sync();
        if let Some(mut images) = state.images.take() {
            drop(state);
            images.push(self.disk.next(Content::synced));
            state = self.disk.state();
            state.images = Some(images);
        }
        Ok(())
    }
}
