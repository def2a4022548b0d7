//! Holds declarations to the rules for names, and a scrape to its declarations. For tests.

use std::collections::{BTreeMap, BTreeSet};

use crate::{Catalog, Family, Kind, Values};

/// What is wrong with the declarations of a catalog, a sentence each.
#[must_use]
pub fn declarations(catalog: &Catalog) -> Vec<String> {
    let mut names = BTreeSet::new();
    let mut wrong = Vec::new();
    for family in catalog.families() {
        if !names.insert(family.name) {
            wrong.push(format!("{} is declared twice", family.name));
        }
        declaration(family, &mut |what| {
            wrong.push(format!("{}: {what}", family.name));
        });
    }
    wrong
}

fn declaration(family: &Family, wrong: &mut dyn FnMut(String)) {
    let Family {
        name,
        kind,
        unit,
        labels,
        help,
        when,
    } = *family;
    let ours = name.strip_prefix("memq_");
    let words = ours
        .or_else(|| name.strip_prefix("process_"))
        .unwrap_or_default();
    if words.is_empty()
        || !words
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b"_0123456789".contains(&b))
    {
        wrong("is not memq_ and words in small letters".into());
    }
    let stem = name.strip_suffix("_total");
    if stem.is_some() != (kind == Kind::Counter) {
        wrong("a counter, and nothing else, ends with _total".into());
    }
    let stem = stem.unwrap_or(name);
    for base in ["seconds", "bytes"] {
        if stem.ends_with(base) != (unit == base) {
            wrong(format!("ends with its unit: that is {unit}"));
        }
    }
    for other in [
        "_ms", "_minutes", "_kib", "_mib", "_percent", "_count", "_sum", "_bucket",
    ] {
        if stem.ends_with(other) {
            wrong(format!("ends with {other}"));
        }
    }
    if let Kind::Histogram(bounds) = kind
        && (bounds.is_empty() || !bounds.is_sorted_by(|a, b| a < b))
    {
        wrong("its bounds are not in order".into());
    }
    if !help.ends_with('.') || !help.starts_with(|c: char| c.is_ascii_uppercase()) {
        wrong("its help is no sentence".into());
    }
    if when.is_some_and(|when| when.ends_with('.')) {
        wrong("its condition is a clause".into());
    }
    for label in labels {
        let taken = ["le", "quantile", "job", "instance", "namespace", "pod"];
        if taken.contains(&label.name) || labels.iter().filter(|l| l.name == label.name).count() > 1
        {
            wrong(format!("its label {} is taken", label.name));
        }
        if label.values == Values::Of(&[]) {
            wrong(format!("its label {} may say nothing", label.name));
        }
    }
    // It must be possible to make it.
    match kind {
        Kind::Counter => drop(family.to_counters()),
        Kind::Gauge => drop(family.to_gauges()),
        Kind::Histogram(_) => drop(family.to_histograms()),
    }
}

/// A line of a scrape that is a value.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// Its name, with the `_bucket`, `_sum` or `_count` of a histogram.
    pub name: String,
    /// Its labels, `le` of a bucket among them.
    pub labels: BTreeMap<String, String>,
    /// Its value.
    pub value: f64,
}

/// A scrape as Prometheus would read it.
#[derive(Debug, Clone, Default)]
pub struct Scrape {
    /// Kind and help of each family.
    pub families: BTreeMap<String, (String, String)>,
    /// All values.
    pub samples: Vec<Sample>,
}

impl Scrape {
    /// Reads the text format.
    ///
    /// # Errors
    ///
    /// Says which line is wrong: one that is no line of the format, a value before its family's `HELP` and
    /// `TYPE` or apart from its family's others, a series that comes twice.
    pub fn read(text: &str) -> Result<Self, String> {
        let mut scrape = Self::default();
        let mut seen = BTreeSet::new();
        let mut current = String::new();
        let mut help: Option<(&str, &str)> = None;
        if !text.ends_with('\n') {
            return Err("the last line does not end".into());
        }
        for line in text.lines() {
            let wrong = |why: &str| format!("{why}: {line}");
            if let Some(rest) = line.strip_prefix("# HELP ") {
                help = Some(rest.split_once(' ').ok_or_else(|| wrong("no help"))?);
            } else if let Some(rest) = line.strip_prefix("# TYPE ") {
                let (name, kind) = rest.split_once(' ').ok_or_else(|| wrong("no kind"))?;
                let about = help.take().filter(|(of, _)| *of == name);
                let (_, about) = about.ok_or_else(|| wrong("a kind without its help"))?;
                let told = (kind.to_owned(), about.to_owned());
                if scrape.families.insert(name.to_owned(), told).is_some() {
                    return Err(wrong("a family comes twice"));
                }
                name.clone_into(&mut current);
            } else {
                let sample = sample(line).ok_or_else(|| wrong("no line of the format"))?;
                if scrape.family_of(&sample.name) != Some(current.as_str()) {
                    return Err(wrong("a value apart from its family"));
                }
                if !seen.insert((sample.name.clone(), sample.labels.clone())) {
                    return Err(wrong("a series comes twice"));
                }
                scrape.samples.push(sample);
            }
        }
        Ok(scrape)
    }

