//! Finds a cluster as kubectl does: a kubeconfig and one of its contexts, or the pod this runs in.
//!
//! Its errors are for people who have several clusters: each names the file and what is in it.

use std::path::PathBuf;
use std::time::Duration;

use kube::config::{KubeConfigOptions, Kubeconfig, KubeconfigError};
use kube::{Client, Config};

/// The variable that names kubeconfig files.
const VARIABLE: &str = "KUBECONFIG";
/// How long connecting to the API server may take: whoever waits sits before a terminal.
const CONNECT: Duration = Duration::from_secs(10);

/// Which cluster and namespace are meant, as far as somebody said so.
#[derive(Debug, Clone, Default)]
pub(crate) struct Whither {
    /// The context of the kubeconfig; absent: its current one.
    pub(crate) context: Option<String>,
    /// The namespace; absent: the context's.
    pub(crate) namespace: Option<String>,
}

/// A way to a cluster.
#[derive(Clone)]
pub(crate) struct Link {
    /// Speaks to its API server.
    pub(crate) client: Client,
    /// The namespace that is meant.
    pub(crate) namespace: String,
    /// Whether somebody named the namespace on the command line.
    pub(crate) named: bool,
    /// How people call the cluster.
    pub(crate) cluster: String,
}

/// Why there is no way to a cluster. All of them are for whoever gave the command.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NoCluster {
    /// There is no kubeconfig: name one, or get one.
    #[error(
        "there is no kubeconfig at {}: set KUBECONFIG to the file that your cluster's people gave you", list(.0)
    )]
    NoFile(Vec<PathBuf>),
    /// A kubeconfig cannot be read or makes no sense: mend it.
    #[error("cannot use kubeconfig {}", list(files))]
    Unusable {
        /// The files.
        files: Vec<PathBuf>,
        /// Why not.
        source: KubeconfigError,
    },
    /// It has no such context: name another.
    #[error(
        "kubeconfig {} has no context `{wanted}`; it has {}",
        list(files),
        words(there)
    )]
    NoContext {
        /// The files.
        files: Vec<PathBuf>,
        /// What was asked for.
        wanted: String,
        /// What there is.
        there: Vec<String>,
    },
    /// It has contexts and none is current: choose one.
    #[error(
        "kubeconfig {} has no current context: choose one with --context, or `kubectl config use-context NAME`; it has {}",
        list(files),
        words(there)
    )]
    NoCurrent {
        /// The files.
        files: Vec<PathBuf>,
        /// What there is.
        there: Vec<String>,
    },
    /// A client cannot be made of it: certificates or addresses are no such.
    #[error("cannot use context `{context}` of kubeconfig {}", list(files))]
    NoClient {
        /// The files.
        files: Vec<PathBuf>,
        /// The context.
        context: String,
        /// Why not.
        source: Box<kube::Error>,
    },
}

/// Finds the way. No call is made yet.
pub(crate) async fn connect(asked: &Whither) -> Result<Link, NoCluster> {
    let (paths, given) = paths();
    let files: Vec<PathBuf> = paths.iter().filter(|path| path.exists()).cloned().collect();
    if files.is_empty() {
        // In a pod there is a service account instead.
        return match Config::incluster().ok().filter(|_| !given) {
            Some(config) => link(config, "the cluster of this pod".to_owned(), asked, &files),
            None => Err(NoCluster::NoFile(paths)),
        };
    }
    let unusable = |source| NoCluster::Unusable {
        files: files.clone(),
        source,
    };
    let found = files.iter().try_fold(Kubeconfig::default(), |all, file| {
        Kubeconfig::read_from(file).and_then(|one| all.merge(one))
    });
    let found = found.map_err(unusable)?;
    let there: Vec<String> = found
        .contexts
        .iter()
        .map(|context| context.name.clone())
        .collect();
    let wanted = asked
        .context
        .clone()
        .or_else(|| found.current_context.clone());
    let context = match wanted.filter(|name| !name.is_empty()) {
        Some(name) if there.contains(&name) => name,
        Some(wanted) => {
            return Err(NoCluster::NoContext {
                files,
                wanted,
                there,
            });
        }
        None => return Err(NoCluster::NoCurrent { files, there }),
    };
    let options = KubeConfigOptions {
        context: Some(context.clone()),
        ..KubeConfigOptions::default()
    };
    let config = Config::from_custom_kubeconfig(found, &options);
    let config = config.await.map_err(unusable)?;
    link(config, format!("context {context}"), asked, &files)
}

fn link(
    mut config: Config,
    cluster: String,
    asked: &Whither,
    files: &[PathBuf],
) -> Result<Link, NoCluster> {
    config.connect_timeout = Some(CONNECT);
    let namespace = asked.namespace.clone();
    let namespace = namespace.unwrap_or_else(|| config.default_namespace.clone());
    let cluster = format!("{cluster} ({})", config.cluster_url);
    let client = Client::try_from(config).map_err(|source| NoCluster::NoClient {
        files: files.to_vec(),
        context: cluster.clone(),
        source: Box::new(source),
    })?;
    Ok(Link {
        client,
        namespace,
        named: asked.namespace.is_some(),
        cluster,
    })
}

/// Where kubeconfigs lie, and whether somebody said so.
fn paths() -> (Vec<PathBuf>, bool) {
    let named = std::env::var_os(VARIABLE).unwrap_or_default();
    let named: Vec<PathBuf> = std::env::split_paths(&named)
        .filter(|path| !path.as_os_str().is_empty())
        .collect();
    if !named.is_empty() {
        return (named, true);
    }
    let usual = std::env::home_dir().map(|home| home.join(".kube").join("config"));
    (usual.into_iter().collect(), false)
}

fn list(files: &[PathBuf]) -> String {
    let files: Vec<_> = files
        .iter()
        .map(|file| format!("`{}`", file.display()))
        .collect();
    files.join(", ")
}

fn words(names: &[String]) -> String {
    match names {
        [] => "none".to_owned(),
        names => names.join(", "),
    }
}
