//! The server's calls, tried at random against their own description.
//!
//! schemathesis makes requests of docs/openapi.json's like, good ones and bad ones, and judges the answers.
//! What it may not ask stands in `xtask/schemathesis`.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;
use std::{fs, thread};

use anyhow::{Context as _, Result};

use super::python::listed;
use super::{say, step, target_folder};

/// How long it goes on.
const SECONDS: u32 = 60;
/// The same requests each time: what one run found, the next one finds.
const SEED: u32 = 1;
/// The token that the server asks for: so it is also tried whether calls are made without one.
const TOKEN: &str = "random-but-the-same";
/// Within this a server in a new folder answers.
const START: Duration = Duration::from_secs(30);

/// Tries a server of its own. The program must have been built.
pub(super) fn test() -> Result<()> {
    let target = target_folder()?;
    let python = listed("schemathesis", &folder().join("requirements.txt"))?;
    let server = Server::start(&target)?;
    let mut run = Command::new(python.with_file_name("schemathesis"));
    // It leaves its notes where it runs.
    run.current_dir(&target)
        .env("PYTHONPATH", folder())
        .arg("--config-file")
        .arg(folder().join("schemathesis.toml"))
        .arg("run")
        .arg(format!("http://{}/openapi.json", server.address))
        .args(["--max-time", &SECONDS.to_string()])
        .args(["--seed", &SEED.to_string()])
        .args(["--header", &format!("Authorization: Bearer {TOKEN}")])
        .args([
            "--request-timeout",
            "10",
            "--generation-database",
            "none",
            "--no-color",
        ])
        .env("PYTHONDONTWRITEBYTECODE", "1");
    step("try the API at random", &mut run)
        .context("the requests that failed stand above, each as a curl command")
}

/// A server, ended with this.
struct Server {
    child: Child,
    address: String,
    data: PathBuf,
}

impl Server {
    fn start(target: &Path) -> Result<Self> {
        let data = target
            .join("schemathesis")
            .join(std::process::id().to_string());
        fs::create_dir_all(&data).with_context(|| format!("cannot make {}", data.display()))?;
        let tokens = data.join("tokens");
        fs::write(&tokens, format!("admin {TOKEN}\n")).context("cannot write the tokens")?;
        let program = target.join("debug/memq-server");
        let mut child = Command::new(&program)
            .args(["--listen", "127.0.0.1:0", "--tokens"])
            .arg(&tokens)
            .arg("--data-dir")
            .arg(data.join("log"))
            .stderr(Stdio::piped())
            .spawn()
            .with_context(|| format!("{} does not start", program.display()))?;
        let log = child.stderr.take();
        let mut server = Self {
            child,
            address: String::new(),
            data,
        };
        let (tell, told) = mpsc::channel();
        let log = BufReader::new(log.context("the server's log is lost")?);
        // Read to its end: a log that nobody reads makes the server wait.
        thread::spawn(move || {
            let mut address = None;
            for line in log.lines().map_while(Result::ok) {
                if let Some((_, at)) = line.split_once("address=") {
                    address = Some(at.to_owned());
                } else if line.ends_with(" ready") {
                    address.take().map(|at| tell.send(at));
                }
            }
        });
        server.address = told
            .recv_timeout(START)
            .context("the server did not say that it is ready")?;
        Ok(server)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let ended = self.child.kill().and_then(|()| self.child.wait());
        if let Err(error) = ended.and_then(|_| fs::remove_dir_all(&self.data)) {
            say(format_args!(
                "the server that was tried left something: {error}"
            ));
        }
    }
}

fn folder() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/schemathesis"))
}
