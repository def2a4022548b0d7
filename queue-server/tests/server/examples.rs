//! The examples of docs/protocol.md, as they stand there: each request is sent, and the answer must be the one
//! that is shown.
//!
//! An example is a block marked `http`: lines with `>` are a request, lines with `<` its answer, each a first line,
//! headers, a blank line and a body. All of them are one story with one server. In what is shown, `…` stands for
//! any value, and `$name` for one that is the same wherever the name stands. An answer that shows no body may have
//! any.

use std::collections::HashMap;

use serde_json::Value;

use crate::harness::Api;

/// A request and its answer, as they are shown.
#[derive(Debug, Default)]
struct Exchange {
    /// Where it begins in the page, from 1.
    line: usize,
    request: Message,
    answer: Message,
}

#[derive(Debug, Default)]
struct Message {
    first: String,
    headers: Vec<(String, String)>,
    body: Option<String>,
}

impl Message {
    fn add(&mut self, line: &str) {
        match &mut self.body {
            Some(body) if body.is_empty() => body.push_str(line),
            Some(body) => *body = format!("{body}\n{line}"),
            None if line.is_empty() => self.body = Some(String::new()),
            None if self.first.is_empty() => self.first = line.to_owned(),
            None => {
                let (name, value) = line.split_once(": ").expect("a header");
                self.headers.push((name.to_owned(), value.to_owned()));
            }
        }
    }
}

/// The exchanges of a page, in order.
fn exchanges(page: &str) -> Vec<Exchange> {
    let mut found: Vec<Exchange> = Vec::new();
    let mut within = false;
    let mut asking = false;
    for (at, line) in page.lines().enumerate() {
        if line.starts_with("```") {
            within = line == "```http";
            asking = false;
        } else if within {
            let (side, text) = line.split_at(1);
            let text = text.strip_prefix(' ').unwrap_or(text);
            if side == ">" && !asking {
                found.push(Exchange {
                    line: at + 1,
                    ..Exchange::default()
                });
            }
            asking = side == ">";
            let exchange = found.last_mut().expect("a request comes first");
            match side {
                ">" => exchange.request.add(text),
                "<" => exchange.answer.add(text),
                _ => panic!("line {}: neither > nor <: {line}", at + 1),
            }
        }
    }
    found
}

/// What names stand for.
#[derive(Debug, Default)]
struct Names(HashMap<String, String>);

impl Names {
    /// A text with each name replaced, the longest first.
    fn fill(&self, text: &str) -> String {
        let mut names: Vec<_> = self.0.iter().collect();
        names.sort_by_key(|(name, _)| std::cmp::Reverse(name.len()));
        names
            .into_iter()
            .fold(text.to_owned(), |text, (name, value)| {
                text.replace(name, value)
            })
    }

    /// Whether a value is the one that is shown.
    fn is(&mut self, shown: &Value, got: &Value) -> bool {
        match (shown, got) {
            (Value::String(shown), _) if shown == "…" => true,
            (Value::String(shown), Value::String(got)) if shown.starts_with('$') => {
                self.0.entry(shown.clone()).or_insert_with(|| got.clone()) == got
            }
            (Value::Array(shown), Value::Array(got)) => {
                shown.len() == got.len()
                    && shown
                        .iter()
                        .zip(got)
                        .all(|(shown, got)| self.is(shown, got))
            }
            (Value::Object(shown), Value::Object(got)) => {
                let is = |(name, shown): (&String, &Value)| {
                    got.get(name).is_some_and(|got| self.is(shown, got))
                };
                shown.len() == got.len() && shown.iter().all(is)
            }
            _ => shown == got,
        }
    }

    /// The same for a body: JSON, JSON lines, or any other text.
    fn is_body(&mut self, shown: &str, got: &str) -> bool {
        let parse = |text: &str| -> Option<Vec<Value>> {
            text.lines()
                .map(|line| serde_json::from_str(line).ok())
                .collect()
        };
        match (parse(shown), parse(got)) {
            (Some(shown), Some(got)) => {
                shown.len() == got.len()
                    && shown
                        .iter()
                        .zip(&got)
                        .all(|(shown, got)| self.is(shown, got))
            }
            _ => shown.trim_end() == got.trim_end(),
        }
    }
}

#[tokio::test]
async fn the_examples_of_the_protocol_are_as_they_stand_there() {
    let page = include_str!("../../../docs/protocol.md");
    let exchanges = exchanges(page);
    assert!(exchanges.len() > 5, "{exchanges:#?}");
    let api = Api::start();
    let mut names = Names::default();
    for Exchange {
        line,
        request,
        answer,
    } in exchanges
    {
        let first = names.fill(&request.first);
        let (method, path) = first.split_once(' ').expect("a method and a path");
        let headers: Vec<_> = request
            .headers
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        let body = names.fill(&request.body.unwrap_or_default());
        let got = api.call_with(method, path, &headers, body).await;
        let shown = format!("line {line}: {first}: {} {}", got.status, got.text());
        assert_eq!(got.status.to_string(), answer.first, "{shown}");
        for (name, value) in &answer.headers {
            assert_eq!(got.header(&name.to_lowercase()), value, "{shown}");
        }
        if let Some(body) = answer.body {
            assert!(
                names.is_body(&body, &got.text()),
                "{shown}\ninstead of {body}"
            );
        }
    }
}

#[test]
fn an_example_that_is_not_so_is_found_out() {
    let mut names = Names::default();
    assert!(names.is_body(r#"{"id":"$a","at":"…"}"#, r#"{"at":1,"id":"x"}"#));
    assert!(names.is_body(r#"["$a","$b"]"#, r#"["x","y"]"#));
    assert_eq!(names.fill("/items/$a/$b"), "/items/x/y");
    for (shown, got) in [
        (r#"{"id":"$a"}"#, r#"{"id":"y"}"#),
        (r#"{"id":"…"}"#, r#"{"id":1,"more":2}"#),
        (r#"{"id":"…","more":2}"#, r#"{"id":1}"#),
        ("[1,2]", "[1]"),
        ("{}\n{}", "{}"),
        ("text", "another"),
    ] {
        assert!(!names.is_body(shown, got), "{shown} {got}");
    }
}
