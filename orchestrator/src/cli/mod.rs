//! The command line: what can be asked of `memq`, and what it exits with.

mod backup;
mod bytes_bar;
mod cancel;
mod cluster;
mod completions;
mod controller;
mod doctor;
mod kuard;
mod lint;
mod load;
mod logs;
mod ls;
mod man;
mod output;
mod queue;
mod render;
mod restore;
mod retry;
mod run;
mod run_kube;
mod shell;
mod show;
mod wait;
mod why;

use output::{Form, Output};
pub(crate) use shell::quoted;

use std::future::Future;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use queue_client::{Client, TokenArg};

use crate::spec::SpecError;
use crate::view::{BesideBars, INFRASTRUCTURE, print, say};

/// What usage errors exit with (`EX_USAGE`).
const USAGE: u8 = 64;
/// What a refusal by the server exits with.
const REFUSED: u8 = 1;
/// What a refusal for want of a token, or of its role, exits with (`EX_NOPERM`).
const NO_PERMISSION: u8 = 77;

/// What a command says on standard error beside its answer, where nothing else is asked for: what goes wrong in our own
/// parts. What libraries would say of it comes back as an error, and is told once.
const LOG: &str =
    "orchestrator=warn,queue_client=warn,queue_log=warn,queue_server=warn,telemetry=warn";

/// A work queue for batch work: load a queue, run workers over it, and end when every item is finished.
#[derive(Debug, Parser)]
#[command(name = "memq", version, max_term_width = 100, after_help = EXAMPLES)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

const EXAMPLES: &str = r#"Examples:
  memq run examples/keygen                       a whole run on this machine: server, workers, items
  memq server                                    a server on 127.0.0.1:8080
  ls *.jpg | memq load thumbs --create --seal    an item a line
  memq worker --queue thumbs -- sh -c 'convert "$MEMQ_ITEM" -resize 200 "thumbs/$MEMQ_ITEM"'
  memq queue ls                                  what is where

Exit codes: 0 done, 1 items dead or refused by the server, 2 infrastructure, 3 time-out, 64 usage,
77 no token or one that does not allow it, 129, 130 and 143 stopped by hang-up, Ctrl-C and SIGTERM. `memq worker --help` has the worker's
own. kuard's flags alone (--keygen-enable, --address) do what kuard does with them:
`memq --keygen-enable --help`."#;

#[derive(Debug, Subcommand)]
enum Command {
    /// Carry out a run spec with workers on this machine or in a cluster.
    Run(run::Args),
    /// List, make, look at and change queues.
    #[command(subcommand)]
    Queue(queue::Command),
    /// Put a file or a pipe into a queue, an item a line.
    Load(load::Args),
    /// Copy all queues of a server that goes on meanwhile into a file.
    Backup(backup::Args),
    /// Bring the queues of a backup into a server that has none.
    Restore(restore::Args),
    /// Go on with a run of this machine, in the same history.
    Retry(retry::Args),
    /// Show what the attempts at items printed.
    Logs(logs::Args),
    /// List the runs of a cluster.
    Ls(ls::Args),
    /// Show a run of a cluster, with its steps.
    Show(show::Args),
    /// Say what a run of a cluster waits for, or how it ended.
    Why(why::Args),
    /// Follow a run of a cluster to its end.
    Wait(wait::Args),
    /// Tell a run of a cluster to stop.
    Cancel(cancel::Args),
    /// Say what a namespace lacks for runs to work there.
    Doctor(doctor::Args),
    /// Find mistakes in run specs and in manifests of Jobs.
    Lint(lint::Args),
    /// Show every object that a run makes in a cluster.
    Render(render::Args),
    /// Carry out the runs of a cluster, from within it.
    Controller(controller::Args),
    /// Serve queues over HTTP: the same as memq-server.
    Server(Box<queue_server::Args>),
    /// Print what a shell must know to complete command lines.
    Completions(completions::Args),
    /// Write a page for man for each command.
    Man(man::Args),
    /// Watch over one command of a run.
    #[command(hide = true)]
    Guard(crate::execute::GuardArgs),
    /// Work on a queue until it is finished: the same as memq-worker.
    Worker(Box<worker::Args>),
}

/// Which server is asked.
#[derive(Debug, Clone, clap::Args)]
struct ServerArg {
    /// Address of the server.
    #[arg(
        long,
        env = queue_client::SERVER_VARIABLE,
        value_name = "URL",
        default_value = queue_client::DEFAULT_URL
    )]
    server: String,
    #[command(flatten)]
    token: TokenArg,
}

impl ServerArg {
    fn named(&self) -> String {
        let named = queue_client::named_server(self.server.clone());
        named.unwrap_or_else(|| queue_client::DEFAULT_URL.into())
    }

    /// Its address, for people.
    fn url(&self) -> String {
        queue_client::without_user(&self.named())
    }

    fn client(&self) -> queue_client::Result<Client> {
        let token = self.token.token()?;
        Client::builder(&self.named()).token(token).build()
    }
}

/// The server that the variable names, if it does.
fn server_of_env() -> Option<String> {
    let named = std::env::var(queue_client::SERVER_VARIABLE).ok();
    named.filter(|named| !named.is_empty())
}

/// A mistake on the command line that only the surroundings show.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Misuse(String);

