//! Bytes of a queue's items: bodies, results and errors.
//!
//! In memory they lie one behind the other in segments and not in an allocation each. A record is
//! reached through a slot, so that a segment of which little is still live can be moved together and
//! given back: a few old items do not pin the memory of those that left. What memory has no room for
//! lies in the log alone, and its slot says where.

use std::collections::BTreeMap;

use queue_core::Blob;
use queue_log::Lsn;

use super::store::Logged;

/// Largest segment, and what a record may share one: larger records get a segment of their own.
const SEGMENT_BYTES: usize = 1024 * 1024;
/// First segment: a queue of a few items should not cost a mebibyte.
const FIRST_SEGMENT_BYTES: usize = 4 * 1024;
/// Slots grow by this many, so that no growth copies them all.
const SLOTS_A_CHUNK: usize = 4 * 1024;
/// A closed segment is moved together when less than one part in this many is live: a queue worked off
/// in order then copies a quarter of its bytes once.
const LIVE_PART: usize = 4;
/// Bytes of the slot number before each record.
const SLOT_BYTES: usize = 4;

/// Bytes before a record of this length: its slot, and its length in seven bits a byte. Most records are
/// short, and there are millions.
fn header_bytes(len: u32) -> usize {
    SLOT_BYTES + (u32::BITS - (len | 1).leading_zeros()).div_ceil(7) as usize
}

#[derive(Debug, Default)]
pub(crate) struct Bodies {
    segments: BTreeMap<u32, Segment>,
    next_segment: u32,
    /// The segment that takes new records.
    open: Option<u32>,
    slots: Vec<Vec<Slot>>,
    /// Head of the list of vacant slots, which runs through the slots themselves.
    vacant: Option<u32>,
    used_slots: u32,
    live_records: u64,
    /// Capacity of all segments in bytes.
    held: u64,
    /// Bytes of all records, in memory or not, without their headers.
    live_bytes: u64,
}

/// Where bytes are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stored<'a> {
    /// In memory.
    Here(&'a [u8]),
    /// In the log.
    Logged(Logged),
}

#[derive(Debug)]
struct Segment {
    bytes: Vec<u8>,
    /// Bytes of records that are live, headers included.
    live: usize,
}

/// Where a record lies; of a vacant slot, which one is vacant after it. A record in the log has its
/// position there in place of both, with [`LOGGED`] in the higher half.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Slot {
    segment: u32,
    offset: u32,
}

/// Segment number of a vacant slot, and offset of the last in the list of them.
const NONE: u32 = u32::MAX;
/// Set in the segment number of a record that is in the log: a log may be 2^62 bytes long.
const LOGGED: u32 = 1 << 31;

impl Slot {
    fn in_log(at: Lsn) -> Self {
        Self {
            segment: LOGGED | (at.0 >> 32) as u32,
            offset: at.0 as u32,
        }
    }

    fn logged(self) -> Option<Lsn> {
        let high = u64::from(self.segment & !LOGGED);
        (self.segment & LOGGED != 0 && self.segment != NONE)
            .then(|| Lsn(high << 32 | u64::from(self.offset)))
    }
}

impl Bodies {
    /// Keeps a copy of the bytes. A copy, because a slice of a request would pin the whole buffer of
    /// its connection.
    ///
    /// # Panics
    /// If `bytes` is over 4 GiB; the limits of requests are far below.
    pub(crate) fn put(&mut self, bytes: &[u8]) -> Blob {
        let len = u32::try_from(bytes.len()).expect("a record is under 4 GiB");
        let slot = self.take_slot();
        self.append(slot, bytes, len);
        self.live_records += 1;
        self.live_bytes += u64::from(len);
        Blob {
            place: slot.into(),
            len,
        }
    }

    /// Keeps bytes that are in the log where they are.
    pub(crate) fn put_logged(&mut self, logged: Logged) -> Blob {
        let slot = self.take_slot();
        *self.slot_mut(slot) = Slot::in_log(logged.at);
        self.live_records += 1;
        self.live_bytes += u64::from(logged.len);
        Blob {
            place: slot.into(),
            len: logged.len,
        }
    }

    /// Lets go of the bytes in memory: they are in the log. Or, if they were in the log before, they
    /// are somewhere else in it now.
    ///
    /// # Panics
    /// If the blob was freed.
    pub(crate) fn move_to_log(&mut self, blob: Blob, at: Lsn) {
        let number = place(blob);
        let slot = std::mem::replace(self.slot_mut(number), Slot::in_log(at));
        if slot.logged().is_none() {
            self.leave_segment(slot, blob);
        }
    }

