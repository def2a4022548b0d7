//! The schema as the tables of docs/runspec.md, which stand there between marks.

use super::{DEFAULTS, Field, Object, PARAM, RUN, STEP, Shape};

/// The tables by the name in their marks, and what is left out of each because it has one of its own.
const TABLES: [(&str, &Object, &[&str]); 4] = [
    ("document", &RUN, &["params", "defaults", "steps"]),
    ("param", &PARAM, &[]),
    ("defaults", &DEFAULTS, &["env", "volumes", "resources"]),
    ("step", &STEP, &[]),
];

/// A page with its tables as the schema has them. What has no mark in it is an error, by its name.
pub fn put_into(page: &str) -> Result<String, String> {
    let mut page = page.to_owned();
    for (name, object, apart) in TABLES {
        let (begin, end) = (
            format!("<!-- fields: {name} -->\n"),
            "<!-- end of fields -->",
        );
        let missing = || format!("there is no `{}` with an end after it", begin.trim());
        let (before, rest) = page.split_once(&begin).ok_or_else(missing)?;
        let (_, after) = rest.split_once(end).ok_or_else(missing)?;
        page = format!("{before}{begin}{}{end}{after}", table(object, apart));
    }
    Ok(page)
}

fn table(object: &Object, apart: &[&str]) -> String {
    let mut table = "| Field | Value | If absent |\n|---|---|---|\n".to_owned();
    rows(&mut table, "", object, apart);
    table
}

fn rows(table: &mut String, prefix: &str, object: &Object, apart: &[&str]) {
    for field in object.fields {
        let Field {
            name,
            shape,
            meaning,
            absent,
        } = field;
        let path = format!("{prefix}{name}");
        // The only field of its map stands for the map.
        let inner = inner(shape);
        let alone = inner
            .as_ref()
            .is_some_and(|(_, inner)| inner.fields.len() == 1);
        if !alone {
            table.push_str(&format!("| `{path}` | {meaning} | {absent} |\n"));
        }
        if let Some((key, inner)) = inner.filter(|_| !apart.contains(name)) {
            rows(table, &format!("{path}.{key}"), inner, apart);
        }
    }
}

/// The map of fields that a field holds, and what stands between their names.
fn inner(shape: &Shape) -> Option<(String, &'static Object)> {
    match shape {
        Shape::Object(object) => Some((String::new(), object)),
        Shape::Map { of, key, .. } => {
            inner(of).map(|(rest, object)| (format!("{key}.{rest}"), object))
        }
        Shape::Either(forms) => forms.iter().find_map(inner),
        _ => None,
    }
}
