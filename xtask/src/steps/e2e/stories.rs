//! What is told on a cluster: each story in a namespace of its own, and whatever goes wrong stands in its text.

mod book;
mod control;
mod disk;
mod examples;
mod life;
mod outside;
mod pipeline;
mod pools;
mod refusals;
mod runs;
mod starts;
mod tokens;

use std::time::Duration;

use anyhow::Result;

use super::place::{self, Place};

/// Something memq promises on Kubernetes.
pub(super) struct Story {
    pub(super) name: &'static str,
    /// What it shows.
    pub(super) shows: &'static str,
    /// The longest it may take.
    pub(super) limit: Duration,
    /// Whether it is told before the others, which bring the kind Run.
    pub(super) alone: bool,
    pub(super) tell: fn(&Place<'_>) -> Result<()>,
}

const fn story(
    name: &'static str,
    shows: &'static str,
    seconds: u64,
    tell: fn(&Place<'_>) -> Result<()>,
) -> Story {
    Story {
        name,
        shows,
        limit: Duration::from_secs(seconds),
        alone: false,
        tell,
    }
}

/// All of them; the longest begin first, so that nobody waits for one of them at the end.
pub(super) const STORIES: &[Story] = &[
    Story {
        alone: true,
        ..story(
            "ephemeral",
            "`memq run --kube` on an empty namespace brings its own controller, and takes it away",
            300,
            outside::ephemeral,
        )
    },
    story(
        "thousand",
        "1,000 items by Jobs sized 1 to n: scaled up, the tail shrunk, all done",
        300,
        pools::a_thousand_items,
    ),
    story(
        "oneshots",
        "the book's Jobs: one shot, failing under OnFailure and Never, ten by five",
        300,
        book::jobs,
    ),
    story(
        "lost-pods",
        "drained is success, though more pods were lost than a Job forgives",
        240,
        pools::lost_pods,
    ),
    story(
        "leader",
        "of two controllers the one that leads is killed: the other goes on, no Job twice",
        240,
        control::leader_killed,
    ),
    story(
        "volume",
        "the queue's pod is killed: its volume has every item",
        300,
        disk::queue_killed,
    ),
    story(
        "killed",
        "a worker's pod is killed in mid-item, and a handler kills itself",
        240,
        pools::killed_in_mid_item,
    ),
    story(
        "pipeline",
        "sequence, branches, forEach, retries, when and timeout in one Run",
        240,
        pipeline::several_steps,
    ),
    story(
        "work-queue",
        "the book's work queue as written: load by curl, five consumers, cleanup by label",
        240,
        book::work_queue,
    ),
    story(
        "workers",
        "the examples of workers: with leases, any image by an init container, stuck and restarted",
        300,
        examples::workers,
    ),
    story(
        "quota",
        "no more workers than the quota has room for, and what refuses is said",
        240,
        refusals::quota,
    ),
    story(
        "never-starts",
        "a pod that never starts fails its step with the container's own reason",
        240,
        starts::never,
    ),
    story(
        "told-to-stop",
        "workers that are told to stop do not end the pool",
        240,
        pools::told_to_stop,
    ),
    story(
        "forbidden",
        "a right that is missing is named, and once given the Run goes on",
        240,
        refusals::forbidden,
    ),
    story(
        "controller",
        "the only controller is killed in the middle: the next takes the Run up",
        240,
        control::controller_killed,
    ),
    story(
        "ttl",
        "Jobs go when their time is over; the status stays until the Run goes",
        240,
        life::ttl,
    ),
    story(
        "cancel",
        "a Run that is cancelled ends, and its workers with it",
        180,
        life::cancel,
    ),
    story(
        "delete",
        "with a Run go its Jobs, its pods and its queue",
        180,
        life::delete,
    ),
    story(
        "given-queue",
        "a Run drains a queue that somebody else loaded",
        180,
        life::given_queue,
    ),
    story(
        "invalid",
        "a spec that makes no sense is finished at once, with the reason",
        120,
        life::invalid,
    ),
    story(
        "run-kube",
        "`memq run --kube`, doctor and render where memq is installed",
        300,
        outside::installed,
    ),
    story(
        "tokens",
        "a server that asks for tokens: the parts of memq and whoever runs something have theirs, and no other is let in",
        240,
        tokens::asked_for,
    ),
    story(
        "detached",
        "a Run left to the cluster by `memq run --kube --detach`: why, wait, cancel",
        180,
        outside::detached,
    ),
    story(
        "cronjob",
        "a CronJob creates a Run and takes its exit code",
        240,
        examples::cronjob,
    ),
    story(
        "helm",
        "the chart, its own test, and a Run on it",
        300,
        examples::helm,
    ),
];
