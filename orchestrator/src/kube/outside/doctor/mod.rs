//! Examines whether runs can work in a namespace, and says of all that is missing how it is mended.
//!
//! It asks and changes nothing. What it cannot find out it calls unknown, with the reason, and not well.

mod install;
mod rights;
mod tokens;

use kube::Client;
use queue_client::Token;
use serde::Serialize;

use super::connect::Link;
use super::needs;
use super::records;
use crate::kube::render::rights::Right;
use install::Controller;
use rights::Need;

/// The oldest minor version of Kubernetes 1 that the controller is made for.
const OLDEST: u32 = 33;
/// How pods of other programs reach the queue server past the network policy that memq brings.
pub(crate) const CLIENT_LABEL: &str = "memq.dev/client: \"true\"";

/// Whose rights are looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Whose {
    /// Of whoever asks.
    Mine,
    /// Of the controller.
    Controllers,
    /// Of both.
    Both,
}

/// What is asked.
#[derive(Debug, Clone)]
pub(crate) struct Question {
    /// Whose rights.
    pub(crate) whose: Whose,
    /// The service account of the controller.
    pub(crate) account: Option<String>,
    /// The image that workers would run, if somebody says so.
    pub(crate) image: String,
    /// What whoever asks shows to the queue server.
    pub(crate) token: Option<Token>,
    /// The queue server that they name: it may see their token wherever it lies.
    pub(crate) server: Option<String>,
}

/// How a thing is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum State {
    /// As it should be.
    Well,
    /// It is not, and runs do not work for it.
    Missing,
    /// It cannot be found out from here, or is of no consequence.
    Unknown,
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Finding {
    /// What was looked at, in a word.
    pub(crate) about: &'static str,
    /// How it is.
    pub(crate) state: State,
    /// In a sentence.
    pub(crate) message: String,
    /// What mends it; may be empty.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) help: String,
}

impl Finding {
    fn new(about: &'static str, state: State, message: impl Into<String>) -> Self {
        Self {
            about,
            state,
            message: message.into(),
            help: String::new(),
        }
    }

    fn well(about: &'static str, message: impl Into<String>) -> Self {
        Self::new(about, State::Well, message)
    }

    fn missing(about: &'static str, message: impl Into<String>) -> Self {
        Self::new(about, State::Missing, message)
    }

    fn unknown(about: &'static str, message: impl Into<String>) -> Self {
        Self::new(about, State::Unknown, message)
    }

    fn help(mut self, help: impl Into<String>) -> Self {
        self.help = help.into();
        self
    }
}

/// What was found, and the Role that would give whoever asks what they lack.
#[derive(Debug, Serialize)]
pub(crate) struct Findings {
    /// The namespace.
    pub(crate) namespace: String,
    /// One after the other.
    pub(crate) findings: Vec<Finding>,
    /// Roles, as YAML, that give what is missing.
    pub(crate) roles: Vec<String>,
}

impl Findings {
    /// Whether nothing is missing.
    pub(crate) fn are_well(&self) -> bool {
        self.findings
            .iter()
            .all(|finding| finding.state != State::Missing)
    }
}

/// Examines a namespace.
pub(crate) async fn examine(link: &Link, question: &Question) -> Findings {
    let Link {
        client,
        namespace,
        cluster,
        ..
    } = link;
    let mut found = Findings {
        namespace: namespace.clone(),
        findings: Vec::new(),
        roles: Vec::new(),
    };
    let Some(version) = reach(client, cluster, &mut found.findings).await else {
        return found;
    };
    found.findings.push(version);
    if let Some(missing) = install::no_namespace(client, namespace).await {
        // All else would be told of a place that there is not.
        found.findings.push(missing);
        return found;
    }
    let installed = kind(client, &mut found.findings).await;
    let controller = match installed {
        true => keeper(client, namespace, question, &mut found.findings).await,
        false => None,
    };
    if question.whose != Whose::Controllers {
        found.rights_of_person(client, controller.is_some()).await;
    }
    if let Some(controller) = &controller {
        if question.whose != Whose::Mine {
            let missing =
                rights::of_account(client, namespace, controller, &mut found.findings).await;
            found.role("memq-controller", &missing);
        }
        let leader = install::leader(client, &controller.namespace).await;
        let (server, reach) =
            install::server(client, namespace, controller, question.server.as_deref()).await;
        let tokens = match reach {
            Some(reach) => {
                let mine = question.token.clone();
                tokens::tokens(client, namespace, controller, &reach, mine).await
            }
            None => Vec::new(),
        };
        let policy = format!(
            "pods of other programs reach the queue server if they carry the label {CLIENT_LABEL}"
        );
        found.findings.extend([leader, server]);
        found.findings.extend(tokens);
        found.findings.push(Finding::well("network", policy));
    }
    found
        .findings
        .push(install::image(client, namespace, controller.as_ref(), &question.image).await);
    found
        .findings
        .push(install::quota(client, namespace, &question.image).await);
    found
}

