//! kuard's keygen workload: the same flags, the same lines, over kuard's own API, so that a manifest
//! written for kuard works with this program in its place.
//!
//! It takes items destructively, as kuard does: an item is gone when it is handed out. It shares
//! nothing with the worker proper but the keys.

use std::fmt;
use std::process::ExitCode;
use std::time::Duration;

use jiff::Zoned;
use queue_client::{Client, MemqClient, Token, TokenArg};
use tokio::sync::watch;
use tokio::time::Instant;

use crate::exit::Exit;
use crate::health::Health;
use crate::keygen;
use crate::stop::{self, Urgency};

/// Between tries of an empty or unreachable queue.
const RETRY: Duration = Duration::from_secs(1);
/// How long one dequeue may take.
const CALL_TIMEOUT: Duration = Duration::from_secs(15);

/// kuard's flags.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "kuard's keygen workload")]
pub struct Flags {
    /// Make RSA keys as kuard does, instead of working on a queue's leases
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true,
          default_missing_value = "true", value_parser = go_bool, default_value = "false")]
    keygen_enable: bool,
    /// Keys to make; 0 for no limit
    #[arg(long, value_name = "N", default_value_t = 0)]
    keygen_num_to_gen: u64,
    /// Seconds to make keys for; 0 for no limit
    #[arg(long, value_name = "SECONDS", default_value_t = 0)]
    keygen_time_to_run: u64,
    /// End when done, instead of staying idle
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true,
          default_missing_value = "true", value_parser = go_bool, default_value = "false")]
    keygen_exit_on_complete: bool,
    /// Exit code when done
    #[arg(long, value_name = "CODE", default_value_t = 0)]
    keygen_exit_code: u8,
    /// MemQ server to take items from, with its path: http://host:8080/memq/server
    #[arg(long, value_name = "URL", default_value = "")]
    keygen_memq_server: String,
    /// Queue to take items from
    #[arg(long, value_name = "NAME", default_value = "")]
    keygen_memq_queue: String,
}

/// A truth value as Go's flags take it.
fn go_bool(text: &str) -> Result<bool, String> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(false),
        _ => Err("give true or false".into()),
    }
}

/// What keys to make.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Workload {
    source: Source,
    exit_on_complete: bool,
    exit_code: u8,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Source {
    /// A number of keys, or as many as a time allows, or without end.
    Count { number: u64, time: Duration },
    /// A key for each item of a queue.
    Queue { server: String, queue: String },
}

impl Flags {
    /// Whether keys are to be made at all.
    #[must_use]
    pub fn enabled(&self) -> bool {
        self.keygen_enable
    }

    /// Makes keys until done or told to stop by a signal; within a runtime. Returns the exit code that
    /// the flags ask for, or 75 if it was told to stop. Comes to no end without
    /// `--keygen-exit-on-complete`, as kuard does not.
    pub async fn run(self) -> ExitCode {
        let stop = match stop::watch(false) {
            Ok(stop) => stop,
            Err(error) => {
                say(format_args!("Error watching for signals: {error}"));
                return Exit::Misconfigured.into();
            }
        };
        let token = match TokenArg::of_environment().token() {
            Ok(token) => token,
            Err(error) => {
                say(format_args!("Error: {:#}", anyhow::Error::from(error)));
                return Exit::Misconfigured.into();
            }
        };
        match self.workload() {
            Some(workload) => run(workload, token, &Health::new(), stop).await,
            None => ExitCode::SUCCESS,
        }
    }

    /// The workload, if it is wanted.
    pub(crate) fn workload(self) -> Option<Workload> {
        let Self {
            keygen_enable,
            keygen_num_to_gen: number,
            keygen_time_to_run: seconds,
            keygen_exit_on_complete: exit_on_complete,
            keygen_exit_code: exit_code,
            keygen_memq_server: server,
            keygen_memq_queue: queue,
        } = self;
        let source = match server.is_empty() || queue.is_empty() {
            true => Source::Count {
                number,
                time: Duration::from_secs(seconds),
            },
            false => Source::Queue { server, queue },
        };
        keygen_enable.then_some(Workload {
            source,
            exit_on_complete,
            exit_code,
        })
    }
}

/// Makes keys until done, and then stays or ends as the flags say. The token is for the server that items are
/// taken from, if it is one of ours.
pub(crate) async fn run(
    workload: Workload,
    token: Option<Token>,
    health: &Health,
    mut stop: watch::Receiver<Urgency>,
) -> ExitCode {
    let Workload {
        source,
        exit_on_complete,
        exit_code,
    } = workload;
    let farewell = match source {
        Source::Queue { .. } => "MemQ Worker shutting down",
        Source::Count { .. } => "(ID 0) Workload exiting",
    };
    let alive = async {
        loop {
            health.turned(true);
            tokio::time::sleep(RETRY).await;
        }
    };
    let work = async {
        match &source {
            Source::Count { number, time } => count(*number, *time).await,
            Source::Queue { server, queue } => {
                let client = Client::builder(server).token(token).build();
                take(client.map(MemqClient::of), queue, exit_on_complete).await;
            }
        }
        if !exit_on_complete {
            // Done, and a pod that ends would be started again.
            std::future::pending::<()>().await;
        }
    };
    tokio::select! {
        () = work => ExitCode::from(exit_code),
        () = alive => Exit::Misconfigured.into(),
        _ = stop.wait_for(|urgency| *urgency != Urgency::GoOn) => {
            say(format_args!("{farewell}"));
            Exit::Stopped.into()
        }
    }
}

