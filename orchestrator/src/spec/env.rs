//! Variables for what a step runs.

use std::collections::BTreeMap;

use super::cursor::At;
use super::fault::Fault;
use super::node::Value;
use super::schema::ENV_SOURCE;

/// Where the value of a variable comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EnvValue {
    /// This text.
    Text(String),
    /// A key of a Secret.
    Secret {
        /// The Secret's name.
        name: String,
        /// The key in it.
        key: String,
    },
    /// A key of a ConfigMap.
    ConfigMap {
        /// The ConfigMap's name.
        name: String,
        /// The key in it.
        key: String,
    },
}

const WANTED: &str = "a plain value: a text, a number or a boolean; or {secret: NAME/KEY} or \
                      {configMap: NAME/KEY}";
const NAME_AND_KEY: &str = "NAME/KEY: the object's name, a slash, and the key in it";

impl EnvValue {
    fn read(at: &At<'_>, kept: bool) -> Result<Self, Fault> {
        if !matches!(at.node().value, Value::Map(_)) {
            let text = at.text(WANTED)?;
            return if text.contains('\0') {
                Err(at.fault("a variable cannot hold a NUL byte", ""))
            } else {
                Ok(Self::Text(text.to_owned()))
            };
        }
        let fields = at.fields(&ENV_SOURCE)?;
        let (kind, at) = fields.one_of(&["secret", "configMap"], &format!("give {WANTED}"))?;
        let text = at.text(NAME_AND_KEY)?;
        let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        let (name, key) = text
            .split_once('/')
            .filter(|(name, key)| {
                kept || is_object_name(name) && !key.is_empty() && key.chars().all(legal)
            })
            .ok_or_else(|| at.wrong(NAME_AND_KEY))?;
        let (name, key) = (name.to_owned(), key.to_owned());
        Ok(match kind {
            "secret" => Self::Secret { name, key },
            _ => Self::ConfigMap { name, key },
        })
    }

    /// The variable of this machine that stands for a value which lies in a cluster: a secret `db/password`
    /// is `MEMQ_SECRET_DB_PASSWORD`.
    #[must_use]
    pub fn variable(&self) -> Option<String> {
        let (kind, name, key) = match self {
            Self::Text(_) => return None,
            Self::Secret { name, key } => ("SECRET", name, key),
            Self::ConfigMap { name, key } => ("CONFIGMAP", name, key),
        };
        let plain = |c: char| {
            if c.is_ascii_alphanumeric() {
                c.to_ascii_uppercase()
            } else {
                '_'
            }
        };
        let rest: String = format!("{name}_{key}").chars().map(plain).collect();
        Some(format!("MEMQ_{kind}_{rest}"))
    }
}

/// Whether Kubernetes would take it as the name of a Secret, a ConfigMap or a claim.
pub(super) fn is_object_name(name: &str) -> bool {
    let legal = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'.');
    (1..=253).contains(&name.len())
        && name.bytes().all(legal)
        && !name.starts_with(['-', '.'])
        && !name.ends_with(['-', '.'])
}

/// Reads a map of variables. In what is `kept`, an element stands for itself and may be part of a name.
pub(crate) fn read(at: &At<'_>, kept: bool) -> Result<BTreeMap<String, EnvValue>, Fault> {
    let mut env = BTreeMap::new();
    for (_, name, value) in at.entries("a map of variables: NAME: value")? {
        let legal = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
        if name.is_empty() || !name.bytes().all(legal) || name.as_bytes()[0].is_ascii_digit() {
            return Err(value.fault(
                format!("`{name}` is no name of a variable"),
                "use letters, digits and _, not a digit first",
            ));
        }
        if name.starts_with("MEMQ_") {
            return Err(value.fault(
                format!("`{name}` would change how the worker itself runs"),
                "names that begin with MEMQ_ are kept for memq; choose another",
            ));
        }
        env.insert(name.to_owned(), EnvValue::read(&value, kept)?);
    }
    Ok(env)
}
