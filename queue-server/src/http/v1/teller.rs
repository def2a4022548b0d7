//! One stream of events: all queues and runs as they are, then each as it changes.
//!
//! A stream is a number in the engine's list of changes, and one in that of the runs. When its client takes
//! the next bytes, it looks at what was listed since, and shows those queues and runs as they are by then. So
//! a client that is slow holds nothing back and nothing is kept for it but the text it is reading; and a queue
//! that changes a thousand times meanwhile is told of once.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use queue_api::{Deleted, Event, QueueName, RunDeleted, RunName};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::engine::{self, Engine, Fault};
use crate::recent::Changed;
use crate::runs::{self, Runs};

/// Shortest time between two looks of one stream: so nothing is told of more than four times a second.
const PACE: Duration = Duration::from_millis(250);
/// A comment goes after so long without an event, so that nobody on the way takes the stream for dead.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// Text that goes at once, in bytes: what a stream holds is this and one queue or run more.
const PIECE: usize = 64 * 1024;

/// One stream.
pub(super) struct Teller {
    engine: Arc<Engine>,
    watch: engine::Watch,
    /// The queue that it tells of alone.
    only: Option<QueueName>,
    /// The runs, unless it tells of one queue alone.
    runs: Option<(Runs, runs::Watch)>,
    stop: CancellationToken,
    /// The server stops, and what was told of runs until then has been looked at.
    stopped: bool,
    looked: Instant,
    said: Instant,
    left: Left,
    _place: OwnedSemaphorePermit,
}

/// What is still to be told before the next look, the last first.
enum Left {
    /// These queues and runs, as one event.
    Snapshot(Snapshot),
    /// These queues and runs, each for itself.
    Changes {
        queues: Vec<QueueName>,
        runs: Vec<RunName>,
    },
}

/// What is left of a snapshot.
#[derive(Default)]
struct Snapshot {
    queues: Vec<QueueName>,
    /// None in a stream of one queue.
    runs: Option<Vec<RunName>>,
    /// Where it is.
    at: Part,
    /// Whether the list it is in has an entry.
    follows: bool,
}

#[derive(Clone, Copy, Default)]
enum Part {
    #[default]
    Beginning,
    Queues,
    Runs,
}

impl Left {
    const NOTHING: Self = Self::Changes {
        queues: Vec::new(),
        runs: Vec::new(),
    };
}

impl Teller {
    /// A stream of all queues and runs, or of one queue alone.
    pub(super) fn new(
        engine: Arc<Engine>,
        runs: Runs,
        only: Option<QueueName>,
        place: OwnedSemaphorePermit,
    ) -> Result<Self, Fault> {
        // Before anything is looked at, so that nothing falls in between.
        let watch = engine.watch();
        let runs = only.is_none().then(|| {
            let watch = runs.watch(engine.now());
            (runs, watch)
        });
        let mut teller = Self {
            watch,
            only,
            runs,
            stop: engine.stopping(),
            stopped: false,
            engine,
            looked: Instant::now(),
            said: Instant::now(),
            left: Left::NOTHING,
            _place: place,
        };
        teller.left = teller.snapshot()?;
        Ok(teller)
    }

    /// The next piece of text, or the end: the server stops.
    pub(super) async fn next(mut self) -> Result<Option<(Bytes, Self)>, Unsaid> {
        loop {
            let text = self.text().await?;
            if !text.is_empty() {
                self.said = Instant::now();
                return Ok(Some((text.into(), self)));
            }
            match self.look().await? {
                Look::Changed => {}
                Look::Quiet => {
                    self.said = Instant::now();
                    return Ok(Some((Bytes::from_static(b": still here\n\n"), self)));
                }
                Look::Stopping => return Ok(None),
            }
        }
    }

    /// Some of what is left to tell; nothing if there is nothing left.
    async fn text(&mut self) -> Result<Vec<u8>, Unsaid> {
        let mut text = Vec::new();
        let mut left = std::mem::replace(&mut self.left, Left::NOTHING);
        while text.len() < PIECE {
            match &mut left {
                Left::Snapshot(snapshot) => {
                    if self.more_of(snapshot, &mut text).await?.is_none() {
                        return Ok(text);
                    }
                }
                Left::Changes { queues, runs } => {
                    let event = if let Some(name) = queues.pop() {
                        self.queue(name).await?
                    } else if let Some(name) = runs.pop() {
                        match self.run(&name) {
                            Some(report) => {
                                say(Event::RUN, &report, &mut text);
                                continue;
                            }
                            None => Event::RunDeleted(RunDeleted { run: name }),
                        }
                    } else {
                        return Ok(text);
                    };
                    say(event.name(), event.data()?.as_bytes(), &mut text);
                }
            }
        }
        self.left = left;
        Ok(text)
    }

