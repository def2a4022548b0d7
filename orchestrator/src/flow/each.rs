//! The order of a step's elements: how many run at once, and what a failure means for the rest.

use super::{Next, Phase, pending, verdict};

/// Under which rules the elements of a step run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rules {
    /// Most that run at the same time, at least 1; absent: all.
    pub max_parallel: Option<u32>,
    /// Whether no more are begun once one has failed.
    pub fail_fast: bool,
}

/// All that can be done with the elements of a step now; `phases` holds one phase an element. They are
/// begun in their order. Once the step is stopping, or one has failed fast, those that have not begun
/// are skipped; those that run go on to their end.
#[must_use]
pub fn next_elements(rules: Rules, phases: &[Phase], stopping: bool) -> Vec<Next> {
    let failed = rules.fail_fast && phases.contains(&Phase::Failed);
    let running = count(phases, Phase::Running);
    let waiting = pending(phases);
    if stopping || failed {
        let mut next: Vec<_> = waiting.map(Next::Skip).collect();
        if running == 0 {
            next.push(Next::Finish(verdict(phases)));
        }
        return next;
    }
    if phases.iter().all(|phase| phase.has_ended()) {
        return vec![Next::Finish(verdict(phases))];
    }
    let most = rules
        .max_parallel
        .map_or(usize::MAX, |most| most.max(1) as usize);
    waiting
        .take(most.saturating_sub(running))
        .map(Next::Begin)
        .collect()
}

fn count(phases: &[Phase], wanted: Phase) -> usize {
    phases.iter().filter(|phase| **phase == wanted).count()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::Verdict;
    use super::*;
    use Phase::{Failed, Pending, Running, Skipped, Succeeded};

    fn rules(max_parallel: Option<u32>, fail_fast: bool) -> Rules {
        Rules {
            max_parallel,
            fail_fast,
        }
    }

    #[test]
    fn as_many_as_may_run_are_begun_in_their_order() {
        use Next::Begin;
        let phases = [Succeeded, Running, Pending, Pending, Pending];
        let begun = |most| next_elements(rules(most, false), &phases, false);
        assert_eq!(begun(Some(1)), []);
        assert_eq!(begun(Some(3)), [Begin(2), Begin(3)]);
        assert_eq!(begun(None), [Begin(2), Begin(3), Begin(4)]);
    }

    #[test]
    fn a_failure_keeps_the_rest_from_beginning_only_where_that_is_asked() {
        let phases = [Failed, Running, Pending];
        let next = |fail_fast| next_elements(rules(Some(2), fail_fast), &phases, false);
        assert_eq!(next(false), [Next::Begin(2)]);
        assert_eq!(next(true), [Next::Skip(2)], "and the one that runs goes on");
    }

    #[test]
    fn a_stop_skips_what_has_not_begun() {
        let next = |phases| next_elements(rules(None, false), phases, true);
        assert_eq!(next(&[Running, Pending]), [Next::Skip(1)]);
        assert_eq!(
            next(&[Succeeded, Pending]),
            [Next::Skip(1), Next::Finish(Verdict::Succeeded)]
        );
    }

    #[test]
    fn one_failed_element_is_a_failed_step() {
        let next = |phases| next_elements(rules(None, false), phases, false);
        assert_eq!(next(&[]), [Next::Finish(Verdict::Succeeded)]);
        assert_eq!(
            next(&[Succeeded, Failed, Skipped]),
            [Next::Finish(Verdict::Failed)]
        );
    }

    proptest! {
        #[test]
        fn all_elements_end_and_never_too_many_run(
            ends in prop::collection::vec(any::<bool>(), 0..20),
            most in prop::option::of(1_u32..5),
            fail_fast in any::<bool>(),
            turns in prop::collection::vec(any::<prop::sample::Index>(), 20),
        ) {
            let mut phases = vec![Pending; ends.len()];
            let mut turns = turns.into_iter();
            let verdict = 'over: loop {
                for next in next_elements(rules(most, fail_fast), &phases, false) {
                    match next {
                        Next::Begin(place) => {
                            prop_assert_eq!(phases[place], Pending);
                            phases[place] = Running;
                        }
                        Next::Skip(place) => {
                            prop_assert!(fail_fast && phases.contains(&Failed));
                            phases[place] = Skipped;
                        }
                        Next::Finish(verdict) => break 'over verdict,
                    }
                }
                let running: Vec<_> =
                    (0..phases.len()).filter(|place| phases[*place] == Running).collect();
                prop_assert!(!running.is_empty(), "nothing runs and nothing ends");
                prop_assert!(running.len() <= most.map_or(usize::MAX, |most| most as usize));
                let place = *turns.next().expect("a turn an element").get(&running);
                phases[place] = if ends[place] { Succeeded } else { Failed };
            };
            prop_assert!(phases.iter().all(|phase| phase.has_ended()));
            prop_assert_eq!(verdict == Verdict::Failed, phases.contains(&Failed));
            prop_assert!(fail_fast || !phases.contains(&Skipped));
        }
    }
}
