//! Writes the files that are made from the schema of a run spec and from the catalogs of metrics, or with
//! `--check` says which of them are not as it makes them. `cargo xtask generate` runs it.
//!
//! It knows where the files lie; what stands in them is [`orchestrator::spec::schema`]'s business, and that of
//! the programs' `metrics`.

use std::path::Path;

use anyhow::{Context as _, bail, ensure};
use orchestrator::spec::schema::{crd, editor, tables};

/// The page with the tables of fields.
const PAGE: &str = "docs/runspec.md";
/// The page of metrics, and what stands at its top.
const METRICS: &str = "docs/metrics.md";
const METRICS_HEAD: &str = include_str!("metrics.md");
/// The schema for editors.
const EDITOR: &str = "docs/run.schema.json";
/// The definition of `Run`, of which `cargo xtask manifests` makes the other manifests.
const CRD: &str = "manifests/base/crd.yaml";

fn main() -> anyhow::Result<()> {
    let check = match std::env::args().nth(1).as_deref() {
        None => false,
        Some("--check") => true,
        Some(other) => bail!("there is no option `{other}`; --check is the only one"),
    };
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let page =
        std::fs::read_to_string(root.join(PAGE)).with_context(|| format!("cannot read {PAGE}"))?;
    let page = tables::put_into(&page).map_err(|error| anyhow::anyhow!("{PAGE}: {error}"))?;
    let crd = crd::file().context("cannot write the definition as YAML")?;
    let catalogs = [
        &queue_server::metrics::CATALOG,
        &worker::metrics::CATALOG,
        &orchestrator::kube::metrics::CATALOG,
    ];
    let metrics = metrics::page(METRICS_HEAD, &catalogs);
    let files = [
        (PAGE, page),
        (METRICS, metrics),
        (EDITOR, editor::file()?),
        (CRD, crd),
    ];

    let mut stale = Vec::new();
    for (name, text) in files {
        let path = root.join(name);
        // A file that is not there yet is as stale as one that says something else.
        if std::fs::read_to_string(&path).is_ok_and(|kept| kept == text) {
            continue;
        }
        if !check {
            std::fs::write(&path, text).with_context(|| format!("cannot write {name}"))?;
        }
        stale.push(name);
    }
    ensure!(
        !check || stale.is_empty(),
        "not as the code makes them: {}; run `cargo xtask generate`",
        stale.join(", ")
    );
    Ok(())
}