    /// The next entry of a snapshot, or what stands between its lists; nothing after its end.
    async fn more_of(
        &self,
        snapshot: &mut Snapshot,
        text: &mut Vec<u8>,
    ) -> Result<Option<()>, Unsaid> {
        match snapshot.at {
            Part::Beginning => {
                text.extend_from_slice(b"event: snapshot\ndata: {\"queues\":[");
                snapshot.at = Part::Queues;
            }
            Part::Queues => match snapshot.queues.pop() {
                // One that was deleted meanwhile is told of by the next look.
                Some(name) => {
                    if let Event::Queue(queue) = self.queue(name).await? {
                        snapshot.begin_entry(text);
                        serde_json::to_writer(&mut *text, &queue)?;
                    }
                }
                None if snapshot.runs.is_some() => {
                    text.extend_from_slice(b"],\"runs\":[");
                    (snapshot.at, snapshot.follows) = (Part::Runs, false);
                }
                None => return Ok(snapshot.end(text)),
            },
            Part::Runs => match snapshot.runs.as_mut().and_then(Vec::pop) {
                Some(name) => {
                    if let Some(report) = self.run(&name) {
                        snapshot.begin_entry(text);
                        text.extend_from_slice(&report);
                    }
                }
                None => return Ok(snapshot.end(text)),
            },
        }
        Ok(Some(()))
    }

    /// Waits until there may be something to tell, and finds out what.
    async fn look(&mut self) -> Result<Look, Fault> {
        let pace = self.looked + PACE;
        let changed = async {
            tokio::time::sleep_until(pace).await;
            let runs = async {
                match &self.runs {
                    Some((_, watch)) => watch.changed(|| self.engine.now()).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = self.watch.changed() => {}
                () = runs => {}
            }
        };
        tokio::select! {
            biased;
            () = self.stop.cancelled() => return Ok(self.last_look()),
            () = changed => {}
            () = tokio::time::sleep_until(self.said + KEEP_ALIVE) => return Ok(Look::Quiet),
        }
        self.looked = Instant::now();
        let queues = self.watch.look();
        let runs = match &mut self.runs {
            Some((_, watch)) => watch.look(self.engine.now()),
            None => Changed::These(Vec::new()),
        };
        self.left = match (queues, runs) {
            (Changed::These(mut queues), Changed::These(mut runs)) => {
                queues.retain(|name| self.only.as_ref().is_none_or(|only| only == name));
                queues.reverse();
                runs.reverse();
                Left::Changes { queues, runs }
            }
            (Changed::Unknown, _) | (_, Changed::Unknown) => self.snapshot()?,
        };
        Ok(Look::Changed)
    }

    /// What was told of runs until the server stopped: the end of a run that brought the server along is
    /// told just before, and whoever watches should see it.
    fn last_look(&mut self) -> Look {
        let Some((_, watch)) = self.runs.as_mut().filter(|_| !self.stopped) else {
            return Look::Stopping;
        };
        self.stopped = true;
        if let Changed::These(mut runs) = watch.look(self.engine.now()) {
            runs.reverse();
            self.left = Left::Changes {
                queues: Vec::new(),
                runs,
            };
        }
        Look::Changed
    }

    /// All that the stream tells of.
    fn snapshot(&self) -> Result<Left, Fault> {
        let queues = self.engine.queues()?;
        let names = queues.iter().rev().map(|queue| queue.name());
        let asked = names.filter(|name| self.only.as_ref().is_none_or(|only| only == *name));
        let runs = self.runs.as_ref().map(|(runs, _)| {
            let mut names = runs.names(self.engine.now());
            names.reverse();
            names
        });
        Ok(Left::Snapshot(Snapshot {
            queues: asked.cloned().collect(),
            runs,
            ..Snapshot::default()
        }))
    }

    /// A queue that was listed, as it is now.
    async fn queue(&self, name: QueueName) -> Result<Event, Fault> {
        let shown = match self.engine.queue(&name) {
            Ok(queue) => queue.view().await,
            Err(fault) => Err(fault),
        };
        match shown {
            Ok(view) => Ok(Event::Queue(Box::new(view))),
            Err(Fault::NoSuchQueue(_)) => Ok(Event::Deleted(Deleted { name })),
            Err(fault) => Err(fault),
        }
    }

    /// The last report of a run that was listed, as JSON; none if it is gone.
    fn run(&self, run: &RunName) -> Option<Bytes> {
        let (runs, _) = self.runs.as_ref()?;
        runs.get(run, self.engine.now())
    }
}

impl Snapshot {
    /// What stands before an entry of the list it is in.
    fn begin_entry(&mut self, text: &mut Vec<u8>) {
        if self.follows {
            text.push(b',');
        }
        self.follows = true;
    }

    fn end(&self, text: &mut Vec<u8>) -> Option<()> {
        text.extend_from_slice(b"]}\n\n");
        None
    }
}

/// Writes an event, whose data is one line.
fn say(name: &str, data: &[u8], text: &mut Vec<u8>) {
    for part in [b"event: ", name.as_bytes(), b"\ndata: ", data, b"\n\n"] {
        text.extend_from_slice(part);
    }
}

/// What came of waiting.
enum Look {
    Changed,
    Quiet,
    Stopping,
}

/// Why a stream breaks off.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unsaid {
    #[error(transparent)]
    Fault(#[from] Fault),
    #[error("an event cannot be written as json")]
    Json(#[from] serde_json::Error),
}
