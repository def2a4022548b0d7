//! Which queues there are: making them, finding or making them, deleting them.

use std::sync::{Arc, PoisonError};

use dashmap::mapref::entry::Entry as Place;
use queue_api::{Queue, QueueName, Settings, SettingsPatch};
use queue_log::Room;

use super::Engine;
use super::entropy::Entropy;
use super::fault::Fault;
use super::live::LiveQueue;
use super::room::MADE_BYTES;

impl Engine {
    /// The queue of this name, made if there is none; true if it was made.
    pub(super) fn ensure(
        &self,
        name: &QueueName,
        patch: &SettingsPatch,
    ) -> Result<(Arc<LiveQueue>, bool), Fault> {
        match self.queue(name) {
            Ok(queue) => return Ok((queue, false)),
            Err(Fault::NoSuchQueue(_)) => {}
            // What the log tells of must be there before anything is made beside it.
            Err(fault) => return Err(fault),
        }
        if name.is_reserved() {
            return Err(Fault::NameReserved(name.clone()));
        }
        let settings = patch.apply(&Settings::default())?;
        self.shared.room_for(Room::Grow, 0, MADE_BYTES)?;
        // Counted before the shard is locked: `len` takes all shards in turn. A few makers at once may
        // pass the limit by their own number.
        let full = self.by_name.len() >= self.limits.max_queues;
        match self.by_name.entry(name.clone()) {
            Place::Occupied(queue) => Ok((Arc::clone(queue.get()), false)),
            Place::Vacant(_) if full => Err(Fault::TooManyQueues(self.limits.max_queues)),
            Place::Vacant(place) => {
                let incarnation = Entropy::default().draw();
                let _making = self.making.read().unwrap_or_else(PoisonError::into_inner);
                // A restore that began meanwhile brings queues of its own.
                self.shared.check_ready()?;
                let queue = LiveQueue::new(
                    name.clone(),
                    incarnation,
                    Arc::clone(&self.shared),
                    settings,
                );
                let queue = Arc::new(queue);
                self.by_incarnation.insert(incarnation, Arc::clone(&queue));
                place.insert(Arc::clone(&queue));
                queue.has_changed();
                Ok((queue, true))
            }
        }
    }

    /// Makes a queue that is not there yet.
    pub(crate) async fn create(&self, name: &QueueName) -> Result<(), Fault> {
        let (queue, made) = self.ensure(name, &SettingsPatch::default())?;
        // Also where somebody else made it: that it exists must not be taken back.
        queue.commit(|_| ()).await?;
        match made {
            true => Ok(()),
            false => Err(Fault::QueueExists(name.clone())),
        }
    }

    /// Makes a queue, or changes the settings of the one there is, and shows it; true if it was made.
    pub(crate) async fn put(
        &self,
        name: &QueueName,
        patch: &SettingsPatch,
    ) -> Result<(Queue, bool), Fault> {
        self.in_a_queue(name, patch, async move |queue, made| match made {
            true => queue.view().await,
            false => queue.configure(patch).await,
        })
        .await
    }

    /// Does something to the queue of this name, made if there is none. One that is deleted between
    /// the look and the deed is as one that was not there: whoever makes a queue must not hear that
    /// it does not exist.
    pub(crate) async fn in_a_queue<R, Deed>(
        &self,
        name: &QueueName,
        patch: &SettingsPatch,
        deed: impl Fn(Arc<LiveQueue>, bool) -> Deed,
    ) -> Result<(R, bool), Fault>
    where
        Deed: Future<Output = Result<R, Fault>>,
    {
        loop {
            let (queue, made) = self.ensure(name, patch)?;
            match deed(Arc::clone(&queue), made).await {
                Err(Fault::NoSuchQueue(_)) => self.unlist(&queue),
                done => return done.map(|done| (done, made)),
            }
        }
    }

    /// Deletes a queue and everything in it.
    pub(crate) async fn delete(&self, name: &QueueName, force: bool) -> Result<(), Fault> {
        let queue = self.queue(name)?;
        let rest = queue.delete(force)?;
        self.unlist(&queue);
        Ok(self.shared.store().wait(rest).await?)
    }

