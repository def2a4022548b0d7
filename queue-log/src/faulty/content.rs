//! The bytes of one file: as they are read, and as the medium has them.

use std::sync::Arc;

use super::chance::Chance;

/// What the medium writes whole or not at all.
const SECTOR: u64 = 512;

#[derive(Debug, Clone)]
pub(super) struct Content {
    /// What survives a loss of power for sure. Images share it.
    synced: Arc<Vec<u8>>,
    /// What is read: the system's cache.
    current: Arc<Vec<u8>>,
    /// Written since the last sync, in order.
    pending: Vec<(u64, Vec<u8>)>,
    /// Where reading fails.
    bad: Option<u64>,
}

impl Content {
    pub(super) fn zeros(bytes: u64) -> Self {
        Self::of(Arc::new(vec![0; bytes as usize]))
    }

    fn of(bytes: Arc<Vec<u8>>) -> Self {
        Self {
            synced: Arc::clone(&bytes),
            current: bytes,
            pending: Vec::new(),
            bad: None,
        }
    }

    pub(super) fn len(&self) -> u64 {
        self.current.len() as u64
    }

    pub(super) fn read(&self) -> &[u8] {
        &self.current
    }

    pub(super) fn write(&mut self, bytes: &[u8], offset: u64) {
        put(&mut self.current, bytes, offset);
        self.pending.push((offset, bytes.to_vec()));
    }

    pub(super) fn sync(&mut self) {
        for (offset, bytes) in self.pending.drain(..) {
            put(&mut self.synced, &bytes, offset);
        }
    }

    /// What was not synced counts as clean: it is read, and never reaches the medium.
    pub(super) fn forget(&mut self) {
        self.pending.clear();
    }

    /// What is surely left after a loss of power.
    pub(super) fn synced(&self) -> Self {
        Self::of(Arc::clone(&self.synced))
    }

    /// What may be left after a loss of power.
    pub(super) fn crash(&self, chance: &mut Chance) -> Self {
        let mut left = Arc::clone(&self.synced);
        let mut pending: Vec<&(u64, Vec<u8>)> = self.pending.iter().collect();
        while !pending.is_empty() {
            let at = chance.below(pending.len() as u64) as usize;
            let (offset, bytes) = pending.swap_remove(at);
            match chance.below(3) {
                0 => {}
                1 => put(&mut left, bytes, *offset),
                _ => tear(&mut left, bytes, *offset, chance),
            }
        }
        Self::of(left)
    }

    pub(super) fn go_bad(&mut self, at: u64) {
        self.bad = Some(at);
    }

    /// Whether a read of this range fails.
    pub(super) fn is_bad(&self, offset: u64, length: usize) -> bool {
        let range = offset..offset + length as u64;
        self.bad.is_some_and(|bad| range.contains(&bad))
    }

    pub(super) fn damage(&mut self, damage: impl FnOnce(&mut [u8])) {
        self.sync();
        let mut bytes = Vec::clone(&self.synced);
        damage(&mut bytes);
        *self = Self::of(Arc::new(bytes));
    }
}

fn put(into: &mut Arc<Vec<u8>>, bytes: &[u8], offset: u64) {
    let (from, into) = (offset as usize, Arc::make_mut(into));
    let end = from + bytes.len();
    if into.len() < end {
        into.resize(end, 0);
    }
    into[from..end].copy_from_slice(bytes);
}

/// Writes some of the sectors that a write touches.
fn tear(into: &mut Arc<Vec<u8>>, bytes: &[u8], offset: u64, chance: &mut Chance) {
    let mut at = 0;
    while at < bytes.len() {
        let here = offset + at as u64;
        let rest = (here / SECTOR + 1) * SECTOR - here;
        let upto = (at + rest as usize).min(bytes.len());
        if chance.below(2) == 0 {
            put(into, &bytes[at..upto], here);
        }
        at = upto;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written() -> Content {
        let mut content = Content::zeros(4096);
        content.write(&[1; 1024], 0);
        content.sync();
        content.write(&[2; 2048], 512);
        content
    }

    #[test]
    fn what_was_synced_survives_every_crash() {
        for seed in 0..100 {
            let left = written().crash(&mut Chance::new(seed));
            assert_eq!(left.read()[..512], [1; 512]);
            assert_eq!(left.read()[2560..], [0; 1536]);
        }
    }

    #[test]
    fn what_was_not_synced_is_kept_lost_or_torn_between_sectors() {
        let mut seen = [false; 3];
        for seed in 0..100 {
            let left = written().crash(&mut Chance::new(seed));
            let sectors: Vec<&[u8]> = left.read()[512..2560].chunks(512).collect();
            assert!(sectors.iter().all(|s| s.iter().all(|byte| *byte == s[0])));
            match sectors.iter().filter(|sector| sector[0] == 2).count() {
                0 => seen[0] = true,
                4 => seen[1] = true,
                _ => seen[2] = true,
            }
        }
        assert_eq!(seen, [true; 3]);
    }

    #[test]
    fn what_a_failed_sync_forgot_is_read_and_lost_with_the_power() {
        let mut content = written();
        content.forget();
        content.sync();
        assert_eq!(content.read()[600], 2);
        assert_eq!(content.crash(&mut Chance::new(0)).read()[600], 1);
    }
}
