//! The real program, started as a process.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, ChildStderr, Command, ExitStatus, Stdio};
use std::thread::JoinHandle;

use rustix::process::{Pid, Signal, kill_process};

use tempfile::TempDir;

use super::until;

/// A running `memq-server`, killed if the test ends before it does.
pub(crate) struct Program {
    child: Child,
    address: SocketAddr,
    log: Option<JoinHandle<Vec<String>>>,
    _data_dir: TempDir,
}

/// What is left of a program: its exit code and what it logged.
#[derive(Debug)]
pub(crate) struct Logged {
    pub(crate) code: Option<i32>,
    pub(crate) lines: Vec<String>,
}

impl Logged {
    #[track_caller]
    pub(crate) fn has(&self, text: &str) {
        assert!(
            self.lines.iter().any(|line| line.contains(text)),
            "no {text:?} in {self:#?}"
        );
    }
}

impl Program {
    /// The program with these arguments, none of the caller's own settings around it.
    pub(crate) fn command(args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_memq-server"));
        command.args(args);
        Self::alone(command)
    }

    /// Takes away what could change the program from outside.
    pub(crate) fn alone(mut command: Command) -> Command {
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("MEMQ_") || name == "RUST_LOG" {
                command.env_remove(name);
            }
        }
        command.stdin(Stdio::null());
        command
    }

    /// Starts it on a free port.
    pub(crate) fn start(args: &[&str]) -> Self {
        let mut all = vec!["--listen", "127.0.0.1:0"];
        all.extend(args);
        Self::spawn(Self::command(&all))
    }

    /// Starts it on a free port and on this directory.
    pub(crate) fn start_in(data_dir: &Path, args: &[&str]) -> Self {
        let mut all = vec!["--listen", "127.0.0.1:0"];
        all.extend(args);
        let mut command = Self::command(&all);
        command.env("MEMQ_DATA_DIR", data_dir);
        Self::spawn(command)
    }

    /// Starts a command that becomes the program, and waits for its address.
    pub(crate) fn spawn(mut command: Command) -> Self {
        let data_dir = tempfile::tempdir().expect("a directory");
        if !command.get_envs().any(|(name, _)| name == "MEMQ_DATA_DIR") {
            command.env("MEMQ_DATA_DIR", data_dir.path().join("data"));
        }
        let mut child = command
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let mut log = BufReader::new(child.stderr.take().expect("its log"));
        let (address, read) = read_address(&mut log);
        // Read on, or a full pipe stops the program.
        let log = std::thread::spawn(move || {
            let rest = log.lines().map_while(Result::ok);
            read.into_iter().chain(rest).collect()
        });
        Self {
            child,
            address,
            log: Some(log),
            _data_dir: data_dir,
        }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).expect("a running program");
    }

    pub(crate) fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    /// Waits for its end.
    pub(crate) async fn ended(mut self) -> Logged {
        let mut status: Option<ExitStatus> = None;
        until("the program has ended", async || {
            status = self.child.try_wait().expect("a child of ours");
            status.is_some()
        })
        .await;
        let log = self.log.take().expect("its log");
        let lines = log.join().expect("a log of text");
        Logged {
            code: status.and_then(|status| status.code()),
            lines,
        }
    }
}

/// The address that the program says it listens on, in either form of the log, once it says that it is
/// ready; and what it said so far.
fn read_address(log: &mut BufReader<ChildStderr>) -> (SocketAddr, Vec<String>) {
    let mut read = String::new();
    loop {
        let mut line = String::new();
        let count = log.read_line(&mut line).expect("a log of text");
        assert!(count > 0, "ended before it was ready: {read}");
        read.push_str(&line);
        if line.contains("ready") {
            let listening = ["127.0.0.1:", "0.0.0.0:"];
            let after = |ip: &&str| Some(read.split_once(*ip)?.1);
            let rest = listening.iter().find_map(after).expect("an address");
            let port: String = rest.chars().take_while(char::is_ascii_digit).collect();
            let address = SocketAddr::from(([127, 0, 0, 1], port.parse().expect("a port")));
            return (address, read.lines().map(str::to_owned).collect());
        }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // Fails where it has ended already, which is what is wanted.
        let _gone = self.child.kill();
        let _reaped = self.child.wait();
    }
}
