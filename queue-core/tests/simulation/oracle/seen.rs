//! What the schedules brought about, so that a simulation in which nothing goes wrong is noticed.

use super::End;

macro_rules! seen {
    ($($what:ident),+ $(,)?) => {
        /// How often each thing happened.
        #[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
        pub(crate) struct Seen {
            $(pub(crate) $what: u64,)+
        }

        impl Seen {
            pub(crate) fn add(&mut self, other: Self) {
                $(self.$what += other.$what;)+
            }

            /// What never happened.
            pub(crate) fn missing(&self) -> Vec<&'static str> {
                let all = [$((stringify!($what), self.$what)),+];
                let never = all.into_iter().filter(|(_, times)| *times == 0);
                never.map(|(what, _)| what).collect()
            }
        }
    };
}

seen! {
    settled,
    repeated,
    stale,
    stale_while_held,
    expired,
    extended,
    revoked,
    duplicates,
    recalled,
    made,
    paced,
    redriven,
    done,
    taken,
    dead,
    item_expired,
    cancelled,
    purged,
    snapshots,
}

impl Seen {
    pub(crate) fn ended(&mut self, end: End) {
        *match end {
            End::Done => &mut self.done,
            End::Taken => &mut self.taken,
            End::Dead => &mut self.dead,
            End::Expired => &mut self.item_expired,
            End::Cancelled => &mut self.cancelled,
            End::Purged => &mut self.purged,
        } += 1;
    }
}
