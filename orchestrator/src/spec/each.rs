//! A step that runs once for each element of a list or a map, each a process or a Job of its own.

use std::collections::BTreeMap;

use super::cursor::{At, Fields};
use super::env::{self, EnvValue};
use super::fault::Fault;
use super::handler::Handler;
use super::node::Value;
use super::room::{MAX_ADDED, PER_ENTRY, weigh_env};
use super::substitute::{Each, Known, share, substitute};

/// What a step runs once each for.
#[derive(Debug, Clone, PartialEq)]
pub struct ForEach {
    /// The elements, at least one, in the order of the file.
    pub elements: Vec<Element>,
    /// Most that run at the same time; absent: all.
    pub max_parallel: Option<u32>,
    /// Whether no more are begun once one has failed.
    pub fail_fast: bool,
}

/// One element, and what runs for it.
#[derive(Debug, Clone, PartialEq)]
pub struct Element {
    /// Of a map its key, of a list its text.
    pub key: String,
    /// The value; of a list its text again.
    pub value: String,
    /// The step's handler with this element put in.
    pub handler: Handler,
    /// The step's variables with this element put in.
    pub env: BTreeMap<String, EnvValue>,
}

/// Most elements: each is a Job, and a cluster's status names them all.
pub(super) const MAX_ELEMENTS: usize = 1_000;

const WANTED: &str = "a list of texts, a map of texts, or $(params.NAME) of a list";

impl ForEach {
    /// Reads the elements. `raw` is the step before anything was put in, `step` the same with each element
    /// left as it is written, `name` its name, `inherited` what variables every step has.
    pub(crate) fn read(
        raw: &Fields<'_>,
        step: &Fields<'_>,
        known: &Known<'_>,
        name: &str,
        inherited: &BTreeMap<String, EnvValue>,
    ) -> Result<Self, Fault> {
        let at = step.need("forEach", WANTED)?;
        let pairs = pairs(at)?;
        if pairs.is_empty() {
            return Err(at.fault("there is no element", format!("give {WANTED}")));
        }
        if pairs.len() > MAX_ELEMENTS {
            let help = "give what is so many as `items`: one queue holds a billion of them";
            let message = format!(
                "these are {} elements, more than {MAX_ELEMENTS}",
                pairs.len()
            );
            return Err(at.fault(message, help));
        }
        let bytes = weight(raw, known, inherited, &pairs)?;
        known.room.take(bytes).map_err(|all| {
            at.fault(
                format!(
                    "the {} elements of step `{name}` come to {bytes} bytes, each with its own copy of what runs \
                     and of its variables; with what else is put in these are {all}, of {MAX_ADDED} (2 MiB) that \
                     values and elements may add to a run",
                    pairs.len()
                ),
                "make the script smaller, or give what is so many as `items`",
            )
        })?;
        let elements = pairs
            .into_iter()
            .map(|(key, value)| Element::read(raw, known, inherited, key, value))
            .collect::<Result<Vec<_>, _>>()?;
        let most = step
            .get("maxParallel")
            .map(|at| at.integer(1..=MAX_ELEMENTS as i64))
            .transpose()?;
        Ok(Self {
            elements,
            max_parallel: most.and_then(|most| u32::try_from(most).ok()),
            fail_fast: step
                .get("failFast")
                .map(At::boolean)
                .transpose()?
                .unwrap_or(false),
        })
    }
}

fn pairs(at: &At<'_>) -> Result<Vec<(String, String)>, Fault> {
    let scalar = "a text, a number or a boolean";
    match at.node().value {
        Value::Map(_) => at
            .entries(WANTED)?
            .into_iter()
            .map(|(_, key, at)| Ok((key.to_owned(), at.text(scalar)?.to_owned())))
            .collect(),
        _ => at
            .list_or_param(WANTED)?
            .iter()
            .map(|at| {
                at.text(scalar)
                    .map(|text| (text.to_owned(), text.to_owned()))
            })
            .collect(),
    }
}

/// What all elements will count, before any of them is made.
fn weight(
    raw: &Fields<'_>,
    known: &Known<'_>,
    inherited: &BTreeMap<String, EnvValue>,
    pairs: &[(String, String)],
) -> Result<usize, Fault> {
    let handler = Handler::field(raw)?.map(|(_, at)| at);
    let shares = handler
        .into_iter()
        .chain(raw.get("env"))
        .map(|at| share(at.node(), known))
        .collect::<Vec<_>>();
    let inherited = PER_ENTRY + weigh_env(inherited);
    let of_element = |(key, value): &(String, String)| {
        let shares = shares
            .iter()
            .map(|share| share.same + share.keys * key.len() + share.values * value.len());
        inherited + key.len() + value.len() + shares.sum::<usize>()
    };
    Ok(pairs.iter().map(of_element).sum())
}

impl Element {
    fn read(
        raw: &Fields<'_>,
        known: &Known<'_>,
        inherited: &BTreeMap<String, EnvValue>,
        key: String,
        value: String,
    ) -> Result<Self, Fault> {
        let known = Known {
            each: Each::Is {
                key: &key,
                value: &value,
            },
            ..*known
        };
        let handler = match Handler::field(raw)? {
            None => Handler::Image,
            Some((kind, at)) => {
                let node = substitute(at, &known)?;
                Handler::of(kind, &At::part(&node, &at.path()), false)?
            }
        };
        let mut env = inherited.clone();
        if let Some(at) = raw.get("env") {
            let node = substitute(at, &known)?;
            env.extend(env::read(&At::part(&node, &at.path()), false)?);
        }
        Ok(Self {
            key,
            value,
            handler,
            env,
        })
    }
}
