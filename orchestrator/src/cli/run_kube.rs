//! `memq run --kube`: a run in a cluster, made and followed from here.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use anyhow::Context as _;
use queue_client::Token;
use serde_json::json;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::cluster::ClusterArgs;
use super::{Form, Misuse, print, print_json, say};
use crate::joblog::Joblog;
use crate::kube::outside::follow::{self, Following, Wish};
use crate::kube::outside::order::{self, NoOrder, Order};
use crate::kube::outside::records::{self, Record};
use crate::kube::outside::stage::Stage;
use crate::kube::outside::verdict::{End, Report};
use crate::kube::outside::{leave, submit};
use crate::kube::render;
use crate::spec::{Document, Given};

/// What belongs to runs in a cluster.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct Kube {
    /// Run in the cluster of the kubeconfig, as Jobs, and follow it.
    #[arg(long)]
    pub(super) kube: bool,
    #[command(flatten)]
    cluster: ClusterArgs,
    /// memq's own image, for a run that brings its controller along.
    #[arg(long, env = "MEMQ_IMAGE", value_name = "IMAGE", default_value = render::IMAGE)]
    image: String,
    /// Make the run and leave it to the cluster.
    #[arg(long, requires = "kube")]
    detach: bool,
    /// Bring a controller along though the kind Run is installed.
    #[arg(long, requires = "kube")]
    ephemeral: bool,
}

impl Kube {
    /// Whether a cluster or a part of one was named.
    pub(super) fn names_a_cluster(&self) -> bool {
        self.cluster.names_something()
    }
}

/// What a run is made of.
pub(super) struct Asked<'a> {
    pub(super) spec: &'a Path,
    pub(super) given: Given<'a>,
    pub(super) joblog: Option<PathBuf>,
    pub(super) timeout: Option<Duration>,
    /// What is shown to the queue server from here.
    pub(super) token: Option<Token>,
    pub(super) output: Form,
}

/// Makes a run in a cluster, and follows it unless nobody wants to.
pub(super) async fn run(asked: Asked<'_>, kube: Kube) -> anyhow::Result<u8> {
    let Asked {
        spec,
        given,
        joblog,
        timeout,
        token,
        output,
    } = asked;
    let Kube {
        kube: _,
        cluster,
        image,
        detach,
        ephemeral,
    } = kube;
    let document = Document::open(spec)?;
    // A mistake in the file is said first, whether there is a cluster or not.
    document.read(given)?;
    let link = cluster.connect().await?;
    let named = link.named.then_some(link.namespace.as_str());
    let order = order::order(&document, given, named, &link.namespace).map_err(mistake)?;
    for warning in &order.warnings {
        say(&format!("{}: {warning}", order.spec.name));
    }
    let joblog = joblog.map(|path| new_joblog(&path)).transpose()?;
    let installed = records::is_installed(&link.client)
        .await
        .with_context(|| link.cluster.clone())?;
    let form = match installed && !ephemeral {
        true => records::Form::Installed,
        false => records::Form::Ephemeral,
    };
    let listening = Listening::begin().context("cannot listen for signals")?;
    let made = submit::submit(&link.client, &order, form, &image).await;
    let (record, brought) = made.with_context(|| link.cluster.clone())?;
    say(&beginning(&order, &record, &link.cluster));
    if output == Form::Name {
        print(&format!("run.memq.dev/{}", record.name));
    }
    if detach && order.fills.is_empty() {
        left(&record, output)?;
        return Ok(0);
    }
    let following = Following {
        client: link.client.clone(),
        record: record.clone(),
        brought: brought.clone(),
        fills: order.fills,
        joblog,
        timeout,
        patience: None,
        detach,
        token,
        trusted: super::server_of_env(),
        server: None,
    };
    let followed = watch(following, listening).await;
    let seen = followed.as_ref().map(|(report, _)| report);
    if let Some(said) = leave::leave(&link.client, &record, brought.as_ref(), seen).await {
        say(&said);
    }
    let (report, code) = followed?;
    if detach && report.end == End::Detached {
        left(&report.record, output)?;
        return Ok(0);
    }
    show(&report, output)?;
    Ok(code)
}

