//! `fake-kube`: the server as a program of its own. Owns its arguments and where it says how it is reached.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Parser;
use fake_kube::FakeApi;

/// Play an API server for tests, until it is killed
#[derive(Debug, Parser)]
struct Args {
    /// Write a kubeconfig to this file once calls are answered
    #[arg(long, value_name = "FILE")]
    kubeconfig: PathBuf,
    /// Listen on this address
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// Refuse this, as get:pods/log; may be given several times
    #[arg(long, value_name = "VERB:RESOURCE", value_parser = right)]
    forbid: Vec<(String, String)>,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let Args {
        kubeconfig,
        listen,
        forbid,
    } = Args::parse();
    let api = FakeApi::listen(listen)
        .await
        .with_context(|| format!("cannot listen on {listen}"))?;
    for (verb, resource) in &forbid {
        api.forbid(verb, resource);
    }
    write(&kubeconfig, &api.kubeconfig())
        .with_context(|| format!("cannot write {}", kubeconfig.display()))?;
    std::future::pending().await
}

fn right(text: &str) -> Result<(String, String), &'static str> {
    let (verb, resource) = text.split_once(':').ok_or("expected VERB:RESOURCE")?;
    Ok((verb.to_owned(), resource.to_owned()))
}

/// All at once: whoever waits for the file never sees half of it.
fn write(path: &Path, text: &str) -> std::io::Result<()> {
    let unfinished = path.with_extension("unfinished");
    std::fs::write(&unfinished, text)?;
    std::fs::rename(&unfinished, path)
}
