//! Pods and nodes: where pods are placed, when they start, which one goes first.

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
        self.pods.push(Pod {
            created: now,
            ..Pod::default()
        });
    }

    pub(super) fn there(&self) -> usize {
        self.live.len()
    }

    pub(super) fn waiting(&self) -> bool {
        self.live.iter().any(|&pod| self.pods[pod].node.is_none())
    }

    /// Places one waiting pod: which, and when its image is there.
    pub(super) fn place(&mut self, now: Ms, pull: Ms) -> Option<(usize, Ms)> {
        let pod = *self
            .live
            .iter()
            .find(|&&pod| self.pods[pod].node.is_none())?;
        let (index, node) = self
            .nodes
            .iter_mut()
            .enumerate()
            .filter(|(_, node)| node.pods < self.room)
            .min_by_key(|(_, node)| node.pods)?;
        node.pods += 1;
        let image = *node.image.get_or_insert(now + pull);
        self.pods[pod].node = Some(index);
        self.pods[pod].placed = Some(now);
        let placed = self.nodes.iter().map(|node| node.pods).sum();
        self.peak = self.peak.max(placed);
        Some((pod, image))
    }

    /// The pod runs, if it is still there.
    pub(super) fn start(&mut self, pod: usize, now: Ms) -> bool {
        let pod = &mut self.pods[pod];
        if pod.ended.is_some() {
            return false;
        }
        pod.started = Some(now);
        pod.parked = now;
        true
    }

    /// The pod that has been without an item for the longest.
    pub(super) fn parked(&self) -> Option<usize> {
        let idle = self.live.iter().copied().filter(|&pod| {
            let pod = &self.pods[pod];
            pod.started.is_some() && pod.work.is_none()
        });
        idle.min_by_key(|&pod| self.pods[pod].parked)
    }

    /// The pod takes an item; how long it took to start, if this is its first.
    pub(super) fn take(&mut self, pod: usize, work: Work) -> Option<Ms> {
        let pod = &mut self.pods[pod];
        pod.work = Some(work);
        let first = pod.leased.is_none();
        pod.leased = Some(work.since);
        first.then(|| work.since - pod.created)
    }

    pub(super) fn busy(&self) -> usize {
        let busy = |&&pod: &&usize| self.pods[pod].work.is_some();
        self.live.iter().filter(busy).count()
    }

    /// Running pods that are ready.
    pub(super) fn ready(&self, now: Ms) -> usize {
        let ready = |&&pod: &&usize| self.pods[pod].ready(now);
        self.live.iter().filter(ready).count()
    }

    /// The pod is done with the item it took then, if it is still there and has it.
    pub(super) fn finish(&mut self, pod: usize, since: Ms, now: Ms) -> bool {
        let pod = &mut self.pods[pod];
        if pod.ended.is_some() || pod.work.is_none_or(|work| work.since != since) {
            return false;
        }
        pod.work = None;
        pod.parked = now;
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
