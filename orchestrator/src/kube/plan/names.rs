//! Names of what a run makes in a cluster: of its Jobs and of its queues.
//!
//! A name is made of what the status holds and of nothing else, so whoever makes it again makes the
//! same one. It does not know which Jobs there are.
//!
//! 1. Two Jobs of a namespace have two names, whatever runs and steps are called: a name that could
//!    be read in two ways, or does not fit, carries a hash of its parts.
//! 2. The queues of a namespace, and they alone, begin with [`queue_prefix`].

use queue_api::{NameError, QueueName, RunName};
use sha2::{Digest as _, Sha256};

use crate::spec::{Items, RunSpec, Step, Work};

/// Longest name of a Job: its pods carry it as a label.
pub const MAX_JOB_NAME: usize = 63;
/// What the names of all queues that runs made begin with.
pub const QUEUE_PREFIX: &str = "run.";
/// Longest name of a queue of ours: what the wire takes.
const MAX_QUEUE_NAME: usize = 128;
/// Digits of a hash in a name: 40 bits, so that a thousand Jobs meet once in two million namespaces.
const HASH_DIGITS: usize = 10;

/// The name of a Job: `RUN-STEP-NUMBER`, and `RUN-STEP-ELEMENT-NUMBER` for an element of a `forEach`.
#[must_use]
pub fn job(run: &str, step: &str, element: Option<u32>, number: u32) -> String {
    let tail = match element {
        Some(element) => format!("{element}-{number}"),
        None => number.to_string(),
    };
    let plain = format!("{run}-{step}-{tail}");
    // Read from its end: a number, perhaps another, then a step without dashes that is no number.
    let clear = !step.contains('-') && !step.bytes().all(|b| b.is_ascii_digit());
    if clear && !run.contains('.') && plain.len() <= MAX_JOB_NAME {
        return plain;
    }
    let hash = short_hash(&[run, step, if element.is_some() { "each" } else { "" }]);
    let head = format!("{run}-{step}").replace('.', "-");
    let room = MAX_JOB_NAME - hash.len() - tail.len() - 2;
    let head = cut(&head, room).trim_end_matches('-');
    format!("{head}-{hash}-{tail}")
}

/// The queue of a step with items: the one it names, or `run.NAMESPACE.RUN.STEP`; none for other steps.
pub fn queue(namespace: &str, run: &RunSpec, step: &Step) -> Option<Result<QueueName, NameError>> {
    match &step.work {
        Work::Items(pool) => Some(match &pool.items {
            Items::Queue(name) => Ok(name.clone()),
            _ => own_queue(namespace, run.name.as_str(), &step.name).parse(),
        }),
        Work::Each(_) | Work::Once => None,
    }
}

/// What the names of all queues that runs of a namespace made begin with.
#[must_use]
pub fn queue_prefix(namespace: &str) -> String {
    format!("{QUEUE_PREFIX}{namespace}.")
}

/// The queue that a step of a run makes for its items.
#[must_use]
pub fn own_queue(namespace: &str, run: &str, step: &str) -> String {
    let prefix = queue_prefix(namespace);
    let plain = format!("{prefix}{run}.{step}");
    if plain.len() <= MAX_QUEUE_NAME {
        return plain;
    }
    let hash = short_hash(&[namespace, run, step]);
    let head = format!("{run}.{step}");
    let room = MAX_QUEUE_NAME - prefix.len() - hash.len() - 1;
    format!("{prefix}{}-{hash}", cut(&head, room))
}

/// The name by which a queue server is told of a run: the run's own where most of it was made up, so that no
/// other has it; else with its namespace before it, for others may call theirs the same.
pub fn report(
    namespace: &str,
    run: &str,
    generate_name: Option<&str>,
) -> Result<RunName, NameError> {
    let made_up =
        |prefix: &str| !prefix.is_empty() && run.len() > prefix.len() && run.starts_with(prefix);
    match generate_name.is_some_and(made_up) {
        true => run.parse(),
        false => format!("{namespace}.{run}").parse(),
    }
}