/// Runs the command line of this process.
#[must_use]
pub fn main() -> ExitCode {
    let words: Vec<_> = std::env::args_os().collect();
    if kuard::is_meant(&words) {
        return kuard::run(&words);
    }
    let command = match Cli::try_parse_from(words) {
        Ok(cli) => cli.command,
        Err(error) => return refuse(&error),
    };
    if let Err(error) = start_log(&command) {
        complain(&error.into());
        return ExitCode::from(INFRASTRUCTURE);
    }
    // The last to go: what ends after it is not exported.
    let _exporting = match command.speaks_for_itself() {
        true => None,
        false => telemetry::export("memq"),
    };
    match command {
        Command::Run(args) => in_runtime(run::run(args)),
        Command::Queue(command) => in_runtime(queue::run(command)),
        Command::Load(args) => in_runtime(load::run(args)),
        Command::Backup(args) => in_runtime(backup::run(args)),
        Command::Restore(args) => in_runtime(restore::run(args)),
        Command::Retry(args) => in_runtime(retry::run(args)),
        Command::Logs(args) => in_runtime(logs::run(args)),
        Command::Completions(args) => outcome(completions::run(&args)),
        Command::Man(args) => outcome(man::run(&args)),
        Command::Ls(args) => in_runtime(ls::run(args)),
        Command::Show(args) => in_runtime(show::run(args)),
        Command::Why(args) => in_runtime(why::run(args)),
        Command::Wait(args) => in_runtime(wait::run(args)),
        Command::Cancel(args) => in_runtime(cancel::run(args)),
        Command::Doctor(args) => in_runtime(doctor::run(args)),
        Command::Lint(args) => outcome(lint::run(args)),
        Command::Render(args) => in_runtime(render::run(args)),
        Command::Controller(args) => in_runtime(controller::run(args)),
        Command::Server(args) => queue_server::run(*args),
        Command::Guard(args) => in_runtime(crate::execute::guard(args)),
        Command::Worker(args) => worker::run(*args),
    }
}

impl Command {
    /// Whether it has a log, and exports spans, in its own name or not at all.
    fn speaks_for_itself(&self) -> bool {
        matches!(self, Self::Server(_) | Self::Worker(_) | Self::Guard(_))
    }
}

/// Begins to tell what is not the command's answer, before anything can go wrong that only a log tells.
fn start_log(command: &Command) -> Result<(), telemetry::LogError> {
    match command {
        Command::Controller(args) => telemetry::start_log(args.log_format)?,
        command if command.speaks_for_itself() => {}
        _ => telemetry::start_log_of_command(LOG, || BesideBars),
    }
    Ok(())
}

/// Answers a command line that is no command. Help and version are asked for; all else is a mistake.
fn refuse(error: &clap::Error) -> ExitCode {
    let code = if error.use_stderr() { USAGE } else { 0 };
    let _gone = error.print();
    ExitCode::from(code)
}

fn in_runtime(work: impl Future<Output = anyhow::Result<u8>>) -> ExitCode {
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => {
            complain(&anyhow::Error::new(error).context("cannot start the asynchronous runtime"));
            return ExitCode::from(INFRASTRUCTURE);
        }
    };
    let code = outcome(runtime.block_on(work));
    // A thread that still reads a slow file must not hold the end up.
    runtime.shutdown_background();
    code
}

fn outcome(came: anyhow::Result<u8>) -> ExitCode {
    ExitCode::from(came.unwrap_or_else(|error| {
        complain(&error);
        code_of(&error)
    }))
}

fn code_of(error: &anyhow::Error) -> u8 {
    if error.is::<SpecError>() || error.is::<Misuse>() || error.is::<crate::execute::NotHere>() {
        return USAGE;
    }
    if error.is::<cluster::NoRun>() {
        return REFUSED;
    }
    use queue_api::Code::{Internal, NotReady, StorageFull};
    match error.downcast_ref::<queue_client::Error>() {
        Some(queue_client::Error::BadUrl { .. } | queue_client::Error::Token(_)) => USAGE,
        Some(error) if error.is_refusal() => NO_PERMISSION,
        // The server would, and cannot.
        Some(error) if matches!(error.code(), Some(StorageFull | NotReady | Internal)) => {
            INFRASTRUCTURE
        }
        Some(queue_client::Error::Problem(_)) => REFUSED,
        _ => INFRASTRUCTURE,
    }
}

/// Says what went wrong, with its causes, and what may help.
fn complain(error: &anyhow::Error) {
    let mut text = format!("memq: {error:#}\n");
    if let Some(error) = error.downcast_ref::<queue_client::Error>() {
        let help = match error {
            queue_client::Error::Unauthenticated { .. } => {
                "give a file whose first line is a token of that server with --token-file or MEMQ_TOKEN_FILE, or the \
                 token in MEMQ_TOKEN"
            }
            queue_client::Error::Unreachable { .. } => {
                "is the server running? start one with `memq server`, or name another with --server or MEMQ_SERVER"
            }
            _ if error.code() == Some(queue_api::Code::NoSuchQueue) => {
                "`memq queue ls` shows which there are; `memq queue create` makes one"
            }
            _ if error.code() == Some(queue_api::Code::QueueSealed) => {
                "`memq queue reopen` lets it take items again"
            }
            _ if error.code() == Some(queue_api::Code::QueueBusy) => {
                "--force removes it all the same; whoever holds its items loses them"
            }
            _ if error.code() == Some(queue_api::Code::NotEmpty) => {
                "start another with a new directory: `memq server --data-dir DIR`"
            }
            _ => "",
        };
        if !help.is_empty() {
            text.push_str(&format!("  {help}\n"));
        }
    }
    say(&text);
}

/// Prints an answer as JSON.
fn print_json(value: &impl serde::Serialize) -> anyhow::Result<()> {
    Ok(crate::view::print_json(value)?)
}

/// A duration of the command line: with its unit, so that `60` is not read as milliseconds.
fn duration(text: &str) -> Result<std::time::Duration, String> {
    crate::spec::duration(text).ok_or_else(|| format!("give {}", crate::spec::DURATION))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_consistent() {
        super::Cli::command().debug_assert();
    }
}
