//! `memq lint`.

use std::collections::BTreeSet;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::CommandFactory as _;

use super::run::param;
use super::{Cli, Output, USAGE};
use crate::lint::{self, Finding, Severity, Subject};
use crate::spec::FILE_NAME;

/// What findings that are errors exit with.
const ERRORS: u8 = 1;
/// Standard input, on the command line.
const STDIN: &str = "-";

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// Run specs and Kubernetes manifests: files, folders, or - for standard input.
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// Set a parameter of the run specs.
    #[arg(short = 'p', long = "param", value_name = "NAME=VALUE", value_parser = param)]
    params: Vec<(String, String)>,
    /// How findings are printed.
    #[arg(short, long, value_enum, value_name = "FORM", default_value_t)]
    output: Output,
}

const EXAMPLES: &str = "\
Of a folder with a run.yaml that file is read, of any other all *.yaml and *.yml below it. No cluster is
asked. docs/lint.md lists the rules with their reasons.

Examples:
  memq lint examples/keygen
  memq lint -p day=monday nightly.yaml jobs/
  helm template . | memq lint -
  memq lint --output json jobs/ | jq -r '.[] | select(.severity == \"error\") | .file'

Exit codes: 0 no errors (there may be warnings and notes), 1 errors, 64 a file that cannot be read.";

pub(super) fn run(args: Args) -> anyhow::Result<u8> {
    let Args {
        files,
        params,
        output,
    } = args;
    let variables = variables();
    let mut findings = Vec::new();
    let mut unread = false;
    for path in &files {
        for file in files_of(path) {
            match text(&file) {
                Ok(text) => findings.extend(lint::lint(&Subject {
                    text: &text,
                    file: &file,
                    dir: folder(&file),
                    in_chart: in_chart(&file),
                    params: &params,
                    variables: &variables,
                })),
                Err(error) => {
                    unread = true;
                    super::complain(&error);
                }
            }
        }
    }
    output.answer(&findings, || for_people(&findings))?;
    let bad = findings.iter().any(|f| f.severity == Severity::Error);
    Ok(match (unread, bad) {
        (true, _) => USAGE,
        (false, true) => ERRORS,
        (false, false) => 0,
    })
}

/// The variables that our programs read, and those that a step's Job sets.
fn variables() -> Vec<String> {
    fn of(command: &clap::Command, found: &mut BTreeSet<String>) {
        let env = command.get_arguments().filter_map(clap::Arg::get_env);
        found.extend(env.map(|name| name.to_string_lossy().into_owned()));
        for below in command.get_subcommands() {
            of(below, found);
        }
    }
    // The filter of the log is read before there is a command line, and a token is no argument.
    let mut found = ["MEMQ_LOG", queue_client::TOKEN_VARIABLE]
        .map(str::to_owned)
        .into();
    of(&Cli::command(), &mut found);
    found.into_iter().collect()
}

fn text(file: &Path) -> anyhow::Result<String> {
    let read = || {
        if file == Path::new(STDIN) {
            let mut text = String::new();
            std::io::stdin().read_to_string(&mut text).map(|_| text)
        } else {
            std::fs::read_to_string(file)
        }
    };
    read().with_context(|| format!("cannot read `{}`", file.display()))
}

fn folder(file: &Path) -> &Path {
    file.parent()
        .filter(|dir| !dir.as_os_str().is_empty())
        .unwrap_or(Path::new("."))
}

/// Whether a file is a template of a chart: helm looks for them in one folder alone.
fn in_chart(file: &Path) -> bool {
    let mut above = file.ancestors().skip(1);
    above.any(|dir| {
        dir.file_name().is_some_and(|name| name == "templates")
            && dir
                .parent()
                .is_some_and(|chart| chart.join("Chart.yaml").is_file())
    })
}

/// The files that are meant by a path, in the order of their names.
fn files_of(path: &Path) -> Vec<PathBuf> {
    if !path.is_dir() {
        return vec![path.to_owned()];
    }
    let run = path.join(FILE_NAME);
    if run.is_file() {
        return vec![run];
    }
    let Ok(entries) = std::fs::read_dir(path) else {
        // Reading it as a file says why it cannot be read.
        return vec![path.to_owned()];
    };
    let mut inside: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
    inside.sort();
    let is_yaml = |path: &PathBuf| {
        path.extension()
            .is_some_and(|extension| extension == "yaml" || extension == "yml")
    };
    // A link to a folder may lead in a circle.
    let is_folder = |path: &PathBuf| path.is_dir() && !path.is_symlink();
    inside
        .into_iter()
        .filter(|path| is_folder(path) || is_yaml(path))
        .flat_map(|path| files_of(&path))
        .collect()
}

fn for_people(findings: &[Finding]) -> String {
    let mut text = String::new();
    for finding in findings {
        let Finding {
            file,
            line,
            column,
            rule,
            severity,
            what,
            why,
            help,
        } = finding;
        let file = file.display();
        text.push_str(&format!(
            "{file}:{line}:{column}: {severity} {rule}: {what}\n  {why}\n  {help}\n"
        ));
    }
    let count = |severity| findings.iter().filter(|f| f.severity == severity).count();
    let (errors, warnings, notes) = (
        count(Severity::Error),
        count(Severity::Warning),
        count(Severity::Note),
    );
    text.push_str(&format!(
        "{errors} errors, {warnings} warnings, {notes} notes\n"
    ));
    text
}
