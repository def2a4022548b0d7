//! An append-only log that keeps what it acknowledged.
//!
//! It knows bytes, not items: records are appended to a *group*, a group becomes one *frame*, a frame
//! is written and synced to a *segment* by one thread. While one sync runs the next group gathers.
//! Time is not known here, nor are tasks: whoever waits is told of progress by a callback.
//!
//! docs/data-format.md says what is on disk, and what is made of it after a crash.

mod disk;
pub mod faulty;
mod frame;
mod gather;
pub mod inspect;
mod log;
mod lsn;
mod open;
mod preparer;
mod real_disk;
mod record;
mod recover;
mod scan;
mod segment;
mod sizes;
mod space;
mod store;
mod walk;
mod writer;

pub use disk::{Disk, DiskFile};
pub use log::{Log, LogError, Progress, Room, Usage};
pub use lsn::Lsn;
pub use open::{OpenError, Options, Recovery, Replayed};
pub use real_disk::RealDisk;
pub use record::Record;
pub use recover::Opened;
