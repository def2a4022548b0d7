//! Pods and nodes: where pods are placed, when they start, which one goes first.

use std::collections::BTreeSet;

use crate::world::{Ms, Scenario};

/// An item that a pod works on, since when.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Work {
    pub(super) item: usize,
    pub(super) since: Ms,
}

/// A pod's whole life.
#[derive(Debug, Clone, Default)]
pub(super) struct Pod {
    pub(super) created: Ms,
    node: Option<usize>,
    /// Since when it takes room on a node.
    pub(super) placed: Option<Ms>,
    pub(super) started: Option<Ms>,
    leased: Option<Ms>,
    /// Since when it has had no item.
    parked: Ms,
    pub(super) work: Option<Work>,
    pub(super) ended: Option<Ms>,
}

#[derive(Debug, Clone, Default)]
struct Node {
    pods: usize,
    /// When the image is, or will be, there.
    image: Option<Ms>,
}

/// All pods that ever were, and the nodes.
#[derive(Debug, Clone, Default)]
pub(super) struct Cluster {
    pub(super) pods: Vec<Pod>,
    /// Those that have not ended.
    pub(super) live: Vec<usize>,
    /// Running pods without an item, by since when.
    idle: BTreeSet<(Ms, usize)>,
    /// Pods without a node, in the order of their creation.
    waiting: BTreeSet<usize>,
    busy: usize,
    nodes: Vec<Node>,
    room: usize,
    /// Most pods at once that had a node.
    pub(super) peak: usize,
}

impl Pod {
    fn ready(&self, now: Ms) -> bool {
        self.work.is_some() || (self.leased.is_some() && now - self.parked < READY_FOR)
    }
}

/// A worker that held no lease for so long is not ready.
const READY_FOR: Ms = 30_000;

impl Cluster {
    pub(super) fn of(scenario: &Scenario) -> Self {
        Self {
            nodes: vec![Node::default(); scenario.nodes],
            room: scenario.room,
            ..Self::default()
        }
    }

    pub(super) fn create(&mut self, now: Ms) {
        self.live.push(self.pods.len());
        self.waiting.insert(self.pods.len());
        self.pods.push(Pod {
            created: now,
            ..Pod::default()
        });
    }

    pub(super) fn there(&self) -> usize {
        self.live.len()
    }

    pub(super) fn waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Places one waiting pod: which, and when its image is there.
    pub(super) fn place(&mut self, now: Ms, pull: Ms) -> Option<(usize, Ms)> {
        let pod = *self.waiting.first()?;
        let (index, node) = self
            .nodes
            .iter_mut()
            .enumerate()
            .filter(|(_, node)| node.pods < self.room)
            .min_by_key(|(_, node)| node.pods)?;
        node.pods += 1;
        self.waiting.remove(&pod);
        let image = *node.image.get_or_insert(now + pull);
        self.pods[pod].node = Some(index);
        self.pods[pod].placed = Some(now);
        let placed = self.nodes.iter().map(|node| node.pods).sum();
        self.peak = self.peak.max(placed);
        Some((pod, image))
    }

    /// The pod runs, if it is still there.
    pub(super) fn start(&mut self, pod: usize, now: Ms) -> bool {
        let started = &mut self.pods[pod];
        if started.ended.is_some() {
            return false;
        }
        started.started = Some(now);
        started.parked = now;
        self.idle.insert((now, pod));
        true
    }

    /// The pod that has been without an item for the longest.
    pub(super) fn parked(&self) -> Option<usize> {
        self.idle.first().map(|(_, pod)| *pod)
    }

    /// The pod takes an item; how long it took to start, if this is its first.
    pub(super) fn take(&mut self, pod: usize, work: Work) -> Option<Ms> {
        self.busy += 1;
        let taker = &mut self.pods[pod];
        self.idle.remove(&(taker.parked, pod));
        taker.work = Some(work);
        let first = taker.leased.is_none();
        taker.leased = Some(work.since);
        first.then(|| work.since - taker.created)
    }

    pub(super) fn busy(&self) -> usize {
        self.busy
    }

    /// Running pods that are ready.
    pub(super) fn ready(&self, now: Ms) -> usize {
        let ready = |&&pod: &&usize| self.pods[pod].ready(now);
        self.live.iter().filter(ready).count()
    }

    /// The pod is done with the item it took then, if it is still there and has it.
    pub(super) fn finish(&mut self, pod: usize, since: Ms, now: Ms) -> bool {
        let done = &mut self.pods[pod];
        if done.ended.is_some() || done.work.is_none_or(|work| work.since != since) {
            return false;
        }
        done.work = None;
        done.parked = now;
        self.busy -= 1;
        self.idle.insert((now, pod));
        true
    }

    /// The pod ends; what it worked on.
    pub(super) fn end(&mut self, pod: usize, now: Ms) -> Option<Work> {
        let ended = &mut self.pods[pod];
        if ended.ended.is_some() {
            return None;
        }
        ended.ended = Some(now);
        if let Some(node) = ended.node {
            self.nodes[node].pods -= 1;
        }
        let work = ended.work.take();
        self.busy -= usize::from(work.is_some());
        self.idle.remove(&(ended.parked, pod));
        self.waiting.remove(&pod);
        self.live.retain(|&live| live != pod);
        work
    }

    /// Takes so many away, in the order in which a Job does: without a node, not started, not
    /// ready, youngest.
    pub(super) fn shrink(&mut self, pods: usize, now: Ms) -> Vec<Work> {
        let mut order = self.live.clone();
        order.sort_by_key(|&pod| {
            let pod = &self.pods[pod];
            let rank = match (pod.node, pod.started) {
                (None, _) => 0,
                (_, None) => 1,
                _ if !pod.ready(now) => 2,
                _ => 3,
            };
            (rank, std::cmp::Reverse(pod.started))
        });
        let gone = order.into_iter().take(pods);
        gone.filter_map(|pod| self.end(pod, now)).collect()
    }
}
