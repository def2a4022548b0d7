//! Which queues have changed, for those who watch them all.
//!
//! Whoever watches keeps a number and asks for what is listed after it. A queue that is listed already is
//! not listed again before somebody has looked: a million commands between two looks cost one entry and no
//! lock.
//!
//! It does not know what has changed.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use queue_api::QueueName;
use tokio::sync::Notify;

use super::{Engine, Shared};
use crate::recent::{Changed, Recent};

/// The queues in the order of their latest change.
#[derive(Debug, Default)]
pub(super) struct Changes {
    /// Moved by each look: what was listed before is to be listed again.
    looks: AtomicU64,
    list: Mutex<Recent<QueueName>>,
    more: Notify,
}

/// The look before which a queue was listed last. Kept by each queue under its lock.
#[derive(Debug, Default)]
pub(super) struct Listed(Option<u64>);

/// One who watches the queues.
#[derive(Debug)]
pub(crate) struct Watch {
    shared: Arc<Shared>,
    seen: u64,
}

impl Changes {
    /// A queue has changed. Called under its lock, so that whoever looks at the list and then at the
    /// queue sees the change in one of them.
    pub(super) fn list(&self, name: &QueueName, listed: &mut Listed) {
        if listed.0 == Some(self.looks.load(Ordering::Acquire)) {
            return;
        }
        let mut list = self.lock();
        listed.0 = Some(self.looks.load(Ordering::Acquire));
        list.put(name);
        drop(list);
        self.more.notify_waiters();
    }

    /// A queue was deleted.
    pub(super) fn list_gone(&self, name: &QueueName) {
        self.lock().put_gone(name);
        self.more.notify_waiters();
    }

    fn lock(&self) -> MutexGuard<'_, Recent<QueueName>> {
        // Nothing that is done under the lock can panic half way.
        self.list.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Engine {
    /// Watches all queues from now on: what changes after this is told.
    pub(crate) fn watch(&self) -> Watch {
        let changes = &self.shared.changes;
        let list = changes.lock();
        changes.looks.fetch_add(1, Ordering::Release);
        Watch {
            shared: Arc::clone(&self.shared),
            seen: list.last(),
        }
    }
}

impl Watch {
    /// Resolves when [`Watch::look`] has something to tell; at once, if it has now.
    pub(crate) async fn changed(&self) {
        let changes = &self.shared.changes;
        loop {
            // Registered before looking, so that nothing falls in between.
            let mut more = std::pin::pin!(changes.more.notified());
            more.as_mut().enable();
            if changes.lock().last() > self.seen {
                return;
            }
            more.await;
        }
    }

    /// The queues that have changed since the look before. Look at them afterwards, under their names:
    /// one that is not there was deleted.
    pub(crate) fn look(&mut self) -> Changed<QueueName> {
        let changes = &self.shared.changes;
        let list = changes.lock();
        changes.looks.fetch_add(1, Ordering::Release);
        let seen = std::mem::replace(&mut self.seen, list.last());
        list.since(seen)
    }
}

#[cfg(test)]
mod tests {
    use queue_api::SettingsPatch;

    use super::super::tests::engine;
    use super::*;

    fn name(name: &str) -> QueueName {
        name.parse().expect("a name")
    }

    fn these(names: &[&str]) -> Changed<QueueName> {
        Changed::These(names.iter().map(|it| name(it)).collect())
    }

    #[tokio::test]
    async fn whoever_watches_is_told_of_each_queue_that_changed_and_once() {
        let engine = engine();
        let patch = SettingsPatch::default();
        for made in ["a", "b", "c"] {
            engine.create(&name(made)).await.expect("room");
        }
        let mut watch = engine.watch();
        assert_eq!(watch.look(), these(&[]));
        for _ in 0..10 {
            engine
                .queue(&name("b"))
                .expect("b")
                .seal()
                .await
                .expect("b");
            engine
                .queue(&name("b"))
                .expect("b")
                .reopen()
                .await
                .expect("b");
        }
        engine
            .queue(&name("a"))
            .expect("a")
            .pause()
            .await
            .expect("a");
        engine.put(&name("new"), &patch).await.expect("room");
        engine.delete(&name("c"), false).await.expect("c");
        assert_eq!(watch.look(), these(&["b", "a", "new", "c"]));
        engine
            .queue(&name("a"))
            .expect("a")
            .view()
            .await
            .expect("a");
        assert_eq!(watch.look(), these(&[]), "to look is no change");
    }

    #[tokio::test]
    async fn one_who_waits_is_woken_by_a_change_and_not_before() {
        let engine = engine();
        engine.create(&name("a")).await.expect("room");
        let mut watch = engine.watch();
        let mut changed = Pending(Box::pin(watch.changed()));
        assert!(!changed.is_ready());
        engine
            .queue(&name("a"))
            .expect("a")
            .seal()
            .await
            .expect("a");
        assert!(changed.is_ready());
        drop(changed);
        assert_eq!(watch.look(), these(&["a"]));
    }

    #[tokio::test]
    async fn a_queue_that_was_deleted_is_not_listed_again() {
        let engine = engine();
        let made = engine.ensure(&name("a"), &SettingsPatch::default());
        let (queue, _) = made.expect("room");
        engine.delete(&name("a"), false).await.expect("a");
        let mut watch = engine.watch();
        queue.has_changed();
        assert_eq!(watch.look(), these(&[]));
    }

    /// A future that is looked at now and then.
    struct Pending<F>(std::pin::Pin<Box<F>>);

    impl<F: Future> Pending<F> {
        fn is_ready(&mut self) -> bool {
            let mut context = std::task::Context::from_waker(std::task::Waker::noop());
            self.0.as_mut().poll(&mut context).is_ready()
        }
    }
}
