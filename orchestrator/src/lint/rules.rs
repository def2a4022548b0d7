//! Every rule: its code, how bad breaking it is, why, and what to do. docs/lint.md is made of this table.
//!
//! L0xx: files; L1xx: run specs; L2xx: manifests of Jobs and of what else has pods.

use std::fmt;

use serde::Serialize;

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Worth knowing.
    Note,
    /// It works, and will be regretted.
    Warning,
    /// It cannot work.
    Error,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Error => "error",
        })
    }
}

/// A kind of mistake.
#[derive(Debug)]
pub struct Rule {
    /// Its code.
    pub code: &'static str,
    /// How bad breaking it is.
    pub severity: Severity,
    /// The mistake in a few words.
    pub title: &'static str,
    /// Why it is one.
    pub why: &'static str,
    /// What to do about it.
    pub help: &'static str,
}

/// Declares the rules, and the table of all of them.
macro_rules! rules {
    ($($name:ident $code:literal $severity:ident: $title:literal, $why:literal, $help:literal;)*) => {
        $(pub(super) static $name: Rule = Rule {
            code: $code,
            severity: Severity::$severity,
            title: $title,
            why: $why,
            help: $help,
        };)*
        /// All rules, by code.
        pub static RULES: &[&Rule] = &[$(&$name),*];
    };
}

