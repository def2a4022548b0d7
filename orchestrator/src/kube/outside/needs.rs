//! What a person must be allowed to do for what they ask, and how a missing right is said: as the rule that is missing.
//!
//! The controller's own rights are [`crate::kube::render::rights`].

use k8s_openapi::api::rbac::v1::{ClusterRole, Role};
use kube::api::ObjectMeta;

use crate::kube::object::GROUP;
use crate::kube::render::rights::{self, Right};

/// A right of a person.
const fn right(
    groups: &'static [&'static str],
    resources: &'static [&'static str],
    verbs: &'static [&'static str],
    purpose: &'static str,
) -> Right {
    Right {
        groups,
        resources,
        names: &[],
        verbs,
        purpose,
    }
}

/// What `memq run --kube` and its kin need where the kind Run is installed.
pub(crate) const OF_RUNS: [Right; 1] = [right(
    &[GROUP],
    &["runs"],
    &["get", "list", "watch", "create", "patch"],
    "runs are made, followed and cancelled",
)];

/// What reaching the queue server needs: joblogs, and items that lie in a file.
pub(crate) const OF_QUEUES: [Right; 3] = [
    right(
        &[""],
        &["services"],
        &["get"],
        "the queue server's pod is found by its service",
    ),
    right(
        &[""],
        &["pods"],
        &["get", "list"],
        "the queue server's pod is found",
    ),
    // Which of the two verbs is asked for depends on the API server's version.
    right(
        &[""],
        &["pods/portforward"],
        &["get", "create"],
        "joblogs are fetched and files of items loaded",
    ),
];

/// What bringing a controller along needs, where nobody installed the kind Run.
pub(crate) const OF_BUNDLES: [Right; 6] = [
    right(
        &["batch"],
        &["jobs"],
        &["get", "list", "watch", "create", "patch", "delete"],
        "the run's controller is a Job",
    ),
    right(
        &[""],
        &["configmaps"],
        &["get", "list", "watch", "create", "patch"],
        "the run lies in a ConfigMap",
    ),
    right(
        &[""],
        &["serviceaccounts", "services"],
        &["create"],
        "the controller has an identity and its queue server a name",
    ),
    right(
        &["rbac.authorization.k8s.io"],
        &["roles", "rolebindings"],
        &["create"],
        "the controller is given its rights",
    ),
    right(
        &[""],
        &["pods"],
        &["get", "list", "watch"],
        "why the controller does not start is shown",
    ),
    right(
        &[""],
        &["events"],
        &["list"],
        "why a pod is refused is shown",
    ),
];

/// All that a person needs for one of the two forms. Nobody may give rights that they do not have themselves, so
/// those of a controller that is brought along are among them.
pub(crate) fn of_person(installed: bool) -> Vec<Right> {
    if installed {
        return OF_RUNS.iter().chain(&OF_QUEUES).copied().collect();
    }
    let given = rights::RIGHTS
        .into_iter()
        .filter(|right| right.is_for_ephemeral());
    let all: Vec<Right> = OF_BUNDLES
        .into_iter()
        .chain(OF_QUEUES)
        .chain(given)
        .collect();
    // What one of them gives need not be asked for again.
    let mut needed: Vec<Right> = Vec::new();
    for (at, right) in all.iter().enumerate() {
        let later = all[at + 1..].iter().any(|other| covers(other, right));
        if !later && !needed.iter().any(|other| covers(other, right)) {
            needed.push(*right);
        }
    }
    needed
}

/// Whether one right gives all that another gives.
fn covers(one: &Right, other: &Right) -> bool {
    let all = |of: &[&str], has: &[&str]| of.iter().all(|word| has.contains(word));
    one.names == other.names
        && all(other.groups, one.groups)
        && all(other.resources, one.resources)
        && all(other.verbs, one.verbs)
}

