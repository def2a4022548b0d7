//! What is seen of a run on its way, and what is told of it at its end.

use std::time::Duration;

use orchestrator::size::{Nodes, Seen, Sizing, Unschedulable};

use super::{Run, pods::Cluster};
use crate::world::Ms;

/// What one run came to.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Report {
    /// Seconds until the last item was done.
    pub(crate) drain: f64,
    /// Seconds of all pods on their nodes.
    pub(crate) pod_seconds: f64,
    /// Pods created.
    pub(crate) pods: f64,
    /// Share of the pod-seconds before a pod could take its first item.
    pub(crate) startup: f64,
    /// Most pods on nodes at once.
    pub(crate) peak: f64,
    /// Share of the looks whose range held the true end; memq's alone.
    pub(crate) eta: Option<f64>,
}

impl Report {
    pub(super) fn of(cluster: &Cluster, said: &[(Ms, Sizing)], sealed: Ms, end: Ms) -> Self {
        let (mut seconds, mut startup) = (0.0, 0.0);
        for pod in &cluster.pods {
            let Some(placed) = pod.placed else { continue };
            let ended = pod.ended.unwrap_or(end);
            seconds += (ended - placed) as f64 / 1_000.0;
            let started = pod.started.unwrap_or(ended);
            startup += (started - placed) as f64 / 1_000.0;
        }
        Self {
            drain: end as f64 / 1_000.0,
            pod_seconds: seconds,
            pods: cluster.pods.len() as f64,
            startup: startup / f64::max(seconds, 0.001),
            peak: cluster.peak as f64,
            eta: held(said, sealed, end),
        }
    }

    /// What the user pays: pod-seconds, and ten of them for each second waited.
    pub(crate) fn cost(&self) -> f64 {
        self.pod_seconds + orchestrator::size::DEFAULT_PRICE * self.drain
    }

    /// The mean of several.
    pub(crate) fn mean(all: &[Self]) -> Self {
        let of = |get: fn(&Self) -> f64| all.iter().map(get).sum::<f64>() / all.len() as f64;
        let etas: Vec<f64> = all.iter().filter_map(|report| report.eta).collect();
        Self {
            drain: of(|report| report.drain),
            pod_seconds: of(|report| report.pod_seconds),
            pods: of(|report| report.pods),
            startup: of(|report| report.startup),
            peak: of(|report| report.peak),
            eta: (!etas.is_empty()).then(|| etas.iter().sum::<f64>() / etas.len() as f64),
        }
    }
}

fn held(said: &[(Ms, Sizing)], sealed: Ms, end: Ms) -> Option<f64> {
    let looks: Vec<bool> = said
        .iter()
        .filter_map(|(at, sizing)| {
            let left = Duration::from_millis(end.saturating_sub(*at));
            let eta = sizing.eta.filter(|_| *at >= sealed)?;
            Some(eta.low <= left && left <= eta.high)
        })
        .collect();
    let right = looks.iter().filter(|right| **right).count();
    (!looks.is_empty()).then(|| right as f64 / looks.len() as f64)
}

/// What a controller would see now.
pub(super) fn seen(run: &Run) -> Seen {
    let live = || run.cluster.live.iter().map(|&pod| &run.cluster.pods[pod]);
    let running = live().filter(|pod| pod.started.is_some()).count();
    let ages: Vec<Ms> = live()
        .filter_map(|pod| Some(run.now - pod.work?.since))
        .collect();
    let room: usize = run.scenario.nodes * run.scenario.room;
    Seen {
        ready: run.ready.len() as u64,
        leased: (ages.len() + run.expiring) as u64,
        due: 0,
        sealed: run.arrived == run.items.len(),
        completions: run.taken.count(),
        mean_item: run.taken.mean(),
        p95_item: run.taken.quantile(0.95),
        mean_running_age: mean(&ages),
        startup_p90: run.startups.quantile(0.9),
        running: running as u32,
        pending: (run.cluster.there() - running) as u32,
        busy_workers: run.cluster.ready(run.now) as u32,
        unschedulable: run.unschedulable.map(|since| Unschedulable {
            since: Duration::from_millis(since),
            text: "0/3 nodes are available".to_owned(),
        }),
        nodes: Some(Nodes {
            pods: room as u32,
            grow: true,
        }),
        ..Seen::default()
    }
}

fn mean(times: &[Ms]) -> Option<Duration> {
    let sum: Ms = times.iter().sum();
    (!times.is_empty()).then(|| Duration::from_millis(sum / times.len() as Ms))
}
