//! The real program, one directory, many lives: each ends in order or by `kill -9`.

use std::path::Path;

use rustix::process::Signal;
use serde_json::Value;
use tempfile::TempDir;

use super::{Api, Program};

/// How a life ends.
#[derive(Debug, Clone, Copy)]
pub(crate) enum End {
    Told,
    Killed,
}

/// A server that lives again and again on one directory.
pub(crate) struct Lives {
    data_dir: TempDir,
    program: Option<Program>,
    pub(crate) api: Api,
}

impl Lives {
    pub(crate) fn begin() -> Self {
        let data_dir = tempfile::tempdir().expect("a directory");
        let program = Program::start_in(data_dir.path(), &[]);
        let api = Api::of(program.address());
        Self {
            data_dir,
            program: Some(program),
            api,
        }
    }

    /// Where its log lies.
    pub(crate) fn data_dir(&self) -> &Path {
        self.data_dir.path()
    }

    /// Ends this life.
    pub(crate) async fn end(&mut self, end: End) {
        let program = self.program.take().expect("it lives");
        let (signal, code) = match end {
            End::Told => (Signal::TERM, Some(0)),
            End::Killed => (Signal::KILL, None),
        };
        program.signal(signal);
        let logged = program.ended().await;
        assert_eq!(logged.code, code, "{logged:?}");
    }

    /// Ends this life and begins the next.
    pub(crate) async fn again(&mut self, end: End) -> &Api {
        self.end(end).await;
        let program = Program::start_in(self.data_dir.path(), &[]);
        self.api = Api::of(program.address());
        self.program = Some(program);
        &self.api
    }
}

/// What of a queue's view stays as it is while nobody does anything.
pub(crate) fn lasting(queue: &Value) -> Value {
    let mut queue = queue.clone();
    let fields = queue.as_object_mut().expect("a queue");
    for passing in ["rate_per_s", "eta_ms", "oldest_ready_ms", "handling"] {
        fields.remove(passing);
    }
    queue
}
