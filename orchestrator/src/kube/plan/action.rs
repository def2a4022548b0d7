//! What a run can have done in a cluster. Each action may be done twice.

use std::time::Duration;

/// One thing to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Make the queue of this step if it is not there, put in what it lacks and seal it; nothing if that goes on.
    Load {
        /// The step, from 0.
        step: usize,
    },
    /// Remove this queue with all it holds, leased or not: it is left of an earlier run of this name.
    /// Where there is none, that is done.
    RemoveQueue {
        /// The queue.
        queue: String,
    },
    /// Make this Job; one of that name that is ours is that Job.
    CreateJob {
        /// The step, from 0.
        step: usize,
        /// Its name.
        name: String,
        /// The element of a `forEach`, from 0.
        element: Option<u32>,
        /// The round of a pool, or the try of anything else, from 1.
        number: u32,
        /// Pods at once.
        parallelism: u32,
    },
    /// Change how many pods a Job has at once.
    SetParallelism {
        /// The Job.
        job: String,
        /// Pods at once.
        to: u32,
    },
    /// Delete a Job with its pods.
    DeleteJob {
        /// The Job.
        job: String,
    },
    /// Read the end of a failed pod's log.
    ReadLog {
        /// The pod.
        pod: String,
    },
    /// Let Kubernetes take an ended Job away after this time: all that is kept of it has been written down.
    Expire {
        /// The Job.
        job: String,
        /// How long after its end.
        after: Duration,
    },
    /// Tell whoever looks at the events of the run.
    Tell(News),
}

/// An event of the run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct News {
    /// Something is wrong.
    pub warning: bool,
    /// One word for programs, as `StepSucceeded`.
    pub reason: &'static str,
    /// A sentence for people.
    pub note: String,
}
