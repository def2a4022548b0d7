//! Stories of runs that bring their queue server and controller along.

use std::path::Path;
use std::time::Duration;

use fake_kube::{FakeApi, Fault, NAMESPACE};
use serde_json::{Value, json};

use super::{Extras, KEYGEN, PLAIN, ended, ordered, running, started, watched};
use crate::kube::outside::bundle::{self, Start};
use crate::kube::outside::records::{self, Form, Scope};
use crate::kube::outside::verdict::{End, Report};
use crate::kube::outside::{leave, submit};

#[tokio::test]
async fn what_a_run_brings_belongs_to_a_job_that_starts_last() {
    let api = FakeApi::without_runs().await;
    let order = ordered(KEYGEN, Path::new("."));
    let made = submit::submit(&api.client(), &order, Form::Ephemeral, "memq:1").await;
    let (record, brought) = made.expect("it is made");
    let changes: Vec<_> = api
        .asked()
        .into_iter()
        .filter(|asked| matches!(asked.verb, "create" | "patch"))
        .map(|asked| (asked.verb, asked.resource))
        .collect();
    assert_eq!(changes.first(), Some(&("create", "jobs".to_owned())));
    assert_eq!(changes.last(), Some(&("patch", "jobs".to_owned())));
    let job = api.get("jobs", "memq-r").expect("a Job");
    assert_eq!(job["spec"]["suspend"], false);
    let kinds = [
        "serviceaccounts",
        "roles",
        "rolebindings",
        "configmaps",
        "services",
    ];
    for kind in kinds {
        let object = api
            .get(kind, "memq-r")
            .unwrap_or_else(|| panic!("no {kind}"));
        assert_eq!(
            object["metadata"]["ownerReferences"][0]["uid"], job["metadata"]["uid"],
            "{kind}"
        );
    }
    assert_eq!((record.name.as_str(), record.form), ("r", Form::Ephemeral));
    let all = records::list(&api.client(), &Scope::All).await;
    assert_eq!(all.expect("no kind Run is no error"), [record]);
    let brought = brought.expect("it brought something");
    bundle::take_away(&api.client(), &brought)
        .await
        .expect("taken away");
    for kind in kinds {
        assert!(api.names(kind).is_empty(), "{kind}");
    }
    bundle::take_away(&api.client(), &brought)
        .await
        .expect("a second time is no error");
}

#[tokio::test]
async fn a_job_whose_surroundings_are_not_all_there_has_no_pods() {
    let api = FakeApi::without_runs().await;
    let order = ordered(KEYGEN, Path::new("."));
    api.fault(Fault::answer("patch", "jobs", 500, "InternalError"));
    api.forbid("delete", "jobs");
    let cut_off = submit::submit(&api.client(), &order, Form::Ephemeral, "memq:1").await;
    cut_off.expect_err("it was not started");
    let job = api
        .get("jobs", "memq-r")
        .expect("it could not be taken away");
    assert_eq!(job["spec"]["suspend"], true);
}

#[tokio::test]
async fn whoever_may_not_see_runs_sees_those_that_brought_their_controller() {
    let api = FakeApi::start().await;
    let client = api.client();
    api.forbid("get", "runs");
    api.forbid("list", "runs");
    let scope = Scope::Namespace(NAMESPACE.into());
    let hidden = records::find(&client, NAMESPACE, "r").await;
    let told = hidden.expect_err("nothing is there that may be seen");
    assert!(told.to_string().contains("\"runs\""), "{told}");
    records::list(&client, &scope).await.expect_err("likewise");
    let order = ordered(KEYGEN, Path::new("."));
    let made = submit::submit(&client, &order, Form::Ephemeral, "memq:1").await;
    made.expect("it is made");
    let found = records::find(&client, NAMESPACE, "r").await;
    let found = found.expect("read").expect("there");
    assert_eq!(found.form, Form::Ephemeral);
    let listed = records::list(&client, &scope).await.expect("a list");
    assert_eq!(listed.len(), 1);
}

#[tokio::test]
async fn a_run_whose_making_broke_off_is_listed_found_and_taken_away() {
    // The connection went away at the second object; and at the start, when all was there.
    for (verb, resource) in [("create", "serviceaccounts"), ("patch", "jobs")] {
        let api = FakeApi::without_runs().await;
        let client = api.client();
        let order = ordered(KEYGEN, Path::new("."));
        api.fault(Fault::answer(verb, resource, 500, "InternalError"));
        api.fault(Fault::answer("delete", "jobs", 500, "InternalError"));
        let cut_off = submit::submit(&client, &order, Form::Ephemeral, "memq:1").await;
        cut_off.expect_err("it broke off");
        let scope = Scope::Namespace(NAMESPACE.into());
        let listed = records::list(&client, &scope).await.expect("a list");
        let [one] = listed.as_slice() else {
            panic!("{verb} {resource}: {listed:?}");
        };
        let status = one.status.as_ref().expect("a status");
        assert!(status.message.contains("never started"), "{status:?}");
        let found = records::find(&client, NAMESPACE, "r").await;
        let found = found.expect("read").expect("there");
        assert_eq!((found.form, found.name.as_str()), (Form::Ephemeral, "r"));
        let again = submit::submit(&client, &order, Form::Ephemeral, "memq:1").await;
        let told = again.expect_err("the name is taken").to_string();
        assert!(told.contains("kubectl delete job memq-r -n team"), "{told}");
        let brought = bundle::brought(&client, NAMESPACE, "r").await;
        let brought = brought.expect("asked").expect("there");
        let start = bundle::look(&client, &brought).await;
        assert!(
            matches!(&start, Some(Start::Waits(why)) if why.contains("memq cancel")),
            "{start:?}"
        );
        bundle::take_away(&client, &brought)
            .await
            .expect("taken away");
        assert_eq!(records::list(&client, &scope).await.expect("a list"), []);
    }
}

