//! What a worker is to do: the command line, checked and complete.

use std::net::SocketAddr;
use std::time::Duration;

use queue_api::{QueueName, Until, limits};
use queue_client::{Client, Error};

use crate::args::{Args, UntilArg};
use crate::command::{NotRunnable, Program};
use crate::handler::{Handler, Work};
use crate::{exit::Exit, kuard};

/// What kind of worker this is to be.
#[derive(Debug)]
pub(crate) enum Job {
    /// Work on a queue.
    Drain(Box<Config>),
    /// Make keys as kuard does.
    Kuard(kuard::Workload),
}

/// A worker of a queue.
#[derive(Debug)]
pub(crate) struct Config {
    pub(crate) client: Client,
    pub(crate) queue: QueueName,
    pub(crate) slots: usize,
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
}

impl ConfigError {
    pub(crate) fn exit(&self) -> Exit {
        match self {
            Self::Usage(_) | Self::Client(Error::BadUrl { .. }) => Exit::Usage,
            Self::Client(_) | Self::NotRunnable(_) => Exit::Misconfigured,
        }
    }
}

/// Reads a command line.
pub(crate) fn read(args: Args) -> Result<(Job, Surroundings), ConfigError> {
    let Args {
        instead: _,
        server,
        queue,
        concurrency,
        until,
        name,
        lease,
        item_timeout,
        dead_on,
        wait_queue,
        server_timeout,
        grace,
        health_listen,
        log_format: _,
        run,
        step,
        stop_with_stdin,
        builtin,
        command,
        keygen,
    } = args;
    let surroundings = Surroundings {
        grace,
        health_listen,
        stop_with_stdin,
    };
    if let Some(workload) = keygen.workload() {
        return Ok((Job::Kuard(workload), surroundings));
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
    let work = match (builtin, command.is_empty()) {
        (Some(builtin), _) => Work::Builtin(builtin),
        (None, false) => {
            let environment = environment(&server, &queue, run, step);
            let program = Program::find(&command, environment, dead_codes(dead_on)?)?;
            if let Some(argument) = program.misplaced() {
                tracing::warn!(
                    ?argument,
                    "{{}} inside an argument is passed as it is: make it an argument of its own, or use \"$MEMQ_ITEM\""
                );
            }
            Work::Command(program)
        }
        (None, true) => {
            let names = "keygen, sleep, echo or fail";
            return Err(usage(&format!(
                "say what to do with items: -- COMMAND… or --builtin {names}"
            )));
        }
    };
    let config = Config {
        client: Client::new(&server).map_err(ConfigError::Client)?,
        queue,
        slots: concurrency as usize,
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
        },
    };
    Ok((Job::Drain(Box::new(config)), surroundings))
}

fn dead_codes(codes: Vec<i32>) -> Result<Vec<i32>, ConfigError> {
    match codes.contains(&75) {
        true => Err(ConfigError::Usage(
            "--dead-on has 75, with which a command gives its item back".into(),
        )),
        false => Ok(codes),
    }
}

/// What the environment of each command says about the worker.
fn environment(
    server: &str,
    queue: &QueueName,
    run: Option<String>,
    step: Option<String>,
) -> Vec<(&'static str, String)> {
    let mut environment = vec![
        (queue_client::SERVER_VARIABLE, server.to_owned()),
        ("MEMQ_QUEUE", queue.to_string()),
    ];
    environment.extend(run.map(|run| ("MEMQ_RUN", run)));
    environment.extend(step.map(|step| ("MEMQ_STEP", step)));
    environment
}

fn default_name() -> String {
    let host = rustix::system::uname();
    let host = host.nodename().to_string_lossy();
    format!("{host}-{}", std::process::id())
}