/// A Role with these rights, as YAML to be applied by whoever may; a ClusterRole where no namespace is meant.
pub(crate) fn role(name: &str, namespace: &str, rights: &[Right]) -> String {
    let rules = Some(rights.iter().map(Right::rule).collect());
    let metadata = ObjectMeta {
        name: Some(name.to_owned()),
        namespace: (!namespace.is_empty()).then(|| namespace.to_owned()),
        ..ObjectMeta::default()
    };
    let yaml = if namespace.is_empty() {
        serde_saphyr::to_string(&ClusterRole {
            metadata,
            rules,
            ..ClusterRole::default()
        })
    } else {
        serde_saphyr::to_string(&Role { metadata, rules })
    };
    yaml.unwrap_or_default()
}

/// What the API server said, or why it could not be asked, on one line.
pub(crate) fn said(error: &kube::Error) -> String {
    match error {
        kube::Error::Api(status) => status.message.clone(),
        error => crate::kube::say(error),
    }
}

/// Something that the API server did not do, for people.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refused {
    /// A right is missing: somebody who may must give it.
    #[error("cannot {doing}: {message}\n{help}")]
    Forbidden {
        /// What was tried.
        doing: String,
        /// What the API server says: user, verb, resource, namespace.
        message: String,
        /// The rule that is missing.
        help: String,
    },
    /// The API server does not know who asks: log in again.
    #[error(
        "cannot {doing}: the API server does not know you ({message}): log in to the cluster again"
    )]
    Unknown {
        /// What was tried.
        doing: String,
        /// What the API server says.
        message: String,
    },
    /// It said no, or did not answer.
    #[error("cannot {doing}: {message}")]
    Other {
        /// What was tried.
        doing: String,
        /// Why not.
        message: String,
    },
}

/// Says what the API server said to an attempt, with the rule that would mend it.
pub(crate) fn refused(
    error: &kube::Error,
    doing: &str,
    verb: &str,
    resource: &str,
    namespace: &str,
) -> Refused {
    let (doing, message) = (doing.to_owned(), said(error));
    let code = match error {
        kube::Error::Api(status) => status.code,
        _ => 0,
    };
    match code {
        403 => Refused::Forbidden {
            doing,
            help: mend(verb, resource, namespace, &message),
            message,
        },
        401 => Refused::Unknown { doing, message },
        _ => Refused::Other { doing, message },
    }
}

/// The rule that a refusal asks for. Not every 403 is about a right: a quota speaks so too.
fn mend(verb: &str, resource: &str, namespace: &str, message: &str) -> String {
    if message.contains("exceeded quota") {
        return "  the namespace's quota has no room: `kubectl describe quota` shows what uses it"
            .to_owned();
    }
    let all = of_person(true).into_iter().chain(of_person(false));
    let fitting =
        |right: &Right| right.resources.contains(&resource) && right.verbs.contains(&verb);
    let escalates = message.contains("attempting to grant RBAC permissions");
    let rights: Vec<Right> = if escalates {
        of_person(false)
    } else {
        all.filter(fitting).take(1).collect()
    };
    if rights.is_empty() {
        return String::new();
    }
    let yaml = role("memq-user", namespace, &rights);
    let yaml: String = yaml.lines().map(|line| format!("    {line}\n")).collect();
    let (kind, all) = match namespace {
        "" => ("ClusterRole and a ClusterRoleBinding", String::new()),
        _ => (
            "Role and a RoleBinding",
            format!("; `memq doctor -n {namespace}` shows all that is missing"),
        ),
    };
    format!(
        "  whoever may give rights can mend it with this {kind} to you{all}:\n{}",
        yaml.trim_end()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_right_of_a_person_gives_what_another_gives() {
        let all = of_person(false);
        for (at, right) in all.iter().enumerate() {
            let rest = all.iter().enumerate().filter(|(other, _)| *other != at);
            assert!(
                !rest.into_iter().any(|(_, other)| covers(other, right)),
                "{right:?}"
            );
        }
        for right in OF_BUNDLES.iter().chain(&OF_QUEUES) {
            assert!(all.iter().any(|one| covers(one, right)), "{right:?}");
        }
    }

    #[test]
    fn a_role_without_a_namespace_is_one_of_the_cluster() {
        assert!(role("r", "team", &OF_RUNS).contains("kind: Role\n"));
        let of_all = role("r", "", &OF_RUNS);
        assert!(
            of_all.contains("kind: ClusterRole\n") && !of_all.contains("namespace"),
            "{of_all}"
        );
    }
}
