//! The cluster that stories are told on: how it is reached, what it holds, and what of ours is left at the end.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use super::program::{self, Said};

/// The label of every namespace that stories are told in.
pub(super) const LABEL: &str = "memq.dev/e2e";
/// The kind of runs.
pub(super) const CRD: &str = "runs.memq.dev";
/// How long a call may take that is about the cluster and no story.
const PATIENCE: Duration = Duration::from_secs(120);

/// What it takes to tell stories.
#[derive(Debug)]
pub(super) struct Means {
    pub(super) kubeconfig: PathBuf,
    pub(super) kubectl: PathBuf,
    pub(super) helm: PathBuf,
    /// memq's program on this machine.
    pub(super) memq: PathBuf,
    /// memq's image, as pods name it.
    pub(super) image: String,
    /// An image with a shell, as pods name it.
    pub(super) busybox: String,
    /// Where files of stories go.
    pub(super) folder: PathBuf,
}

/// A cluster that answers.
#[derive(Debug)]
pub(super) struct Cluster {
    pub(super) means: Means,
    /// How people call it.
    pub(super) name: String,
    /// Whether it knew the kind Run before any story was told.
    had_crd: bool,
    /// Whether a story brought the kind Run.
    pub(super) brought_crd: AtomicBool,
}

impl Cluster {
    /// Looks whether it answers.
    pub(super) fn reach(means: Means) -> Result<Self> {
        ensure!(
            means.kubeconfig.is_file(),
            "there is no kubeconfig {}",
            means.kubeconfig.display()
        );
        let mut cluster = Self {
            means,
            name: String::new(),
            had_crd: false,
            brought_crd: AtomicBool::new(false),
        };
        let version = cluster
            .ask(&["version", "-o", "json"])
            .context("the cluster does not answer")?;
        let version: Value = serde_json::from_str(&version)?;
        let version = version["serverVersion"]["gitVersion"]
            .as_str()
            .unwrap_or("?");
        let context = cluster.ask(&["config", "current-context"])?;
        cluster.name = format!("Kubernetes {version} ({})", context.trim());
        cluster.had_crd = cluster.has_crd()?;
        Ok(cluster)
    }

    /// Whether it knows the kind Run.
    pub(super) fn has_crd(&self) -> Result<bool> {
        let found = self.ask(&["get", "crd", CRD, "--ignore-not-found", "-o", "name"])?;
        Ok(!found.trim().is_empty())
    }

    /// kubectl, with these arguments.
    pub(super) fn kubectl(&self, args: &[&str]) -> Command {
        let Means {
            kubeconfig,
            kubectl,
            ..
        } = &self.means;
        let mut command = Command::new(kubectl);
        command.env("KUBECONFIG", kubeconfig).args(args);
        command
    }

    /// memq, with these arguments.
    pub(super) fn memq(&self, args: &[&str]) -> Command {
        let Means {
            kubeconfig,
            memq,
            image,
            ..
        } = &self.means;
        let mut command = Command::new(memq);
        command
            .env("KUBECONFIG", kubeconfig)
            .env("MEMQ_IMAGE", image)
            .args(args);
        command
    }

    /// What kubectl prints.
    pub(super) fn ask(&self, args: &[&str]) -> Result<String> {
        self.told(args, "")?.ok()
    }

    /// What kubectl says to this.
    pub(super) fn told(&self, args: &[&str], input: &str) -> Result<Said> {
        program::run(&mut self.kubectl(args), input, Instant::now() + PATIENCE)
    }

    /// The storage class that claims get, if they can get a volume of it: its name.
    pub(super) fn storage_class(&self) -> Result<Option<String>> {
        let classes: Value =
            serde_json::from_str(&self.ask(&["get", "storageclass", "-o", "json"])?)?;
        let mark = "storageclass.kubernetes.io/is-default-class";
        let classes = classes["items"].as_array().into_iter().flatten();
        let default = classes
            .into_iter()
            .find(|class| class["metadata"]["annotations"][mark] == "true");
        let Some(class) = default else {
            return Ok(None);
        };
        let name = class["metadata"]["name"].as_str().unwrap_or_default();
        if class["provisioner"] != "kubernetes.io/no-provisioner" {
            return Ok(Some(name.to_owned()));
        }
        let volumes: Value = serde_json::from_str(&self.ask(&["get", "pv", "-o", "json"])?)?;
        let mut volumes = volumes["items"].as_array().into_iter().flatten();
        let free = volumes.any(|volume| {
            volume["spec"]["storageClassName"] == name && volume["status"]["phase"] == "Available"
        });
        Ok(free.then(|| name.to_owned()))
    }

    /// Takes away what the stories had in common.
    pub(super) fn clean_up(&self, keep: bool) {
        if keep || self.had_crd || !self.brought_crd.load(Ordering::Relaxed) {
            return;
        }
        if let Err(error) = self.ask(&["delete", "crd", CRD, "--ignore-not-found", "--wait=false"])
        {
            super::say(format_args!("the kind Run cannot be removed: {error:#}"));
        }
    }
}

/// Where our manifests are.
pub(super) fn manifests() -> PathBuf {
    root().join("manifests")
}

/// The folder of the project.
pub(super) fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_owned()
}