    /// The bytes, or where they are.
    ///
    /// # Panics
    /// If the blob was freed.
    pub(crate) fn get(&self, blob: Blob) -> Stored<'_> {
        let slot = self.slot(place(blob));
        if let Some(at) = slot.logged() {
            return Stored::Logged(Logged { at, len: blob.len });
        }
        let start = slot.offset as usize + header_bytes(blob.len);
        let segment = self
            .segments
            .get(&slot.segment)
            .expect("a live record has a segment");
        Stored::Here(&segment.bytes[start..start + blob.len as usize])
    }

    /// Bytes of all records, in memory or not.
    pub(crate) fn live_bytes(&self) -> u64 {
        self.live_bytes
    }

    /// Bytes of memory that it holds, live or not.
    pub(crate) fn held(&self) -> u64 {
        self.held
    }

    /// Lets the bytes go.
    ///
    /// # Panics
    /// If the blob was freed before.
    pub(crate) fn free(&mut self, blob: Blob) {
        let number = place(blob);
        let next = Slot {
            segment: NONE,
            offset: self.vacant.unwrap_or(NONE),
        };
        let slot = std::mem::replace(self.slot_mut(number), next);
        self.vacant = Some(number);
        self.live_records -= 1;
        self.live_bytes -= u64::from(blob.len);
        if self.live_records == 0 {
            *self = Self::default();
        } else if slot.logged().is_none() {
            self.leave_segment(slot, blob);
        }
    }

    /// Counts out of its segment what has left it.
    fn leave_segment(&mut self, slot: Slot, blob: Blob) {
        let segment = self
            .segments
            .get_mut(&slot.segment)
            .expect("a live record has a segment");
        let need = header_bytes(blob.len) + blob.len as usize;
        segment.live -= need;
        // What came last and left first, as all do that are put into the log at once, leaves nothing
        // behind.
        let start = slot.offset as usize;
        if start + need == segment.bytes.len() {
            segment.bytes.truncate(start);
        }
        let is_open = self.open == Some(slot.segment);
        if !is_open {
            self.tidy(slot.segment);
        } else if segment.live == 0 {
            segment.bytes.clear();
            if segment.bytes.capacity() > FIRST_SEGMENT_BYTES {
                self.held -= segment.bytes.capacity() as u64;
                self.segments.remove(&slot.segment);
                self.open = None;
            }
        }
    }

    fn take_slot(&mut self) -> u32 {
        if let Some(slot) = self.vacant {
            let next = self.slot(slot).offset;
            self.vacant = (next != NONE).then_some(next);
            return slot;
        }
        if self
            .slots
            .last()
            .is_none_or(|chunk| chunk.len() == SLOTS_A_CHUNK)
        {
            self.slots.push(Vec::new());
        }
        if let Some(chunk) = self.slots.last_mut() {
            chunk.push(Slot {
                segment: NONE,
                offset: NONE,
            });
        }
        self.used_slots += 1;
        self.used_slots - 1
    }

    /// Writes a record, and has its slot name the place.
    fn append(&mut self, slot: u32, bytes: &[u8], len: u32) {
        let need = header_bytes(len) + bytes.len();
        let before = self.open;
        let id = self.segment_with_room(need);
        let segment = self
            .segments
            .get_mut(&id)
            .expect("a segment with room exists");
        let offset = u32::try_from(segment.bytes.len()).expect("a segment is under 4 GiB");
        segment.bytes.extend_from_slice(&slot.to_le_bytes());
        let mut rest = len;
        while rest >= 0x80 {
            segment.bytes.push(rest as u8 | 0x80);
            rest >>= 7;
        }
        segment.bytes.push(rest as u8);
        segment.bytes.extend_from_slice(bytes);
        segment.live += need;
        *self.slot_mut(slot) = Slot {
            segment: id,
            offset,
        };
        // What was freed while the segment was open is seen now: it may be that nothing is left in
        // it, and then no later free comes by.
        if let Some(closed) = before.filter(|_| self.open != before) {
            self.tidy(closed);
        }
    }

    fn segment_with_room(&mut self, need: usize) -> u32 {
        let open = self.open.and_then(|id| Some((id, self.segments.get(&id)?)));
        let mut size = FIRST_SEGMENT_BYTES;
        if let Some((id, segment)) = open {
            if segment.bytes.capacity() - segment.bytes.len() >= need {
                return id;
            }
            size = (segment.bytes.capacity() * 2).min(SEGMENT_BYTES);
        }
        let id = self.next_segment;
        self.next_segment = self.next_segment.wrapping_add(1) & !LOGGED;
        let alone = need > SEGMENT_BYTES / LIVE_PART;
        let bytes = Vec::with_capacity(if alone { need } else { size.max(need) });
        self.held += bytes.capacity() as u64;
        self.segments.insert(id, Segment { bytes, live: 0 });
        if !alone {
            self.open = Some(id);
        }
        id
    }

    /// Moves what is live in a closed segment to where there is room, if that is little.
    fn tidy(&mut self, id: u32) {
        let little = |segment: &Segment| segment.live < segment.bytes.capacity() / LIVE_PART;
        if self.segments.get(&id).is_some_and(little) {
            self.move_together(id);
        }
    }

    fn move_together(&mut self, id: u32) {
        let Some(old) = self.segments.remove(&id) else {
            return;
        };
        self.held -= old.bytes.capacity() as u64;
        let mut offset = 0;
        while offset < old.bytes.len() {
            let (slot, len, start) = header(&old.bytes, offset);
            let here = Slot {
                segment: id,
                offset: offset as u32,
            };
            let end = start + len as usize;
            if self.slot(slot) == here {
                self.append(slot, &old.bytes[start..end], len);
            }
            offset = end;
        }
    }

    fn slot(&self, number: u32) -> Slot {
        let number = number as usize;
        self.slots[number / SLOTS_A_CHUNK][number % SLOTS_A_CHUNK]
    }

    fn slot_mut(&mut self, number: u32) -> &mut Slot {
        let number = number as usize;
        &mut self.slots[number / SLOTS_A_CHUNK][number % SLOTS_A_CHUNK]
    }
}

/// The slot and the length of the record at an offset, and where its bytes begin.
fn header(bytes: &[u8], offset: usize) -> (u32, u32, usize) {
    let mut slot = [0; SLOT_BYTES];
    slot.copy_from_slice(&bytes[offset..offset + SLOT_BYTES]);
    let mut start = offset + SLOT_BYTES;
    let (mut len, mut shift) = (0, 0);
    loop {
        let byte = bytes[start];
        start += 1;
        len |= u32::from(byte & 0x7f) << shift;
        shift += 7;
        if byte & 0x80 == 0 {
            return (u32::from_le_bytes(slot), len, start);
        }
    }
}

fn place(blob: Blob) -> u32 {
    u32::try_from(blob.place).expect("this store gave the blob")
}

#[cfg(test)]
mod tests;
