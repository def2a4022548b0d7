//! What a worker is to do: the command line, checked and complete.

use std::net::SocketAddr;
use std::time::Duration;

use queue_api::{QueueName, Until, limits};
use queue_client::{Client, Error, Token};

use crate::args::{Args, KeepLogs, UntilArg};
use crate::child::NotRunnable;
use crate::exit::Exit;
use crate::handler::Handler;
use crate::http::BadEndpoint;
use crate::kuard;
use crate::max_dead::MaxDead;
use crate::work::{self, Asked};

/// What kind of worker this is to be.
#[derive(Debug)]
pub(crate) enum Job {
    /// Work on a queue.
    Drain(Box<Config>),
    /// Make keys as kuard does.
    Kuard(kuard::Workload, Option<Token>),
}

/// A worker of a queue.
#[derive(Debug)]
pub(crate) struct Config {
    pub(crate) client: Client,
    pub(crate) queue: QueueName,
    pub(crate) slots: usize,
    /// Items leased beyond those that are handled.
    pub(crate) prefetch: usize,
    /// Most dead items of the queue.
    pub(crate) max_dead: Option<MaxDead>,
    /// What ends it; nothing for a worker that goes on for ever.
    pub(crate) until: Option<Until>,
    pub(crate) name: String,
    pub(crate) lease: Option<Duration>,
    pub(crate) wait_queue: Duration,
    pub(crate) server_timeout: Duration,
    pub(crate) handler: Handler,
}

/// What any kind of worker needs of its surroundings.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Surroundings {
    pub(crate) grace: Duration,
    pub(crate) health_listen: Option<SocketAddr>,
    pub(crate) stop_with_stdin: bool,
}

/// Why there is nothing to do with a command line.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConfigError {
    #[error("{0}")]
    Usage(String),
    #[error(transparent)]
    Client(Error),
    #[error(transparent)]
    NotRunnable(#[from] NotRunnable),
    #[error(transparent)]
    Endpoint(#[from] BadEndpoint),
}

impl ConfigError {
    pub(crate) fn exit(&self) -> Exit {
        match self {
            Self::Usage(_)
            | Self::Client(Error::BadUrl { .. })
            | Self::Endpoint(BadEndpoint::Url { .. }) => Exit::Usage,
            Self::Client(_) | Self::NotRunnable(_) | Self::Endpoint(_) => Exit::Misconfigured,
        }
    }
}

/// Reads a command line.
pub(crate) fn read(args: Args) -> Result<(Job, Surroundings), ConfigError> {
    let Args {
        instead: _,
        server,
        token,
        queue,
        concurrency,
        until,
        name,
        lease,
        item_timeout,
        dead_on,
        max_dead,
        prefetch,
        keep_logs,
        wait_queue,
        server_timeout,
        grace,
        health_listen,
        log_format: _,
        run,
        step,
        stop_with_stdin,
        builtin,
        http,
        process,
        command,
        keygen,
    } = args;
    let surroundings = Surroundings {
        grace,
        health_listen,
        stop_with_stdin,
    };
    let known = token
        .token()
        .map_err(|bad| ConfigError::Client(bad.into()))?;
    if let Some(workload) = keygen.workload() {
        return Ok((Job::Kuard(workload, known), surroundings));
    }
    let usage = |text: &str| ConfigError::Usage(text.into());
    let queue =
        queue.ok_or_else(|| usage("say which queue to work on: --queue NAME or MEMQ_QUEUE"))?;
    let server = queue_client::named_server(server);
    let server = server.unwrap_or_else(|| queue_client::DEFAULT_URL.into());
    let name = name.unwrap_or_else(default_name);
    if name.len() > limits::MAX_WORKER_BYTES {
        let most = limits::MAX_WORKER_BYTES;
        return Err(usage(&format!(
            "--name is {} bytes long: give at most {most}",
            name.len()
        )));
    }
    if let Some(lease) = lease.filter(|lease| *lease < limits::MIN_LEASE) {
        return Err(usage(&format!(
            "--lease is {lease:?}: give at least {:?}",
            limits::MIN_LEASE
        )));
    }
    if item_timeout.is_some_and(|limit| limit.is_zero()) {
        return Err(usage("--item-timeout is 0: leave it out for no limit"));
    }
    let asked = Asked {
        server: &server,
        token: &token,
        queue: &queue,
        run,
        step,
        builtin,
        http,
        process,
        command,
        dead_on,
    };
    let work = work::choose(asked)?;
    let config = Config {
        client: Client::builder(&server)
            .token(known)
            .build()
            .map_err(ConfigError::Client)?,
        queue,
        slots: concurrency as usize,
        prefetch: prefetch as usize,
        max_dead,
        until: match until {
            UntilArg::Empty => Some(Until::Empty),
            UntilArg::Drained => Some(Until::Drained),
            UntilArg::Forever => None,
        },
        name,
        lease,
        wait_queue,
        server_timeout,
        handler: Handler {
            work,
            limit: item_timeout,
            keep_all_logs: keep_logs == KeepLogs::All,
        },
    };
    Ok((Job::Drain(Box::new(config)), surroundings))
}

fn default_name() -> String {
    let host = rustix::system::uname();
    let host = host.nodename().to_string_lossy();
    format!("{host}-{}", std::process::id())
}
