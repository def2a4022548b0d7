//! `memq doctor`: whether runs can work in a namespace, and what is missing.

use clap::ValueEnum;
use queue_client::TokenArg;

use super::Output;
use super::cluster::ClusterArgs;
use crate::kube::outside::doctor::{self, Findings, Question, State, Whose};
use crate::kube::render;

/// What something missing exits with.
const MISSING: u8 = 1;

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    #[command(flatten)]
    cluster: ClusterArgs,
    /// Whose rights are looked at [default: both].
    #[arg(long = "as", value_enum, value_name = "WHO")]
    whose: Option<Who>,
    /// The controller's service account [default: that of its Deployment, else memq-controller].
    #[arg(long, value_name = "NAME")]
    account: Option<String>,
    /// memq's own image, where no controller says which.
    #[arg(long, env = "MEMQ_IMAGE", value_name = "IMAGE", default_value = render::IMAGE)]
    image: String,
    #[command(flatten)]
    token: TokenArg,
    /// How findings are printed.
    #[arg(short, long, value_enum, value_name = "FORM", default_value_t)]
    output: Output,
}

const EXAMPLES: &str = "\
It asks the API server and changes nothing. What is missing of rights is printed as Roles, for somebody
who may to apply them with a RoleBinding. Where no controller keeps the namespace, runs bring their own, and
the rights for that count; else what is lacking for --ephemeral is told and is no trouble.

Examples:
  memq doctor -n team
  memq doctor -n team --as controller
  memq doctor -n team --output json | jq -r '.roles[]' | kubectl apply -f -

Exit codes: 0 nothing is missing, 1 something is, 2 infrastructure, 64 usage.";

/// Whose rights.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Who {
    /// The controller's service account.
    Controller,
    /// Whoever asks.
    Me,
}

pub(super) async fn run(args: Args) -> anyhow::Result<u8> {
    let Args {
        cluster,
        whose,
        account,
        image,
        token,
        output,
    } = args;
    let link = cluster.connect().await?;
    let question = Question {
        whose: match whose {
            None => Whose::Both,
            Some(Who::Controller) => Whose::Controllers,
            Some(Who::Me) => Whose::Mine,
        },
        account,
        image,
        token: token.token().map_err(queue_client::Error::from)?,
        server: super::server_of_env(),
    };
    let found = Box::pin(doctor::examine(&link, &question)).await;
    output.answer(&found, || text(&found))?;
    Ok(if found.are_well() { 0 } else { MISSING })
}

fn text(found: &Findings) -> String {
    let mut text = String::new();
    for finding in &found.findings {
        let mark = match finding.state {
            State::Well => "ok     ",
            State::Missing => "MISSING",
            State::Unknown => "?      ",
        };
        text += &format!("{mark}  {:<12} {}\n", finding.about, finding.message);
        for line in finding.help.lines() {
            text += &format!("{:23}{line}\n", "");
        }
    }
    for role in &found.roles {
        text += &format!("---\n{}\n", role.trim_end());
    }
    let verdict = match found.are_well() {
        true => "nothing is missing",
        false => "something is missing: see above",
    };
    text + "\n" + verdict
}
