//! The order of steps: each pair of phase and `when`, then whole runs beside a definition of what becomes of each step.

use proptest::prelude::*;

use super::{Next, Node, Phase, Verdict, next};
use crate::spec::When;

const PHASES: [Phase; 5] = [
    Phase::Pending,
    Phase::Running,
    Phase::Succeeded,
    Phase::Failed,
    Phase::Skipped,
];
const WHENS: [When; 3] = [When::Succeeded, When::Failed, When::Always];

fn node(after: &[usize], when: When) -> Node {
    Node {
        after: after.to_vec(),
        when,
    }
}

fn first() -> Node {
    node(&[], When::Succeeded)
}

#[test]
fn every_phase_of_what_is_before_and_every_when() {
    use Next::{Begin, Skip};
    use Phase::{Failed, Pending, Running, Skipped, Succeeded};
    let rows = [
        (Pending, When::Succeeded, None),
        (Pending, When::Failed, None),
        (Pending, When::Always, None),
        (Running, When::Succeeded, None),
        (Running, When::Failed, None),
        (Running, When::Always, None),
        (Succeeded, When::Succeeded, Some(Begin(1))),
        (Succeeded, When::Failed, Some(Skip(1))),
        (Succeeded, When::Always, Some(Begin(1))),
        (Failed, When::Succeeded, Some(Skip(1))),
        (Failed, When::Failed, Some(Begin(1))),
        (Failed, When::Always, Some(Begin(1))),
        (Skipped, When::Succeeded, Some(Skip(1))),
        (Skipped, When::Failed, Some(Skip(1))),
        (Skipped, When::Always, Some(Begin(1))),
    ];
    assert_eq!(rows.len(), PHASES.len() * WHENS.len());
    for (before, when, wanted) in rows {
        let steps = [first(), node(&[0], when)];
        let of_second = next(&steps, &[before, Pending], false)
            .into_iter()
            .find(|next| matches!(next, Begin(1) | Skip(1)));
        assert_eq!(of_second, wanted, "{before:?} {when:?}");
    }
}

#[test]
fn a_step_that_has_begun_or_ended_is_left_alone() {
    for phase in PHASES.into_iter().filter(|phase| *phase != Phase::Pending) {
        for when in WHENS {
            for stopping in [false, true] {
                let next = next(&[node(&[], when)], &[phase], stopping);
                let wanted = match phase {
                    Phase::Running => vec![],
                    Phase::Failed => vec![Next::Finish(Verdict::Failed)],
                    _ => vec![Next::Finish(Verdict::Succeeded)],
                };
                assert_eq!(next, wanted, "{phase:?} {when:?} {stopping}");
            }
        }
    }
}

#[test]
fn without_anything_before_it_every_when_holds_at_once() {
    for when in WHENS {
        assert_eq!(
            next(&[node(&[], when)], &[Phase::Pending], false),
            [Next::Begin(0)]
        );
    }
}

#[test]
fn one_failure_among_several_is_enough_but_all_are_waited_for() {
    use Phase::{Failed, Pending, Running, Succeeded};
    let steps = |when| [first(), first(), node(&[0, 1], when)];
    for when in WHENS {
        assert_eq!(
            next(&steps(when), &[Failed, Running, Pending], false),
            [],
            "{when:?} is not decided while one of them runs"
        );
    }
    let phases = [Failed, Succeeded, Pending];
    assert_eq!(next(&steps(When::Failed), &phases, false), [Next::Begin(2)]);
    assert_eq!(
        next(&steps(When::Succeeded), &phases, false),
        [Next::Skip(2), Next::Finish(Verdict::Failed)]
    );
}

#[test]
fn a_skip_goes_on_through_what_comes_after_wherever_it_stands_in_the_file() {
    let steps = [
        node(&[1], When::Succeeded),
        node(&[2], When::Succeeded),
        first(),
        node(&[0, 1], When::Always),
        node(&[0], When::Failed),
    ];
    let mut phases = [Phase::Pending; 5];
    phases[2] = Phase::Failed;
    assert_eq!(
        next(&steps, &phases, false),
        [Next::Skip(1), Next::Skip(0), Next::Skip(4), Next::Begin(3)]
    );
}

#[test]
fn a_run_that_is_stopping_begins_nothing_and_ends_when_nothing_runs() {
    let steps = [first(), first(), node(&[0], When::Always)];
    let phases = [Phase::Succeeded, Phase::Running, Phase::Pending];
    assert_eq!(next(&steps, &phases, true), [Next::Skip(2)]);
    let phases = [Phase::Succeeded, Phase::Failed, Phase::Pending];
    assert_eq!(
        next(&steps, &phases, true),
        [Next::Skip(2), Next::Finish(Verdict::Failed)]
    );
}

#[test]
fn steps_that_wait_for_each_other_or_for_nobody_do_not_hang() {
    let circle = [node(&[1], When::Always), node(&[0], When::Always)];
    let over = next(&circle, &[Phase::Pending; 2], false);
    assert_eq!(over.first(), Some(&Next::Skip(0)));
    let nobody = [first(), node(&[usize::MAX], When::Always)];
    let both = [Phase::Succeeded, Phase::Pending];
    assert_eq!(
        next(&nobody, &both, false),
        [Next::Skip(1), Next::Finish(Verdict::Succeeded)]
    );
}

