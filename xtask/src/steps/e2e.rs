//! `cargo xtask e2e`: what memq promises on Kubernetes, tried on a real cluster as its user would.
//!
//! Owns which stories there are to be told, side by side, and what is said of them at the end. It knows
//! Kubernetes by kubectl, kustomize and helm alone, and memq by its manifests and its program: whatever passes here
//! a user could have typed. The stories are `stories`', a story's namespace is `place`'s.

mod cluster;
mod forward;
mod place;
mod program;
mod stop;
mod stories;
mod table;

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use anyhow::{Context as _, Result, bail, ensure};

use self::cluster::Cluster;
use self::place::Place;
use self::stop::STOP;
use self::stories::{STORIES, Story};
use self::table::{Came, Row, Table};
use super::{cargo, image, manifests, say, step, target_folder};

/// Where to try what, and how much of it.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// The kubeconfig of a cluster that is for trying things: namespaces, a CRD and Jobs are made in it
    #[arg(long, env = "MEMQ_E2E_KUBECONFIG", value_name = "FILE")]
    kubeconfig: Option<PathBuf>,
    /// memq's image, which the nodes have or can pull [default: memq:VERSION]
    #[arg(long, env = "MEMQ_E2E_IMAGE", value_name = "IMAGE")]
    image: Option<String>,
    /// A command that brings the image's archive to the nodes, `{}` being the archive: 'kind load image-archive {}'
    #[arg(long, env = "MEMQ_E2E_LOAD", value_name = "COMMAND")]
    load: Option<String>,
    /// The archive to load [default: made by `cargo xtask image`]
    #[arg(long, value_name = "FILE", requires = "load")]
    archive: Option<PathBuf>,
    /// The memq of the command line [default: built now]
    #[arg(long, value_name = "FILE")]
    memq: Option<PathBuf>,
    /// An image with a shell, which the nodes have or can pull
    #[arg(
        long,
        env = "MEMQ_E2E_BUSYBOX",
        value_name = "IMAGE",
        default_value = "busybox:1"
    )]
    busybox: String,
    /// Tell the stories that have this in their name alone
    #[arg(long, value_name = "NAME")]
    only: Vec<String>,
    /// Stories told at a time
    #[arg(long, value_name = "N", default_value_t = 2)]
    at_once: usize,
    /// Leave the namespaces there
    #[arg(long)]
    keep: bool,
    /// Say which stories there are
    #[arg(long)]
    list: bool,
}

/// Tells the stories and prints what came of them.
///
/// # Errors
///
/// No cluster was given, nothing was told, or a story did not end well.
pub fn run(args: Args) -> Result<()> {
    if args.list {
        for story in STORIES {
            println!("{:24} {}", story.name, story.shows);
        }
        return Ok(());
    }
    let Some(kubeconfig) = &args.kubeconfig else {
        say(NOT_RUN);
        bail!("no cluster was given");
    };
    let told = tell_all(&args, kubeconfig)?;
    println!("{told}");
    ensure!(told.passed() > 0, "no story was told to its end");
    ensure!(told.is_well(), "stories did not end well");
    Ok(())
}

/// Tells the stories as part of the tests, if the environment names a cluster; else says that nobody did.
pub(super) fn test() -> Result<Option<Table>> {
    let args = <Alone as clap::Parser>::try_parse_from(["e2e"])?.args;
    let Some(kubeconfig) = &args.kubeconfig else {
        say(NOT_RUN);
        return Ok(None);
    };
    let told = tell_all(&args, kubeconfig)?;
    println!("{told}");
    Ok(Some(told))
}

/// The arguments with what the environment says.
#[derive(Debug, clap::Parser)]
struct Alone {
    #[command(flatten)]
    args: Args,
}

const NOT_RUN: std::fmt::Arguments<'_> = format_args!(
    "\n\
     ########################################################################\n\
     #  NOT RUN: the end-to-end tests. Nothing was tried on Kubernetes.     #\n\
     #  They need a cluster that is for trying things:                      #\n\
     #    cargo xtask e2e --kubeconfig FILE --image memq:TAG                #\n\
     #  or MEMQ_E2E_KUBECONFIG, MEMQ_E2E_IMAGE. More: docs/testing.md.      #\n\
     ########################################################################\n"
);