    /// The family that a value of this name is of.
    fn family_of(&self, name: &str) -> Option<&str> {
        let parts = ["_bucket", "_sum", "_count"];
        let part_of = || {
            let stem = parts.iter().find_map(|part| name.strip_suffix(part))?;
            let found = self.families.get_key_value(stem)?;
            (found.1.0 == "histogram").then_some(found.0.as_str())
        };
        let itself = self.families.get_key_value(name);
        itself.map(|found| found.0.as_str()).or_else(part_of)
    }

    /// The values of this name whose labels say at least this.
    pub fn having<'a>(
        &'a self,
        name: &'a str,
        labels: &'a [(&'a str, &'a str)],
    ) -> impl Iterator<Item = &'a Sample> {
        let says = |sample: &Sample| {
            let says = |(label, value): &(&str, &str)| {
                sample.labels.get(*label).is_some_and(|said| said == value)
            };
            labels.iter().all(says)
        };
        self.samples
            .iter()
            .filter(move |sample| sample.name == name && says(sample))
    }

    /// The one value of this name whose labels say at least this; none if there is none, or more than one.
    #[must_use]
    pub fn value(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        let mut found = self.having(name, labels);
        let first = found.next()?.value;
        found.next().is_none().then_some(first)
    }

    /// The families of a catalog that have no series here.
    #[must_use]
    pub fn missing(&self, catalog: &Catalog) -> BTreeSet<&'static str> {
        let names = catalog.families().map(|family| family.name);
        names
            .filter(|name| !self.families.contains_key(*name))
            .collect()
    }

    /// What a catalog does not say of what is here, a sentence each.
    #[must_use]
    pub fn undeclared(&self, catalog: &Catalog) -> Vec<String> {
        let declared: BTreeMap<_, _> = catalog.families().map(|f| (f.name, f)).collect();
        let mut wrong = Vec::new();
        for (name, (kind, help)) in &self.families {
            let Some(family) = declared.get(name.as_str()) else {
                wrong.push(format!("{name} is not in the catalog"));
                continue;
            };
            let should = match family.kind {
                Kind::Counter => "counter",
                Kind::Gauge => "gauge",
                Kind::Histogram(_) => "histogram",
            };
            if kind != should || help != family.help {
                wrong.push(format!("{name} is a {kind}: {help}"));
            }
        }
        for sample in &self.samples {
            let family = self
                .family_of(&sample.name)
                .and_then(|name| declared.get(name));
            if let Some(family) = family {
                labels(family, sample, &mut wrong);
            }
        }
        wrong
    }
}

fn labels(family: &Family, sample: &Sample, wrong: &mut Vec<String>) {
    let Sample { name, labels, .. } = sample;
    let mut names: BTreeSet<&str> = family.labels.iter().map(|label| label.name).collect();
    if matches!(family.kind, Kind::Histogram(_)) && name.ends_with("_bucket") {
        names.insert("le");
    }
    if !labels.keys().map(String::as_str).eq(names) {
        wrong.push(format!("{name} has the labels {:?}", labels.keys()));
    }
    for label in family.labels {
        let said = labels.get(label.name).map(String::as_str);
        if let (Values::Of(words), Some(said)) = (label.values, said)
            && !words.contains(&said)
        {
            wrong.push(format!("{name} has {}={said}", label.name));
        }
    }
}

/// A line `name{label="value",…} value`.
fn sample(line: &str) -> Option<Sample> {
    let (head, value) = line.rsplit_once(' ')?;
    let value = match value {
        "+Inf" => f64::INFINITY,
        text => text.parse().ok()?,
    };
    let (name, rest) = match head.split_once('{') {
        Some((name, rest)) => (name, rest.strip_suffix('}')?),
        None => (head, ""),
    };
    let mut labels = BTreeMap::new();
    let mut rest = rest;
    while !rest.is_empty() {
        let (label, quoted) = rest.split_once("=\"")?;
        let (value, after) = unquoted(quoted)?;
        if labels.insert(label.to_owned(), value).is_some() {
            return None;
        }
        rest = after.strip_prefix(',').unwrap_or(after);
    }
    let name = name.to_owned();
    Some(Sample {
        name,
        labels,
        value,
    })
}

/// What stands before the closing quote, and what comes after it.
fn unquoted(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Some((value, &text[at + 1..])),
            '\\' => match chars.next()?.1 {
                'n' => value.push('\n'),
                escaped => value.push(escaped),
            },
            plain => value.push(plain),
        }
    }
    None
}
