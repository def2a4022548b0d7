//! Writing one record into the group that gathers.

use crate::Lsn;

/// The end of the group that gathers: bytes go in, and each has its address at once, so that whoever
/// appends can keep it.
#[derive(Debug)]
pub struct Record<'a> {
    pub(crate) bytes: &'a mut Vec<u8>,
    /// Address of the first byte of `bytes`.
    pub(crate) base: Lsn,
}

impl Record<'_> {
    /// The address that the next byte will have.
    #[must_use]
    pub fn position(&self) -> Lsn {
        Lsn(self.base.0 + self.bytes.len() as u64)
    }

    /// Appends bytes.
    pub fn put(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// Writes over bytes of this record, for a length that is known only at its end.
    ///
    /// # Panics
    /// If they are not of the group.
    pub fn patch(&mut self, at: Lsn, bytes: &[u8]) {
        let start = (at.0 - self.base.0) as usize;
        self.bytes[start..start + bytes.len()].copy_from_slice(bytes);
    }

    /// Appends one byte.
    pub fn put_u8(&mut self, byte: u8) {
        self.bytes.push(byte);
    }
}
