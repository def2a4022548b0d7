//! The verdict over a ledger: each way in which a server can break its word, with its count and the
//! first few items.

use std::fmt;

use super::{Entry, Put};

/// Items of each kind that are named.
const NAMED: usize = 5;

/// How a server broke its word about an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finding {
    /// Its enqueue was acknowledged, and it is neither done nor there.
    Lost,
    /// Its settlement was acknowledged, and it is not done.
    Undone,
    /// It was delivered to a call that was made when its settlement had been acknowledged.
    DeliveredAfterSettle,
    /// It was settled by two leases, or is done more than once.
    DoneTwice,
    /// It is done and still there, or there more than once.
    ThereTwice,
    /// Its enqueue was refused, and it was seen.
    Invented,
}

/// What an audit found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Audit {
    /// Items that were sent.
    pub sent: u64,
    /// Of these, acknowledged.
    pub accepted: u64,
    /// Of these, never answered: they may be there or not.
    pub unanswered: u64,
    /// Settlements that were acknowledged.
    pub settled: u64,
    /// Deliveries past the first that the client did not ask for: what at-least-once allows.
    pub redelivered: u64,
    /// Items that no client of this run sent.
    pub strange: u64,
    findings: Vec<(Finding, u64)>,
    counts: [u64; 6],
}

impl Finding {
    const ALL: [Self; 6] = [
        Self::Lost,
        Self::Undone,
        Self::DeliveredAfterSettle,
        Self::DoneTwice,
        Self::ThereTwice,
        Self::Invented,
    ];

    fn words(self) -> &'static str {
        match self {
            Self::Lost => "acknowledged and lost",
            Self::Undone => "settled and not done",
            Self::DeliveredAfterSettle => "delivered after their settlement was acknowledged",
            Self::DoneTwice => "done twice",
            Self::ThereTwice => "there twice",
            Self::Invented => "refused and seen all the same",
        }
    }
}

impl Audit {
    /// How many items have this wrong with them.
    #[must_use]
    pub fn count(&self, finding: Finding) -> u64 {
        self.counts[finding as usize]
    }

    /// Acknowledged work that is gone: items, and settlements.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.count(Finding::Lost) + self.count(Finding::Undone)
    }

    /// What not even at-least-once allows: done twice, delivered after the end, or made up.
    #[must_use]
    pub fn beyond(&self) -> u64 {
        let lost = [Finding::Lost, Finding::Undone];
        let others = Finding::ALL
            .iter()
            .filter(|finding| !lost.contains(finding));
        others.map(|&finding| self.count(finding)).sum::<u64>() + self.strange
    }

    /// Whether the server kept its word.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.lost() == 0 && self.beyond() == 0
    }

    /// Adds what another audit found, of other items.
    pub fn add(&mut self, other: &Self) {
        let Self {
            sent,
            accepted,
            unanswered,
            settled,
            redelivered,
            strange,
            findings,
            counts,
        } = other;
        self.sent += sent;
        self.accepted += accepted;
        self.unanswered += unanswered;
        self.settled += settled;
        self.redelivered += redelivered;
        self.strange += strange;
        self.findings.extend(findings);
        for (sum, count) in self.counts.iter_mut().zip(counts) {
            *sum += count;
        }
    }

    /// Of no items yet but so many strange ones.
    pub(super) fn of(strange: u64) -> Self {
        Self {
            strange,
            ..Self::default()
        }
    }

    pub(super) fn look_at(&mut self, number: u64, entry: &Entry) {
        let &Entry {
            put,
            accepted_at: _,
            deliveries,
            given_back,
            settled,
            settled_at: _,
            after_settle,
            done,
            left,
        } = entry;
        self.sent += 1;
        self.accepted += u64::from(put == Put::Accepted);
        self.unanswered += u64::from(put == Put::Unanswered);
        self.settled += u64::from(settled > 0);
        let unasked = deliveries.saturating_sub(1).saturating_sub(given_back);
        self.redelivered += u64::from(unasked);

        let seen = deliveries > 0 || done > 0 || left > 0;
        for (finding, holds) in [
            (
                Finding::Lost,
                put == Put::Accepted && settled == 0 && done == 0 && left == 0,
            ),
            (Finding::Undone, settled > 0 && done == 0),
            (Finding::DeliveredAfterSettle, after_settle > 0),
            (Finding::DoneTwice, settled > 1 || done > 1),
            (Finding::ThereTwice, left > 1 || (left > 0 && done > 0)),
            (Finding::Invented, put == Put::Refused && seen),
        ] {
            if holds {
                let count = &mut self.counts[finding as usize];
                *count += 1;
                if *count <= NAMED as u64 {
                    self.findings.push((finding, number));
                }
            }
        }
    }
}

impl fmt::Display for Audit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            accepted,
            settled,
            redelivered,
            strange,
            ..
        } = self;
        write!(
            f,
            "{accepted} items acknowledged, {settled} settled, {redelivered} redelivered"
        )?;
        for finding in Finding::ALL {
            let count = self.count(finding);
            if count > 0 {
                let of_it = self.findings.iter().filter(|(kind, _)| *kind == finding);
                let named: Vec<String> = of_it.map(|(_, number)| number.to_string()).collect();
                write!(
                    f,
                    "; {count} {} (item {} …)",
                    finding.words(),
                    named.join(", ")
                )?;
            }
        }
        if *strange > 0 {
            write!(f, "; {strange} that nobody sent")?;
        }
        Ok(())
    }
}
