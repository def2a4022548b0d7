//! What `GET /v1/events` tells: the names of its events and their data.

use serde::{Deserialize, Serialize};

use crate::name::{QueueName, RunName};
use crate::queue::Queue;
use crate::run::RunReport;

/// Media type of server-sent events.
pub const EVENT_STREAM: &str = "text/event-stream";

/// One event of the stream.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// All queues that are asked for, and the runs; always the first.
    Snapshot(Snapshot),
    /// A queue that was made or has changed, as it is now.
    Queue(Box<Queue>),
    /// A queue that was deleted.
    Deleted(Deleted),
    /// A run that was reported anew, or of which nobody has told for long.
    Run(Box<RunReport>),
    /// A run whose report was deleted or forgotten.
    RunDeleted(RunDeleted),
}

/// The data of the first event.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Snapshot {
    /// The queues, by name.
    pub queues: Vec<Queue>,
    /// All runs that were reported, the one that began last first. A stream of one queue tells of none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub runs: Option<Vec<RunReport>>,
}

/// The data of an event that tells of a deleted queue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Deleted {
    /// The name it had.
    pub name: QueueName,
}

/// The data of an event that tells of a run whose report is gone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RunDeleted {
    /// The name it had.
    pub run: RunName,
}

impl Event {
    /// What the stream calls the report of a run.
    pub const RUN: &str = "run";

    /// What the stream calls it in its `event:` line.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Snapshot(_) => "snapshot",
            Self::Queue(_) => "queue",
            Self::Deleted(_) => "deleted",
            Self::Run(_) => Self::RUN,
            Self::RunDeleted(_) => "run_deleted",
        }
    }

    /// Its `data:` line.
    pub fn data(&self) -> serde_json::Result<String> {
        match self {
            Self::Snapshot(snapshot) => serde_json::to_string(snapshot),
            Self::Queue(queue) => serde_json::to_string(queue),
            Self::Deleted(deleted) => serde_json::to_string(deleted),
            Self::Run(report) => serde_json::to_string(report),
            Self::RunDeleted(deleted) => serde_json::to_string(deleted),
        }
    }

    /// Reads an event from its two lines; none if this version does not know its name.
    pub fn parse(name: &str, data: &str) -> serde_json::Result<Option<Self>> {
        Ok(Some(match name {
            "snapshot" => Self::Snapshot(serde_json::from_str(data)?),
            "queue" => Self::Queue(serde_json::from_str(data)?),
            "deleted" => Self::Deleted(serde_json::from_str(data)?),
            Self::RUN => Self::Run(serde_json::from_str(data)?),
            "run_deleted" => Self::RunDeleted(serde_json::from_str(data)?),
            _ => return Ok(None),
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_reads_back_as_it_was_written() {
        let deleted = Event::Deleted(Deleted {
            name: "q".parse().expect("a name"),
        });
        let run_deleted = Event::RunDeleted(RunDeleted {
            run: "r".parse().expect("a name"),
        });
        for event in [deleted, run_deleted, Event::Snapshot(Snapshot::default())] {
            let data = event.data().expect("json");
            let read = Event::parse(event.name(), &data).expect("json");
            assert_eq!(read, Some(event));
        }
        assert_eq!(Event::parse("later", "{}").expect("no error"), None);
    }
}
