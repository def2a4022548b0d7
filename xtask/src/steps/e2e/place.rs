//! A story's own namespace, which lets in what is `restricted` alone: what is installed there, asked and waited for.
//!
//! Everything ends when the story's time is over, and says what it waited for.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::Value;

use super::cluster::{self, Cluster};
use super::forward::Forward;
use super::program::{self, Said};
use super::stop::STOP;
use super::stories::Story;
use super::{Skipped, say};

/// Between two looks at the cluster.
const LOOK: Duration = Duration::from_millis(500);
/// The image that our manifests name.
const OUR_IMAGE: &str = concat!("memq:", env!("CARGO_PKG_VERSION"));
/// Lines of each log that are kept of a story that failed.
const LOG_LINES: &str = "--tail=200";

/// How memq is installed in a place.
pub(super) struct Install {
    /// Below `manifests/`.
    pub(super) overlay: &'static str,
    pub(super) controllers: u32,
    /// How long pods may fail to start.
    pub(super) start_limit: &'static str,
    /// Room of the server's volume, where the overlay has one.
    pub(super) volume: Option<&'static str>,
    /// Whether the server asks for tokens. Their Secrets must be there.
    pub(super) tokens: bool,
}

impl Install {
    /// In memory, one controller.
    pub(super) const DEV: Self = Self {
        overlay: "overlays/dev",
        controllers: 1,
        start_limit: "5m",
        volume: None,
        tokens: false,
    };
}

/// A namespace and what may be done there until the story is over.
pub(super) struct Place<'c> {
    pub(super) cluster: &'c Cluster,
    pub(super) namespace: String,
    /// For files of this story.
    pub(super) folder: PathBuf,
    deadline: Instant,
}

impl<'c> Place<'c> {
    /// Makes the namespace of a story.
    pub(super) fn make(cluster: &'c Cluster, story: &Story) -> Result<Self> {
        let mark = std::process::id();
        let namespace = format!("memq-e2e-{}-{mark}", story.name);
        let folder = cluster.means.folder.join(&namespace);
        fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        let object = format!(
            "apiVersion: v1\nkind: Namespace\nmetadata:\n  name: {namespace}\n  labels:\n    {}: \"{mark}\"\n    \
             pod-security.kubernetes.io/enforce: restricted\n",
            cluster::LABEL
        );
        cluster.told(&["apply", "-f", "-"], &object)?.ok()?;
        Ok(Self {
            cluster,
            namespace,
            folder,
            deadline: Instant::now() + story.limit,
        })
    }

    /// Leaves the story out, and says why.
    pub(super) fn skip<T>(&self, why: impl Into<String>) -> Result<T> {
        Err(Skipped(why.into()).into())
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = self.cluster.kubectl(&["-n", &self.namespace]);
        command.args(args);
        command
    }

    /// What kubectl says, however it ends.
    pub(super) fn try_kubectl(&self, args: &[&str]) -> Result<Said> {
        program::run(&mut self.command(args), "", self.deadline)
    }

    /// What kubectl prints.
    pub(super) fn kubectl(&self, args: &[&str]) -> Result<String> {
        self.try_kubectl(args)?.ok()
    }

    /// Makes objects be as this YAML says.
    pub(super) fn apply(&self, yaml: &str) -> Result<()> {
        program::run(
            &mut self.command(&["apply", "-f", "-"]),
            yaml,
            self.deadline,
        )?
        .ok()?;
        Ok(())
    }

    /// Makes one object, and gives its name without its kind.
    pub(super) fn create(&self, yaml: &str) -> Result<String> {
        let mut command = self.command(&["create", "-f", "-", "-o", "name"]);
        let made = program::run(&mut command, yaml, self.deadline)?.ok()?;
        let name = made.trim().rsplit('/').next().unwrap_or_default();
        ensure!(
            !name.is_empty(),
            "kubectl does not say what it made: {made}"
        );
        Ok(name.to_owned())
    }

    /// An example of our manifests with the images of this suite.
    pub(super) fn example(&self, file: &str) -> Result<String> {
        let path = cluster::manifests().join("examples").join(file);
        let text =
            fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let image = format!("image: {}", self.cluster.means.image);
        let shell = format!("image: {}", self.cluster.means.busybox);
        let ours = format!("image: {OUR_IMAGE}");
        Ok(text
            .replace(&ours, &image)
            .replace("image: busybox:1", &shell))
    }

    /// One object.
    pub(super) fn get(&self, kind: &str, name: &str) -> Result<Value> {
        Ok(serde_json::from_str(
            &self.kubectl(&["get", kind, name, "-o", "json"])?,
        )?)
    }

    /// All objects of a kind with these labels.
    pub(super) fn list(&self, kind: &str, labels: &str) -> Result<Vec<Value>> {
        let found = self.kubectl(&["get", kind, "-l", labels, "-o", "json"])?;
        let mut found: Value = serde_json::from_str(&found)?;
        Ok(match found["items"].take() {
            Value::Array(items) => items,
            _ => Vec::new(),
        })
    }

