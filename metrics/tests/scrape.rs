//! What a scrape looks like, and what the checks find wrong with one.

use std::collections::BTreeSet;

use metrics::check::{Scrape, declarations};
use metrics::{Catalog, Family, Group, Label, PROCESS, Process, Rows, text};

const LIGHTS: Family = Family::gauge("memq_lights", "lights", "Lights that are on.").by(&[
    Label::of("colour", &["red", "green"]),
    Label::any("place", "where it is"),
]);
const TURNS: Family = Family::counter("memq_turns_total", "turns", "Turns of a switch.");
const BURNT: Family = Family::seconds("memq_burnt_seconds", &[0.5, 2.0], "How long lights burnt.");

const CATALOG: Catalog = Catalog {
    program: "lamp",
    place: "Here.",
    groups: &[
        Group {
            title: "lights",
            about: "All of them.",
            families: &[&LIGHTS, &TURNS, &BURNT],
        },
        Group {
            title: "process",
            about: "",
            families: PROCESS,
        },
    ],
};

fn scraped() -> Vec<prometheus::proto::MetricFamily> {
    let mut lights = Rows::new(&LIGHTS);
    lights.add(&["red", "a \"quoted\"\\\nplace"], 2.0);
    lights.add(&["green", "b"], 0.0);
    let mut burnt = Rows::new(&BURNT);
    burnt.add_histogram(&[], &[3, 1, 2], 40.5);
    let process = Process {
        program: "memq",
        version: "1",
    };
    let own = [
        lights.into_family(),
        Rows::one(&TURNS, 7.0),
        burnt.into_family(),
    ];
    own.into_iter().chain(process.collect()).collect()
}

#[test]
fn what_is_declared_is_what_is_scraped() {
    let text = text(scraped()).expect("legal families");
    let scrape = Scrape::read(&text).expect("the text format");
    assert_eq!(scrape.undeclared(&CATALOG), Vec::<String>::new());
    assert_eq!(scrape.missing(&CATALOG), BTreeSet::new());
    let place = "a \"quoted\"\\\nplace";
    assert_eq!(scrape.value("memq_lights", &[("place", place)]), Some(2.0));
    assert_eq!(scrape.value("memq_turns_total", &[]), Some(7.0));
    assert_eq!(
        scrape.value("memq_burnt_seconds_bucket", &[("le", "2")]),
        Some(4.0)
    );
    assert_eq!(
        scrape.value("memq_burnt_seconds_bucket", &[("le", "+Inf")]),
        Some(6.0)
    );
    assert_eq!(scrape.value("memq_burnt_seconds_count", &[]), Some(6.0));
    assert_eq!(scrape.value("memq_burnt_seconds_sum", &[]), Some(40.5));
    assert!(
        declarations(&CATALOG).is_empty(),
        "{:?}",
        declarations(&CATALOG)
    );
}

#[test]
fn a_process_tells_of_itself_what_the_kernel_knows() {
    let text = text(scraped()).expect("legal families");
    let scrape = Scrape::read(&text).expect("the text format");
    let value = |name| scrape.value(name, &[]).expect("a figure of the process");
    // The folder of a process is as old as the process.
    let made = std::fs::metadata("/proc/self").and_then(|folder| folder.modified());
    let made = made
        .expect("its folder")
        .duration_since(std::time::UNIX_EPOCH);
    let apart = made.expect("after 1970").as_secs_f64() - value("process_start_time_seconds");
    assert!((-2.0..600.0).contains(&apart), "{apart} s apart");
    assert!(value("process_cpu_seconds_total") > 0.0);
    assert!(value("process_threads") >= 1.0);
    let resident = value("process_resident_memory_bytes");
    assert!(resident > 100_000.0 && resident < value("process_virtual_memory_bytes"));
    assert!(
        value("process_open_fds") >= 3.0 && value("process_open_fds") < value("process_max_fds")
    );
}

