//! What a log asks of the medium below it: one directory of files.

use std::fmt::Debug;
use std::io;

/// A directory of files.
pub trait Disk: Debug + Send + Sync {
    /// Names of the files.
    fn list(&self) -> io::Result<Vec<String>>;
    /// A new file of so many zero bytes, allocated, written and synced: overwriting it converts no
    /// extent and changes no length. After a crash it is there whole or not at all.
    fn create(&self, name: &str, bytes: u64) -> io::Result<Box<dyn DiskFile>>;
    /// A file that exists.
    fn open(&self, name: &str) -> io::Result<Box<dyn DiskFile>>;
    /// Gives a file another name. On disk when it returns. Whoever has it open goes on using it.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;
    /// Lets a file go. On disk when it returns. Whoever has it open goes on using it.
    fn remove(&self, name: &str) -> io::Result<()>;
    /// Keeps every other process out until the disk is dropped. `WouldBlock` if one is in.
    fn lock(&self) -> io::Result<()>;
    /// Bytes that new files may take; `u64::MAX` if nobody knows.
    fn free(&self) -> io::Result<u64> {
        Ok(u64::MAX)
    }
    /// Bytes of all there is room for, used or not; `u64::MAX` if nobody knows.
    fn size(&self) -> io::Result<u64> {
        Ok(u64::MAX)
    }
}

/// A file that is read and written at places.
pub trait DiskFile: Debug + Send + Sync {
    /// Its length in bytes.
    fn len(&self) -> io::Result<u64>;
    /// Whether it has no bytes.
    fn is_empty(&self) -> io::Result<bool> {
        Ok(self.len()? == 0)
    }
    /// Fills the buffer from this offset on; `UnexpectedEof` past the end.
    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<()>;
    /// Writes all of the bytes at this offset.
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()>;
    /// Makes what was written survive a loss of power. After a failure what was written since the
    /// last success may be lost, whatever a later call says.
    fn sync(&self) -> io::Result<()>;
}
