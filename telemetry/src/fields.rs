//! The fields of log lines: every name that memq's programs use, with what it means.
//!
//! docs/logging.md shows this table. Tests read the sources and run the programs, and find no other name.

/// A field of a log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Field {
    /// Its name: what it is of, a dot, and which of that thing's facts it is. One that measures ends in its unit.
    pub name: &'static str,
    /// What it says.
    pub meaning: &'static str,
}

const fn field(name: &'static str, meaning: &'static str) -> Field {
    Field { name, meaning }
}

/// What each line has, in JSON.
pub const EACH: &[Field] = &[
    field("timestamp", "when, RFC 3339 in UTC"),
    field("level", "`ERROR`, `WARN`, `INFO`, `DEBUG` or `TRACE`"),
    field(
        "target",
        "the part of the program that says it; `handler` for what a handler printed",
    ),
    field("message", "what happened, in words"),
    field(
        "span",
        "at `debug`, on what is said while a request is served: an object with the `name` `request`, and the request's id and trace",
    ),
];

/// What a line may have besides, by name.
pub const FIELDS: &[Field] = &[
    field("connection.limit", "most connections at once"),
    field("connection.phase", "what a client took too long for"),
    field("delay_ms", "how long until the next try"),
    field("duration_ms", "how long it took"),
    field(
        "error.message",
        "what went wrong, with its causes, each after a colon",
    ),
    field("exit.code", "the exit code that the program ends with"),
    field("file.path", "a file or a directory"),
    field(
        "handler.argument",
        "an argument of the handler's command line, as it was given",
    ),
    field("handler.stream", "`stdout` or `stderr`"),
    field(
        "http.request.id",
        "the request's `x-request-id`; the answer has it, too",
    ),
    field("http.request.method", "the request's method"),
    field("http.response.status_code", "the answer's status"),
    field("item.attempt", "which attempt, from 1"),
    field("item.bytes", "length of its body"),
    field("item.count", "how many items"),
    field("item.id", "the item"),
    field(
        "item.verdict",
        "how its attempt was to be settled: `ack`, `nack`, `release` or `dead`",
    ),
    field("kube.job", "a Job"),
    field("kube.kind", "a kind of Kubernetes object"),
    field(
        "kube.lease",
        "the Lease that the controllers elect their leader by",
    ),
    field("kube.namespace", "a namespace"),
    field("kube.pod", "a pod"),
    field("kube.reason", "the reason of an event"),
    field("lease.count", "how many leases"),
    field("log.bytes", "length of the server's log on disk"),
    field("log.freed_bytes", "what a compaction gave back of it"),
    field(
        "log.lost_bytes",
        "what was given up of it by `--accept-loss`",
    ),
    field("process.count", "how many processes"),
    field("process.pid", "a process"),
    field("queue.count", "how many queues"),
    field("queue.name", "the queue"),
    field("run.action", "what the controller is about to do for a run"),
    field(
        "run.name",
        "the run; the controller puts its namespace before it",
    ),
    field("run.message", "why a run ended as it did"),
    field("run.phase", "how far a run is, in the words of `memq ls`"),
    field("run.progress", "how much of a run is done"),
    field("server.address", "an address that the program answers on"),
    field(
        "server.url",
        "the queue server that the program calls, without a password",
    ),
    field("span.count", "how many spans were not exported"),
    field("spec.name", "the spec that a run carries out"),
    field("step.count", "how many steps a run has"),
    field("token.count", "how many tokens are valid"),
    field(
        "trace.id",
        "the trace that the item or the request is part of",
    ),
    field(
        "url.path",
        "the request's path; a lease's token is left out of it",
    ),
    field(
        "worker.name",
        "the worker, as the server shows it with its leases",
    ),
    field(
        "worker.slots",
        "how many items the worker handles at a time",
    ),
];

/// What lines of libraries have besides, which come with `debug` alone.
pub const OF_LIBRARIES: &[Field] = &[
    field("log.target", "the part of the library"),
    field("log.module_path", "its module"),
    field("log.file", "its source"),
    field("log.line", "the line of that"),
];

/// Whether lines may have a field of this name.
#[must_use]
pub fn is_known(name: &str) -> bool {
    let all = [EACH, FIELDS, OF_LIBRARIES];
    all.into_iter().flatten().any(|field| field.name == name)
}
