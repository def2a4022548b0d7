//! Other programs, run with an end in sight: what they print, and none that runs for ever.

use std::io::{Read, Write as _};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

use super::manifests;
use super::stop::STOP;

/// Between two looks at a program that runs.
const LOOK: Duration = Duration::from_millis(20);

/// The programs of a user of Kubernetes.
pub(super) struct Tools {
    pub(super) kubectl: PathBuf,
    pub(super) helm: PathBuf,
}

/// Those that are installed, else those that the manifests are tested with.
pub(super) fn find() -> Result<Tools> {
    if let (Some(kubectl), Some(helm)) = (
        installed("MEMQ_KUBECTL", "kubectl"),
        installed("MEMQ_HELM", "helm"),
    ) {
        return Ok(Tools { kubectl, helm });
    }
    let (kubectl, helm) = manifests::kubectl_and_helm()?;
    Ok(Tools { kubectl, helm })
}

fn installed(variable: &str, name: &str) -> Option<PathBuf> {
    if let Some(named) = std::env::var_os(variable) {
        return Some(named.into());
    }
    let folders = std::env::var_os("PATH")?;
    std::env::split_paths(&folders)
        .map(|folder| folder.join(name))
        .find(|program| program.is_file())
}

/// What a program left behind.
#[derive(Debug)]
pub(super) struct Said {
    /// What it was, as one would type it.
    pub(super) shown: String,
    /// Its exit code; none if a signal ended it.
    pub(super) code: Option<i32>,
    pub(super) out: String,
    pub(super) err: String,
}

impl Said {
    /// What it printed, if it exited with 0.
    pub(super) fn ok(self) -> Result<String> {
        if self.code == Some(0) {
            return Ok(self.out);
        }
        let Self {
            shown,
            code,
            out,
            err,
        } = self;
        let code = code.map_or("a signal".to_owned(), |code| code.to_string());
        bail!("`{shown}` ended with {code}: {}{}", out.trim(), err.trim());
    }
}

/// Runs a program to its end, or ends it at `deadline`.
pub(super) fn run(command: &mut Command, input: &str, deadline: Instant) -> Result<Said> {
    let shown = super::super::shown(command);
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("`{shown}` cannot start"))?;
    let input = input.to_owned();
    let stdin = child.stdin.take();
    let feed = thread::spawn(move || {
        // A program that does not read says itself what it misses.
        let _unread = stdin.map(|mut stdin| stdin.write_all(input.as_bytes()));
    });
    let (out, err) = (collect(child.stdout.take()), collect(child.stderr.take()));
    let code = end(&mut child, deadline).with_context(|| format!("`{shown}`"));
    let text = |reader: thread::JoinHandle<String>| reader.join().unwrap_or_default();
    let _fed = feed.join();
    let (out, err) = (text(out), text(err));
    match code {
        Ok(code) => Ok(Said {
            shown,
            code,
            out,
            err,
        }),
        Err(error) => Err(error.context(format!("{}{}", last_lines(&out), last_lines(&err)))),
    }
}

fn last_lines(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(15)..].join("\n")
}

fn end(child: &mut Child, deadline: Instant) -> Result<Option<i32>> {
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status.code());
        }
        if Instant::now() >= deadline {
            let _gone = child.kill();
            let _gone = child.wait();
            bail!("was not through in time");
        }
        STOP.pause(LOOK);
    }
}

fn collect(from: Option<impl Read + Send + 'static>) -> thread::JoinHandle<String> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        // What was read before a pipe broke is what there is.
        let _broken = from.map(|mut from| from.read_to_end(&mut bytes));
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(code: &str, input: &str, limit: Duration) -> Result<Said> {
        run(
            Command::new("sh").args(["-c", code]),
            input,
            Instant::now() + limit,
        )
    }

    #[test]
    fn what_a_program_prints_and_exits_with_is_told() {
        let said =
            shell("cat; echo no >&2; exit 3", "fed", Duration::from_secs(20)).expect("sh runs");
        assert_eq!(
            (said.code, said.out.as_str(), said.err.as_str()),
            (Some(3), "fed", "no\n")
        );
        let error = format!("{:#}", said.ok().expect_err("3 is not 0"));
        assert!(error.ends_with("ended with 3: fedno"), "{error}");
    }

    #[test]
    fn a_program_that_runs_for_ever_is_ended() {
        let error = shell(
            "echo begun; exec sleep 1000",
            "",
            Duration::from_millis(300),
        );
        let error = format!("{:#}", error.expect_err("it has no end"));
        assert!(
            error.contains("not through in time") && error.contains("begun"),
            "{error}"
        );
    }
}
