//! A server and workers as processes, whose logs are kept.

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::Duration;

use queue_client::{Client, QueueClient};

/// Longest wait for anything.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);
/// A trace as a caller may begin it.
pub(crate) const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
pub(crate) const TRACE_ID: &str = "0af7651916cd43dd8448eb211c80319c";

/// `memq` with a log of JSON at `debug`, and nothing of what is around this test.
pub(crate) fn memq(words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_memq"));
    command
        .args(words)
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("MEMQ_LOG", "debug")
        .env("MEMQ_LOG_FORMAT", "json")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    command
}

/// A server in memory, and what it said.
pub(crate) struct Server {
    child: Child,
    lines: JoinHandle<Vec<String>>,
    pub(crate) url: String,
}

impl Server {
    pub(crate) fn start(mut command: Command) -> Self {
        let mut child = command.spawn().unwrap();
        let (told, address) = mpsc::channel();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let lines = std::thread::spawn(move || {
            let mut lines = Vec::new();
            for line in stderr.lines() {
                let line = line.unwrap();
                let json: serde_json::Value = serde_json::from_str(&line).unwrap_or_default();
                if let Some(address) = json["server.address"].as_str() {
                    told.send(address.to_owned()).unwrap();
                }
                lines.push(line);
            }
            lines
        });
        let address = address.recv_timeout(PATIENCE).unwrap();
        let url = format!("http://{address}");
        Self { child, lines, url }
    }

    pub(crate) fn queue(&self, name: &str) -> QueueClient {
        let client = Client::new(&self.url).unwrap();
        client.queue(name.parse().unwrap())
    }

    /// Ends it in order; what it said.
    pub(crate) fn stop(mut self) -> Vec<String> {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        assert!(self.child.wait().unwrap().success());
        self.lines.join().unwrap()
    }
}

/// Runs a program to its end; what it said, whatever came of it.
pub(crate) fn said(mut command: Command) -> Vec<String> {
    let mut child = command.spawn().unwrap();
    let mut text = String::new();
    child
        .stderr
        .take()
        .unwrap()
        .read_to_string(&mut text)
        .unwrap();
    child.wait().unwrap();
    text.lines().map(str::to_owned).collect()
}
