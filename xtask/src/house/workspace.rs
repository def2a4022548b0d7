//! Reads the workspace: its crates from cargo, its text files from disk.

use std::fs;
use std::io;
use std::path::Path;

use anyhow::{Context as _, Result};
use cargo_metadata::{Metadata, MetadataCommand};
use proc_macro2::TokenStream;

/// What people write by hand here, by the ends of the files' names.
const TEXT: [&str; 8] = [
    ".rs", ".toml", ".md", ".sh", ".yaml", ".yml", ".py", ".ci/run",
];

/// A text file of the workspace.
#[derive(Debug, Clone)]
pub struct Source {
    /// Its path from the workspace's root, with `/`.
    pub path: String,
    /// Its whole text.
    pub text: String,
}

impl Source {
    /// A file by its parts.
    pub fn new(path: impl Into<String>, text: impl Into<String>) -> Self {
        Self {
            path: path.into(),
            text: text.into(),
        }
    }

    /// Whether it is Rust.
    #[must_use]
    pub fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }

    /// Whether the whole file is there for tests: under `tests/` or `benches/`.
    #[must_use]
    pub fn is_test(&self) -> bool {
        self.path
            .split('/')
            .any(|part| part == "tests" || part == "benches")
    }

    /// Its tokens, without comments; none if it is not Rust, which the compiler says better.
    pub(super) fn tokens(&self) -> TokenStream {
        self.text.parse().unwrap_or_default()
    }
}

/// All that the rules look at.
#[derive(Debug)]
pub struct Workspace {
    /// Every text file written by hand.
    pub sources: Vec<Source>,
    /// What cargo says of the crates.
    pub metadata: Metadata,
}

impl Workspace {
    /// Reads the workspace that the current folder is in.
    ///
    /// # Errors
    ///
    /// Names the file that cannot be read.
    pub fn read() -> Result<Self> {
        let metadata = MetadataCommand::new()
            .no_deps()
            .exec()
            .context("cargo metadata")?;
        let mut sources = Vec::new();
        let root = metadata.workspace_root.as_std_path();
        collect(
            root,
            root,
            metadata.target_directory.as_std_path(),
            &mut sources,
        )
        .with_context(|| format!("cannot read the sources under {}", root.display()))?;
        sources.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(Self { sources, metadata })
    }

    /// The Rust files.
    pub fn rust(&self) -> impl Iterator<Item = &Source> {
        self.sources.iter().filter(|source| source.is_rust())
    }

    /// A path that cargo gave, from the workspace's root.
    #[must_use]
    pub fn relative(&self, path: &Path) -> String {
        relative(self.metadata.workspace_root.as_std_path(), path)
    }
}

fn relative(root: &Path, path: &Path) -> String {
    let path = path.strip_prefix(root).unwrap_or(path);
    path.components()
        .map(|c| c.as_os_str().to_string_lossy())
        .collect::<Vec<_>>()
        .join("/")
}

fn collect(root: &Path, folder: &Path, target: &Path, into: &mut Vec<Source>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        if path.is_dir() {
            // What tools make (.git, target, a virtual environment) nobody wrote.
            let made = path == target || name == "target" || name == "node_modules";
            if !made && (!name.starts_with('.') || name == ".ci") {
                collect(root, &path, target, into)?;
            }
        } else if TEXT.iter().any(|end| path.to_string_lossy().ends_with(end)) {
            into.push(Source::new(
                relative(root, &path),
                fs::read_to_string(&path)?,
            ));
        }
    }
    Ok(())
}
