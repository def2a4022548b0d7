//! How many dead items of its queue a worker puts up with.

use std::fmt;
use std::str::FromStr;

use queue_api::Queue;

/// Most dead items: a number, or a share of all items that were ever enqueued.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum MaxDead {
    /// So many.
    Items(u64),
    /// So many in a hundred.
    Percent(f64),
}

impl MaxDead {
    /// Whether the queue has no more dead items than this.
    pub(crate) fn allows(self, queue: &Queue) -> bool {
        let (dead, all) = (queue.counts.dead, queue.totals.enqueued);
        match self {
            Self::Items(most) => dead <= most,
            Self::Percent(share) => dead as f64 * 100.0 <= share * all as f64,
        }
    }
}

/// What `--max-dead` does not take.
#[derive(Debug, thiserror::Error)]
#[error("give a number of items, or a share of all such as 1%")]
pub struct NoMaxDead;

impl FromStr for MaxDead {
    type Err = NoMaxDead;

    fn from_str(text: &str) -> Result<Self, NoMaxDead> {
        match text.strip_suffix('%') {
            None => text.parse().map(Self::Items).map_err(|_| NoMaxDead),
            Some(share) => share
                .parse()
                .ok()
                .filter(|share| (0.0..=100.0).contains(share))
                .map(Self::Percent)
                .ok_or(NoMaxDead),
        }
    }
}

impl fmt::Display for MaxDead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Items(most) => write!(f, "{most}"),
            Self::Percent(share) => write!(f, "{share}%"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_a_number_or_a_share() {
        for (text, most) in [
            ("0", MaxDead::Items(0)),
            ("12", MaxDead::Items(12)),
            ("0%", MaxDead::Percent(0.0)),
            ("2.5%", MaxDead::Percent(2.5)),
        ] {
            assert_eq!(text.parse::<MaxDead>().expect(text), most);
            assert_eq!(most.to_string(), text);
        }
        for text in ["", "%", "-1", "101%", "1.5", "NaN%", "some"] {
            text.parse::<MaxDead>().expect_err(text);
        }
    }
}