    /// Waits until `look` finds something; an error while looking is remembered and looked past.
    pub(super) fn until<T>(
        &self,
        what: impl std::fmt::Display,
        mut look: impl FnMut() -> Result<Option<T>>,
    ) -> Result<T> {
        loop {
            let seen = look();
            if let Ok(Some(found)) = seen {
                return Ok(found);
            }
            if Instant::now() >= self.deadline {
                let said = seen
                    .err()
                    .map_or(String::new(), |error| format!("; the last look: {error:#}"));
                bail!("it did not come to this in time: {what}{said}");
            }
            // A verdict is no failed look.
            if let Err(error) = seen
                && error.is::<Verdict>()
            {
                return Err(error.context(format!("while waiting for this: {what}")));
            }
            ensure!(
                !STOP.is_told(),
                "told to stop while waiting for this: {what}"
            );
            STOP.pause(LOOK);
        }
    }

    /// Waits until this holds.
    pub(super) fn until_true(
        &self,
        what: impl std::fmt::Display,
        mut look: impl FnMut() -> Result<bool>,
    ) -> Result<()> {
        self.until(what, || Ok(look()?.then_some(())))
    }

    /// Installs memq as its user would, and waits until it is ready.
    pub(super) fn install(&self, install: &Install) -> Result<()> {
        let folder = self.folder.join("kustomize");
        fs::create_dir_all(&folder)?;
        let text = self.kustomization(&folder, install)?;
        fs::write(folder.join("kustomization.yaml"), text)?;
        self.cluster.brought_crd.store(true, Ordering::Relaxed);
        let folder = folder.display().to_string();
        self.kubectl(&["apply", "-k", &folder])?;
        self.kubectl(&[
            "wait",
            "--for=condition=Established",
            "--timeout=60s",
            "crd",
            cluster::CRD,
        ])?;
        self.kubectl(&[
            "rollout",
            "status",
            "statefulset/memq-server",
            "--timeout=180s",
        ])?;
        self.kubectl(&[
            "rollout",
            "status",
            "deployment/memq-controller",
            "--timeout=180s",
        ])?;
        Ok(())
    }

    fn kustomization(&self, folder: &Path, install: &Install) -> Result<String> {
        let Install {
            overlay,
            controllers,
            start_limit,
            volume,
            tokens,
        } = install;
        // kustomize takes no absolute path.
        let up = "../".repeat(
            folder
                .canonicalize()?
                .components()
                .count()
                .saturating_sub(1),
        );
        let below = |path: &str| -> Result<String> {
            let whole = cluster::manifests().join(path).canonicalize()?;
            let whole = whole.display().to_string();
            Ok(format!("{up}{}", whole.trim_start_matches('/')))
        };
        let overlay = below(overlay)?;
        let components = match tokens {
            true => format!("components: [\"{}\"]\n", below("components/tokens")?),
            false => String::new(),
        };
        let image = &self.cluster.means.image;
        let (name, version) = split(image);
        let volume = volume.map_or(String::new(), |size| {
            format!(
                "- target: {{kind: StatefulSet, name: memq-server}}\n  patch: |-\n    - op: replace\n      path: \
                 /spec/volumeClaimTemplates/0/spec/resources/requests/storage\n      value: {size}\n"
            )
        });
        Ok(format!(
            r#"apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
namespace: {namespace}
resources: ["{overlay}"]
{components}images:
- {{name: memq, newName: "{name}", {version}}}
replicas:
- {{name: memq-controller, count: {controllers}}}
patches:
- target: {{kind: Deployment, name: memq-controller}}
  patch: |-
    apiVersion: apps/v1
    kind: Deployment
    metadata: {{name: memq-controller}}
    spec:
      template:
        spec:
          containers:
          - name: controller
            imagePullPolicy: IfNotPresent
            env:
            - {{name: MEMQ_IMAGE, value: "{image}"}}
            - {{name: MEMQ_START_LIMIT, value: "{start_limit}"}}
            - {{name: MEMQ_LOG_FORMAT, value: human}}
{volume}"#,
            namespace = self.namespace,
        ))
    }

    /// Opens a way to a port; `target` is kubectl's, as `svc/memq`.
    pub(super) fn forward(&self, target: &str, port: u16) -> Result<Forward> {
        Forward::open(self.command(&["port-forward", target, &format!(":{port}")]))
    }

    /// What memq says on this machine, with the cluster's namespace and queue server within its reach.
    pub(super) fn memq(
        &self,
        server: Option<&Forward>,
        args: &[&str],
        input: &str,
    ) -> Result<Said> {
        let mut command = self.cluster.memq(args);
        command.current_dir(cluster::root());
        if let Some(server) = server {
            command.env("MEMQ_SERVER", &server.url);
        }
        program::run(&mut command, input, self.deadline)
    }