fn tell_all(args: &Args, kubeconfig: &Path) -> Result<Table> {
    let wanted: VecDeque<&Story> = STORIES
        .iter()
        .filter(|story| args.only.is_empty() || args.only.iter().any(|o| story.name.contains(o)))
        .collect();
    ensure!(
        !wanted.is_empty(),
        "no story has {} in its name; --list shows them",
        args.only.join(" or ")
    );
    let cluster = prepare(args, kubeconfig)?;
    say(format_args!(
        "==> {} stories on {}; `kubectl delete namespace -l {}` removes what an interrupted run leaves",
        wanted.len(),
        cluster.name,
        cluster::LABEL
    ));
    STOP.listen()?;
    let began = Instant::now();
    // What is told without the CRD cannot be told beside what installs it.
    let (first, rest): (VecDeque<_>, _) = wanted.into_iter().partition(|story| story.alone);
    let mut rows = tell_side_by_side(&cluster, first, 1, args.keep);
    rows.extend(tell_side_by_side(&cluster, rest, args.at_once, args.keep));
    cluster.clean_up(args.keep);
    ensure!(
        !STOP.is_told(),
        "told to stop; what was made is being removed"
    );
    rows.sort_by_key(|row| STORIES.iter().position(|story| story.name == row.name));
    Ok(Table::new(rows, began.elapsed()))
}

fn tell_side_by_side(
    cluster: &Cluster,
    stories: VecDeque<&Story>,
    at_once: usize,
    keep: bool,
) -> Vec<Row> {
    let (stories, rows) = (Mutex::new(stories), Mutex::new(Vec::new()));
    let next = || {
        stories
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop_front()
    };
    let tell_on = || {
        while let Some(story) = next().filter(|_| !STOP.is_told()) {
            let row = tell(cluster, story, keep);
            say(format_args!("{row}"));
            rows.lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(row);
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..at_once.max(1) {
            scope.spawn(tell_on);
        }
    });
    rows.into_inner().unwrap_or_else(PoisonError::into_inner)
}

fn tell(cluster: &Cluster, story: &Story, keep: bool) -> Row {
    let began = Instant::now();
    let told = Place::make(cluster, story).and_then(|place| {
        let told = (story.tell)(&place);
        let failed = told.as_ref().is_err_and(|error| !error.is::<Skipped>());
        if failed && !STOP.is_told() {
            place.dump();
        }
        if !keep {
            place.remove();
        }
        told
    });
    let came = match told {
        Ok(()) => Came::Passed,
        Err(error) => match error.downcast::<Skipped>() {
            Ok(Skipped(why)) => Came::Skipped(why),
            Err(error) => Came::Failed(format!("{error:#}")),
        },
    };
    Row {
        name: story.name,
        shows: story.shows,
        came,
        took: began.elapsed(),
    }
}

/// A story that this cluster cannot hold, and why.
#[derive(Debug)]
struct Skipped(String);

impl std::fmt::Display for Skipped {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Skipped {}

/// Gets the programs, and the image to the nodes.
fn prepare(args: &Args, kubeconfig: &Path) -> Result<Cluster> {
    let name = match &args.image {
        Some(name) => name.clone(),
        None => format!("memq:{}", env!("CARGO_PKG_VERSION")),
    };
    let target = target_folder()?;
    let memq = match &args.memq {
        Some(memq) => memq.clone(),
        None => {
            step("build memq", &mut cargo(&["build", "--bin", "memq"]))?;
            target.join("debug/memq")
        }
    };
    if let Some(load) = &args.load {
        let archive = match &args.archive {
            Some(archive) => archive.clone(),
            None => image::make(&name)?,
        };
        let load = load.replace("{}", &archive.display().to_string());
        let mut command = Command::new("sh");
        command.args(["-c", &load]).env("KUBECONFIG", kubeconfig);
        step("load the image", &mut command)?;
    }
    let tools = program::find().context("the tests on a cluster use kubectl")?;
    Cluster::reach(cluster::Means {
        kubeconfig: kubeconfig.to_owned(),
        kubectl: tools.kubectl,
        helm: tools.helm,
        memq,
        image: name,
        busybox: args.busybox.clone(),
        folder: target.join("e2e"),
    })
}
