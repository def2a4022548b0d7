//! What stories of queues begin with: a server that is given, and somebody who asks it.

use serde_json::Value;

use crate::support::{Ended, Lab, Server};

/// A server, and a folder from which `memq` calls it.
pub(crate) struct Fixture {
    pub(crate) lab: Lab,
    pub(crate) server: Server,
}

impl Fixture {
    pub(crate) fn new() -> Self {
        let lab = Lab::new();
        let server = Server::start(&lab);
        Self { lab, server }
    }

    pub(crate) fn memq(&self, args: &[&str]) -> Ended {
        self.lab
            .run(&[args, &["--server", &self.server.url]].concat())
    }

    pub(crate) fn show(&self, queue: &str) -> Value {
        self.memq(&["queue", "show", queue, "--output", "json"])
            .exits(0)
            .json()
    }
}
