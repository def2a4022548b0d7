//! The size of a status: it does not grow with items, pods or tries, and little with anything else.

use super::super::PodPhase;
use super::forms::{at, each, exited, failed, job, once, pod, pool, queue, run};
use super::stage::Stage;
use crate::spec::Work;

/// A status of which a cluster keeps many versions and sends each to all who watch.
const MOST_BYTES: usize = 200 * 1024;

#[test]
fn a_hundred_steps_a_thousand_elements_and_a_thousand_failed_pods_fit() {
    let name = |kind: &str, number: u32| format!("{kind}-{number}-{}", "x".repeat(40));
    let mut steps = vec![each("users", 1000)];
    steps.extend((0..30).map(|number| pool(&name("pool", number), 30)));
    steps.extend((0..69).map(|number| once(&name("once", number))));
    for step in &mut steps {
        if let Work::Items(pool) = &mut step.work {
            pool.workers.min = 1;
        } else {
            step.retries = 3;
        }
    }
    let mut stage = Stage::new(run(steps));
    let long = "a line that says what went wrong\n".repeat(200);
    stage.look(0);
    for round in 0..4 {
        let now = i64::from(round) * 100;
        let steps = stage.run.steps.clone();
        for step in steps
            .iter()
            .filter(|step| matches!(step.work, Work::Items(_)))
        {
            stage.sees_queue(&step.name, queue(1_000, 1_000_000));
        }
        stage.look(now);
        let (mut jobs, mut pods) = (Vec::new(), Vec::new());
        for step in &stage.status.steps {
            for record in &step.jobs {
                let ended = failed(
                    job(&record.name, &step.name, 1, at(now)),
                    "BackoffLimitExceeded",
                );
                for number in 0..4 {
                    let name = format!("{}-{round}{number:04}", record.name);
                    stage.seen.logs.insert(name.clone(), long.clone());
                    pods.push(exited(&name, &ended, 1, &long, at(now + number)));
                }
                let open = job(&record.name, &step.name, 1, at(now));
                pods.push(pod(
                    &format!("{}-live", record.name),
                    &open,
                    PodPhase::Running,
                ));
                jobs.push(if step.pool.is_some() { open } else { ended });
            }
        }
        assert!(pods.len() > 1_000, "{}", pods.len());
        stage.sees(&jobs, &pods);
        stage.look(now + 50);
        let text = serde_json::to_string(&stage.status).expect("it is written");
        assert!(text.len() < MOST_BYTES, "{} bytes", text.len());
    }
}

#[test]
fn messages_and_logs_are_cut_between_characters() {
    let mut stage = Stage::new(run(vec![once("a")]));
    stage.look(0);
    let lost = failed(job("r-a-1", "a", 1, at(0)), "BackoffLimitExceeded");
    let wide = "ü€😀".repeat(1_000);
    stage.seen.logs.insert("p".to_owned(), wide.clone());
    let pods = [exited("p", &lost, 1, &wide, at(1))];
    stage.sees(&[lost], &pods);
    stage.look(1);
    let failure = &stage.step("a").failures[0];
    assert!(failure.message.len() <= crate::kube::status::KEPT_MESSAGE_BYTES);
    let log = failure.log.as_deref().expect("a log");
    assert!(log.len() <= crate::kube::status::KEPT_LOG_BYTES && wide.ends_with(log));
}
