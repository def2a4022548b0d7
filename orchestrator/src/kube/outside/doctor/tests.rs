//! What is well, what is missing, and the rule that mends it.

use fake_kube::{FakeApi, NAMESPACE};
use queue_client::Token;
use queue_server::{Access, Config, Server, Storage};
use serde_json::json;

use super::*;
use crate::kube::clock;

async fn examined(api: &FakeApi, whose: Whose) -> Findings {
    examined_with(api, whose, None, None).await
}

async fn examined_with(
    api: &FakeApi,
    whose: Whose,
    token: Option<Token>,
    server: Option<String>,
) -> Findings {
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
        token,
        server,
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
        token: None,
        server: None,
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

/// A queue server that asks for tokens, if there are any.
async fn queue_server(tokens: Option<&std::path::Path>) -> Server {
    let config = Config {
        listen: ([127, 0, 0, 1], 0).into(),
        storage: Storage::Memory,
        access: Access {
            tokens: tokens.map(Into::into),
            ..Access::default()
        },
        ..Config::default()
    };
    let mut server = Server::start(config).await.expect("it starts");
    server.recovered().await.expect("it has nothing to recover");
    server
}

/// A controller of that server with these variables.
fn told(server: &Server, more: &[(&str, &str)]) -> serde_json::Value {
    let mut env = vec![json!({"name": "MEMQ_SERVER", "value": server.url()})];
    env.extend(
        more.iter()
            .map(|(name, value)| json!({"name": name, "value": value})),
    );
    let mut told = deployment();
    told["spec"]["template"]["spec"]["containers"][0]["env"] = env.into();
    told
}

#[tokio::test]
async fn whoever_lacks_a_token_that_the_queue_server_asks_for_is_named() {
    let dir = tempfile::tempdir().expect("a folder");
    let file = dir.path().join("tokens");
    let admin = "a-token-for-all-things";
    std::fs::write(&file, format!("admin {admin}\n")).expect("a file");
    let guarded = queue_server(Some(&file)).await;
    let api = FakeApi::start().await;

    api.put(told(&guarded, &[]));
    let found = examined(&api, Whose::Controllers).await;
    let states: Vec<_> = of(&found, "tokens").iter().map(|f| f.state).collect();
    let (missing, unknown) = (State::Missing, State::Unknown);
    assert_eq!(states, [missing, missing, unknown], "{found:?}");
    let texts: Vec<_> = of(&found, "tokens").iter().map(|f| &f.message).collect();
    assert!(texts[0].contains("the controller has none"), "{texts:?}");
    assert!(texts[1].contains("exit code 77"), "{texts:?}");

    let all = [
        ("MEMQ_TOKEN_FILE", "/t"),
        ("MEMQ_WORKER_TOKEN_SECRET", "workers"),
    ];
    api.put(told(&guarded, &all));
    let mine = || Some(Token::from_text(admin, "a test").expect("a token"));
    let found = examined_with(&api, Whose::Controllers, mine(), Some(guarded.url())).await;
    let lacks = of(&found, "tokens")[0];
    assert!(
        lacks.state == missing && lacks.help.contains("create secret generic workers"),
        "{lacks:?}"
    );
    let secret = |key: &str| json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "workers"}, "data": {key: "eA=="}});
    api.put(secret("tokens"));
    let found = examined_with(&api, Whose::Controllers, mine(), Some(guarded.url())).await;
    let lacks = of(&found, "tokens")[0];
    assert!(lacks.message.contains("no key `token`"), "{lacks:?}");
    api.put(secret("token"));
    let found = examined_with(&api, Whose::Controllers, mine(), Some(guarded.url())).await;
    let well = of(&found, "tokens")[0];
    assert_eq!(
        (well.state, of(&found, "tokens").len()),
        (State::Well, 1),
        "{found:?}"
    );
    let found = examined_with(&api, Whose::Controllers, mine(), None).await;
    let withheld = of(&found, "tokens")[0];
    assert!(
        withheld.state == unknown && withheld.help.contains("MEMQ_SERVER"),
        "nobody but the cluster names that server: {withheld:?}"
    );
    let strange = Token::from_text("nobody-knows-this-one", "a test").ok();
    let found = examined_with(&api, Whose::Controllers, strange, Some(guarded.url())).await;
    let mine = of(&found, "tokens")[0];
    assert!(mine.message.contains("your own is of no use"), "{mine:?}");
    assert!(!format!("{found:?}").contains("nobody-knows"));
    api.forbid("get", "secrets");
    let found = examined(&api, Whose::Controllers).await;
    let hidden = of(&found, "tokens")[0];
    assert!(
        hidden.state == unknown && hidden.message.contains("you may not see"),
        "{hidden:?}"
    );

    let open = queue_server(None).await;
    api.put(told(&open, &[]));
    let found = examined(&api, Whose::Controllers).await;
    assert!(
        of(&found, "tokens")[0].message.contains("asks for none"),
        "{found:?}"
    );
}
