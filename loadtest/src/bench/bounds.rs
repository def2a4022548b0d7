//! What bounds a goal that was not reached, as far as it is known.

use crate::args::Goal;

/// In a sentence; docs/performance.md says what was tried.
pub(crate) fn of(goal: Goal) -> &'static str {
    match goal {
        Goal::P1 | Goal::P2 => {
            "on disk the log's thread shares the server's one core: about 50 µs of it a sync, and 0.1 to 0.2 ms \
             in which all connections wait for the same sync; handing over later or earlier changed nothing"
        }
        Goal::P3 | Goal::P4 => "new memory from the system, and the disk's bandwidth",
        Goal::P5 => {
            "syncs that others hold up; beside other programs also the scheduler, which lets a thread that wakes \
             up wait for its tick"
        }
        Goal::P6 => {
            "40 bytes of an item, 13 of its place among the bodies, and the allocator's rounding"
        }
        Goal::P7 => "the bytes of the log, read once, and a few hundred nanoseconds an item",
        Goal::P8 => {
            "the core's own longest command takes 2 ms; the allocator gives memory back in one go after a peak, \
             12 to 24 ms (MIMALLOC_PURGE_DELAY=0 in the server's environment gives it back bit by bit)"
        }
        Goal::P9 => "hyper's buffers for the memory, the scheduler for the wake-up",
        Goal::P10 => {
            "the processor's caches do not hold 10,000 queues; a scrape writes every series of every queue"
        }
    }
}