/// A short text that stands for these parts, in small letters and digits.
#[must_use]
pub fn short_hash(parts: &[&str]) -> String {
    use std::fmt::Write as _;
    let mut text = String::new();
    // A part's length stands before it: no two lists of parts are the same text.
    for part in parts {
        let _ = write!(text, "{}/{part}", part.len());
    }
    let mut hash = String::new();
    for byte in &Sha256::digest(text.as_bytes())[..HASH_DIGITS / 2] {
        let _ = write!(hash, "{byte:02x}");
    }
    hash
}

fn cut(text: &str, most: usize) -> &str {
    super::text::head(text, most)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_name_tells_run_step_and_number() {
        assert_eq!(job("keygen-x7f", "keys", None, 2), "keygen-x7f-keys-2");
        assert_eq!(
            job("keygen-x7f", "users", Some(17), 1),
            "keygen-x7f-users-17-1"
        );
        assert_eq!(
            own_queue("team", "keygen-x7f", "keys"),
            "run.team.keygen-x7f.keys"
        );
    }

    #[test]
    fn a_server_that_several_namespaces_share_knows_each_run_by_a_name_of_its_own() {
        for (run, made_of, name) in [
            ("keygen-x7f2k", Some("keygen-"), "keygen-x7f2k"),
            ("nightly", None, "team.nightly"),
            ("nightly", Some(""), "team.nightly"),
            ("nightly", Some("nightly"), "team.nightly"),
            ("nightly", Some("keygen-"), "team.nightly"),
        ] {
            let made = report("team", run, made_of).expect("a name");
            assert_eq!(made.as_str(), name);
        }
        let (longest, too_long) = ("r".repeat(63), "r".repeat(128));
        assert!(report(&longest, &longest, None).is_ok());
        assert!(report("team", &too_long, None).is_err());
    }

    #[test]
    fn a_name_that_could_be_read_in_two_ways_carries_a_hash() {
        let names = [
            job("a", "b-c", None, 1),
            job("a-b", "c", None, 1),
            job("a.b", "c", None, 1),
            job("a", "b", Some(3), 1),
            job("a-b", "3", None, 1),
            job("a", "b-3", None, 1),
        ];
        let different: std::collections::BTreeSet<_> = names.iter().collect();
        assert_eq!(different.len(), names.len(), "{names:?}");
    }

    fn run_name() -> impl Strategy<Value = String> {
        prop_oneof!["[ab]([-.ab1]{0,3}[ab1])?", "[a-z]{61}[ab]{0,2}"]
    }

    fn step_name() -> impl Strategy<Value = String> {
        prop_oneof!["[ab1]([-ab1]{0,3}[ab1])?", "[a-z]{61}[ab]{0,2}"]
    }

    type Parts = (String, String, Option<u32>, u32);

    fn parts() -> impl Strategy<Value = Parts> {
        let element = prop_oneof![Just(None), (0_u32..13).prop_map(Some), Just(Some(999))];
        let number = prop_oneof![1_u32..13, Just(u32::MAX)];
        (run_name(), step_name(), element, number)
    }

    proptest! {
        #[test]
        fn names_are_legal_and_no_two_jobs_share_one(all in prop::collection::vec(parts(), 1..80)) {
            let mut taken: BTreeMap<String, Parts> = BTreeMap::new();
            for parts in all {
                let name = job(&parts.0, &parts.1, parts.2, parts.3);
                prop_assert!(name.len() <= MAX_JOB_NAME, "{name}");
                prop_assert!(name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-'));
                prop_assert!(!name.starts_with('-') && !name.ends_with('-'), "{name}");
                let before = taken.entry(name.clone()).or_insert_with(|| parts.clone());
                prop_assert_eq!(&*before, &parts, "two Jobs are called {}", name);
            }
        }

        #[test]
        fn queues_are_legal_and_lie_under_their_prefix(
            namespace in "[a-z]([-a-z]{0,61}[a-z])?", run in run_name(), step in step_name()
        ) {
            let name = own_queue(&namespace, &run, &step);
            prop_assert!(name.parse::<QueueName>().is_ok(), "{name}");
            prop_assert!(name.starts_with(&queue_prefix(&namespace)));
        }
    }
}
