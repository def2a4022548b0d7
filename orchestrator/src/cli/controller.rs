//! `memq controller`.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Context as _;
use kube::Client as Kube;
use queue_client::TokenArg;
use telemetry::LogFormat;
use tokio_util::sync::CancellationToken;

use crate::kube::controller::{self, Ephemeral, Options};
use crate::kube::nodes::NodeRule;
use crate::kube::render;

#[derive(Debug, clap::Args)]
#[command(after_help = AFTER)]
pub(super) struct Args {
    /// Namespace whose runs are kept, and in which the lease of the leader lies [default: the pod's own,
    /// else the kubeconfig's]
    #[arg(short, long, env = "MEMQ_NAMESPACE", value_name = "NS")]
    namespace: Option<String>,
    /// Keep the runs of all namespaces; needs a ClusterRole
    #[arg(long, env = "MEMQ_ALL_NAMESPACES", conflicts_with = "ephemeral")]
    all_namespaces: bool,
    /// The queue server, as workers reach it. With --all-namespaces a bare name, as memq, is a Service of the
    /// controller's namespace
    #[arg(long, env = queue_client::SERVER_VARIABLE, value_name = "URL", default_value = "http://memq:8080")]
    server: String,
    /// The image that workers run [default: memq of this version]
    #[arg(long, env = "MEMQ_IMAGE", value_name = "IMAGE", default_value = render::IMAGE)]
    image: String,
    /// The service account of worker pods [default: the namespace's]; its token is not mounted
    #[arg(long, env = "MEMQ_WORKER_ACCOUNT", value_name = "NAME")]
    worker_account: Option<String>,
    #[command(flatten)]
    token: TokenArg,
    /// The Secret whose key `token` is the token that worker pods show to the queue server, in the namespace of each
    /// run [default: none is shown]
    #[arg(long, env = "MEMQ_WORKER_TOKEN_SECRET", value_name = "NAME")]
    worker_token_secret: Option<String>,
    /// Look at nodes, which needs a ClusterRole, to ask for no more workers than they could hold (fixed),
    /// or to tell how many that is (growing) [default: do not look]
    #[arg(long, env = "MEMQ_NODES", value_enum, value_name = "RULE")]
    nodes: Option<NodeRule>,
    /// How long the first pod of a Job may fail to start, as for want of its image, before its step fails
    #[arg(
        long,
        env = "MEMQ_START_LIMIT",
        value_name = "DURATION",
        default_value = "5m",
        value_parser = super::duration
    )]
    start_limit: Duration,
    /// Answer /healthz, /readyz and /metrics on this address
    #[arg(
        long,
        env = "MEMQ_CONTROLLER_LISTEN",
        value_name = "ADDR",
        default_value = "127.0.0.1:8082"
    )]
    listen: SocketAddr,
    /// Form of the log lines
    #[arg(long, env = "MEMQ_LOG_FORMAT", value_enum, default_value_t)]
    pub(super) log_format: LogFormat,
    /// Name of this candidate [default: host name and process id]
    #[arg(long, env = "MEMQ_NAME", value_name = "NAME")]
    name: Option<String>,
    /// Keep this one run, which lies in a ConfigMap, and end after it: what `memq run --kube` starts
    /// where the kind Run is not installed
    #[arg(long, value_name = "RUN", requires = "config_map")]
    ephemeral: Option<String>,
    /// The ConfigMap of that run
    #[arg(long, value_name = "NAME", requires = "ephemeral")]
    config_map: Option<String>,
    /// The queue server as this process reaches it, where workers reach it otherwise
    #[arg(
        long,
        value_name = "URL",
        requires = "ephemeral",
        default_value = "http://127.0.0.1:8080"
    )]
    local_server: String,
}

const AFTER: &str = "\
The controller carries out Run objects: it loads their queues, sizes and watches their Jobs, and keeps
their status. Several may run; one of them leads. Its rights are in manifests/base; `memq doctor` says
which of them are missing.

Exit codes: 0 told to stop, 2 it cannot go on, or another controller leads now.";

pub(super) async fn run(args: Args) -> anyhow::Result<u8> {
    let Args {
        namespace,
        all_namespaces,
        server,
        image,
        worker_account,
        token,
        worker_token_secret,
        nodes,
        start_limit,
        listen,
        log_format: _,
        name,
        ephemeral,
        config_map,
        local_server,
    } = args;
    // They are told to workers and written down for all who may see runs.
    for address in [&server, &local_server] {
        queue_client::check_address(address)?;
    }
    let kube = Kube::try_default()
        .await
        .context("cannot find a cluster: no kubeconfig and no service account")?;
    let namespace = namespace.unwrap_or_else(|| kube.default_namespace().to_owned());
    let options = Options {
        server: match all_namespaces {
            true => from_everywhere(&server, &namespace),
            false => server,
        },
        namespace,
        all_namespaces,
        image,
        worker_account: worker_account.filter(|name| !name.is_empty()),
        token: token.token().map_err(queue_client::Error::from)?,
        worker_token: worker_token_secret.filter(|name| !name.is_empty()),
        nodes,
        start_limit,
        listen,
        identity: name.unwrap_or_else(identity),
        ephemeral: ephemeral
            .zip(config_map)
            .map(|(run, config_map)| Ephemeral {
                run,
                config_map,
                local_server,
            }),
    };
    let stop = CancellationToken::new();
    let asked = stop.clone();
    let listening = tokio::spawn(async move {
        told_to_stop().await;
        asked.cancel();
    });
    let ended = Box::pin(controller::control(kube, options, stop)).await;
    listening.abort();
    ended.map(|()| 0)
}

/// The address by which workers of any namespace find the server: a Service that is called by its bare name is
/// one of ours, and has `.NAMESPACE` behind it elsewhere. An address, `localhost` and a name with a dot stay.
fn from_everywhere(server: &str, namespace: &str) -> String {
    let start = server.find("://").map_or(0, |scheme| scheme + 3);
    let length = server[start..]
        .find([':', '/', '?', '#'])
        .unwrap_or(server.len() - start);
    let (before, after) = server.split_at(start + length);
    let host = &before[start..];
    let bare = host.starts_with(|c: char| c.is_ascii_alphabetic())
        && host.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
        && !host.eq_ignore_ascii_case("localhost");
    if bare {
        format!("{before}.{namespace}{after}")
    } else {
        server.to_owned()
    }
}

/// A name that no other candidate has: pods have host names of their own.
fn identity() -> String {
    let host = rustix::system::uname()
        .nodename()
        .to_string_lossy()
        .into_owned();
    format!("{host}-{}", std::process::id())
}

/// Resolves on SIGTERM or Ctrl-C.
async fn told_to_stop() {
    use tokio::signal::unix::{SignalKind, signal};
    let Ok(mut terminate) = signal(SignalKind::terminate()) else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = tokio::signal::ctrl_c() => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bare_name_is_a_service_of_the_controllers_namespace() {
        for (server, reached) in [
            ("http://memq:8080", "http://memq.queues:8080"),
            ("http://memq", "http://memq.queues"),
            ("https://memq/sub?a=b", "https://memq.queues/sub?a=b"),
            ("http://my-memq-2:80/", "http://my-memq-2.queues:80/"),
        ] {
            assert_eq!(from_everywhere(server, "queues"), reached);
        }
        for server in [
            "http://memq.other:8080",
            "http://memq.other.svc.cluster.local:8080",
            "http://10.0.0.1:8080",
            "http://[fd00::1]:8080",
            "http://localhost:8080",
        ] {
            assert_eq!(from_everywhere(server, "queues"), server);
        }
    }
}
