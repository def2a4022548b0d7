//! How often what happened, over all worlds.

/// What happened, so that a world in which nothing does is noticed.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Seen {
    pub(crate) lives: u64,
    pub(crate) killed: u64,
    pub(crate) power_lost: u64,
    pub(crate) failed_io: u64,
    pub(crate) failed_starts: u64,
    pub(crate) enqueued: u64,
    pub(crate) leased: u64,
    pub(crate) acked: u64,
    pub(crate) taken: u64,
    pub(crate) unanswered: u64,
    pub(crate) drained: u64,
    pub(crate) deleted: u64,
    pub(crate) refused_full: u64,
    pub(crate) compacted: u64,
    pub(crate) duplicates: u64,
    pub(crate) replayed: u64,
    pub(crate) learned: u64,
    pub(crate) cancelled: u64,
    pub(crate) redriven: u64,
    pub(crate) expired: u64,
    pub(crate) in_order: u64,
}

impl Seen {
    pub(crate) fn add(&mut self, other: Self) {
        let Self {
            lives,
            killed,
            power_lost,
            failed_io,
            failed_starts,
            enqueued,
            leased,
            acked,
            taken,
            unanswered,
            drained,
            deleted,
            refused_full,
            compacted,
            duplicates,
            replayed,
            learned,
            cancelled,
            redriven,
            expired,
            in_order,
        } = other;
        self.lives += lives;
        self.killed += killed;
        self.power_lost += power_lost;
        self.failed_io += failed_io;
        self.failed_starts += failed_starts;
        self.enqueued += enqueued;
        self.leased += leased;
        self.acked += acked;
        self.taken += taken;
        self.unanswered += unanswered;
        self.drained += drained;
        self.deleted += deleted;
        self.refused_full += refused_full;
        self.compacted += compacted;
        self.duplicates += duplicates;
        self.replayed += replayed;
        self.learned += learned;
        self.cancelled += cancelled;
        self.redriven += redriven;
        self.expired += expired;
        self.in_order += in_order;
    }
}