rules! {
    SPEC "L001" Error: "not YAML, or not a run spec",
        "What cannot be read cannot run.",
        "mend the place that is named";
    TEMPLATE "L002" Warning: "a template",
        "What it becomes depends on values that are not here.",
        "render it first: `helm template . | memq lint -`";
    PARAMETER "L003" Warning: "a required parameter has no value",
        "The steps cannot be read without it, so nothing below was checked.",
        "give one: `memq lint -p NAME=VALUE FILE`";

    CLUSTER "L101" Warning: "cannot run in a cluster",
        "With --kube, or as a Run object, this step would fail.",
        "see the message; ignore it if the run is for one machine only";
    MACHINE "L102" Note: "cannot run on one machine",
        "Without --kube this step would be refused.",
        "see the message; ignore it if the run is for a cluster only";
    NO_ITEM_TIMEOUT "L103" Warning: "items without a time limit",
        "A handler that hangs keeps its lease for as long as its worker lives, and the run never ends.",
        "give `item: {timeout: 5m}`, several times what an item takes";
    NO_BOUNDS "L104" Note: "workers without bounds",
        "Without a largest number nothing can be sized: one worker goes through all items.",
        "give `workers: {min: 1, max: 10}`, and a `deadline` if there is one";
    CODE "L105" Warning: "a value becomes code",
        "It is put into the text before a shell reads it, so a value with quotes or `;` runs commands of its own.",
        "hand it over through `env:` and write \"$NAME\" in the code";
    NO_STEP_TIMEOUT "L106" Note: "a command without a time limit",
        "A command that hangs holds the run up for ever.",
        "give the step a `timeout`";

    OLD_API "L201" Error: "an API version that no longer exists",
        "Kubernetes stopped serving it: `kubectl apply` answers \"no matches for kind\".",
        "use the version that is named";
    POD_FIELD_IN_CONTAINER "L202" Error: "a field of the pod inside a container",
        "There it is unknown, or means something else, and the pod goes without it.",
        "move it out of `containers`, to the level of `containers:` itself";
    ONE_STRING "L203" Error: "a command in one string",
        "A command is a list of words, and no shell splits it: Kubernetes looks for one program of that whole name.",
        "write [\"python\", \"x.py\"], or [\"sh\", \"-c\", \"…\"] for a line of shell";
    NAME_IN_LABELS "L204" Error: "a name under labels",
        "The object has no name then, and is refused.",
        "move `name` out of `labels`, to the level of `labels:` itself";
    RESTART_POLICY "L205" Error: "a Job that restarts for ever",
        "A Job's pods end; `restartPolicy` is Always if it is not given, and a Job with it is refused.",
        "give `restartPolicy: Never` in the template's spec";
    ON_FAILURE "L206" Warning: "a Job with restartPolicy OnFailure",
        "A restarted container overwrites its log but one, its restarts count against backoffLimit, and at the limit the pod is deleted with what it said.",
        "give `restartPolicy: Never`: each try is then a pod whose log stays";
    POLICY_ON_FAILURE "L207" Error: "podFailurePolicy without restartPolicy Never",
        "Kubernetes refuses the two together.",
        "give `restartPolicy: Never`";
    JOB_FIELD_IN_POD "L208" Error: "a field of the Job inside the pod",
        "A pod does not have it, so it is refused, or dropped and the Job goes without it.",
        "move it up to the Job's own `spec`";
    ENV_NOT_TEXT "L209" Error: "a variable whose value is no text",
        "`value` takes a text alone, and YAML reads 5, yes and 1e3 as something else.",
        "put it in quotes";

    EMPTY_IS_NOT_DONE "L210" Warning: "a worker that ends when the queue looks empty",
        "An item that another worker holds may come back after this one is gone, and an empty moment while items are still loaded ends them all.",
        "seal the queue after loading (`memq load … --seal`) and let workers end with `--until drained`";
    COMPLETIONS "L211" Warning: "completions on workers of a queue",
        "Each completion is a pod that must succeed: with more of them than workers, pods are started on a queue that is finished.",
        "leave `completions` out: the Job is complete when its workers end with 0";
    NO_PARALLELISM "L212" Warning: "workers of a queue without parallelism",
        "One pod goes through the whole queue.",
        "give `parallelism`, or a Run with `workers: {min: 1, max: 10}`, which sizes it";
    NO_FAILURE_POLICY "L213" Warning: "workers of a queue without a podFailurePolicy",
        "A worker that is told to stop exits 75, and one whose node is drained is lost: both count as failures of the Job.",
        "ignore DisruptionTarget and the exit codes 69 and 75 in `podFailurePolicy`; `memq render` shows the rules of a Run";
    EXIT_0_ON_STOP "L214" Warning: "a worker in a Job that never ends by itself",
        "The Job is complete only when the worker exits 0, which it never does.",
        "use `--until drained` in a Job, and `--until forever` in a Deployment";
    TTL "L215" Warning: "ttlSecondsAfterFinished under GitOps",
        "When the Job is gone, the tool finds it missing and makes it again: it runs for ever.",
        "leave the ttl out, make it a hook of the tool, or create the Job (or a Run) from outside";
    JOB_IN_CHART "L216" Warning: "a Job that a chart installs",
        "It runs at install, cannot be changed by an upgrade, and runs again whenever it is gone.",
        "make it a hook (`helm.sh/hook`), a CronJob, or create a Run with a generated name";
    LATEST "L217" Warning: "an image that moves",
        "Two pods of one Job may run two programs, and IfNotPresent keeps what a node happens to have.",
        "name a version, or a digest";
    UNKNOWN_VARIABLE "L218" Warning: "a MEMQ_ variable that nothing reads",
        "Names that begin with MEMQ_ are memq's: it is misspelled, or the worker sets it itself for each item.",
        "see `memq worker --help` and `memq server --help` for the names there are";
    LIVENESS "L219" Warning: "a liveness probe that looks at something else",
        "When that is down, every pod is killed as well, which helps nobody and loses what they were doing.",
        "let it ask this process alone; what it needs is for readiness";
    SECRET "L220" Warning: "a secret in plain text",
        "Whoever may read the object, or the repository, has it.",
        "put it into a Secret: `valueFrom: {secretKeyRef: …}`, in a run spec `{secret: NAME/KEY}`";
    NO_TOKEN "L221" Warning: "a client without a token",
        "The queue server in the same file asks for tokens: every call of this container is refused, and a worker ends with exit code 77.",
        "mount a Secret and name its file in MEMQ_TOKEN_FILE; a server elsewhere is named in a file of its own";
}

/// The rules as the Markdown table of docs/lint.md.
#[must_use]
pub fn table() -> String {
    let mut table = "| Rule | | What | Why | What to do |\n|---|---|---|---|---|\n".to_owned();
    for rule in RULES {
        let Rule {
            code,
            severity,
            title,
            why,
            help,
        } = rule;
        let help = help.replace('|', "\\|");
        table.push_str(&format!(
            "| {code} | {severity} | {title} | {why} | {help} |\n"
        ));
    }
    table
}
