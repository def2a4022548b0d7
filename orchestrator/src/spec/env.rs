//! Variables for what a step runs.

use std::collections::BTreeMap;

use super::cursor::At;
use super::fault::Fault;

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

/// Reads a map of variables.
pub(crate) fn read(at: &At<'_>) -> Result<BTreeMap<String, EnvValue>, Fault> {
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
        let text = value.text("a plain value: a text, a number or a boolean")?;
        if text.contains('\0') {
            return Err(value.fault("a variable cannot hold a NUL byte", ""));
        }
        env.insert(name.to_owned(), EnvValue::Text(text.to_owned()));
    }
    Ok(env)
}