/// Follows a run that is there to its end, and prints what came of it; the exit code.
pub(super) async fn follow(following: Following, output: Form) -> anyhow::Result<u8> {
    let listening = Listening::begin().context("cannot listen for signals")?;
    let (report, code) = watch(following, listening).await?;
    show(&report, output)?;
    Ok(code)
}

async fn watch(following: Following, listening: Listening) -> anyhow::Result<(Report, u8)> {
    let Listening {
        wishes,
        signal,
        _listeners,
    } = listening;
    let stage = Stage::new(&following.record.name);
    let report = Box::pin(follow::follow(following, wishes, stage)).await?;
    let code = match (report.verdict().0, signal.load(Ordering::Relaxed)) {
        (_, signal) if report.end == End::Detached && signal != 0 => 128 + signal,
        (code, _) => code,
    };
    Ok((report, code))
}

/// A joblog that nobody wrote to: a run in a cluster does not skip what another has done.
pub(super) fn new_joblog(path: &Path) -> anyhow::Result<(Joblog, PathBuf)> {
    let (joblog, past) = Joblog::open(path)?;
    if past.done_items() > 0 {
        let path = path.display();
        anyhow::bail!(Misuse(format!(
            "joblog `{path}` tells of an earlier run, and a run in a cluster does not skip what is done: give a new file"
        )));
    }
    Ok((joblog, path.to_owned()))
}

fn mistake(error: NoOrder) -> anyhow::Error {
    match error {
        NoOrder::Spec(error) => error.into(),
        error => Misuse(error.to_string()).into(),
    }
}

fn beginning(order: &Order, record: &Record, cluster: &str) -> String {
    let Record {
        name,
        namespace,
        form,
        ..
    } = record;
    let how = match form {
        records::Form::Installed => "",
        records::Form::Ephemeral => ", with a queue server and a controller of its own",
    };
    let fills = match order.fills.as_slice() {
        [] => String::new(),
        fills => {
            let steps: Vec<_> = fills.iter().map(|fill| fill.step.as_str()).collect();
            format!("; the items of {} are loaded from here", steps.join(", "))
        }
    };
    format!("{name}: in namespace {namespace} of {cluster}{how}{fills}")
}

/// Says how to look after a run that goes on alone.
fn left(record: &Record, output: Form) -> anyhow::Result<()> {
    let Record {
        name,
        namespace,
        form,
        ..
    } = record;
    let object = json!({"run": name, "namespace": namespace, "form": form});
    match output {
        Form::Name => {}
        Form::Json => print_json(&object)?,
        Form::Yaml => print(&serde_saphyr::to_string(&object)?),
        Form::Text => print(&format!(
            "{name}: goes on in the cluster\n  to look      memq show {name} -n {namespace}\n  \
             to go on     memq wait {name} -n {namespace}\n  to stop      memq cancel {name} -n {namespace}"
        )),
    }
    Ok(())
}

fn show(report: &Report, output: Form) -> anyhow::Result<()> {
    match output {
        Form::Text => print(&report.text()),
        Form::Json => print_json(&report.object())?,
        Form::Yaml => print(&serde_saphyr::to_string(&report.object())?),
        // It was printed when the run was made.
        Form::Name => say(report.text().trim_end()),
    }
    Ok(())
}

/// Ctrl-C and its relatives, as wishes to leave.
struct Listening {
    wishes: mpsc::Receiver<Wish>,
    /// The number of the last one.
    signal: Arc<AtomicU8>,
    _listeners: JoinSet<()>,
}

impl Listening {
    fn begin() -> std::io::Result<Self> {
        let (tell, wishes) = mpsc::channel(4);
        let last = Arc::new(AtomicU8::new(0));
        let mut listeners = JoinSet::new();
        for (kind, number) in [
            (SignalKind::interrupt(), 2),
            (SignalKind::terminate(), 15),
            (SignalKind::hangup(), 1),
        ] {
            let (mut arrivals, tell, last) = (signal(kind)?, tell.clone(), Arc::clone(&last));
            listeners.spawn(async move {
                while arrivals.recv().await.is_some() {
                    last.store(number, Ordering::Relaxed);
                    let _over = tell.send(Wish::Leave).await;
                }
            });
        }
        Ok(Self {
            wishes,
            signal: last,
            _listeners: listeners,
        })
    }
}
