//! Tokens: whether the queue server asks for one, and whether all who call it have one.
//!
//! A token itself is not looked at, but for that of whoever asks.

use k8s_openapi::api::core::v1::Secret;
use kube::{Api, Client};
use queue_client::{Error, Token};

use super::Finding;
use super::install::{Controller, PATIENCE};
use crate::kube::outside::reach::Reach;

const ABOUT: &str = "tokens";
/// The key of the workers' token in its Secret.
const KEY: &str = "token";

/// Who has a token, and who lacks one, if the server asks for them.
pub(super) async fn tokens(
    client: &Client,
    namespace: &str,
    controller: &Controller,
    reach: &Reach,
    mine: Option<Token>,
) -> Vec<Finding> {
    match let_in(reach, None).await {
        Ok(()) => return vec![Finding::well(ABOUT, "the queue server asks for none")],
        Err(Error::Unauthenticated { .. }) => {}
        Err(error) => {
            let message = format!("cannot see whether the queue server asks for any: {error}");
            return vec![Finding::unknown(ABOUT, message)];
        }
    }
    let mut found = Vec::new();
    if !controller.has_token {
        let message = "the queue server asks for one, and the controller has none";
        found.push(Finding::missing(ABOUT, message).help(
            "give it one whose role is admin: auth.tokenSecret of the chart, or the component `tokens`",
        ));
    }
    found.extend(of_workers(client, namespace, controller).await);
    found.extend(of_person(reach, mine).await);
    if found.is_empty() {
        let message = "the queue server asks for them, and all have one";
        found.push(Finding::well(ABOUT, message));
    }
    found
}

async fn let_in(reach: &Reach, token: Option<Token>) -> Result<(), Error> {
    let client = reach.client().token(token).give_up_after(PATIENCE);
    client.build()?.let_in().await
}

/// Whether workers have one in the namespace.
async fn of_workers(client: &Client, namespace: &str, controller: &Controller) -> Option<Finding> {
    let Some(name) = &controller.worker_token else {
        let message =
            "the queue server asks for one, and workers have none: they end with exit code 77";
        return Some(Finding::missing(ABOUT, message).help(
            "name a Secret of theirs: auth.workerTokenSecret of the chart, the component `tokens`, or \
             MEMQ_WORKER_TOKEN_SECRET of the controller",
        ));
    };
    let secrets = Api::<Secret>::namespaced(client.clone(), namespace);
    let lacks = match secrets.get_opt(name).await {
        Ok(Some(secret)) => {
            let data = secret.data.unwrap_or_default();
            let has = data.get(KEY).is_some_and(|token| !token.0.is_empty());
            (!has).then(|| format!("Secret {name}, the workers' token, has no key `{KEY}`"))
        }
        Ok(None) => Some(format!(
            "workers mount Secret {name}, and there is none in namespace {namespace}"
        )),
        // Few people may look at Secrets, and nobody needs to for a run.
        Err(_) => {
            let message =
                format!("workers mount Secret {name}; you may not see whether it is there");
            return Some(Finding::unknown(ABOUT, message));
        }
    };
    lacks.map(|message| {
        Finding::missing(ABOUT, message).help(format!(
            "kubectl create secret generic {name} -n {namespace} --from-file={KEY}=FILE, a token whose role is work"
        ))
    })
}

/// Whether whoever asks has one. They need it for items that lie on their machine, and to see outcomes.
async fn of_person(reach: &Reach, mine: Option<Token>) -> Option<Finding> {
    if mine.is_none() {
        let message = "you gave none: `memq run --kube` and `memq wait` show no outcomes without, and load no files";
        let help = "give yours with --token-file, MEMQ_TOKEN_FILE or MEMQ_TOKEN";
        return Some(Finding::unknown(ABOUT, message).help(help));
    }
    if !reach.is_trusted() {
        let message = "yours is shown to no server that only the cluster names";
        let help = "if you trust it with your token, set MEMQ_SERVER to its address";
        return Some(Finding::unknown(ABOUT, message).help(help));
    }
    let error = let_in(reach, mine).await.err()?;
    let message = format!("your own is of no use: {error}");
    Some(Finding::missing(ABOUT, message))
}
