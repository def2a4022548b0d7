//! The smallest parts of a record: numbers, byte strings with their checksum, names of workers.
//!
//! Both directions stand side by side, so that a change of one is seen beside the other.

use std::sync::Arc;

use queue_log::{Lsn, Record};

/// Names that a record can refer to again by number; later ones are written out each time.
const NAMES_A_RECORD: usize = 32;

/// Bytes before a record proper: its length, least byte first.
const LENGTH_BYTES: usize = 4;
/// Bytes before a byte string proper: its CRC-32C.
pub(super) const CHECKSUM_BYTES: usize = 4;

/// A record does not read as one: it was written by another release, or by a bug.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} is malformed or cut off")]
pub(crate) struct Malformed {
    what: &'static str,
}

impl Malformed {
    pub(super) fn new(what: &'static str) -> Self {
        Self { what }
    }
}

/// Writes the parts of one record.
pub(super) struct Writer<'r, 'b> {
    record: &'r mut Record<'b>,
    /// Where the record's length stands.
    start: Lsn,
    names: [*const u8; NAMES_A_RECORD],
    known: usize,
    /// The trace that was written last.
    trace: *const u8,
}

impl<'r, 'b> Writer<'r, 'b> {
    /// Begins a record of a kind about a queue. Its length is written when the writer is dropped.
    pub(super) fn begin(record: &'r mut Record<'b>, kind: u8, incarnation: u64) -> Self {
        let start = record.position();
        record.put(&[0; LENGTH_BYTES]);
        record.put_u8(kind);
        record.put(&incarnation.to_le_bytes());
        Self {
            record,
            start,
            names: [std::ptr::null(); NAMES_A_RECORD],
            known: 0,
            trace: std::ptr::null(),
        }
    }

    pub(super) fn u8(&mut self, byte: u8) {
        self.record.put_u8(byte);
    }

    /// Eight bytes, least first: for what is random anyhow.
    pub(super) fn word(&mut self, word: u64) {
        self.record.put(&word.to_le_bytes());
    }

    /// Seven bits a byte, least first, the highest bit set on all but the last.
    pub(super) fn number(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.record.put_u8(number as u8 | 0x80);
            number >>= 7;
        }
        self.record.put_u8(number as u8);
    }

    /// Small negative numbers stay short: 0, -1, 1, -2…
    pub(super) fn signed(&mut self, number: i32) {
        self.number(u64::from(((number << 1) ^ (number >> 31)) as u32));
    }

    /// Length and bytes.
    pub(super) fn text(&mut self, text: &[u8]) {
        self.number(text.len() as u64);
        self.record.put(text);
    }

    /// Length, checksum and bytes; the address of the checksum, from which they can be read again.
    pub(super) fn blob(&mut self, bytes: &[u8]) -> Lsn {
        self.number(bytes.len() as u64);
        let at = self.record.position();
        self.record.put(&crc32c::crc32c(bytes).to_le_bytes());
        self.record.put(bytes);
        at
    }

    /// 0: none; 1: written out here; more: the one that was written out as that number less 2.
    pub(super) fn name(&mut self, name: Option<&Arc<str>>) {
        let Some(name) = name else {
            return self.u8(0);
        };
        let known = &self.names[..self.known];
        if let Some(at) = known.iter().position(|known| *known == name.as_ptr()) {
            return self.number(at as u64 + 2);
        }
        self.u8(1);
        self.text(name.as_bytes());
        if let Some(place) = self.names.get_mut(self.known) {
            *place = name.as_ptr();
            self.known += 1;
        }
    }

    /// A text, or an empty one for the same as the last. Not among the names: there may be one an item.
    pub(super) fn trace(&mut self, trace: &Arc<str>) {
        if self.trace == trace.as_ptr() {
            return self.text(&[]);
        }
        self.text(trace.as_bytes());
        self.trace = trace.as_ptr();
    }
}

impl Drop for Writer<'_, '_> {
    fn drop(&mut self) {
        let end = self.record.position();
        let len = end.0 - self.start.0 - LENGTH_BYTES as u64;
        let len = u32::try_from(len).expect("a record is under 4 GiB");
        self.record.patch(self.start, &len.to_le_bytes());
    }
}

/// Reads the parts of one record.
#[derive(Debug, Clone)]
pub(super) struct Reader<'b> {
    bytes: &'b [u8],
    /// Address of the first of `bytes`.
    at: Lsn,
    names: Vec<Arc<str>>,
    trace: Option<Arc<str>>,
}

