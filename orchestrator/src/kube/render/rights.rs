//! What the controller must be allowed to do: the one list, from which the Role of the manifests, that of an
//! ephemeral controller and the checks of `memq doctor` come.

use k8s_openapi::api::rbac::v1::PolicyRule;

use crate::kube::object::GROUP;

/// A right, and what it is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Right {
    /// API groups; the empty one is the core's.
    pub groups: &'static [&'static str],
    /// Resources.
    pub resources: &'static [&'static str],
    /// Names of objects it is bound to; empty for all.
    pub names: &'static [&'static str],
    /// Verbs.
    pub verbs: &'static [&'static str],
    /// What does not work without it.
    pub purpose: &'static str,
}

/// The name of the Lease by which controllers agree on who works.
pub const LEASE: &str = "memq-controller";

/// Every right, in one namespace. None has a wildcard.
pub const RIGHTS: [Right; 11] = [
    Right {
        groups: &[GROUP],
        resources: &["runs"],
        names: &[],
        verbs: &["get", "list", "watch", "delete"],
        purpose: "runs are taken up, and removed when their ttl is over",
    },
    Right {
        groups: &[GROUP],
        resources: &["runs/status"],
        names: &[],
        verbs: &["patch"],
        purpose: "how far a run is, is written down",
    },
    Right {
        groups: &["batch"],
        resources: &["jobs"],
        names: &[],
        verbs: &["get", "list", "watch", "create", "patch", "delete"],
        purpose: "a step is a Job, whose parallelism changes",
    },
    Right {
        groups: &[""],
        resources: &["pods"],
        names: &[],
        verbs: &["list", "watch"],
        purpose: "workers are counted, and why one does not start is shown",
    },
    Right {
        groups: &[""],
        resources: &["pods/log"],
        names: &[],
        verbs: &["get"],
        purpose: "the end of a failed pod's log is kept",
    },
    Right {
        groups: &[""],
        resources: &["configmaps"],
        names: &[],
        verbs: &["get", "create", "patch"],
        purpose: "scripts, and runs where their kind is not installed",
    },
    Right {
        groups: &["events.k8s.io"],
        resources: &["events"],
        names: &[],
        verbs: &["create", "patch"],
        purpose: "news of a run",
    },
    Right {
        groups: &[""],
        resources: &["events"],
        names: &[],
        verbs: &["list"],
        purpose: "why pods are refused or do not start",
    },
    Right {
        groups: &[""],
        resources: &["resourcequotas", "limitranges"],
        names: &[],
        verbs: &["list"],
        purpose: "no more workers than fit",
    },
    // The API server does not know the name of what is being created.
    Right {
        groups: &["coordination.k8s.io"],
        resources: &["leases"],
        names: &[],
        verbs: &["create"],
        purpose: "one controller of several works",
    },
    Right {
        groups: &["coordination.k8s.io"],
        resources: &["leases"],
        names: &[LEASE],
        verbs: &["get", "update"],
        purpose: "one controller of several works",
    },
];

impl Right {
    /// Whether the controller of one run, which that run brought with it, needs it.
    #[must_use]
    pub fn is_for_ephemeral(&self) -> bool {
        !self.groups.contains(&GROUP) && !self.resources.contains(&"leases")
    }

    /// As a Role has it.
    #[must_use]
    pub fn rule(&self) -> PolicyRule {
        let list = |words: &[&str]| {
            words
                .iter()
                .map(|word| (*word).to_owned())
                .collect::<Vec<_>>()
        };
        PolicyRule {
            api_groups: Some(list(self.groups)),
            resources: Some(list(self.resources)),
            resource_names: (!self.names.is_empty()).then(|| list(self.names)),
            verbs: list(self.verbs),
            non_resource_urls: None,
        }
    }
}

/// The rules of the controller's Role.
#[must_use]
pub fn rules() -> Vec<PolicyRule> {
    RIGHTS.iter().map(Right::rule).collect()
}

/// The rules of an ephemeral controller's Role: it has no runs to look after but its own, and nobody may
/// give rights that they do not have.
#[must_use]
pub fn ephemeral_rules() -> Vec<PolicyRule> {
    let rights = RIGHTS.iter().filter(|right| right.is_for_ephemeral());
    rights.map(Right::rule).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_right_has_a_wildcard_and_none_is_beyond_a_namespace() {
        for right in RIGHTS {
            let words = [right.groups, right.resources, right.names, right.verbs].concat();
            assert!(!words.iter().any(|word| word.contains('*')), "{right:?}");
            assert!(
                !right.resources.contains(&"nodes"),
                "a ClusterRole of its own, if wanted"
            );
            assert!(!right.purpose.is_empty());
        }
    }
}