async fn count(number: u64, time: Duration) {
    say(format_args!("(ID 0) Workload starting"));
    let end = (!time.is_zero()).then(|| Instant::now() + time);
    let goal = match number {
        0 => "Inf".into(),
        _ => number.to_string(),
    };
    let mut made = 0;
    while (number == 0 || made < number) && end.is_none_or(|end| Instant::now() < end) {
        let key = new_key().await;
        made += 1;
        let left = end.map_or_else(String::new, |end| format!(" {}", time_left(end)));
        say(format_args!("(ID 0 {made}/{goal}{left}) Item done: {key}"));
    }
    say(format_args!("(ID 0) Workload exiting"));
}

async fn take(client: queue_client::Result<MemqClient>, queue: &str, exit_on_complete: bool) {
    say(format_args!("MemQ Worker starting"));
    loop {
        let item = match &client {
            Ok(client) => client
                .dequeue(queue, CALL_TIMEOUT)
                .await
                .map_err(Into::into),
            Err(error) => Err(anyhow::Error::msg(error.to_string())),
        };
        match item {
            Ok(Some(_item)) => {
                let key = new_key().await;
                say(format_args!("Item done: {key}"));
                continue;
            }
            Ok(None) if exit_on_complete => return,
            Ok(None) => say(format_args!("Queue is empty. Retrying after 1s.")),
            Err(error) => {
                say(format_args!(
                    "Error talking to server: {error:#}. Retrying after 1s."
                ));
            }
        }
        tokio::time::sleep(RETRY).await;
    }
}

async fn new_key() -> String {
    keygen::fingerprint_off_loop()
        .await
        .unwrap_or_else(|error| format!("Error generating key: {error}"))
}

/// The time until then in the words kuard uses: whole units, the largest one only.
fn time_left(end: Instant) -> String {
    let now = Instant::now();
    let (seconds, word) = match end.checked_duration_since(now) {
        Some(left) => (left.as_secs(), "left"),
        None => ((now - end).as_secs(), "overdue"),
    };
    let (number, unit) = match seconds {
        0 => return "now".into(),
        1..60 => (seconds, "second"),
        60..3_600 => (seconds / 60, "minute"),
        3_600..86_400 => (seconds / 3_600, "hour"),
        _ => (seconds / 86_400, "day"),
    };
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {unit}{plural} {word}")
}

/// Writes a line as kuard logs it, after a date and a time.
#[allow(
    clippy::print_stderr,
    reason = "these lines are this workload's output"
)]
#[allow(
    clippy::disallowed_methods,
    reason = "kuard's lines begin with the wall clock"
)]
fn say(line: fmt::Arguments<'_>) {
    let now = Zoned::now();
    eprintln!("{} {line}", now.strftime("%Y/%m/%d %H:%M:%S"));
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Debug, Parser)]
    struct Cli {
        #[command(flatten)]
        flags: Flags,
    }

    fn read(flags: &[&str]) -> Result<Option<Workload>, clap::Error> {
        Cli::try_parse_from([&["kuard"], flags].concat()).map(|cli| cli.flags.workload())
    }

    #[test]
    fn flags_are_written_as_go_takes_them() {
        let ten = Workload {
            source: Source::Count {
                number: 10,
                time: Duration::ZERO,
            },
            exit_on_complete: true,
            exit_code: 3,
        };
        for flags in [
            &[
                "--keygen-enable",
                "--keygen-exit-on-complete",
                "--keygen-num-to-gen",
                "10",
                "--keygen-exit-code",
                "3",
            ][..],
            &[
                "--keygen-enable=true",
                "--keygen-exit-on-complete=1",
                "--keygen-num-to-gen=10",
                "--keygen-exit-code=3",
            ],
            &[
                "--keygen-num-to-gen=10",
                "--keygen-exit-code=3",
                "--keygen-exit-on-complete=T",
                "--keygen-enable=TRUE",
            ],
        ] {
            assert_eq!(read(flags).expect("flags"), Some(ten.clone()), "{flags:?}");
        }
        assert_eq!(read(&["--keygen-enable=false"]).expect("flags"), None);
        assert_eq!(read(&[]).expect("flags"), None);
        assert!(read(&["--keygen-enable=maybe"]).is_err());
        assert!(read(&["--keygen-num-to-gen=ten"]).is_err());
    }

    #[test]
    fn a_queue_counts_before_number_and_time() {
        let flags = [
            "--keygen-enable",
            "--keygen-num-to-gen=10",
            "--keygen-memq-server=http://host/memq/server/",
            "--keygen-memq-queue=keygen",
        ];
        let workload = read(&flags).expect("flags").expect("enabled");
        let (server, queue) = ("http://host/memq/server/".into(), "keygen".into());
        assert_eq!(workload.source, Source::Queue { server, queue });
        let half = read(&flags[..3]).expect("flags").expect("enabled");
        assert!(matches!(half.source, Source::Count { number: 10, .. }));
    }

    #[test]
    fn time_left_reads_as_kuard_says_it() {
        let start = Instant::now();
        for (seconds, words) in [
            (0.5, "now"),
            (1.5, "1 second left"),
            (8.5, "8 seconds left"),
            (60.5, "1 minute left"),
            (150.5, "2 minutes left"),
            (3_600.5, "1 hour left"),
        ] {
            assert_eq!(time_left(start + Duration::from_secs_f64(seconds)), words);
        }
        let past = start
            .checked_sub(Duration::from_secs(5))
            .expect("the clock is older");
        assert!(
            time_left(past).ends_with("seconds overdue"),
            "{}",
            time_left(past)
        );
    }
}