#[tokio::test]
async fn what_was_made_before_something_is_refused_is_taken_away() {
    let api = FakeApi::without_runs().await;
    let order = ordered(KEYGEN, Path::new("."));
    let escalates = "roles \"memq-r\" is forbidden: user \"u\" is attempting to grant RBAC permissions not currently held";
    api.fault(Fault::answer("create", "roles", 403, "Forbidden").saying(escalates));
    let refused = submit::submit(&api.client(), &order, Form::Ephemeral, "memq:1").await;
    let told = refused.expect_err("it is refused").to_string();
    // Nobody may give what they do not have: all of it must be had.
    for word in [
        "make Role memq-r",
        "resourcequotas",
        "rolebindings",
        "pods/log",
    ] {
        assert!(told.contains(word), "{word} in {told}");
    }
    assert!(api.names("jobs").is_empty() && api.names("serviceaccounts").is_empty());
}

#[tokio::test]
async fn a_controller_that_does_not_start_says_why_and_one_whose_job_fails_is_lost() {
    let api = FakeApi::without_runs().await;
    let order = ordered(KEYGEN, Path::new("."));
    let follower = started(&api.client(), &order, Form::Ephemeral, PLAIN).await;
    let brought = bundle::brought(&api.client(), NAMESPACE, "r")
        .await
        .expect("asked")
        .expect("there");
    assert_eq!(
        bundle::look(&api.client(), &brought).await,
        Some(Start::Coming)
    );
    let waits =
        json!({"waiting": {"reason": "ImagePullBackOff", "message": "back-off pulling memq:1"}});
    api.put(json!({"apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": "memq-r-x", "labels": {"memq.dev/run": "r", "app.kubernetes.io/component": "server"}},
        "status": {"phase": "Pending", "containerStatuses": [
            {"name": "server", "ready": false, "restartCount": 0, "image": "memq:1", "imageID": "", "state": waits}]}}));
    let Some(Start::Waits(why)) = bundle::look(&api.client(), &brought).await else {
        panic!("it waits");
    };
    assert!(
        why.contains("ImagePullBackOff: back-off pulling memq:1"),
        "{why}"
    );
    api.change("jobs", "memq-r", |job| {
        job["status"] = json!({"conditions": [
            {"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded", "message": "too often"}]});
    });
    let report = follower.ended().await;
    assert!(
        matches!(&report.end, End::Lost(why) if why.contains("BackoffLimitExceeded")),
        "{:?}",
        report.end
    );
}

#[tokio::test]
async fn a_run_whose_controller_never_came_needs_nobody_to_hear_that_its_time_is_up() {
    let api = FakeApi::without_runs().await;
    let order = ordered(KEYGEN, Path::new("."));
    let extras = Extras {
        timeout: Some(Duration::ZERO),
        ..PLAIN
    };
    let follower = started(&api.client(), &order, Form::Ephemeral, extras).await;
    let report = follower.ended().await;
    assert_eq!((report.end.clone(), report.verdict().0), (End::TimedOut, 3));
}

#[tokio::test]
async fn what_a_run_brought_stays_as_long_as_it_may_go_on() {
    let api = FakeApi::without_runs().await;
    let client = api.client();
    let order = ordered(KEYGEN, Path::new("."));
    let follower = started(&client, &order, Form::Ephemeral, PLAIN).await;
    let asked = bundle::brought(&client, NAMESPACE, "r").await;
    let brought = asked.expect("asked").expect("there");
    watched(&api, "configmaps", 1).await;
    let says = |status: Value| {
        api.change("configmaps", "memq-r", |map| {
            map["data"]["status.json"] = json!(status.to_string());
        });
    };
    says(running());
    api.fault(Fault::answer("list", "configmaps", 401, "Unauthorized"));
    api.forget();
    let blind = follower.task.await.expect("it goes on");
    let blind = blind.expect_err("the token ran out");
    let found = records::find(&client, NAMESPACE, "r").await;
    let record = found.expect("read").expect("there");
    let said = leave::leave(&client, &record, Some(&brought), Err(&blind)).await;
    let said = said.expect("it may go on");
    assert!(said.contains("`memq wait r -n team`"), "{said}");
    assert!(said.contains("`memq cancel r -n team`"), "{said}");
    assert_eq!(api.names("jobs"), ["memq-r"]);

    // Its time was up, and nobody could tell it so.
    let mut report = Report {
        record,
        end: End::TimedOut,
        tally: crate::tally::Tally::new(0, 0),
        joblog: None,
        missing: 0,
    };
    let said = leave::leave(&client, &report.record, Some(&brought), Ok(&report)).await;
    assert!(said.is_some());
    assert_eq!(api.names("jobs"), ["memq-r"]);

    says(ended("Succeeded"));
    let found = records::find(&client, NAMESPACE, "r").await;
    report.record = found.expect("read").expect("there");
    report.end = End::Over;
    let said = leave::leave(&client, &report.record, Some(&brought), Ok(&report)).await;
    assert_eq!(said, None);
    assert!(api.names("jobs").is_empty());
}
