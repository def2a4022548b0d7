//! Items leased before their turn: kept, renewed by the same task as all, and started as slots come
//! free. One that is not started after all is given back unspent.

use std::sync::Arc;

use queue_client::Lease;

use super::Drain;

impl Drain {
    /// Starts the next of them, if there is a slot for it.
    pub(super) fn next_of_those_ahead(&mut self) {
        while self.slots.have_room()
            && let Some(lease) = self.ahead.pop_front()
        {
            self.slots.keeps_no_more();
            if lease.is_lost() {
                self.lost_before_its_turn(&lease);
                continue;
            }
            self.slots.started();
            self.start(lease);
        }
    }

    /// Gives all of them back: the worker stops.
    pub(super) fn give_back_those_ahead(&mut self) {
        for lease in std::mem::take(&mut self.ahead) {
            self.give_back_one(lease, "its worker was told to stop");
        }
    }

    /// Gives those back that cannot be kept much longer: an attempt ends at the queue's `max_lease_ms`
    /// even if it never began.
    pub(super) fn give_back_the_faded(&mut self) {
        for lease in std::mem::take(&mut self.ahead) {
            if lease.is_fading() {
                self.give_back_one(lease, "its lease would have ended before its turn came");
            } else {
                self.ahead.push_back(lease);
            }
        }
    }

    fn give_back_one(&mut self, lease: Arc<Lease>, why: &str) {
        self.slots.keeps_no_more();
        if lease.is_lost() {
            self.lost_before_its_turn(&lease);
            return;
        }
        self.slots.gave_back();
        self.give_back(lease, why);
    }

    fn lost_before_its_turn(&mut self, lease: &Lease) {
        tracing::warn!(item.id = %lease.id, trace.id = lease.trace_id(), "the lease was lost before the item's turn came");
        self.summary.lost();
    }
}
