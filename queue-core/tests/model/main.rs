//! The queue against a naive model: any sequence of commands and jumps in time gives the same answers
//! and leaves the same state, and its log folds to the same queue.

#[path = "../support/mod.rs"]
mod support;

mod naive;
mod pair;
mod step;

use proptest::prelude::*;
use proptest::test_runner::FileFailurePersistence;

use pair::Pair;
use step::{settings, step};

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: Some(Box::new(FileFailurePersistence::WithSource("regressions"))),
        ..ProptestConfig::default()
    })]

    #[test]
    fn a_queue_does_what_a_naive_one_does(
        settings in settings(),
        steps in proptest::collection::vec(step(), 1..150),
    ) {
        let mut pair = Pair::new(settings);
        for step in steps {
            pair.step(step);
            pair.compare();
            pair.shell.compare_all();
            pair.deadline_holds();
        }
    }
}
