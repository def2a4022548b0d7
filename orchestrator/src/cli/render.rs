//! `memq render`: every object of a run, for review.

use std::path::PathBuf;

use clap::ValueEnum;
use serde_json::json;

use super::run::param;
use super::{Misuse, print};
use crate::kube::outside::connect::{Whither, connect};
use crate::kube::render::{self, Place, ephemeral};
use crate::spec::{Document, Given};

/// What ends a generated name here: the same each time, so that two renderings can be compared.
const SUFFIX: &str = "xxxxx";

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// The run spec: a file, or a folder with a run.yaml.
    #[arg(value_name = "SPEC-or-DIR")]
    spec: PathBuf,
    /// Set a parameter of the spec.
    #[arg(short = 'p', long = "param", value_name = "NAME=VALUE", value_parser = param)]
    params: Vec<(String, String)>,
    /// The namespace of the objects [default: that of the spec, else of the kubeconfig's context, else default].
    #[arg(short, long, value_name = "NAMESPACE")]
    namespace: Option<String>,
    /// memq's own image.
    #[arg(long, env = "MEMQ_IMAGE", value_name = "IMAGE", default_value = render::IMAGE)]
    image: String,
    /// The queue server, as workers reach it.
    #[arg(long, env = queue_client::SERVER_VARIABLE, value_name = "URL", default_value = "http://memq:8080")]
    server: String,
    /// Show what the run brings with it where memq is not installed, in place of the Run.
    #[arg(long)]
    ephemeral: bool,
    /// The form.
    #[arg(short, long, value_enum, value_name = "FORM", default_value_t)]
    output: Form,
}

const EXAMPLES: &str = "\
Shows the Run, and of each step its first Job with its script. Nothing is made, no cluster is asked, and
the same spec gives the same text. Do not apply the Jobs: the controller makes them, with an owner, when
their step's turn has come. `kubectl apply --dry-run=server -f -` has a cluster judge them.

Examples:
  memq render examples/keygen
  memq render examples/keygen -p keys=10 -n team | kubectl apply --dry-run=server -f -
  memq render nightly.yaml --ephemeral -o json | jq '.items[].kind'

Exit codes: 0, or 64 for a mistake in the spec, or a spec that cannot run in a cluster.";

/// How objects are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
enum Form {
    /// YAML, a document each.
    #[default]
    Yaml,
    /// JSON: one list.
    Json,
}

/// Where a run would be made by the same command: no cluster is asked for it, and none need be there.
async fn usual_namespace() -> String {
    let link = connect(&Whither::default()).await;
    link.map_or_else(|_| "default".to_owned(), |link| link.namespace)
}

pub(super) async fn run(args: Args) -> anyhow::Result<u8> {
    let Args {
        spec,
        params,
        namespace,
        image,
        server,
        ephemeral,
        output,
    } = args;
    let given = Given {
        params: &params,
        suffix: SUFFIX,
    };
    let document = Document::open(&spec)?;
    let (spec, object) = (document.read(given)?, document.object(given)?);
    let run = spec.name.to_string();
    let of_file = object
        .pointer("/metadata/namespace")
        .and_then(serde_json::Value::as_str);
    let namespace = match namespace.or_else(|| of_file.map(str::to_owned)) {
        Some(namespace) => namespace,
        None => usual_namespace().await,
    };
    let place = Place {
        namespace,
        owner: None,
        server: match ephemeral {
            true => ephemeral::server_url(&run),
            false => server,
        },
        image,
        worker_account: None,
        worker_token: None,
        run,
    };
    let objects = render::review(&spec, &object, &place, ephemeral)
        .map_err(|error| Misuse(error.to_string()))?;
    print(&match output {
        Form::Yaml => serde_saphyr::to_string_multiple(&objects)?,
        Form::Json => serde_json::to_string_pretty(
            &json!({"apiVersion": "v1", "kind": "List", "items": objects}),
        )?,
    });
    Ok(0)
}