    /// Lets nobody find a deleted queue any more.
    fn unlist(&self, queue: &Arc<LiveQueue>) {
        self.by_incarnation.remove(&queue.incarnation);
        self.shared.timer.forget(queue.incarnation);
        let unlisted = self
            .by_name
            .remove_if(&queue.name, |_, current| Arc::ptr_eq(current, queue));
        if unlisted.is_some() {
            self.shared.changes.list_gone(&queue.name);
        }
    }
}

#[cfg(test)]
mod tests {
    use queue_log::faulty::FaultyDisk;

    use super::*;
    use crate::engine::held::tests::on_disk;
    use crate::engine::tests::engine;
    use crate::engine::{Entry, Incoming};

    #[tokio::test]
    async fn whoever_makes_a_queue_never_hears_that_it_is_not_there() {
        let engine = engine();
        let name: QueueName = "q".parse().expect("a name");
        let patch = SettingsPatch::default();
        // A queue as a maker finds it whose deletion is under way.
        let (queue, _) = engine.ensure(&name, &patch).expect("room for a queue");
        queue.delete(true).expect("a queue");
        let (_, made) = engine.put(&name, &patch).await.expect("a queue is made");
        assert!(made);
        let enqueue = async |queue: Arc<LiveQueue>, _| {
            queue.enqueue(Incoming::of(&[Entry::plain(b"item")])).await
        };
        let (enqueued, made) = engine
            .in_a_queue(&name, &patch, enqueue)
            .await
            .expect("a queue to enqueue into");
        assert_eq!((enqueued.first.0, made), (0, false));
        let other = queue.incarnation;
        assert_ne!(engine.queue(&name).expect("a queue").incarnation, other);
    }

    #[tokio::test]
    async fn the_name_of_the_rest_is_for_none_but_a_queue_that_has_it_already() {
        let engine = engine();
        let patch = SettingsPatch::default();
        let name: QueueName = QueueName::REST.parse().expect("a name");
        for refused in [
            engine.create(&name).await.map(|()| true),
            engine.put(&name, &patch).await.map(|(_, made)| made),
            engine
                .in_a_queue(&name, &patch, async |_, made| Ok(made))
                .await
                .map(|(made, _)| made),
        ] {
            let fault = refused.expect_err("a name that stands for many");
            assert!(matches!(fault, Fault::NameReserved(_)), "{fault}");
        }
        assert!(matches!(engine.queue(&name), Err(Fault::NoSuchQueue(_))));
    }

    #[tokio::test]
    async fn an_old_queue_with_the_name_of_the_rest_goes_on_over_restarts() {
        let disk = FaultyDisk::new();
        let (patch, settings) = (SettingsPatch::default(), Settings::default());
        let name: QueueName = QueueName::REST.parse().expect("a name");
        let enqueue = async |queue: Arc<LiveQueue>, _| {
            queue.enqueue(Incoming::of(&[Entry::plain(b"item")])).await
        };
        // As an earlier version made it.
        let engine = on_disk(&disk, 1 << 20);
        let queue = LiveQueue::new(name.clone(), 7, Arc::clone(&engine.shared), settings);
        engine.list(&Arc::new(queue));
        let entered = engine.in_a_queue(&name, &patch, enqueue).await;
        assert!(entered.is_ok_and(|(_, made)| !made));

        let disk = disk.crash(1);
        let engine = on_disk(&disk, 1 << 20);
        let (queue, made) = engine.put(&name, &patch).await.expect("a queue as others");
        assert_eq!((queue.counts.ready, made), (1, false));
        let entered = engine.in_a_queue(&name, &patch, enqueue).await;
        assert!(entered.is_ok_and(|(_, made)| !made));
        engine
            .delete(&name, false)
            .await
            .expect("a queue to delete");
        let again = engine.put(&name, &patch).await.map(|(_, made)| made);
        assert!(matches!(again, Err(Fault::NameReserved(_))), "{again:?}");
    }
}
