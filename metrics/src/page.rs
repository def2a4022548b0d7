//! The page that describes every family, written from their declarations.

use std::fmt::Write as _;

use crate::{Catalog, Family, Kind, Values};

/// The page: `head` as it is, then a section for each program.
#[must_use]
pub fn page(head: &str, catalogs: &[&Catalog]) -> String {
    let mut page = head.to_owned();
    for catalog in catalogs {
        section(&mut page, catalog);
    }
    page
}

fn section(page: &mut String, catalog: &Catalog) {
    let Catalog {
        program,
        place,
        groups,
    } = catalog;
    // Writing to a string cannot fail.
    let _ = write!(page, "\n## {program}\n\n{place}\n");
    for group in *groups {
        let _ = write!(page, "\n### {program}: {}\n\n", group.title);
        if !group.about.is_empty() {
            let _ = write!(page, "{}\n\n", group.about);
        }
        page.push_str("| name | kind | unit | labels | what it is |\n|---|---|---|---|---|\n");
        for family in group.families {
            row(page, family);
        }
    }
}

fn row(page: &mut String, family: &Family) {
    let kind = match family.kind {
        Kind::Counter => "counter",
        Kind::Gauge => "gauge",
        Kind::Histogram(_) => "histogram",
    };
    let labels: Vec<_> = family.labels.iter().map(label).collect();
    let mut what = family.help.to_owned();
    if let Some(when) = family.when {
        let _ = write!(what, " Only {when}.");
    }
    if let Kind::Histogram(bounds) = family.kind {
        let bounds: Vec<_> = bounds.iter().map(f64::to_string).collect();
        let _ = write!(what, " Buckets: {}.", bounds.join(", "));
    }
    let Family { name, unit, .. } = family;
    let labels = labels.join("; ");
    let _ = writeln!(page, "| `{name}` | {kind} | {unit} | {labels} | {what} |");
}

fn label(label: &crate::Label) -> String {
    let name = label.name;
    match label.values {
        Values::Any(what) => format!("`{name}`: {what}"),
        Values::Of(words) => {
            let words: Vec<_> = words.iter().map(|word| format!("`{word}`")).collect();
            format!("`{name}`: {}", words.join(", "))
        }
    }
}
