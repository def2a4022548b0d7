//! Whole runs in the model, each under many seeds: whatever goes wrong, a run ends, and it ends well
//! exactly when its queue was drained within what is tolerated.

use std::time::Duration;

use super::forms::{after, each, once, pool, run};
use super::world::{Driver, Fate, Faults, Habits, Items, Weather};
use crate::kube::status::RunPhase;
use crate::spec::{RunSpec, Step, When, Work};

/// Seeds of each story.
const SEEDS: u64 = 16;

/// More where `MEMQ_SEEDS` asks for them.
fn seeds() -> u64 {
    let wanted = std::env::var("MEMQ_SEEDS").ok();
    wanted.and_then(|seeds| seeds.parse().ok()).unwrap_or(SEEDS)
}

fn workers(least: u32, most: u32) -> Step {
    let mut step = pool("keys", least);
    if let Work::Items(pool) = &mut step.work {
        pool.workers.max = most;
    }
    step
}

fn brief(mut run: RunSpec) -> RunSpec {
    run.ttl = Some(Duration::from_secs(20));
    run
}

/// Runs a pool of items under this weather; what is promised of the end holds for every seed.
fn drained_exactly_if_good(faults: &Faults, seconds: i64) -> Vec<Driver> {
    (0..seeds())
        .map(|seed| {
            let run = brief(run(vec![workers(1, 6)]));
            let mut driver = Driver::new(run, 60, faults.clone(), seed);
            let phase = driver.run(seconds);
            let queue = driver.queues.get("keys");
            let good = queue.is_some_and(|queue| queue.drained() && queue.dead == 0);
            assert_eq!(
                phase == RunPhase::Succeeded,
                good,
                "seed {seed}: {:#?}",
                driver.status
            );
            driver
        })
        .collect()
}

fn all_good(faults: &Faults, seconds: i64) {
    for driver in drained_exactly_if_good(faults, seconds) {
        assert_eq!(
            driver.status.phase,
            RunPhase::Succeeded,
            "{:#?}",
            driver.status
        );
    }
}

fn rough() -> Faults {
    Faults {
        lag: 4_000,
        crashes: 20,
        conflicts: 10,
        call_errors: 10,
        stale: 60,
        ..Faults::default()
    }
}

#[test]
fn in_fine_weather_everything_is_drained() {
    all_good(&Faults::default(), 600);
}

#[test]
fn a_pool_at_work_writes_its_status_seldom_though_it_is_looked_at_each_second() {
    let mut driver = Driver::new(run(vec![workers(6, 6)]), 400, Faults::default(), 1);
    let writes = |driver: &mut Driver, seconds: u32| {
        let before = driver.writes;
        (0..seconds).for_each(|_| driver.turn());
        driver.writes - before
    };
    writes(&mut driver, 60);
    assert!(driver.queues["keys"].done > 10, "it is at work");
    let busy = writes(&mut driver, 60);
    // Its workers are busy with what takes long.
    for pod in driver.cluster.pods.values_mut() {
        pod.item = pod.item.map(|(item, _)| (item, i64::MAX));
    }
    let steady = writes(&mut driver, 60);
    assert!(busy <= 12, "{busy} in a minute");
    assert!(steady <= 2, "{steady} in a minute");
}

#[test]
fn a_controller_that_crashes_and_sees_late_drains_the_queue_all_the_same() {
    all_good(&rough(), 1_200);
}

#[test]
fn a_drained_queue_of_an_earlier_run_of_this_name_is_no_success() {
    for seed in 0..seeds() {
        let mut driver = Driver::new(brief(run(vec![workers(1, 6)])), 60, rough(), seed);
        let old = Items::left_behind(70);
        driver.queues.insert("keys".to_owned(), old);
        assert_eq!(driver.run(1_200), RunPhase::Succeeded);
        assert_eq!(driver.queues["keys"].done, 60, "seed {seed}");
    }
}

#[test]
fn pods_that_are_lost_and_preempted_are_made_up_for() {
    let habits = Habits {
        crashes: 100,
        ..Habits::default()
    };
    let faults = Faults {
        habits,
        disruptions: 30,
        until: 300,
        ..rough()
    };
    drained_exactly_if_good(&faults, 2_400);
}

#[test]
fn workers_that_leave_at_a_momentary_empty_do_not_end_the_step() {
    let habits = Habits {
        leaves_when_empty: true,
        bad_items: 8,
        crashes: 25,
        ..Habits::default()
    };
    let faults = Faults {
        habits,
        until: 400,
        ..rough()
    };
    drained_exactly_if_good(&faults, 3_600);
}

#[test]
fn rounds_side_by_side_have_no_more_workers_than_are_wanted() {
    let mut beside = 0;
    for seed in 0..seeds() {
        let habits = Habits {
            lemons: 2,
            crashes: 400,
            ..Habits::default()
        };
        let faults = Faults { habits, ..rough() };
        let mut driver = Driver::new(run(vec![workers(6, 6)]), 250, faults, seed);
        while driver.status.finished_at.is_none() {
            driver.turn();
            assert!(driver.now < 7_200_000, "it ends");
            let jobs = driver.status.steps.iter().flat_map(|step| &step.jobs);
            beside += usize::from(jobs.filter(|job| job.ended.is_none()).count() > 1);
        }
    }
    assert!(beside > 0, "the story is told");
}

