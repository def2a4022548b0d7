//! What the stories share: opening a log with a list of what was replayed, and waiting with a bound.

use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use queue_log::{Disk, Log, Lsn, OpenError, Opened, Options, Progress, Recovery};

/// Small segments, so that a short story fills several.
pub(crate) const SMALL: Options = Options {
    segment_bytes: 16 << 10,
    max_bytes: None,
    accept_loss: false,
};

/// What a log says of its progress, to be waited for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Watch(Arc<(Mutex<Option<Progress>>, Condvar)>);

impl Watch {
    pub(crate) fn callback(&self) -> Box<dyn Fn(Progress) + Send + Sync> {
        let watch = self.clone();
        Box::new(move |progress| {
            *watch.0.0.lock().expect("nobody panicked") = Some(progress);
            watch.0.1.notify_all();
        })
    }

    /// Waits until the log has come so far, or has failed.
    pub(crate) fn until(&self, reached: impl Fn(&Progress) -> bool) -> Progress {
        let latest = self.0.0.lock().expect("nobody panicked");
        let waits = |latest: &mut Option<Progress>| {
            !latest
                .as_ref()
                .is_some_and(|progress| progress.failed.is_some() || reached(progress))
        };
        let bound = Duration::from_secs(20);
        let (latest, timeout) = self
            .0
            .1
            .wait_timeout_while(latest, bound, waits)
            .expect("nobody panicked");
        assert!(
            !timeout.timed_out(),
            "the log got no further than {latest:?}"
        );
        latest.clone().expect("it was waited for")
    }
}

/// A log that runs, and what was in it.
#[derive(Debug)]
pub(crate) struct Running {
    pub(crate) log: Log,
    pub(crate) watch: Watch,
    pub(crate) recovery: Recovery,
    /// Bodies of the frames, with their addresses.
    pub(crate) replayed: Vec<(Lsn, Vec<u8>)>,
}

impl Running {
    /// Appends one record as a group of its own and waits until it is durable.
    pub(crate) fn keep(&self, bytes: &[u8]) -> Lsn {
        let (at, end) = self.append(bytes);
        self.log.hand_over();
        let progress = self.until_durable(end);
        assert!(progress.failed.is_none(), "{progress:?}");
        at
    }

    /// Waits until the log is durable up to there, or has failed.
    pub(crate) fn until_durable(&self, end: Lsn) -> Progress {
        let progress = self.log.progress();
        // Of what was there at the start nobody is told.
        if progress.failed.is_some() || progress.durable >= end {
            return progress;
        }
        self.watch.until(|progress| progress.durable >= end)
    }

    /// Appends a record: where it begins and ends.
    pub(crate) fn append(&self, bytes: &[u8]) -> (Lsn, Lsn) {
        let mut at = Lsn(0);
        let end = self.log.append(|record| {
            at = record.position();
            record.put(bytes);
        });
        (at, end)
    }

    /// The records that were replayed, as text.
    pub(crate) fn texts(&self) -> Vec<String> {
        let texts = self.replayed.iter();
        texts
            .map(|(_, body)| String::from_utf8(body.clone()).expect("text"))
            .collect()
    }
}

pub(crate) fn open(disk: Arc<dyn Disk>, options: Options) -> Result<Running, OpenError> {
    let mut replayed = Vec::new();
    let opened = Opened::read(disk, options, &mut |at, body| {
        replayed.push((at, body.to_vec()));
        Ok(())
    })?;
    let recovery = opened.recovery;
    let watch = Watch::default();
    let log = opened.start(watch.callback())?;
    Ok(Running {
        log,
        watch,
        recovery,
        replayed,
    })
}

/// Waits until it is so.
#[track_caller]
pub(crate) fn eventually(is: impl Fn() -> bool, what: &str) {
    let bound = Instant::now() + Duration::from_secs(20);
    while !is() {
        assert!(Instant::now() < bound, "never: {what}");
        std::thread::sleep(Duration::from_millis(1));
    }
}
