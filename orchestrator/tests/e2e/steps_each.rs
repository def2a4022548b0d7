//! Steps that run a process for each element.

use crate::support::{Lab, steps};

#[test]
fn each_element_has_its_own_process_values_and_logs() {
    let lab = Lab::new();
    let text = "- name: fan\n  forEach: {eu: 3, us/east: 4}\n  env: {SIZE: $(each.value)}\n  \
                script: 'echo \"$MEMQ_ELEMENT $SIZE $MEMQ_STEP\"'\n";
    lab.write("run.yaml", steps("each", text));
    let ended = lab
        .run(&["run", ".", "--joblog", "log", "-o", "json"])
        .exits(0);
    let fan = ended.step("fan");
    assert_eq!((&fan["elements"], &fan["done"]), (&2.into(), &2.into()));
    let mut lines: Vec<_> = lab.joblog("log");
    lines.sort_by_key(|line| line["element"].to_string());
    assert_eq!(
        lines
            .iter()
            .map(|line| (&line["element"], &line["result"]))
            .collect::<Vec<_>>(),
        [
            (&"eu".into(), &"eu 3 fan".into()),
            (&"us/east".into(), &"us/east 4 fan".into())
        ]
    );
    assert_eq!(
        lab.read(".memq/runs/each/fan/2-us_east.try-1.log"),
        "us/east 4 fan\n"
    );
}

/// Counts who is there at once, in a folder that each enters and leaves.
const CROWD: &str = "mkdir -p crowd; touch crowd/$MEMQ_ELEMENT; ls crowd | wc -l >> counts; sleep 0.2; rm crowd/$MEMQ_ELEMENT";

#[test]
fn no_more_run_at_once_than_may() {
    for (most, wanted) in [
        ("maxParallel: 1", 1),
        ("maxParallel: 2", 2),
        ("failFast: false", 4),
    ] {
        let lab = Lab::new();
        let text = format!("- name: fan\n  forEach: [a, b, c, d]\n  {most}\n  script: {CROWD}\n");
        lab.write("run.yaml", steps("crowd", &text));
        lab.run(&["run", "."]).exits(0).says("4 done of 4");
        let counts = lab.read("counts");
        let counts = counts
            .lines()
            .map(|line| line.trim().parse::<u32>().unwrap());
        let peak = counts.max().unwrap();
        assert!((1..=wanted).contains(&peak), "{most}: {peak}");
    }
}

#[test]
fn all_run_at_once_where_they_may() {
    let lab = Lab::new();
    let text = "- name: fan\n  forEach: [a, b, c]\n  maxParallel: 3\n  script: |\n    \
                touch here-$MEMQ_ELEMENT\n    n=0\n    \
                until [ -e here-a ] && [ -e here-b ] && [ -e here-c ]; do n=$((n+1)); [ $n -lt 1200 ] || exit 9; sleep 0.05; done\n";
    lab.write("run.yaml", steps("together", text));
    lab.run(&["run", "."]).exits(0);
}

#[test]
fn a_failed_element_keeps_the_others_from_beginning_only_if_it_should() {
    for (fail_fast, done) in [(true, 1), (false, 3)] {
        let lab = Lab::new();
        let text = format!(
            "- name: fan\n  forEach: [a, bad, c, d]\n  maxParallel: 1\n  failFast: {fail_fast}\n  \
             script: 'echo $MEMQ_ELEMENT >> order; [ $MEMQ_ELEMENT != bad ] || {{ echo so bad >&2; exit 4; }}'\n"
        );
        lab.write("run.yaml", steps("fast", &text));
        let ended = lab
            .run(&["run", ".", "--joblog", "log", "-o", "json"])
            .exits(1);
        let fan = ended.step("fan");
        assert_eq!(
            (&fan["done"], &fan["failed"]),
            (&done.into(), &1.into()),
            "{fan}"
        );
        assert_eq!(fan["failures"][0]["item"], "bad");
        assert_eq!(fan["failures"][0]["error"], "exit code 4: so bad");

        // Mended, the same command does the rest and no more.
        lab.write(
            "run.yaml",
            steps(
                "fast",
                &text.replace("= bad", "= none").replace("exit 4", "true"),
            ),
        );
        let ended = lab
            .run(&["run", ".", "--joblog", "log", "-o", "json"])
            .exits(0);
        let fan = ended.step("fan");
        assert_eq!(
            (&fan["already"], &fan["done"]),
            (&done.into(), &(4 - done).into()),
            "{fan}"
        );
        let order = lab.read("order");
        assert_eq!(
            order.lines().filter(|line| *line == "a").count(),
            1,
            "{order}"
        );
        assert_eq!(
            order.lines().filter(|line| *line == "bad").count(),
            2,
            "{order}"
        );
    }
}

#[test]
fn an_element_is_tried_again_by_itself() {
    let lab = Lab::new();
    let text = "- name: fan\n  forEach: [a, b]\n  retries: 2\n  \
                script: '[ $MEMQ_ELEMENT = a ] || [ $MEMQ_ATTEMPT = 2 ]'\n";
    lab.write("run.yaml", steps("again", text));
    lab.run(&["run", ".", "--joblog", "log"])
        .exits(0)
        .complains("fan: b: try 1 of 3: exit code 1; again in");
    let lines = lab.joblog("log");
    let tries =
        |key: &str| lines.iter().find(|line| line["element"] == key).unwrap()["attempts"].clone();
    assert_eq!((tries("a"), tries("b")), (1.into(), 2.into()));
}
