//! What `GET /v1/events` tells: the names of its events and their data.

use serde::{Deserialize, Serialize};

use crate::name::QueueName;
use crate::queue::{Queue, QueueList};

/// Media type of server-sent events.
pub const EVENT_STREAM: &str = "text/event-stream";

/// One event of the stream.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// All queues that are asked for; always the first.
    Snapshot(QueueList),
    /// A queue that was made or has changed, as it is now.
    Queue(Box<Queue>),
    /// A queue that was deleted.
    Deleted(Deleted),
}

/// The data of an event that tells of a deleted queue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Deleted {
    /// The name it had.
    pub name: QueueName,
}

impl Event {
    /// What the stream calls it in its `event:` line.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Snapshot(_) => "snapshot",
            Self::Queue(_) => "queue",
            Self::Deleted(_) => "deleted",
        }
    }

    /// Its `data:` line.
    pub fn data(&self) -> serde_json::Result<String> {
        match self {
            Self::Snapshot(queues) => serde_json::to_string(queues),
            Self::Queue(queue) => serde_json::to_string(queue),
            Self::Deleted(deleted) => serde_json::to_string(deleted),
        }
    }

    /// Reads an event from its two lines; none if this version does not know its name.
    pub fn parse(name: &str, data: &str) -> serde_json::Result<Option<Self>> {
        Ok(Some(match name {
            "snapshot" => Self::Snapshot(serde_json::from_str(data)?),
            "queue" => Self::Queue(serde_json::from_str(data)?),
            "deleted" => Self::Deleted(serde_json::from_str(data)?),
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
        for event in [deleted, Event::Snapshot(QueueList { queues: Vec::new() })] {
            let data = event.data().expect("json");
            let read = Event::parse(event.name(), &data).expect("json");
            assert_eq!(read, Some(event));
        }
        assert_eq!(Event::parse("later", "{}").expect("no error"), None);
    }
}