/// A byte string in a record.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stored<'b> {
    pub(super) bytes: &'b [u8],
    /// Where its checksum lies.
    pub(super) at: Lsn,
}

impl<'b> Reader<'b> {
    pub(super) fn new(bytes: &'b [u8], at: Lsn) -> Self {
        Self {
            bytes,
            at,
            names: Vec::new(),
            trace: None,
        }
    }

    pub(super) fn is_at_end(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Address of what comes next.
    pub(super) fn position(&self) -> Lsn {
        self.at
    }

    /// Takes out the next record, without looking into it.
    pub(super) fn record(&mut self) -> Result<Self, Malformed> {
        let mut len = [0; LENGTH_BYTES];
        len.copy_from_slice(self.take(LENGTH_BYTES, "the length of a record")?);
        let at = self.at;
        let bytes = self.take(u32::from_le_bytes(len) as usize, "a record")?;
        Ok(Self::new(bytes, at))
    }

    pub(super) fn take(&mut self, len: usize, what: &'static str) -> Result<&'b [u8], Malformed> {
        let (taken, rest) = self
            .bytes
            .split_at_checked(len)
            .ok_or(Malformed::new(what))?;
        self.bytes = rest;
        self.at.0 += len as u64;
        Ok(taken)
    }

    pub(super) fn u8(&mut self, what: &'static str) -> Result<u8, Malformed> {
        Ok(self.take(1, what)?[0])
    }

    pub(super) fn word(&mut self, what: &'static str) -> Result<u64, Malformed> {
        let mut word = [0; 8];
        word.copy_from_slice(self.take(8, what)?);
        Ok(u64::from_le_bytes(word))
    }

    pub(super) fn number(&mut self, what: &'static str) -> Result<u64, Malformed> {
        let mut number = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.u8(what)?;
            let bits = u64::from(byte & 0x7f);
            if shift == 63 && bits > 1 {
                break;
            }
            number |= bits << shift;
            if byte & 0x80 == 0 {
                return Ok(number);
            }
        }
        Err(Malformed::new(what))
    }

    pub(super) fn signed(&mut self, what: &'static str) -> Result<i32, Malformed> {
        let number = u32::try_from(self.number(what)?).map_err(|_| Malformed::new(what))?;
        Ok((number >> 1) as i32 ^ -((number & 1) as i32))
    }

    pub(super) fn text(&mut self, what: &'static str) -> Result<&'b [u8], Malformed> {
        let len = self.number(what)?;
        self.take(usize::try_from(len).unwrap_or(usize::MAX), what)
    }

    pub(super) fn blob(&mut self, what: &'static str) -> Result<Stored<'b>, Malformed> {
        let len = usize::try_from(self.number(what)?).unwrap_or(usize::MAX);
        let at = self.position();
        // The frame's own checksum was right, so this one is not looked at here.
        self.take(CHECKSUM_BYTES, what)?;
        let bytes = self.take(len, what)?;
        Ok(Stored { bytes, at })
    }

    pub(super) fn name(
        &mut self,
        intern: &mut dyn FnMut(&str) -> Arc<str>,
    ) -> Result<Option<Arc<str>>, Malformed> {
        let malformed = Malformed::new("the name of a worker");
        match self.number(malformed.what)? {
            0 => Ok(None),
            1 => {
                let text = self.text(malformed.what)?;
                let name = intern(std::str::from_utf8(text).map_err(|_| malformed)?);
                if self.names.len() < NAMES_A_RECORD {
                    self.names.push(Arc::clone(&name));
                }
                Ok(Some(name))
            }
            known => {
                let at = usize::try_from(known - 2).ok();
                let name = at.and_then(|at| self.names.get(at)).ok_or(malformed)?;
                Ok(Some(Arc::clone(name)))
            }
        }
    }

    pub(super) fn trace(&mut self) -> Result<Arc<str>, Malformed> {
        let malformed = Malformed::new("a trace");
        let text = std::str::from_utf8(self.text(malformed.what)?);
        match text.map_err(|_| malformed.clone())? {
            "" => self.trace.clone().ok_or(malformed),
            text => Ok(Arc::clone(self.trace.insert(text.into()))),
        }
    }
}

/// The bytes of a byte string that was read back by its address, if they are what was written.
pub(super) fn checked(stored: &[u8]) -> Option<&[u8]> {
    let (sum, bytes) = stored.split_at_checked(CHECKSUM_BYTES)?;
    (sum == crc32c::crc32c(bytes).to_le_bytes()).then_some(bytes)
}
