//! Which cluster a command is about, and a run of it.

use anyhow::Context as _;

use super::Misuse;
use crate::kube::outside::connect::{self, Link, Whither};
use crate::kube::outside::records::{self, Record};

/// How to get to a cluster.
#[derive(Debug, Clone, Default, clap::Args)]
pub(super) struct ClusterArgs {
    /// Namespace [default: that of the kubeconfig's context].
    #[arg(short, long, value_name = "NAMESPACE")]
    namespace: Option<String>,
    /// Context of the kubeconfig [default: its current one].
    #[arg(long, value_name = "NAME")]
    context: Option<String>,
}

/// The words of help that belong to them.
pub(super) const HELP: &str = "\
It looks at the cluster of the kubeconfig (KUBECONFIG, else ~/.kube/config), not at runs on this machine:
those leave their joblogs and logs in ./.memq/runs.";

impl ClusterArgs {
    /// Whether anything was named.
    pub(super) fn names_something(&self) -> bool {
        self.namespace.is_some() || self.context.is_some()
    }

    /// The way there. A kubeconfig that does not lead anywhere is a mistake of the command line.
    pub(super) async fn connect(&self) -> anyhow::Result<Link> {
        let asked = Whither {
            context: self.context.clone(),
            namespace: self.namespace.clone(),
        };
        let link = connect::connect(&asked).await;
        link.map_err(|error| Misuse(crate::kube::say(&error)).into())
    }

    /// The way there, and a run that must be there.
    pub(super) async fn find(&self, name: &str) -> anyhow::Result<(Link, Record)> {
        let link = self.connect().await?;
        let found = records::find(&link.client, &link.namespace, name).await;
        let found = found.with_context(|| link.cluster.clone())?;
        let record = found.ok_or_else(|| NoRun {
            name: name.to_owned(),
            namespace: link.namespace.clone(),
        })?;
        Ok((link, record))
    }
}

/// There is no such run: look which there are.
#[derive(Debug, thiserror::Error)]
#[error(
    "there is no run {name} in namespace {namespace}; `memq ls -n {namespace}` shows which there are, -A those of all namespaces"
)]
pub(super) struct NoRun {
    name: String,
    namespace: String,
}
