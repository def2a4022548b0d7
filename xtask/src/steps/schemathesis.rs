//! The server's calls, tried at random against their own description.
//!
//! schemathesis makes requests of docs/openapi.json's like, good ones and bad ones, and judges the answers.
//! What it may not ask stands in `xtask/schemathesis`.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use std::{fs, net, thread};

use anyhow::{Context as _, Result, ensure};

use super::python::environment;
use super::{say, step, target_folder};

/// How long it goes on.
const SECONDS: u32 = 60;
/// The same requests each time: what one run found, the next one finds.
const SEED: u32 = 1;
/// Within this a server in a new folder answers.
const START: Duration = Duration::from_secs(30);

/// Tries a server of its own. The program must have been built.
pub(super) fn test() -> Result<()> {
    let target = target_folder()?;
    let list = folder().join("requirements.txt");
    let text =
        fs::read_to_string(&list).with_context(|| format!("{} cannot be read", list.display()))?;
    let packages: Vec<_> = text
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .collect();
    let python = environment(&target.join("tools/schemathesis"), &packages)?;
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
    address: net::SocketAddr,
    data: PathBuf,
}

impl Server {
    fn start(target: &Path) -> Result<Self> {
        // Taken and given back: the server says the port it took in its log alone.
        let free = net::TcpListener::bind("127.0.0.1:0").context("no port is free")?;
        let address = free.local_addr().context("the port is not known")?;
        drop(free);
        let data = target.join("schemathesis").join(address.port().to_string());
        let program = target.join("debug/memq-server");
        let child = Command::new(&program)
            .args(["--listen", &address.to_string(), "--data-dir"])
            .arg(&data)
            .stderr(Stdio::null())
            .spawn()
            .with_context(|| format!("{} does not start", program.display()))?;
        let mut server = Self {
            child,
            address,
            data,
        };
        let begin = Instant::now();
        while net::TcpStream::connect(address).is_err() {
            let ended = server.child.try_wait().context("the server is lost")?;
            ensure!(ended.is_none(), "the server ended at once: {ended:?}");
            ensure!(begin.elapsed() < START, "the server does not listen");
            thread::sleep(Duration::from_millis(20));
        }
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
