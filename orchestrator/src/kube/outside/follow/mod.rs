//! Follows a run to its end: shows how far it is, fills queues from here, fetches outcomes, and tells it to stop where it must.
//!
//! It takes part in nothing else: a run goes on without it, but for items that lie on this machine. What is seen becomes a
//! [`Report`]; how that is shown and what it exits with is not its business.

mod fills;

use std::collections::HashSet;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use futures_util::stream::{BoxStream, StreamExt as _, pending};
use kube::Client;
use queue_client::{Client as Queues, Token};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::bundle::{self, Brought, Start};
use super::fill::Filling;
use super::needs::Refused;
use super::order::Fill;
use super::outcomes::{self, News};
use super::reach::{self, Reach};
use super::records::{self, Form, Record, Sight};
use super::stage::{Moment, Stage};
use super::verdict::{End, Report};
use crate::joblog::Joblog;
use crate::kube::plan::START_LIMIT;
use crate::kube::status::{RunPhase, RunStatus};
use crate::tally::Tally;
use fills::Filled;

/// How often filling is looked at and the bar moves, though nothing came in.
const TICK: Duration = Duration::from_millis(250);
/// How long a run may lie there without a controller before that is said.
const UNTAKEN: Duration = Duration::from_secs(15);
/// How long something must be in the way of outcomes or of filling before it is said: pods come and go.
const STUCK: Duration = Duration::from_secs(20);
/// How long the last outcomes may take once the run has ended: somebody waits.
const LAST_CALLS: Duration = Duration::from_secs(10);
/// How long a speed is measured over. What was finished before somebody came to look is told at once, and is none.
const SPEED: Duration = Duration::from_secs(30);
/// Items of a step up to which its outcomes are fetched for the summary alone.
const FEW_ITEMS: u64 = 10_000;
/// How long one call may go on against a queue server that does not answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// Somebody wants something of whoever follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wish {
    /// Go away: Ctrl-C or its kin.
    Leave,
}

/// What is to be followed, and how.
pub(crate) struct Following {
    pub(crate) client: Client,
    /// The run as it is known.
    pub(crate) record: Record,
    /// What it brought along, if it did.
    pub(crate) brought: Option<Brought>,
    /// Queues that are filled from here.
    pub(crate) fills: Vec<Fill>,
    /// Where outcomes are written.
    pub(crate) joblog: Option<(Joblog, PathBuf)>,
    /// The time after which it is told to stop.
    pub(crate) timeout: Option<Duration>,
    /// The time after which nobody waits any longer; the run goes on.
    pub(crate) patience: Option<Duration>,
    /// Go away as soon as nothing is left to be filled.
    pub(crate) detach: bool,
    /// The token that the queue server asks for.
    pub(crate) token: Option<Token>,
    /// The queue server that whoever follows names: it may see their token wherever it lies.
    pub(crate) trusted: Option<String>,
    /// The queue server, where it is not reached through the cluster.
    pub(crate) server: Option<String>,
}

/// Follows it until it ends, or until nobody wants to any more. An error is what kept it from being seen at all.
pub(crate) async fn follow(
    following: Following,
    wishes: mpsc::Receiver<Wish>,
    stage: Stage,
) -> anyhow::Result<Report> {
    let (tell, news) = outcomes::channel();
    let mut follower = Follower {
        reach: following.server.clone().map(Reach::Named),
        begun: Instant::now(),
        tally: Tally::new(0, 0),
        fills: Vec::new(),
        followed: HashSet::new(),
        outcomes: JoinSet::new(),
        tell: Some(tell),
        wanted: None,
        leaving: following.detach,
        blind: false,
        untaken_told: false,
        stuck: None,
        from_start: is_new(&following.record),
        waits: None,
        following,
        stage,
    };
    let end = Box::pin(follower.until_end(news, wishes)).await;
    follower.sync_joblog();
    follower.stage.end();
    let (end, missing) = end?;
    let Follower {
        following, tally, ..
    } = follower;
    Ok(Report {
        record: following.record,
        end,
        tally,
        joblog: following.joblog.map(|(_, path)| path),
        missing,
    })
}

