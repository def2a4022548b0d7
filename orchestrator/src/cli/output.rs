//! The forms in which answers are printed.

use clap::ValueEnum;
use serde::Serialize;

use crate::view::{print, print_json};

/// How answers are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(super) enum Output {
    /// For people.
    #[default]
    Text,
    /// For programs.
    Json,
    /// For programs and people.
    Yaml,
}

/// How answers are printed that are of things with names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(super) enum Form {
    /// For people.
    #[default]
    Text,
    /// For programs.
    Json,
    /// For programs and people.
    Yaml,
    /// The names alone, a line each.
    Name,
}

impl Output {
    /// Prints an answer.
    pub(super) fn answer(
        self,
        value: &impl Serialize,
        text: impl FnOnce() -> String,
    ) -> anyhow::Result<()> {
        match self {
            Self::Text => print(&text()),
            Self::Json => print_json(value)?,
            Self::Yaml => print(&serde_saphyr::to_string(value)?),
        }
        Ok(())
    }
}

impl Form {
    /// Prints an answer about things of these names.
    pub(super) fn answer(
        self,
        value: &impl Serialize,
        names: impl IntoIterator<Item = String>,
        text: impl FnOnce() -> String,
    ) -> anyhow::Result<()> {
        match self {
            Self::Text => print(&text()),
            Self::Json => print_json(value)?,
            Self::Yaml => print(&serde_saphyr::to_string(value)?),
            Self::Name => {
                for name in names {
                    print(&name);
                }
            }
        }
        Ok(())
    }
}