    /// Runs any program in the story's time.
    pub(super) fn run(&self, command: &mut Command) -> Result<Said> {
        program::run(command, "", self.deadline)
    }

    /// Waits until a Job has ended: `Complete` or `Failed`, and the Job.
    pub(super) fn job_ends(&self, name: &str) -> Result<(String, Value)> {
        self.until(format_args!("Job {name} has ended"), || {
            let job = self.get("job", name)?;
            let conditions = job["status"]["conditions"]
                .as_array()
                .cloned()
                .unwrap_or_default();
            let end = conditions.iter().find(|condition| {
                condition["status"] == "True"
                    && (condition["type"] == "Complete" || condition["type"] == "Failed")
            });
            Ok(end.map(|end| (text(&end["type"]).to_owned(), job)))
        })
    }

    /// Writes down how everything is, and shows the most of it.
    pub(super) fn dump(&self) {
        let lists = [
            (
                "",
                vec![
                    "get",
                    "runs,jobs,pods,statefulsets,deployments,leases,pvc",
                    "-o",
                    "wide",
                    "--ignore-not-found",
                ],
            ),
            ("", vec!["get", "events", "--sort-by=.lastTimestamp"]),
            ("run", vec!["get", "runs", "-o", "yaml"]),
            ("pod", vec!["get", "pods", "-o", "yaml"]),
            ("job", vec!["get", "jobs", "-o", "yaml"]),
        ];
        let mut text = String::new();
        for (kind, args) in lists {
            // The story's time may be what is over.
            let mut told = self.cluster.kubectl(&["-n", &self.namespace]);
            let told = program::run(
                told.args(&args),
                "",
                Instant::now() + Duration::from_secs(20),
            );
            let told = told.map_or_else(|error| format!("{error:#}"), |said| said.out + &said.err);
            if kind.is_empty() {
                say(format_args!(
                    "--- {}: kubectl {}\n{told}",
                    self.namespace,
                    args.join(" ")
                ));
            }
            text += &format!("--- kubectl {}\n{told}\n", args.join(" "));
        }
        text += &self.logs();
        let file = self.folder.join("dump.txt");
        match fs::write(&file, text) {
            Ok(()) => say(format_args!(
                "--- {}: all of it, with logs, is in {}",
                self.namespace,
                file.display()
            )),
            Err(error) => say(format_args!(
                "{} cannot be written: {error}",
                file.display()
            )),
        }
    }

    fn logs(&self) -> String {
        let ask = |args: &[&str]| {
            let mut told = self.cluster.kubectl(&["-n", &self.namespace]);
            let told = program::run(
                told.args(args),
                "",
                Instant::now() + Duration::from_secs(20),
            );
            told.map_or_else(|error| format!("{error:#}"), |said| said.out + &said.err)
        };
        let mut text = String::new();
        for pod in ask(&["get", "pods", "-o", "name"]).lines() {
            for before in ["--previous=false", "--previous=true"] {
                let log = ask(&[
                    "logs",
                    pod,
                    "--all-containers",
                    "--timestamps",
                    LOG_LINES,
                    before,
                ]);
                text += &format!("--- log of {pod} {before}\n{log}\n");
            }
        }
        text
    }

    /// Removes the namespace; nobody waits for it.
    pub(super) fn remove(&self) {
        let removed = self
            .cluster
            .ask(&["delete", "namespace", &self.namespace, "--wait=false"]);
        if let Err(error) = removed {
            say(format_args!(
                "namespace {} cannot be removed: {error:#}",
                self.namespace
            ));
        }
    }
}

/// What a wait finds when what it waits for cannot come any more.
#[derive(Debug)]
pub(super) struct Verdict(pub(super) String);

impl std::fmt::Display for Verdict {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Verdict {}

/// The text of a value; empty if it is none.
pub(super) fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// An image's name, and its version as kustomize has it.
fn split(image: &str) -> (&str, String) {
    if let Some((name, digest)) = image.split_once('@') {
        return (name, format!("digest: \"{digest}\""));
    }
    let folder = image.rfind('/').map_or(0, |slash| slash + 1);
    match image[folder..].rfind(':') {
        Some(colon) => (
            &image[..folder + colon],
            format!("newTag: \"{}\"", &image[folder + colon + 1..]),
        ),
        None => (image, "newTag: latest".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_is_taken_apart_as_kustomize_wants_it() {
        assert_eq!(split("memq:1"), ("memq", "newTag: \"1\"".to_owned()));
        assert_eq!(
            split("host:5000/memq"),
            ("host:5000/memq", "newTag: latest".to_owned())
        );
        assert_eq!(
            split("host:5000/a/memq:x"),
            ("host:5000/a/memq", "newTag: \"x\"".to_owned())
        );
        assert_eq!(
            split("memq@sha256:ab"),
            ("memq", "digest: \"sha256:ab\"".to_owned())
        );
    }
}
