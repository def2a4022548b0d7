//! What is to be done with items: chosen by the command line, checked before the first is leased.

use std::ffi::OsString;

use queue_api::QueueName;
use queue_client::TokenArg;

use crate::args::Builtin;
use crate::child::{Environment, Program};
use crate::command::PerItem;
use crate::config::ConfigError;
use crate::handler::Work;
use crate::http::Endpoint;
use crate::process::{About, Processes};

/// What the command line says of it.
#[derive(Debug)]
pub(crate) struct Asked<'a> {
    pub(crate) server: &'a str,
    pub(crate) token: &'a TokenArg,
    pub(crate) queue: &'a QueueName,
    pub(crate) run: Option<String>,
    pub(crate) step: Option<String>,
    pub(crate) builtin: Option<Builtin>,
    pub(crate) http: Option<String>,
    pub(crate) process: bool,
    pub(crate) command: Vec<OsString>,
    pub(crate) dead_on: Vec<i32>,
}

/// Makes it, or says why it cannot be done.
pub(crate) fn choose(asked: Asked<'_>) -> Result<Work, ConfigError> {
    let usage = |text: &str| ConfigError::Usage(text.into());
    if let Some(builtin) = asked.builtin {
        return Ok(Work::Builtin(builtin));
    }
    if let Some(url) = &asked.http {
        return Ok(Work::Http(endpoint(url, &asked)?));
    }
    if asked.command.is_empty() {
        return Err(usage(match asked.process {
            true => "--process goes with a command: --process -- COMMAND…",
            false => {
                "say what to do with items: -- COMMAND…, --process -- COMMAND…, --http URL or \
                 --builtin keygen, sleep, echo or fail"
            }
        }));
    }
    if asked.dead_on.contains(&75) {
        return Err(usage(
            "--dead-on has 75, with which a command gives its item back",
        ));
    }
    let program = Program::find(&asked.command, environment(&asked))?;
    if asked.process {
        let about = About {
            queue: asked.queue.to_string(),
            run: asked.run,
            step: asked.step,
        };
        return Ok(Work::Process(Processes::new(program, about)));
    }
    let command = PerItem::new(program, asked.dead_on)?;
    if let Some(argument) = command.misplaced() {
        tracing::warn!(
            handler.argument = ?argument,
            "{{}} inside an argument is passed as it is: make it an argument of its own, or use \"$MEMQ_ITEM\""
        );
    }
    Ok(Work::Command(command))
}

fn endpoint(url: &str, asked: &Asked<'_>) -> Result<Endpoint, ConfigError> {
    let mut about = vec![("memq-queue", asked.queue.as_str())];
    about.extend(asked.run.as_deref().map(|run| ("memq-run", run)));
    about.extend(asked.step.as_deref().map(|step| ("memq-step", step)));
    Ok(Endpoint::new(url, &about)?)
}

/// What the environment of each program says about the worker.
fn environment(asked: &Asked<'_>) -> Environment {
    let mut environment = vec![
        (queue_client::SERVER_VARIABLE, asked.server.into()),
        ("MEMQ_QUEUE", asked.queue.as_str().into()),
    ];
    environment.extend(asked.token.environment());
    environment.extend(asked.run.clone().map(|run| ("MEMQ_RUN", run.into())));
    environment.extend(asked.step.clone().map(|step| ("MEMQ_STEP", step.into())));
    environment
}
