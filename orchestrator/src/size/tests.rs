//! Sizing, told as looks at a step.

use std::time::Duration;

use super::{Cap, Rules, Seen, Sizer};

const fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[test]
fn a_fixed_number_is_kept_to_as_far_as_there_are_items() {
    let look = |ready| {
        let seen = Seen {
            ready,
            ..Seen::default()
        };
        let sizing = Sizer::default().decide(&Rules::fixed(5), &seen, s(0));
        (sizing.wanted, sizing.binding)
    };
    assert_eq!(look(100), (5, Cap::Min));
    assert_eq!(look(5), (5, Cap::Min));
    assert_eq!(look(3), (3, Cap::Backlog));
    assert_eq!(look(0), (0, Cap::Backlog));
}