struct Follower {
    following: Following,
    stage: Stage,
    begun: Instant,
    tally: Tally,
    reach: Option<Reach>,
    fills: Vec<Filled>,
    /// Queues whose outcomes are fetched.
    followed: HashSet<String>,
    outcomes: JoinSet<()>,
    /// Where they are told; none once they cannot be fetched.
    tell: Option<mpsc::Sender<News>>,
    /// Why the run was told to stop from here.
    wanted: Option<End>,
    /// Go away once all queues are filled.
    leaving: bool,
    /// The run could not be seen at the last try.
    blind: bool,
    untaken_told: bool,
    /// Since when no outcome comes though there are some, and whether it was said.
    stuck: Option<(Instant, bool)>,
    /// It is followed from its beginning.
    from_start: bool,
    /// Since when the controller that it brought does not start, and why.
    waits: Option<(Instant, String)>,
}

impl Follower {
    async fn until_end(
        &mut self,
        mut news: mpsc::Receiver<News>,
        mut wishes: mpsc::Receiver<Wish>,
    ) -> anyhow::Result<(End, u64)> {
        let Record {
            namespace,
            name,
            form,
            ..
        } = &self.following.record;
        let mut sights = records::watch(&self.following.client, *form, namespace, name);
        let mut starts: BoxStream<'static, Start> = match &self.following.brought {
            Some(brought) => bundle::watch(&self.following.client, brought).boxed(),
            None => pending().boxed(),
        };
        let mut ticks = tokio::time::interval(TICK);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            let end = tokio::select! {
                Some(sight) = sights.next() => self.see(sight).await?,
                Some(start) = starts.next() => self.hear(start),
                Some(news) = news.recv() => { self.take(news); None }
                Some(Wish::Leave) = wishes.recv() => self.leave().await,
                _ = ticks.tick() => self.tick().await,
            };
            if let Some(end) = end {
                let missing = match end {
                    End::Detached | End::Unfinished(_) => 0,
                    _ => self.last_calls(&mut news).await,
                };
                return Ok((end, missing));
            }
        }
    }

    fn status(&self) -> RunStatus {
        self.following.record.status.clone().unwrap_or_default()
    }

    /// The run was looked at.
    async fn see(&mut self, sight: Sight) -> anyhow::Result<Option<End>> {
        let record = match sight {
            Ok(Some(record)) => record,
            Ok(None) => return Ok(Some(End::Lost("the run was deleted".into()))),
            Err(error @ (Refused::Forbidden { .. } | Refused::Unknown { .. })) => {
                return Err(error.into());
            }
            Err(error) => {
                if !std::mem::replace(&mut self.blind, true) {
                    self.stage
                        .say(&format!("{error}; trying again, the run goes on meanwhile"));
                }
                return Ok(None);
            }
        };
        if std::mem::take(&mut self.blind) {
            self.stage.say("it is seen again");
        }
        if let Err(problem) = &record.status {
            anyhow::bail!("run {}: {problem}", record.name);
        }
        self.following.record = record;
        let status = self.status();
        self.open(&status).await?;
        self.begin_fills();
        self.follow_outcomes(&status);
        self.show(&status);
        Ok(status
            .phase
            .has_ended()
            .then(|| self.wanted.clone().unwrap_or(End::Over)))
    }

    /// Opens a way to the queue server once it is known where that is.
    async fn open(&mut self, status: &RunStatus) -> anyhow::Result<()> {
        if self.reach.is_some() {
            return Ok(());
        }
        let client = &self.following.client;
        let Record {
            namespace,
            name,
            form,
            ..
        } = &self.following.record;
        let opened = match form {
            Form::Ephemeral => reach::to_own(client, name, namespace).await,
            Form::Installed if status.server.is_empty() => return Ok(()),
            Form::Installed => {
                let trusted = self.following.trusted.as_deref();
                reach::to_server(client, &status.server, namespace, trusted).await
            }
        };
        let reach = opened.context("cannot listen on a port of this machine")?;
        let withheld = self.following.token.is_some() && !reach.is_trusted();
        if withheld && *form == Form::Installed {
            self.stage.say(&format!(
                "{} is named by the run alone and is not shown your token: set MEMQ_SERVER to it if you trust it",
                status.server
            ));
        }
        self.reach = Some(reach);
        Ok(())
    }

    fn queues(&self) -> Option<Queues> {
        let reach = self.reach.as_ref()?;
        let token = self.following.token.clone();
        let client = reach.client().token(token.filter(|_| reach.is_trusted()));
        client.give_up_after(PATIENCE).build().ok()
    }

    fn follow_outcomes(&mut self, status: &RunStatus) {
        let Some(tell) = self.tell.clone() else {
            return;
        };
        for step in &status.steps {
            let Some(pool) = &step.pool else { continue };
            let few = pool.loaded && pool.total <= FEW_ITEMS;
            let wanted = self.following.joblog.is_some() || few;
            if !wanted || self.followed.contains(&pool.queue) {
                continue;
            }
            if let (Some(queues), Ok(queue)) = (self.queues(), pool.queue.parse()) {
                self.followed.insert(pool.queue.clone());
                let name = step.name.as_str().into();
                self.outcomes
                    .spawn(outcomes::follow(queues, name, queue, tell.clone()));
            }
        }
    }

    fn hear(&mut self, start: Start) -> Option<End> {
        match start {
            Start::Coming | Start::Runs => self.waits = None,
            Start::Waits(why) => {
                // One cause has several words: a pull that fails, and the wait before the next.
                let since = match self.waits.take() {
                    Some((since, _)) => since,
                    None => {
                        self.stage.say(&format!("its controller: {why}"));
                        Instant::now()
                    }
                };
                self.waits = Some((since, why));
            }
            Start::Over(why) => return Some(End::Lost(format!("its controller is gone: {why}"))),
        }
        None
    }

    fn take(&mut self, news: News) {
        let (step, outcome) = match news {
            News::Finished(step, outcome) => (step, outcome),
            News::Trouble(error) => return self.miss_outcomes(&error),
        };
        self.stuck = None;
        self.tally.record(&outcome, self.begun.elapsed());
        if let Some((joblog, _)) = &mut self.following.joblog
            && let Err(error) = joblog.append(&step, &outcome)
        {
            let error = crate::kube::say(&error);
            self.stage.say(&format!(
                "{error}; going on without it, the run is not touched by that"
            ));
            self.following.joblog = None;
        }
    }

    /// Outcomes cannot be fetched now.
    fn miss_outcomes(&mut self, error: &queue_client::Error) {
        let trouble = self.reach.as_ref().and_then(Reach::trouble);
        if let Some(trouble) = trouble.as_ref().filter(|trouble| trouble.forbidden) {
            if self.tell.take().is_some() {
                self.outcomes.abort_all();
                self.stage.say(&format!(
                    "{}; going on without outcomes of single items{}",
                    trouble.text,
                    if self.following.joblog.is_some() {
                        ", and without a joblog"
                    } else {
                        ""
                    }
                ));
                self.following.joblog = None;
            }
            return;
        }
        let (since, told) = *self.stuck.get_or_insert((Instant::now(), false));
        if !told && since.elapsed() >= STUCK {
            self.stuck = Some((since, true));
            let why = trouble.map_or_else(|| crate::kube::say(error), |trouble| trouble.text);
            self.stage.say(&format!(
                "outcomes cannot be fetched now: {why}; trying again"
            ));
        }
    }

    /// Goes away, unless items are still to be brought: without them the run could not go on.
    async fn leave(&mut self) -> Option<End> {
        let filling = !self.following.fills.is_empty()
            || self.fills.iter().any(|f| f.told.borrow().goes_on());
        if !filling {
            return Some(End::Detached);
        }
        if !std::mem::replace(&mut self.leaving, true) {
            self.stage.say(
                "items that lie on this machine are still being loaded; leaving as soon as they are. \
                 Ctrl-C again cancels the run",
            );
            return None;
        }
        if self.wanted.is_some() {
            return Some(End::Detached);
        }
        self.stop("cancelled before its items were loaded", End::Over)
            .await
    }

    /// Tells the run to stop; following goes on until it has.
    async fn stop(&mut self, why: &str, end: End) -> Option<End> {
        self.leaving = false;
        let record = &self.following.record;
        if record.form == Form::Ephemeral && is_new(record) {
            // Nobody is there who would hear it; what it brought is taken away.
            return Some(end);
        }
        match records::cancel(&self.following.client, record, why).await {
            Ok(()) => {
                self.following.record.cancelled = Some(why.to_owned());
                self.wanted = Some(end);
                None
            }
            Err(error) => {
                self.stage.say(&error.to_string());
                Some(end)
            }
        }
    }

    async fn tick(&mut self) -> Option<End> {
        let status = self.status();
        let since = self.begun.elapsed();
        if let Some(patience) = self.following.patience.filter(|most| since >= *most) {
            return Some(End::Unfinished(patience));
        }
        let untaken =
            status.phase == RunPhase::Pending && self.following.record.form == Form::Installed;
        if untaken && since >= UNTAKEN && !std::mem::replace(&mut self.untaken_told, true) {
            let namespace = &self.following.record.namespace;
            self.stage.say(&format!(
                "no controller has taken it up yet; `memq doctor -n {namespace}` says whether one works here"
            ));
        }
        if let Some((_, why)) = self
            .waits
            .as_ref()
            .filter(|(since, _)| since.elapsed() >= START_LIMIT)
        {
            return Some(End::Lost(format!("its controller did not start: {why}")));
        }
        let timeout = self.following.timeout.filter(|timeout| since >= *timeout);
        if let Some(timeout) = timeout.filter(|_| self.wanted.is_none()) {
            let limit = crate::view::human(timeout);
            self.stage
                .say(&format!("its time of {limit} is up: it is told to stop"));
            return self.stop("its time is up", End::TimedOut).await;
        }
        let hopeless = self.look_at_fills();
        if let Some(why) = hopeless.filter(|_| self.wanted.is_none()) {
            self.stage.say(&format!("{why}: it is told to stop"));
            return self.stop(&why, End::Stopped(why.clone())).await;
        }
        let filled = self.following.fills.is_empty()
            && self.fills.iter().all(|f| *f.told.borrow() == Filling::Full);
        if self.leaving && filled {
            return Some(End::Detached);
        }
        self.show(&status);
        None
    }

    fn show(&mut self, status: &RunStatus) {
        let now = self.begun.elapsed();
        let filling: Vec<u64> = self
            .fills
            .iter()
            .filter_map(|filled| match &*filled.told.borrow() {
                Filling::In(items) => Some(*items),
                _ => None,
            })
            .collect();
        let moment = Moment {
            now,
            rate: (self.from_start || now > SPEED).then(|| self.tally.rate(now)),
            filling: (!filling.is_empty()).then(|| filling.iter().sum()),
        };
        self.stage.show(status, moment);
    }

    /// Fetches the outcomes that have not come yet; how many are missing then.
    async fn last_calls(&mut self, news: &mut mpsc::Receiver<News>) -> u64 {
        let status = self.status();
        self.follow_outcomes(&status);
        let pools = status.steps.iter().filter_map(|step| step.pool.as_ref());
        let pools = pools.filter(|pool| self.followed.contains(&pool.queue));
        let expected: u64 = pools.map(|pool| pool.done + pool.dead).sum();
        let over = tokio::time::Instant::now() + LAST_CALLS;
        while self.tell.is_some() && self.tally.finished() < expected {
            match tokio::time::timeout_at(over, news.recv()).await {
                Ok(Some(news)) => self.take(news),
                Ok(None) | Err(_) => break,
            }
        }
        match self.tell {
            Some(_) => expected.saturating_sub(self.tally.finished()),
            // It was said that none can be fetched.
            None => 0,
        }
    }

    /// What was written of outcomes stays, however following ended.
    fn sync_joblog(&self) {
        let joblog = self.following.joblog.as_ref();
        if let Some(Err(error)) = joblog.map(|(joblog, _)| joblog.sync()) {
            self.stage.say(&crate::kube::say(&error));
        }
    }
}

fn is_new(record: &Record) -> bool {
    let phase = record.status.as_ref().map(|status| status.phase);
    matches!(phase, Ok(RunPhase::Pending))
}