/// A graph without circles, whose steps stand in any order, how each of them will end, and in which
/// order those that run do.
#[derive(Debug, Clone)]
struct Story {
    steps: Vec<Node>,
    ends: Vec<bool>,
    turns: Vec<usize>,
    /// After how many ends the run is told to stop.
    stop_after: Option<usize>,
}

fn stories() -> impl Strategy<Value = Story> {
    (1_usize..9).prop_flat_map(|count| {
        let steps = prop::collection::vec(
            (
                prop::collection::vec(any::<bool>(), count),
                prop::sample::select(WHENS.to_vec()),
            ),
            count,
        );
        let order = Just((0..count).collect::<Vec<_>>()).prop_shuffle();
        let ends = prop::collection::vec(any::<bool>(), count);
        let turns = prop::collection::vec(any::<usize>(), count);
        let stop_after = prop::option::weighted(0.2, 0..count);
        (steps, order, ends, turns, stop_after).prop_map(
            |(drawn, order, ends, turns, stop_after)| {
                let mut steps = vec![first(); drawn.len()];
                for (index, (befores, when)) in drawn.iter().enumerate() {
                    let after = (0..index).filter(|before| befores[*before]);
                    let after: Vec<_> = after.map(|before| order[before]).collect();
                    steps[order[index]] = node(&after, *when);
                }
                Story {
                    steps,
                    ends,
                    turns,
                    stop_after,
                }
            },
        )
    })
}

/// Plays a story through; gives the phases at its end and its verdict.
fn play(story: &Story) -> (Vec<Phase>, Verdict) {
    let Story {
        steps,
        ends,
        turns,
        stop_after,
    } = story;
    let mut phases = vec![Phase::Pending; steps.len()];
    let mut turns = turns.iter();
    let mut ended = 0;
    loop {
        let stopping = stop_after.is_some_and(|after| ended >= after);
        let todo = next(steps, &phases, stopping);
        for one in &todo {
            match *one {
                Next::Begin(place) => {
                    assert!(!stopping, "a run that is stopping begins nothing");
                    assert_eq!(phases[place], Phase::Pending, "once at most");
                    let befores = &steps[place].after;
                    assert!(befores.iter().all(|before| phases[*before].has_ended()));
                    phases[place] = Phase::Running;
                }
                Next::Skip(place) => {
                    assert_eq!(phases[place], Phase::Pending);
                    phases[place] = Phase::Skipped;
                }
                Next::Finish(verdict) => {
                    assert!(phases.iter().all(|phase| phase.has_ended()));
                    return (phases, verdict);
                }
            }
        }
        assert_eq!(
            next(steps, &phases, stopping),
            [],
            "nothing is said twice, and nothing is left for a second question"
        );
        let running: Vec<_> = (0..steps.len())
            .filter(|place| phases[*place] == Phase::Running)
            .collect();
        assert!(
            !running.is_empty(),
            "nothing runs and nothing is to be done"
        );
        let turn = turns.next().copied().unwrap_or_default();
        let place = running[turn % running.len()];
        phases[place] = match ends[place] {
            true => Phase::Succeeded,
            false => Phase::Failed,
        };
        ended += 1;
    }
}

/// What becomes of each step, said as a definition: by what it comes after, and nothing else.
fn naive(story: &Story, place: usize) -> Phase {
    let Node { after, when } = &story.steps[place];
    let befores: Vec<_> = after.iter().map(|before| naive(story, *before)).collect();
    let wanted = match when {
        _ if befores.is_empty() => true,
        When::Succeeded => !befores.iter().any(|before| *before != Phase::Succeeded),
        When::Failed => befores.contains(&Phase::Failed),
        When::Always => true,
    };
    match (wanted, story.ends[place]) {
        (false, _) => Phase::Skipped,
        (true, true) => Phase::Succeeded,
        (true, false) => Phase::Failed,
    }
}

proptest! {
    #[test]
    fn every_run_comes_to_the_end_that_its_steps_define(story in stories()) {
        let (phases, verdict) = play(&story);
        if story.stop_after.is_none() {
            let wanted: Vec<_> = (0..phases.len()).map(|place| naive(&story, place)).collect();
            prop_assert_eq!(&phases, &wanted);
        }
        let failed = phases.contains(&Phase::Failed);
        prop_assert_eq!(verdict == Verdict::Failed, failed);
    }

    #[test]
    fn neither_the_order_of_ends_nor_the_place_in_the_file_matters(
        story in stories(),
        turns in prop::collection::vec(any::<usize>(), 9),
    ) {
        let story = Story { stop_after: None, ..story };
        let other = Story { turns, ..story.clone() };
        prop_assert_eq!(play(&story), play(&other));
        // The same file from its end to its beginning.
        let last = story.steps.len() - 1;
        let mut steps: Vec<_> = story
            .steps
            .iter()
            .map(|step| Node {
                after: step.after.iter().map(|before| last - before).collect(),
                when: step.when,
            })
            .collect();
        steps.reverse();
        let mut ends = story.ends.clone();
        ends.reverse();
        let (mut phases, verdict) = play(&Story { steps, ends, ..story.clone() });
        phases.reverse();
        prop_assert_eq!((phases, verdict), play(&story));
    }
}