#[test]
fn what_is_not_declared_is_found() {
    const OTHER: Family = Family::gauge("memq_other", "others", "Something else.");
    const AS_GAUGE: Family = Family::gauge("memq_turns_total", "turns", "Turns of a switch.");
    const LESS: Family = Family::gauge("memq_lights", "lights", "Lights that are on.")
        .by(&[Label::any("colour", "a colour")]);
    let mut blue = Rows::new(&LIGHTS);
    blue.add(&["blue", "b"], 1.0);
    let mut less = Rows::new(&LESS);
    less.add(&["red"], 1.0);
    for (family, expected) in [
        (Rows::one(&OTHER, 1.0), "memq_other is not in the catalog"),
        (Rows::one(&AS_GAUGE, 1.0), "memq_turns_total is a gauge"),
        (blue.into_family(), "memq_lights has colour=blue"),
        (
            less.into_family(),
            "memq_lights has the labels [\"colour\"]",
        ),
    ] {
        let text = text(vec![family]).expect("a legal family");
        let wrong = Scrape::read(&text)
            .expect("the format")
            .undeclared(&CATALOG);
        assert_eq!(wrong.len(), 1, "{wrong:?}");
        assert!(wrong[0].contains(expected), "{wrong:?}");
    }
}

#[test]
fn text_that_prometheus_would_refuse_is_found() {
    let head = "# HELP a A.\n# TYPE a gauge\n";
    for (text, expected) in [
        ("a 1\n".to_owned(), "apart from its family"),
        (format!("{head}a 1\na 2\n"), "a series comes twice"),
        (format!("{head}a 1"), "does not end"),
        (format!("{head}a one\n"), "no line of the format"),
        (format!("{head}a{{b=\"c}} 1\n"), "no line of the format"),
        (format!("{head}a_count 1\n"), "apart from its family"),
        (format!("{head}{head}"), "a family comes twice"),
        (
            "# TYPE a gauge\na 1\n".to_owned(),
            "a kind without its help",
        ),
    ] {
        let wrong = Scrape::read(&text).expect_err("it is wrong");
        assert!(wrong.contains(expected), "{text}: {wrong}");
    }
}

#[test]
fn names_that_break_the_rules_are_found() {
    const LABEL: Label = Label::any("pod", "its pod");
    const WRONG: &[(Family, &str)] = &[
        (Family::gauge("lights", "lights", "Help."), "is not memq_"),
        (
            Family::gauge("memq_Lights", "lights", "Help."),
            "small letters",
        ),
        (
            Family::gauge("memq_a_total", "turns", "Help."),
            "ends with _total",
        ),
        (
            Family::counter("memq_a", "turns", "Help."),
            "ends with _total",
        ),
        (
            Family::gauge("memq_age", "seconds", "Help."),
            "its unit: that is seconds",
        ),
        (
            Family::gauge("memq_a_bytes", "items", "Help."),
            "its unit: that is items",
        ),
        (
            Family::gauge("memq_age_ms", "time", "Help."),
            "ends with _ms",
        ),
        (
            Family::gauge("memq_a", "turns", "no sentence"),
            "no sentence",
        ),
        (
            Family::seconds("memq_a_seconds", &[2.0, 1.0], "Help."),
            "not in order",
        ),
        (
            Family::gauge("memq_a", "turns", "Help.").by(&[LABEL]),
            "pod is taken",
        ),
    ];
    for (family, expected) in WRONG {
        let families: &'static [&'static Family] = Box::leak(Box::new([family]));
        let groups = Box::leak(Box::new([Group {
            title: "wrong",
            about: "",
            families,
        }]));
        let wrong = declarations(&Catalog { groups, ..CATALOG });
        assert!(
            wrong.iter().any(|w| w.contains(expected)),
            "{expected}: {wrong:?}"
        );
    }
}

#[test]
fn the_page_has_a_row_for_each_family() {
    let page = metrics::page("# Top\n", &[&CATALOG]);
    assert!(
        page.starts_with("# Top\n\n## lamp\n\nHere.\n\n### lamp: lights\n\nAll of them.\n"),
        "{page}"
    );
    let row = "| `memq_lights` | gauge | lights | `colour`: `red`, `green`; `place`: where it is | Lights that are on. |";
    assert!(page.lines().any(|line| line == row), "{page}");
    assert!(
        page.contains("How long lights burnt. Buckets: 0.5, 2. |"),
        "{page}"
    );
    for family in CATALOG.families() {
        assert!(
            page.contains(&format!("| `{}` |", family.name)),
            "{}",
            family.name
        );
    }
}
