//! The loop of a step that has items: news in, the planner asked, its actions carried out.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::event::{Event, Events};
use super::halt::{BEYOND_GRACE, until};
use super::pool::{Launch, Pool};
use super::rundir::RunDir;
use super::stage::Stage;
use super::target::Target;
use super::{follower, loader, signals};
use crate::feed::{Choice, Source};
use crate::plan::{self, Action, Crash, End, Exit, Load, Observed, Signal, Why};
use crate::tally::Tally;
use crate::view::{Moment, Progress, how};

/// How often progress is shown while nothing else happens.
const TICK: Duration = Duration::from_millis(250);
/// A step under way.
pub(super) struct Session {
    stage: Arc<Stage>,
    step: String,
    place: usize,
    job: plan::Job,
    seen: Observed,
    started: Instant,
    pool: Pool,
    progress: Progress,
    events: Events,
    news: mpsc::Receiver<Event>,
    /// Loader and sealer: stopped with the step.
    loading: JoinSet<()>,
    /// Follower of outcomes.
    following: JoinSet<()>,
    /// Held for as long as signals are listened to.
    _signals: JoinSet<()>,
    queue: queue_client::QueueClient,
    loaded: u64,
    seal_asked: bool,
    /// The last outcome that is in the joblog.
    cursor: u64,
}

impl Session {
    /// Begins to follow what becomes of the items; no worker is started yet.
    pub(super) fn begin(
        stage: Arc<Stage>,
        place: usize,
        target: &Target,
        (workers, launch): (u32, Launch),
        progress: Progress,
        folder: &RunDir,
        started: Instant,
    ) -> Self {
        let (events, news) = Events::channel();
        let mut following = JoinSet::new();
        let follow = follower::follow(target.queue.clone(), target.after, events.clone());
        following.spawn(follow);
        Self {
            step: stage.step(place).name.clone(),
            place,
            job: plan::Job {
                workers,
                timeout: stage.time_of(place),
                grace: stage.job.grace + BEYOND_GRACE,
            },
            seen: Observed::new(workers),
            started,
            pool: Pool::new(launch, folder.clone(), events.clone()),
            progress,
            _signals: signals::hand_on(stage.signals.clone(), events.clone()),
            events,
            news,
            loading: JoinSet::new(),
            following,
            queue: target.queue.clone(),
            loaded: 0,
            seal_asked: false,
            cursor: target.after,
            stage,
        }
    }

    /// Begins to put the items in.
    pub(super) fn load(&mut self, source: Source, choice: Arc<Choice>, target: &Target) {
        let (queue, events) = (target.queue.clone(), self.events.clone());
        self.loading.spawn(loader::load(
            source,
            choice,
            queue,
            target.server.within.clone(),
            events,
        ));
    }

    /// Takes the items as they lie in the queue already.
    pub(super) fn take_as_loaded(&mut self) {
        self.seen.load = Load::Sealed;
    }

