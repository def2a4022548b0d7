//! Data directories that were written by other releases: what they hold is there.

use std::path::{Path, PathBuf};
use std::time::Duration;

use queue_server::{Config, DiskStorage, Machine, Storage};
use rstest::rstest;
use serde_json::Value;

use crate::durability_whole_life::WholeLife;
use crate::harness::Api;

pub(crate) fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures")
}

/// A server on a copy of a data directory, and what the server that left it had told last. Where that
/// tells when it was, it is that time again.
pub(crate) fn on_fixture(name: &str) -> (Api, Value) {
    let told = std::fs::read(fixtures().join(format!("{name}.json"))).expect("a file");
    let told: Value = serde_json::from_slice(&told).expect("JSON");
    let mut machine = Machine::default();
    if let Some(left_at_ms) = told["left_at_ms"].as_u64() {
        machine.wall_clock = Duration::from_millis(left_at_ms);
    }
    let api = Api::start_at(machine, |config: &mut Config| {
        let Storage::Disk(storage) = &mut config.storage else {
            unreachable!("it keeps its items on disk");
        };
        copy(&fixtures().join(name), &storage.data_dir);
        *storage = DiskStorage {
            segment_bytes: 32 * 1024,
            ..storage.clone()
        };
    });
    (api, told)
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a directory");
    for entry in std::fs::read_dir(from).expect("a directory") {
        let entry = entry.expect("an entry");
        std::fs::copy(entry.path(), to.join(entry.file_name())).expect("a copy");
    }
}

/// Whether everything that was told is told, beside what later releases tell.
#[track_caller]
fn assert_holds(told: &Value, found: &Value, path: &str) {
    match (told, found) {
        (Value::Object(told), Value::Object(found)) => {
            for (name, told) in told {
                let found = found.get(name).unwrap_or(&Value::Null);
                assert_holds(told, found, &format!("{path}/{name}"));
            }
        }
        (told, found) => assert_eq!(told, found, "{path}"),
    }
}

async fn assert_tells_the_same(api: &Api, told: &Value) {
    for queue in told["queues"].as_array().expect("queues") {
        let name = queue["name"].as_str().expect("a name");
        let found = api.get(&format!("/v1/queues/{name}")).await.is(200).json();
        assert_holds(queue, &found, name);
    }
    for (name, outcomes) in told["outcomes"].as_object().expect("outcomes") {
        let outcomes = outcomes.as_array().expect("a list");
        let first = outcomes.first().and_then(|first| first["outcome"].as_u64());
        let after = first.map_or(0, |first| first - 1);
        let found = api
            .get(&format!("/v1/queues/{name}/outcomes?after={after}"))
            .await;
        let found = found.is(200).text();
        let lines = found
            .lines()
            .map(|line| serde_json::from_str(line).expect("JSON"));
        assert_eq!(&lines.collect::<Vec<Value>>(), outcomes, "{name}");
    }
}

/// Written by the last release without options: events of each kind of its time, a queue that was written
/// down anew with its past attempts, one that was deleted.
#[tokio::test]
async fn a_directory_from_before_items_had_options_is_read() {
    let (mut api, told) = on_fixture("plain");
    assert_tells_the_same(&api, &told).await;
    for leases in told["leases"].as_object().expect("queues").values() {
        for lease in leases.as_object().expect("leases").values() {
            let lease = lease.as_str().expect("a token");
            api.post(&format!("/v1/leases/{lease}/ack"), ())
                .await
                .is(200);
        }
    }
    // What this release writes behind it is read, too.
    api.restart().await;
    let queue = api.queue().await;
    assert_eq!(queue["counts"]["leased"], 0);
    assert_eq!(queue["totals"]["acked"], 4);
}

/// Puts into what a release told of its items what it knew and did not tell: each that is over ended when its
/// outcome says, and its attempts are numbered through.
fn learn(told: &mut Value) {
    let joblog = told["joblog"].as_str().expect("lines").to_owned();
    let lines: Vec<Value> = (joblog.lines())
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    for item in told["items"].as_array_mut().expect("items") {
        let of_it = |line: &&Value| line["id"] == item["id"] && line["state"] == item["state"];
        if let Some(ended) = lines.iter().rfind(of_it).map(|line| line["ended"].clone()) {
            item["ended"] = ended;
        }
        let history = item.get_mut("history").and_then(Value::as_array_mut);
        for (attempt, number) in history.into_iter().flatten().zip(1..) {
            attempt["attempt"] = Value::from(number);
        }
    }
}

/// Written by the first release with options: what an item may be given, and every end it may come to, as
/// events and as the parts of a queue that was written down anew.
#[rstest]
#[case::as_it_happened("given-events")]
#[case::written_down_anew("given-parts")]
#[tokio::test]
async fn a_directory_with_all_that_items_are_given_is_read(#[case] name: &str) {
    let (api, mut told) = on_fixture(name);
    learn(&mut told);
    WholeLife::of(&told).assert_goes_on(&api).await;
}