#[test]
fn jobs_that_somebody_deletes_begin_again() {
    let faults = Faults {
        deletions: 40,
        until: 200,
        ..rough()
    };
    drained_exactly_if_good(&faults, 3_600);
}

#[test]
fn an_outage_of_the_queue_server_is_waited_out() {
    let faults = Faults {
        outage: (20, 200),
        ..rough()
    };
    all_good(&faults, 3_600);
}

#[test]
fn a_queue_that_its_server_lost_fails_the_step() {
    let faults = Faults {
        outage: (20, 40),
        forgets: true,
        ..Faults::default()
    };
    for driver in drained_exactly_if_good(&faults, 1_200) {
        assert_eq!(driver.status.steps[0].reason, "QueueLost");
    }
}

#[test]
fn workers_that_cannot_reach_the_server_fail_the_step_and_say_so() {
    let habits = Habits {
        cut_off: true,
        ..Habits::default()
    };
    let faults = Faults { habits, ..rough() };
    for driver in drained_exactly_if_good(&faults, 7_200) {
        assert_eq!(driver.status.steps[0].reason, "ServerUnreachable");
    }
}

#[test]
fn workers_that_always_crash_are_given_up() {
    let habits = Habits {
        exits: Some(1),
        ..Habits::default()
    };
    let faults = Faults { habits, ..rough() };
    for driver in drained_exactly_if_good(&faults, 7_200) {
        assert_eq!(
            driver.status.steps[0].reason, "WorkersFail",
            "{:#?}",
            driver.status
        );
    }
}

#[test]
fn workers_that_say_that_it_is_hopeless_fail_the_step_at_once() {
    let habits = Habits {
        exits: Some(78),
        ..Habits::default()
    };
    let faults = Faults { habits, ..rough() };
    for driver in drained_exactly_if_good(&faults, 300) {
        assert_eq!(driver.status.steps[0].reason, "WorkerFailed");
    }
}

#[test]
fn an_image_that_cannot_be_pulled_fails_the_step_with_its_reason() {
    let weather = Weather {
        fate: Fate::NoImage,
        one_in: 1,
        quota: usize::MAX,
    };
    let faults = Faults { weather, ..rough() };
    for driver in drained_exactly_if_good(&faults, 900) {
        assert_eq!(driver.status.steps[0].reason, "ImagePullBackOff");
    }
}

#[test]
fn pods_that_stay_pending_for_ever_do_not_hold_a_drained_step_open() {
    for fate in [Fate::NoImage, Fate::NoNode] {
        let weather = Weather {
            fate,
            one_in: 3,
            quota: usize::MAX,
        };
        let faults = Faults {
            weather,
            until: 1_800,
            ..rough()
        };
        drained_exactly_if_good(&faults, 3_600);
    }
}

#[test]
fn a_quota_and_a_missing_right_are_waited_out() {
    let weather = Weather {
        fate: Fate::Works,
        one_in: 0,
        quota: 2,
    };
    let faults = Faults {
        weather,
        forbidden_until: 120,
        ..rough()
    };
    all_good(&faults, 3_600);
}

#[test]
fn elements_and_steps_in_order_end_as_their_programs_do() {
    for seed in 0..seeds() {
        let mut fan = each("users", 12);
        if let Work::Each(each) = &mut fan.work {
            each.max_parallel = Some(4);
        }
        fan.retries = 2;
        let steps = vec![
            once("first"),
            after(fan, &["first"], When::Succeeded),
            after(workers(1, 3), &["first"], When::Succeeded),
            after(once("last"), &["users", "keys"], When::Always),
        ];
        let habits = Habits {
            failures: 8,
            ..Habits::default()
        };
        let faults = Faults {
            habits,
            deletions: 80,
            disruptions: 60,
            until: 300,
            ..rough()
        };
        let mut driver = Driver::new(brief(run(steps)), 30, faults, seed);
        let phase = driver.run(7_200);
        let failed = driver
            .status
            .steps
            .iter()
            .any(|step| step.phase == crate::flow::Phase::Failed);
        assert_eq!(phase == RunPhase::Failed, failed);
        // What is left behind is let go after the end, and every piece of news was told once.
        for _ in 0..300 {
            driver.turn();
        }
        assert!(
            driver.cluster.jobs.is_empty(),
            "seed {seed}: {:#?}",
            driver.cluster.jobs
        );
        let mut told = driver.told.clone();
        told.retain(|(reason, _)| *reason != "WorkersScaled");
        told.sort();
        let all = told.len();
        told.dedup();
        assert_eq!(told.len(), all, "news is told once");
    }
}

#[test]
fn a_run_that_is_cancelled_leaves_nothing_behind() {
    for seed in 0..seeds() {
        let run = run(vec![workers(2, 6), each("users", 9)]);
        let mut driver = Driver::new(run, 500, rough(), seed);
        for _ in 0..(20 + seed) {
            driver.turn();
        }
        driver.cancelled = true;
        assert_eq!(driver.run(600), RunPhase::Cancelled);
        for _ in 0..30 {
            driver.turn();
        }
        let open = driver
            .cluster
            .jobs
            .values()
            .filter(|job| job.ended.is_none());
        assert_eq!(open.count(), 0, "seed {seed}");
    }
}