/// The controller that keeps the namespace.
async fn keeper(
    client: &Client,
    namespace: &str,
    question: &Question,
    findings: &mut Vec<Finding>,
) -> Option<Controller> {
    let about = "controller";
    let mut found = match install::controller(client, namespace).await {
        Ok(Some(found)) => found,
        Ok(None) => {
            let message =
                format!("none keeps the runs of namespace {namespace}, as far as you may see");
            let help = "kubectl apply -n NAMESPACE -f manifests/install.yaml installs one; without, \
                        `memq run --kube --ephemeral` brings its own";
            findings.push(Finding::missing(about, message).help(help));
            return None;
        }
        Err(error) => {
            let doing = "look for the controller's Deployment";
            let error = needs::refused(&error, doing, "list", "deployments", namespace);
            let message = format!(
                "{}; taken for what the manifests install",
                error.to_string().trim_end()
            );
            findings.push(Finding::unknown(about, message));
            Controller::usual(namespace)
        }
    };
    if let Some(account) = &question.account {
        found.account.clone_from(account);
    }
    Some(found)
}

impl Findings {
    /// What whoever asks may do: all that the form that is used here needs, and what they lack for the other.
    async fn rights_of_person(&mut self, client: &Client, kept: bool) {
        for (installed, about) in [(true, "for a Run"), (false, "--ephemeral")] {
            let used = installed == kept;
            let need = Need {
                about,
                rights: &needs::of_person(installed),
                without: if used { State::Missing } else { State::Unknown },
            };
            let missing = rights::mine(client, &self.namespace, need, &mut self.findings).await;
            if used {
                self.role("memq-user", &missing);
            }
        }
    }

    fn role(&mut self, name: &str, missing: &[Right]) {
        if !missing.is_empty() {
            self.roles.push(needs::role(name, &self.namespace, missing));
        }
    }
}

/// Whether the API server answers, and which version it is.
async fn reach(client: &Client, cluster: &str, findings: &mut Vec<Finding>) -> Option<Finding> {
    let version = match client.apiserver_version().await {
        Ok(version) => version,
        Err(error) => {
            let error = needs::refused(&error, "reach the API server", "get", "", "");
            let message = format!("{cluster}: {error}");
            findings.push(
                Finding::missing("cluster", message)
                    .help("is the cluster up, and the network to it?"),
            );
            return None;
        }
    };
    let minor: String = version
        .minor
        .chars()
        .take_while(char::is_ascii_digit)
        .collect();
    let message = format!("{cluster} serves Kubernetes {}", version.git_version);
    let old = version.major == "1" && minor.parse::<u32>().is_ok_and(|minor| minor < OLDEST);
    Some(if old {
        let help = format!(
            "memq is made for 1.{OLDEST} and newer; an older one may lack fields that its Jobs need"
        );
        Finding::missing("cluster", message).help(help)
    } else {
        Finding::well("cluster", message)
    })
}

/// Whether the kind Run is installed, as this version has it.
async fn kind(client: &Client, findings: &mut Vec<Finding>) -> bool {
    let installed = match records::is_installed(client).await {
        Ok(installed) => installed,
        Err(error) => {
            findings.push(Finding::unknown("kind", error.to_string()));
            return false;
        }
    };
    findings.push(if installed {
        install::kind(client).await
    } else {
        let message = "the kind Run is not installed: `memq run --kube` brings a controller of its own with each run";
        Finding::unknown("kind", message).help("to install it: kubectl apply -f manifests/install.yaml")
    });
    installed
}

#[cfg(test)]
mod tests;