    /// Goes on until no worker runs and none will.
    pub(super) async fn go_on(&mut self, tally: &mut Tally, target: &mut Target) -> End {
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            let plan = plan::plan(&self.job, &self.seen, self.started.elapsed());
            let mut changed = false;
            for action in plan.actions {
                match action {
                    Action::Finish(end) => return end,
                    action => changed |= self.carry_out(action),
                }
            }
            if changed {
                continue;
            }
            let wake = plan.wake.map(|wake| self.started + wake);
            tokio::select! {
                Some(event) = self.news.recv() => self.take(event, tally),
                why = target.server.broken() => self.take(Event::Trouble(why), tally),
                () = until(wake) => {}
                _ = tick.tick() => self.show(tally),
            }
        }
    }

    /// Writes down what finished while the run was stopping.
    pub(super) async fn end(&mut self, tally: &mut Tally, end: &End, target: &Target) {
        self.loading.shutdown().await;
        self.following.shutdown().await;
        while let Ok(event) = self.news.try_recv() {
            self.take(event, tally);
        }
        let reachable = !matches!(end, End::Stopped(Why::Trouble(_))) || target.server.answers();
        if self.seen.drained.is_none() && reachable {
            for outcome in follower::rest(&self.queue, self.cursor).await {
                self.take(Event::Finished(Box::new(outcome)), tally);
            }
        }
    }

    /// Carries an action out; tells whether that changed what the planner sees.
    fn carry_out(&mut self, action: Action) -> bool {
        match action {
            Action::Start { worker, start } => {
                if self.seen.workers[worker].starts >= start {
                    return false;
                }
                self.seen.started(worker);
                if let Err(error) = self.pool.start(worker) {
                    self.progress.say(&format!("{error:#}"));
                    self.seen
                        .ended(worker, Exit::NotStarted, self.started.elapsed());
                }
                true
            }
            Action::Seal => {
                if !std::mem::replace(&mut self.seal_asked, true) {
                    let (queue, events) = (self.queue.clone(), self.events.clone());
                    self.loading.spawn(async move {
                        let news = match queue.seal().await {
                            Ok(_) => Event::Sealed,
                            Err(error) => {
                                let error = anyhow::Error::new(error);
                                Event::Trouble(format!("cannot seal the queue: {error:#}"))
                            }
                        };
                        events.tell(news).await;
                    });
                }
                false
            }
            Action::Stop(why) => {
                if let Some(text) = self.stopping(&why) {
                    self.progress.say(&text);
                }
                if why != Why::Drained && self.stage.is_one_pool() {
                    self.stage.account.stops();
                }
                self.seen.stopping = Some((self.started.elapsed(), why));
                self.loading.abort_all();
                self.pool.stop();
                true
            }
            Action::Kill => {
                self.progress.say("killing the workers");
                self.seen.killed = true;
                self.pool.kill();
                true
            }
            // Taken by the caller: it ends the loop.
            Action::Finish(_) => false,
        }
    }

    fn stopping(&self, why: &Why) -> Option<String> {
        let workers = self.seen.running();
        let grace = crate::view::human(self.job.grace);
        match why {
            Why::Drained => None,
            Why::Signal(Signal::Interrupt) => Some(format!(
                "stopping: {workers} workers finish what they hold, at most {grace}; Ctrl-C again \
                 kills them"
            )),
            Why::Signal(_) => Some("stopping: workers finish what they hold".into()),
            Why::TimedOut => Some("the time is up: stopping the workers".into()),
            Why::Trouble(trouble) => Some(format!("stopping: {trouble}")),
            Why::Worker(worker, exit) => Some(format!(
                "stopping: worker {} is given up: {}",
                worker + 1,
                how(*exit)
            )),
        }
    }

    fn take(&mut self, event: Event, tally: &mut Tally) {
        let now = self.started.elapsed();
        match event {
            Event::Loading(loaded) => self.loaded = loaded,
            Event::Loaded => self.seen.load = Load::Loaded,
            Event::Sealed => self.seen.load = Load::Sealed,
            Event::Finished(outcome) => {
                if outcome.outcome <= self.cursor {
                    return;
                }
                self.cursor = outcome.outcome;
                self.seen.finished += 1;
                tally.record(&outcome, now);
                if let Err(error) = self.stage.joblog().append(&self.step, &outcome) {
                    self.seen
                        .in_trouble(format!("{:#}", anyhow::Error::new(error)));
                }
            }
            Event::Drained => self.seen.drained = Some(now),
            Event::WorkerEnded { worker, exit } => {
                self.seen.ended(worker, exit, now);
                let crashed = plan::judge(exit) == Crash::Again;
                if crashed && self.seen.stopping.is_none() && self.seen.drained.is_none() {
                    let text = format!("worker {}: {}; starting it again", worker + 1, how(exit));
                    self.progress.say(&text);
                }
            }
            Event::Signal(signal) => self.seen.interrupted(signal),
            Event::Trouble(trouble) => self.seen.in_trouble(trouble),
        }
    }

    fn show(&mut self, tally: &Tally) {
        let moment = Moment {
            now: self.started.elapsed(),
            workers: self.seen.running(),
            stopping: self.seen.stopping.is_some(),
            loading: (self.seen.load == Load::Running).then_some(self.loaded),
        };
        self.progress.show(tally, moment);
        let workers = (moment.workers, self.job.workers);
        let account = &self.stage.account;
        account.pool(self.place, tally, moment.now, workers);
    }
}
