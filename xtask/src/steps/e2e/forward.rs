//! A way from this machine to a port in the cluster, by `kubectl port-forward`, open as long as it is held.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result};

/// How long kubectl may take to say which port it listens on.
const PATIENCE: Duration = Duration::from_secs(20);

/// An open way.
pub(super) struct Forward {
    child: Child,
    /// Where the port in the cluster is on this machine.
    pub(super) url: String,
}

impl Forward {
    /// Opens one by a kubectl command that ends in `TARGET :PORT`.
    pub(super) fn open(mut kubectl: Command) -> Result<Self> {
        let mut child = kubectl
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .context("`kubectl port-forward` cannot start")?;
        let out = child.stdout.take();
        let (tell, told) = mpsc::channel();
        thread::spawn(move || {
            for line in out.into_iter().flat_map(|out| BufReader::new(out).lines()) {
                // Read on after nobody asks any more: kubectl says a line for each connection.
                let _unasked = line.map(|line| tell.send(line));
            }
        });
        let mut forward = Self {
            child,
            url: String::new(),
        };
        loop {
            let line = told
                .recv_timeout(PATIENCE)
                .context("`kubectl port-forward` does not say where it listens")?;
            if let Some(port) = port(&line) {
                forward.url = format!("http://127.0.0.1:{port}");
                return Ok(forward);
            }
        }
    }
}

impl Drop for Forward {
    fn drop(&mut self) {
        let _gone = self.child.kill();
        let _gone = self.child.wait();
    }
}

/// The port in `Forwarding from 127.0.0.1:40123 -> 8080`.
fn port(line: &str) -> Option<u16> {
    let rest = line.strip_prefix("Forwarding from 127.0.0.1:")?;
    rest.split_once(' ')?.0.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kubectl_says_the_port() {
        assert_eq!(port("Forwarding from 127.0.0.1:40123 -> 8080"), Some(40123));
        assert_eq!(port("Forwarding from [::1]:40123 -> 8080"), None);
    }
}
