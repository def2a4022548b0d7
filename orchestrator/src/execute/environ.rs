//! Variables of what a run starts: those of the spec, and in place of Secrets and ConfigMaps, which only
//! a cluster has, values from `--env-file` or the environment.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context as _, bail};
use tokio::process::Command;

use crate::spec::EnvValue;

/// Where values that a cluster would have come from on this machine.
#[derive(Debug, Default)]
pub(super) struct Outside {
    file: BTreeMap<String, String>,
}

impl Outside {
    /// Reads the file, if there is one: `NAME=VALUE` a line, as it stands; `#` begins a comment line.
    pub(super) fn read(file: Option<&Path>) -> anyhow::Result<Self> {
        let Some(path) = file else {
            return Ok(Self::default());
        };
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("cannot read variables from `{}`", path.display()))?;
        let mut file = BTreeMap::new();
        for (index, line) in text.lines().enumerate() {
            let start = line.trim_start();
            if start.is_empty() || start.starts_with('#') {
                continue;
            }
            match start.split_once('=') {
                Some((name, value)) if !name.trim().is_empty() => {
                    file.insert(name.trim().to_owned(), value.to_owned());
                }
                // The line is not shown: it may be a secret.
                _ => bail!(
                    "line {} of `{}` is no NAME=VALUE",
                    index + 1,
                    path.display()
                ),
            }
        }
        Ok(Self { file })
    }

    /// The value of a variable: the file's, else the environment's.
    pub(super) fn find(&self, name: &str) -> Option<String> {
        let given = self.file.get(name).cloned();
        given.or_else(|| std::env::var(name).ok())
    }

    /// The variables with their values; those that are missing are left out.
    pub(super) fn resolve(&self, env: &BTreeMap<String, EnvValue>) -> Vec<(String, String)> {
        let resolved = env.iter().filter_map(|(name, value)| {
            let text = match value {
                EnvValue::Text(text) => Some(text.clone()),
                other => other.variable().and_then(|variable| self.find(&variable)),
            };
            Some((name.clone(), text?))
        });
        resolved.collect()
    }
}

/// A name as a part of a variable's name.
pub(super) fn upper(name: &str) -> String {
    let upper = |c: char| match c.is_ascii_alphanumeric() {
        true => c.to_ascii_uppercase(),
        false => '_',
    };
    name.chars().map(upper).collect()
}

/// Takes our variables out of what a command inherits: settings of the caller's own shell are not
/// settings of this run. How much is logged is.
pub(super) fn without_ours(command: &mut Command) {
    for (variable, _) in std::env::vars_os() {
        let name = variable.to_string_lossy();
        if name.starts_with("MEMQ_") && name != "MEMQ_LOG" {
            command.env_remove(variable);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(name: &str, key: &str) -> EnvValue {
        EnvValue::Secret {
            name: name.into(),
            key: key.into(),
        }
    }

    fn outside(text: &str) -> anyhow::Result<Outside> {
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(file.path(), text).expect("a write");
        Outside::read(Some(file.path()))
    }

    #[test]
    fn what_a_cluster_would_have_is_found_by_the_name_that_stands_for_it() {
        let text = "# a comment\n\n MEMQ_SECRET_DB_ADMIN_PASS_WORD= x=y \n";
        let outside = outside(text).expect("variables");
        let env = BTreeMap::from([
            ("P".to_owned(), secret("db-admin", "pass.word")),
            ("Q".to_owned(), secret("db", "key")),
            ("R".to_owned(), EnvValue::Text("plain".into())),
        ]);
        let resolved = outside.resolve(&env);
        let wanted = [("P", " x=y "), ("R", "plain")];
        assert_eq!(
            resolved,
            wanted.map(|(name, value)| (name.into(), value.into()))
        );
    }

    #[test]
    fn a_line_that_is_no_variable_is_named_and_not_shown() {
        for text in ["ok=1\nhunter2", "ok=1\n=hunter2"] {
            let error = outside(text).expect_err("a mistake").to_string();
            assert!(error.starts_with("line 2 of"), "{error}");
            assert!(!error.contains("hunter2"), "{error}");
        }
    }
}
