//! The planner's table: what is seen, and what is to be done.

use super::*;

const JOB: Job = Job {
    workers: 2,
    timeout: Some(Duration::from_secs(600)),
    grace: Duration::from_secs(10),
};

const fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn running() -> Worker {
    Worker {
        starts: 1,
        life: Life::Running,
        ..Worker::default()
    }
}

fn ended(at: u64, exit: Exit, failures: u32) -> Worker {
    Worker {
        starts: failures.max(1),
        failures,
        life: Life::Ended { at: s(at), exit },
        ..Worker::default()
    }
}

/// A run in full swing: all is loaded and sealed, both workers run.
fn swing() -> Observed {
    Observed {
        load: Load::Sealed,
        workers: vec![running(), running()],
        ..Observed::new(2)
    }
}

fn start(worker: usize, start: u32) -> Action {
    Action::Start { worker, start }
}

fn interrupted() -> Why {
    Why::Signal(Signal::Interrupt)
}

/// One row: what is seen at which second, the actions, and the second to wake at.
type Row = (&'static str, Observed, u64, Vec<Action>, Option<u64>);

#[test]
fn what_is_seen_says_what_to_do() {
    let mut rows: Vec<Row> = Vec::new();
    let mut row = |what, change: &dyn Fn(&mut Observed), now, actions, wake| {
        let mut seen = swing();
        change(&mut seen);
        rows.push((what, seen, now, actions, wake));
    };
    let gone = Exit::Signal(9);

    row(
        "in full swing there is nothing to do",
        &|_| {},
        5,
        vec![],
        Some(600),
    );
    row(
        "workers start while items still go in",
        &|o| {
            o.load = Load::Running;
            o.workers = vec![Worker::default(); 2];
        },
        0,
        vec![start(0, 1), start(1, 1)],
        Some(600),
    );
    row(
        "the last item seals",
        &|o| o.load = Load::Loaded,
        1,
        vec![Action::Seal],
        Some(600),
    );
    row(
        "a crashed worker waits a little",
        &|o| o.workers[1] = ended(5, gone, 1),
        5,
        vec![],
        Some(5),
    );
    row(
        "and starts again",
        &|o| o.workers[1] = ended(5, gone, 1),
        6,
        vec![start(1, 2)],
        Some(600),
    );
    row(
        "the wait grows",
        &|o| o.workers[1] = ended(5, gone, 6),
        6,
        vec![],
        Some(8),
    );
    row(
        "but not past ten seconds",
        &|o| o.workers[1] = ended(5, gone, 9),
        15,
        vec![start(1, 10)],
        Some(600),
    );
    row(
        "ten crashes in a row end the run",
        &|o| o.workers[1] = ended(5, gone, RESTARTS),
        6,
        vec![Action::Stop(Why::Worker(1, gone))],
        None,
    );
    row(
        "a worker that will never work ends it at once",
        &|o| o.workers[0] = ended(1, Exit::Code(78), 1),
        1,
        vec![Action::Stop(Why::Worker(0, Exit::Code(78)))],
        None,
    );
    row(
        "a worker somebody else stopped comes back",
        &|o| o.workers[0] = ended(5, Exit::Code(75), 0),
        6,
        vec![start(0, 2)],
        Some(600),
    );
    row(
        "time is up",
        &|_| {},
        600,
        vec![Action::Stop(Why::TimedOut)],
        None,
    );
    row(
        "the server is gone",
        &|o| o.trouble = Some("gone".into()),
        5,
        vec![Action::Stop(Why::Trouble("gone".into()))],
        None,
    );
    row(
        "Ctrl-C comes before all other reasons",
        &|o| {
            (o.interrupts, o.signal) = (1, Some(Signal::Interrupt));
            o.trouble = Some("gone".into());
        },
        700,
        vec![Action::Stop(interrupted())],
        None,
    );
    row(
        "workers have their grace",
        &|o| {
            (o.interrupts, o.signal) = (1, Some(Signal::Interrupt));
            o.stopping = Some((s(5), interrupted()));
        },
        14,
        vec![],
        Some(15),
    );
    row(
        "no crashed worker starts again while stopping",
        &|o| {
            o.workers[1] = ended(5, gone, 1);
            o.stopping = Some((s(5), Why::TimedOut));
        },
        9,
        vec![],
        Some(15),
    );
    row(
        "past their grace they are killed",
        &|o| o.stopping = Some((s(5), Why::TimedOut)),
        15,
        vec![Action::Kill],
        None,
    );
    row(
        "a second Ctrl-C kills at once",
        &|o| {
            (o.interrupts, o.signal) = (2, Some(Signal::Interrupt));
            o.stopping = Some((s(5), interrupted()));
        },
        6,
        vec![Action::Kill],
        None,
    );
    row(
        "a first Ctrl-C does, when the run is stopping for another reason",
        &|o| {
            (o.interrupts, o.signal) = (1, Some(Signal::Interrupt));
            o.stopping = Some((s(5), Why::TimedOut));
        },
        6,
        vec![Action::Kill],
        None,
    );
    row(
        "killing once is enough",
        &|o| {
            o.killed = true;
            o.stopping = Some((s(5), Why::TimedOut));
        },
        99,
        vec![],
        None,
    );
    row(
        "stopped and all gone: over, for the reason it was stopped",
        &|o| {
            o.workers = vec![ended(6, Exit::Code(75), 0), ended(6, gone, 1)];
            o.trouble = Some("later".into());
            o.stopping = Some((s(5), Why::TimedOut));
        },
        6,
        vec![Action::Finish(End::Stopped(Why::TimedOut))],
        None,
    );
    row(
        "drained: workers leave by themselves",
        &|o| o.drained = Some(s(50)),
        50,
        vec![],
        Some(60),
    );
    row(
        "one that does not is stopped",
        &|o| o.drained = Some(s(50)),
        60,
        vec![Action::Stop(Why::Drained)],
        None,
    );
    row(
        "drained and all gone: complete, however they went",
        &|o| {
            o.drained = Some(s(50));
            o.workers = vec![ended(50, Exit::Code(0), 0), ended(50, gone, 1)];
        },
        700,
        vec![Action::Finish(End::Complete)],
        None,
    );
    row(
        "a hanging worker does not spoil a complete run",
        &|o| {
            o.drained = Some(s(50));
            o.workers = vec![ended(50, Exit::Code(0), 0), ended(61, gone, 1)];
            o.stopping = Some((s(60), Why::Drained));
        },
        61,
        vec![Action::Finish(End::Complete)],
        None,
    );

    for (what, seen, now, actions, wake) in rows {
        let got = plan(&JOB, &seen, s(now));
        assert_eq!(got.actions, actions, "{what}");
        // A wake within the second counts: waits below one are not in the table's units.
        assert_eq!(got.wake.map(|wake| wake.as_secs()), wake, "{what}");
    }
}

#[test]
fn every_exit_code_of_a_worker_is_judged() {
    for (exit, crash) in [
        (Exit::Code(0), Crash::Left),
        (Exit::Code(75), Crash::Left),
        (Exit::Code(64), Crash::Hopeless),
        (Exit::Code(69), Crash::Hopeless),
        (Exit::Code(77), Crash::Hopeless),
        (Exit::Code(78), Crash::Hopeless),
        (Exit::Code(101), Crash::Again),
        (Exit::Signal(9), Crash::Again),
        (Exit::NotStarted, Crash::Again),
    ] {
        assert_eq!(judge(exit), crash, "{exit:?}");
    }
}

#[test]
fn asking_again_without_news_asks_for_the_same() {
    let mut seen = swing();
    seen.load = Load::Loaded;
    seen.workers[0] = Worker::default();
    assert_eq!(plan(&JOB, &seen, s(3)), plan(&JOB, &seen, s(3)));
    assert_eq!(plan(&JOB, &seen, s(3)).actions, [Action::Seal, start(0, 1)]);
}

#[test]
fn crashes_count_in_a_row_and_progress_forgives_them() {
    let mut seen = Observed::new(1);
    for failures in 1..=3 {
        seen.started(0);
        seen.ended(0, Exit::Signal(9), s(1));
        assert_eq!(seen.workers[0].failures, failures);
    }
    seen.started(0);
    seen.finished += 1;
    seen.ended(0, Exit::Signal(9), s(2));
    assert_eq!((seen.workers[0].failures, seen.workers[0].starts), (1, 4));
    seen.started(0);
    seen.ended(0, Exit::Code(75), s(3));
    assert_eq!(seen.workers[0].failures, 1, "leaving is no failure");
}

#[test]
fn the_first_trouble_and_the_first_signal_stay() {
    let mut seen = Observed::new(1);
    seen.in_trouble("first");
    seen.in_trouble("second");
    seen.interrupted(Signal::Interrupt);
    seen.interrupted(Signal::Terminate);
    assert_eq!(seen.trouble.as_deref(), Some("first"));
    assert_eq!((seen.interrupts, seen.signal), (2, Some(Signal::Interrupt)));
}
