//! What is well, what is missing, and the rule that mends it.

use serde_json::json;

use super::*;
use crate::kube::clock;
use crate::kube::fake::{FakeApi, NAMESPACE};

async fn examined(api: &FakeApi, whose: Whose) -> Findings {
    let link = Link {
        client: api.client(),
        namespace: NAMESPACE.into(),
        named: true,
        cluster: "context test".into(),
    };
    let question = Question {
        whose,
        account: None,
        image: "memq:1".into(),
    };
    examine(&link, &question).await
}

/// The controller as the manifests install it.
fn deployment() -> serde_json::Value {
    json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "memq-controller", "labels": {
        "app.kubernetes.io/name": "memq", "app.kubernetes.io/component": "controller"}},
        "spec": {"selector": {}, "template": {"spec": {"containers": [{"name": "controller"}]}}}})
}

async fn installed() -> FakeApi {
    let api = FakeApi::start().await;
    api.put(deployment());
    api
}

fn of<'a>(found: &'a Findings, about: &str) -> Vec<&'a Finding> {
    found
        .findings
        .iter()
        .filter(|finding| finding.about == about)
        .collect()
}

#[tokio::test]
async fn a_namespace_that_there_is_not_is_said_before_anything_else_of_it() {
    let api = installed().await;
    let link = Link {
        client: api.client(),
        namespace: "nowhere".into(),
        named: true,
        cluster: "context test".into(),
    };
    let question = Question {
        whose: Whose::Both,
        account: None,
        image: "memq:1".into(),
    };
    let found = examine(&link, &question).await;
    let last = found.findings.last().expect("findings");
    assert_eq!((last.about, last.state), ("namespace", State::Missing));
    assert!(last.message.contains("no namespace nowhere"), "{last:?}");
    assert!(!found.are_well() && found.roles.is_empty());
}

#[tokio::test]
async fn a_missing_right_is_told_with_the_role_that_gives_it() {
    let api = installed().await;
    api.forbid("create", "runs");
    let found = examined(&api, Whose::Mine).await;
    let rights = of(&found, "for a Run");
    assert!(
        rights.iter().all(|finding| finding.state == State::Missing),
        "{rights:?}"
    );
    assert!(rights[0].message.contains("create runs"), "{rights:?}");
    let [role] = found.roles.as_slice() else {
        panic!("{:?}", found.roles)
    };
    for word in [
        "kind: Role",
        "memq.dev",
        "- runs",
        "- create",
        "namespace: team",
    ] {
        assert!(role.contains(word), "{word} in {role}");
    }
    assert!(!found.are_well());
    api.permit_all();
    let found = examined(&api, Whose::Mine).await;
    assert_eq!(of(&found, "for a Run")[0].state, State::Well);
}

#[tokio::test]
async fn where_the_kind_is_not_installed_the_rights_are_those_to_bring_a_controller() {
    let api = FakeApi::without_runs().await;
    api.forbid("create", "rolebindings");
    let found = examined(&api, Whose::Both).await;
    assert_eq!(of(&found, "kind")[0].state, State::Unknown);
    let rights = of(&found, "--ephemeral");
    assert!(
        rights[0].message.contains("create rolebindings"),
        "{rights:?}"
    );
    assert!(of(&found, "its rights").is_empty() && of(&found, "controller").is_empty());
}

#[tokio::test]
async fn a_controller_that_fell_silent_is_told_from_one_that_leads() {
    let api = FakeApi::start().await;
    let none = examined(&api, Whose::Controllers).await;
    let none = of(&none, "controller")[0];
    assert!(
        none.state == State::Missing && none.help.contains("install.yaml"),
        "{none:?}"
    );
    api.put(deployment());
    let lease = |renewed: jiff::Timestamp| {
        let renewed = renewed.strftime("%Y-%m-%dT%H:%M:%S.000000Z").to_string();
        json!({"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": "memq-controller"},
            "spec": {"holderIdentity": "one", "leaseDurationSeconds": 15, "renewTime": renewed}})
    };
    let now = clock::now();
    api.put(lease(now));
    let found = examined(&api, Whose::Controllers).await;
    assert_eq!(
        of(&found, "controller")[0].state,
        State::Well,
        "{:?}",
        of(&found, "controller")
    );
    api.put(lease(now - jiff::SignedDuration::from_mins(5)));
    let found = examined(&api, Whose::Controllers).await;
    let silent = of(&found, "controller")[0];
    assert!(
        silent.state == State::Missing && silent.message.contains("nothing for 3"),
        "{silent:?}"
    );
}

#[tokio::test]
async fn a_quota_that_is_used_up_is_missing_room() {
    let api = FakeApi::start().await;
    api.put(
        json!({"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "few"},
        "spec": {"hard": {"pods": "2"}}, "status": {"hard": {"pods": "2"}, "used": {"pods": "2"}}}),
    );
    let quota = examined(&api, Whose::Controllers).await;
    let quota = of(&quota, "quota")[0];
    assert!(
        quota.state == State::Missing && quota.message.contains("few/pods"),
        "{quota:?}"
    );
}

#[tokio::test]
async fn what_the_other_form_lacks_is_told_and_is_no_trouble() {
    let api = installed().await;
    api.forbid("create", "rolebindings");
    let found = examined(&api, Whose::Mine).await;
    assert_eq!(of(&found, "for a Run")[0].state, State::Well);
    let other = of(&found, "--ephemeral");
    assert!(other.iter().all(|finding| finding.state == State::Unknown) && !other.is_empty());
    assert!(found.roles.is_empty(), "{:?}", found.roles);
}
