//! What all queues hold together, and how much that may be.

use std::sync::atomic::{AtomicU64, Ordering};

use super::fault::Fault;
use super::live::Inner;
use super::{EngineLimits, Shared};

/// Items that are ready, leased, delayed or dead, and the bytes of their bodies and traces and of what their
/// attempts left, over all queues.
#[derive(Debug, Default)]
pub(super) struct Held {
    items: AtomicU64,
    bytes: AtomicU64,
}

impl Held {
    /// Whether there is room for more. Some that come at once may pass a limit by what they bring.
    pub(super) fn has_room_for(
        &self,
        limits: &EngineLimits,
        items: u64,
        bytes: u64,
    ) -> Result<(), Fault> {
        if items > 0 && self.items.load(Ordering::Relaxed) + items > limits.max_items {
            return Err(Fault::TooManyItems(limits.max_items));
        }
        if self.bytes.load(Ordering::Relaxed) + bytes > limits.max_bytes {
            return Err(Fault::TooManyBytes(limits.max_bytes));
        }
        Ok(())
    }

    /// Items over all queues.
    pub(super) fn items(&self) -> u64 {
        self.items.load(Ordering::Relaxed)
    }

    /// Bytes over all queues.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// A queue holds `now`, items and bytes, after it held `before`.
    pub(super) fn change(&self, before: (u64, u64), now: (u64, u64)) {
        // Wraps below zero on the way, and comes out right in the end.
        if before.0 != now.0 {
            let change = now.0.wrapping_sub(before.0);
            self.items.fetch_add(change, Ordering::Relaxed);
        }
        if before.1 != now.1 {
            let change = now.1.wrapping_sub(before.1);
            self.bytes.fetch_add(change, Ordering::Relaxed);
        }
    }
}

impl Inner {
    /// Tells the engine what the queue holds, and the store how much memory and disk it takes.
    pub(super) fn report(&mut self, shared: &Shared) {
        let holds = (self.bodies.held(), self.core.held(), self.live_bytes());
        self.report_as(shared, holds);
    }

    /// Tells that the queue holds nothing any more.
    pub(super) fn report_gone(&mut self, shared: &Shared) {
        self.report_as(shared, (0, (0, 0), 0));
    }

    fn report_as(&mut self, shared: &Shared, (in_memory, held, live): (u64, (u64, u64), u64)) {
        let before = std::mem::replace(&mut self.in_memory, in_memory);
        if before != in_memory {
            shared.store().holds(before, in_memory);
        }
        let before = std::mem::replace(&mut self.held, held);
        shared.held.change(before, held);
        let before = std::mem::replace(&mut self.live, live);
        if before != live {
            shared.store().length().change(before, live);
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::sync::Arc;

    use queue_api::SettingsPatch;
    use queue_log::Options;
    use queue_log::faulty::FaultyDisk;

    use super::super::tests::engine_in;
    use super::super::{Engine, Entry, Incoming, Storage};
    use super::*;

    /// An engine on a disk, with room for so many bytes of bodies in memory, that moves its commands to
    /// disk.
    pub(in crate::engine) fn on_disk(disk: &FaultyDisk, body_memory: u64) -> Arc<Engine> {
        let engine = engine_in(Storage::Log {
            disk: Arc::new(disk.clone()),
            options: Options {
                segment_bytes: 64 * 1024,
                max_bytes: None,
                accept_loss: false,
            },
            body_memory,
        });
        tokio::spawn(Arc::clone(&engine).run_store());
        tokio::spawn(Arc::clone(&engine).run_compaction());
        engine
    }

    fn told(engine: &Engine) -> (u64, u64, u64) {
        let Shared { held, .. } = &*engine.shared;
        let store = engine.shared.store();
        (store.body_memory(), held.items(), store.length().live())
    }

    async fn fill(engine: &Engine, name: &str) {
        let name = name.parse().expect("a name");
        let (queue, _) = engine
            .ensure(&name, &SettingsPatch::default())
            .expect("room for a queue");
        for _ in 0..40 {
            let items = [Entry::plain(&[7; 3_000])];
            let enqueued = queue.enqueue(Incoming::of(&items)).await;
            enqueued.expect("an open queue");
        }
    }

    #[tokio::test]
    async fn what_is_gone_takes_no_memory_and_no_disk() {
        for body_memory in [0, 30_000, u64::MAX] {
            let disk = FaultyDisk::new();
            let engine = on_disk(&disk, body_memory);
            fill(&engine, "deleted").await;
            fill(&engine, "purged").await;
            let (memory, items, live) = told(&engine);
            assert_eq!(items, 80);
            assert!(live > 80 * 3_000, "{live}");
            // Memory is taken in segments that double.
            assert!(
                memory <= body_memory.saturating_mul(2).saturating_add(20_000),
                "{memory}"
            );
            engine
                .delete(&"deleted".parse().expect("a name"), false)
                .await
                .expect("a queue");
            let purged = engine.queue(&"purged".parse().expect("a name"));
            let all = super::super::MassPurge {
                ready: true,
                ..super::super::MassPurge::default()
            };
            purged.expect("a queue").purge(all).await.expect("a purge");
            let (memory, items, live) = told(&engine);
            assert_eq!((memory, items), (0, 0));
            // The one queue that is left.
            assert!(live < 2_000, "{live}");
        }
    }

    #[tokio::test]
    async fn what_is_told_is_told_again_after_a_recovery() {
        for body_memory in [0, 30_000, u64::MAX] {
            let disk = FaultyDisk::new();
            let before = on_disk(&disk, body_memory);
            fill(&before, "q").await;
            let (_, items, live) = told(&before);
            let after = on_disk(&disk.kill(), body_memory);
            let again = told(&after);
            assert_eq!((items, live), (again.1, again.2));
            assert!(
                again.0 <= body_memory.saturating_mul(2).saturating_add(20_000),
                "{}",
                again.0
            );
        }
    }
}
