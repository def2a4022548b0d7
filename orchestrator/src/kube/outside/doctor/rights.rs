//! Rights that are there and rights that are not, as the API server itself says.

use futures_util::{StreamExt as _, stream};
use k8s_openapi::api::authorization::v1::{
    ResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec, SubjectAccessReview,
    SubjectAccessReviewSpec, SubjectAccessReviewStatus,
};
use kube::api::PostParams;
use kube::{Api, Client};

use super::install::Controller;
use super::{Finding, State};
use crate::kube::outside::needs;
use crate::kube::render::rights::{self, Right};
use crate::view::count;

/// Questions asked at a time.
const AT_A_TIME: usize = 8;

/// Who is asked about.
enum Who<'a> {
    Me,
    Account { namespace: &'a str, name: &'a str },
}

/// What rights are asked for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Need<'a> {
    /// What they are for, as a column has it.
    pub(super) about: &'static str,
    /// The rights.
    pub(super) rights: &'a [Right],
    /// How it is if one is missing.
    pub(super) without: State,
}

/// Asks for each of these rights of whoever asks; those that are missing.
pub(super) async fn mine(
    client: &Client,
    namespace: &str,
    need: Need<'_>,
    findings: &mut Vec<Finding>,
) -> Vec<Right> {
    all(client, &Who::Me, namespace, need, findings).await
}

/// Asks for the controller's rights of a service account; those that are missing.
pub(super) async fn of_account(
    client: &Client,
    namespace: &str,
    controller: &Controller,
    findings: &mut Vec<Finding>,
) -> Vec<Right> {
    let who = Who::Account {
        namespace: &controller.namespace,
        name: &controller.account,
    };
    let need = Need {
        about: "its rights",
        rights: &rights::RIGHTS,
        without: State::Missing,
    };
    all(client, &who, namespace, need, findings).await
}

async fn all(
    client: &Client,
    who: &Who<'_>,
    namespace: &str,
    need: Need<'_>,
    findings: &mut Vec<Finding>,
) -> Vec<Right> {
    let Need {
        about,
        rights: wanted,
        without,
    } = need;
    let subject = match who {
        Who::Me => "you".to_owned(),
        Who::Account { name, .. } => format!("service account {name}"),
    };
    let answers: Vec<_> = stream::iter(wanted)
        .map(|right| has(client, who, namespace, right))
        .buffered(AT_A_TIME)
        .collect()
        .await;
    let before = findings.len();
    let mut missing: Vec<Right> = Vec::new();
    for (right, answer) in wanted.iter().zip(answers) {
        match answer {
            Ok(None) => {}
            Ok(Some(what)) => {
                let message = format!("{subject} may not {what} in {namespace}: {}", right.purpose);
                findings.push(Finding::new(about, without, message));
                missing.push(*right);
            }
            Err(error) => {
                let error = needs::said(&error);
                let message = format!("{subject}: what is allowed cannot be asked: {error}");
                findings.push(Finding::unknown(about, message).help(other_way(who)));
                return missing;
            }
        }
    }
    if without == State::Unknown && !missing.is_empty() {
        // Of no consequence: one line is enough.
        let told = findings.split_off(before);
        let what = count(told.len() as u64, "right");
        let message = format!(
            "{subject} lack {what} for it in {namespace}, which has a controller and needs none"
        );
        findings.push(Finding::unknown(about, message));
    }
    if missing.is_empty() {
        let message = format!("{subject} may do all of it in {namespace}");
        findings.push(Finding::well(about, message));
    }
    missing
}

/// How somebody else finds it out.
fn other_way(who: &Who<'_>) -> String {
    match who {
        Who::Me => String::new(),
        Who::Account { namespace, name } => format!(
            "somebody with more rights finds out by: kubectl auth can-i --list -n {namespace} \
             --as=system:serviceaccount:{namespace}:{name}"
        ),
    }
}

/// Whether all of a right is given; what of it is not, as `create, list runs`.
async fn has(
    client: &Client,
    who: &Who<'_>,
    namespace: &str,
    right: &Right,
) -> kube::Result<Option<String>> {
    let mut refused = Vec::new();
    for resource in right.resources {
        let mut verbs = Vec::new();
        for verb in right.verbs {
            if !may(client, who, namespace, right, resource, verb).await? {
                verbs.push(*verb);
            }
        }
        if !verbs.is_empty() {
            refused.push(format!("{} {resource}", verbs.join(", ")));
        }
    }
    Ok((!refused.is_empty()).then(|| refused.join(" and ")))
}

/// Whether a verb is allowed in all groups of a right.
async fn may(
    client: &Client,
    who: &Who<'_>,
    namespace: &str,
    right: &Right,
    resource: &str,
    verb: &str,
) -> kube::Result<bool> {
    let name = right.names.first().copied();
    for group in right.groups {
        let asked = attributes(namespace, group, resource, verb, name);
        if !is_allowed(client, who, asked).await? {
            return Ok(false);
        }
    }
    Ok(true)
}

fn attributes(
    namespace: &str,
    group: &str,
    resource: &str,
    verb: &str,
    name: Option<&str>,
) -> ResourceAttributes {
    let (resource, part) = match resource.split_once('/') {
        Some((resource, part)) => (resource, Some(part.to_owned())),
        None => (resource, None),
    };
    ResourceAttributes {
        namespace: Some(namespace.to_owned()),
        group: Some(group.to_owned()),
        resource: Some(resource.to_owned()),
        subresource: part,
        verb: Some(verb.to_owned()),
        name: name.map(str::to_owned),
        ..ResourceAttributes::default()
    }
}

async fn is_allowed(
    client: &Client,
    who: &Who<'_>,
    asked: ResourceAttributes,
) -> kube::Result<bool> {
    let params = PostParams::default();
    let status: Option<SubjectAccessReviewStatus> = match who {
        Who::Me => {
            let review = SelfSubjectAccessReview {
                spec: SelfSubjectAccessReviewSpec {
                    resource_attributes: Some(asked),
                    ..SelfSubjectAccessReviewSpec::default()
                },
                ..SelfSubjectAccessReview::default()
            };
            Api::all(client.clone())
                .create(&params, &review)
                .await?
                .status
        }
        Who::Account { namespace, name } => {
            let groups = [
                "system:serviceaccounts",
                &format!("system:serviceaccounts:{namespace}"),
                "system:authenticated",
            ];
            let review = SubjectAccessReview {
                spec: SubjectAccessReviewSpec {
                    resource_attributes: Some(asked),
                    user: Some(format!("system:serviceaccount:{namespace}:{name}")),
                    groups: Some(groups.map(str::to_owned).into()),
                    ..SubjectAccessReviewSpec::default()
                },
                ..SubjectAccessReview::default()
            };
            Api::all(client.clone())
                .create(&params, &review)
                .await?
                .status
        }
    };
    Ok(status.is_some_and(|status| status.allowed))
}
