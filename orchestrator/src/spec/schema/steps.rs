//! A step: its order, its work, and what it runs.

use super::pods::{ENV, IMAGE, NODE_SELECTOR, POD, RESOURCES, SERVICE_ACCOUNT, VOLUMES};
use super::{Field, NEEDED, Object, Rule, SCRIPT, Shape, TEXT, Told};
use crate::spec::each::MAX_ELEMENTS;
use crate::spec::handler::BUILTINS;
use crate::spec::items::MAX_COUNT;
use crate::spec::pool::MAX_WORKERS;
use crate::spec::step::{MAX_RETRIES, MAX_STEP_NAME};

const STEP_NAME: &str = "^[a-z0-9]([a-z0-9-]*[a-z0-9])?$";
const NAME_OF_STEP: Shape = Shape::Name {
    most: MAX_STEP_NAME as u32,
    pattern: STEP_NAME,
};
const WORKER_COUNT: Shape = Shape::Integer {
    least: 1,
    most: MAX_WORKERS,
};

/// `timeout` of a step.
pub(super) const TIMEOUT: Field = Field {
    name: "timeout",
    shape: Shape::Duration,
    meaning: "a duration: the longest the step may take, all its tries together",
    absent: "no limit",
};

/// `retries` of a step.
pub(super) const RETRIES: Field = Field {
    name: "retries",
    shape: Shape::Integer {
        least: 0,
        most: MAX_RETRIES,
    },
    meaning: "further tries of a process or Job that failed, 0 to 100. Not with `items`, whose \
              `item.attempts` it is",
    absent: "0",
};

/// One step.
pub(crate) static STEP: Object = Object {
    name: "step",
    fields: &[
        Field {
            name: "name",
            shape: NAME_OF_STEP,
            meaning: "at most 63 of `a-z 0-9 -`, a letter or digit at both ends; no other step has it",
            absent: NEEDED,
        },
        Field {
            name: "after",
            shape: Shape::List {
                of: &NAME_OF_STEP,
                least: 0,
                most: crate::spec::MAX_STEPS as u32,
                told: Told::Value,
            },
            meaning: "the names of the steps that must have ended before this one begins",
            absent: "it begins at once",
        },
        Field {
            name: "when",
            shape: Shape::Word(&["succeeded", "failed", "always"]),
            meaning: "how the steps of `after` must have ended: `succeeded`, all of them; `failed`, at least \
                      one; `always`, in whatever way. Where it does not hold the step is skipped",
            absent: "`succeeded`",
        },
        Field {
            name: "items",
            shape: Shape::Object(&ITEMS),
            meaning: "run once for each item of a queue, by a pool of workers; one of the forms below",
            absent: "with neither `items` nor `forEach` the step runs once",
        },
        Field {
            name: "forEach",
            shape: Shape::Either(&[
                Shape::List {
                    of: &Shape::Scalar { most: TEXT },
                    least: 1,
                    most: MAX_ELEMENTS as u32,
                    told: Told::Place,
                },
                Shape::Map {
                    of: &Shape::Scalar { most: TEXT },
                    most: MAX_ELEMENTS as u32,
                    key: "KEY",
                },
                Shape::ListParam,
            ]),
            meaning: "run a process or Job of its own for each element of a list, or of a map of texts: 1 to \
                      1000. `$(params.NAME)` of a list is one",
            absent: "",
        },
        Field {
            name: "maxParallel",
            shape: Shape::Integer {
                least: 1,
                most: MAX_ELEMENTS as i64,
            },
            meaning: "for `forEach`: the most that run at the same time, 1 to 1000",
            absent: "all",
        },
        Field {
            name: "failFast",
            shape: Shape::Boolean,
            meaning: "for `forEach`: `true` begins no more once one has failed",
            absent: "`false`",
        },
        Field {
            name: "command",
            shape: Shape::List {
                of: &Shape::Scalar { most: 131_072 },
                least: 1,
                most: 1_000,
                told: Told::Place,
            },
            meaning: "a list: the program and its arguments; with `items`, an argument that is exactly `{}` \
                      becomes the item",
            absent: "give one of `command`, `script`, `builtin`, `process`, `http`, or an `image` alone",
        },
        Field {
            name: "script",
            shape: Shape::Text {
                most: SCRIPT,
                pattern: "",
            },
            meaning: "the text of a script, run by `sh` or by what its `#!` line names",
            absent: "",
        },
        Field {
            name: "builtin",
            shape: Shape::Word(&BUILTINS),
            meaning: "`keygen`, `sleep`, `echo` or `fail`; with `items` only",
            absent: "",
        },
        Field {
            name: "process",
            shape: Shape::List {
                of: &Shape::Scalar { most: 131_072 },
                least: 1,
                most: 1_000,
                told: Told::Place,
            },
            meaning: "a list: a program and its arguments, started once and given item after item as lines of \
                      JSON; with `items` only",
            absent: "",
        },
        Field {
            name: "http",
            shape: Shape::Text {
                most: TEXT,
                pattern: "",
            },
            meaning: "an address that each item is sent to, `http://127.0.0.1:8000/item`; with `items` only. In \
                      a cluster what answers there is a container that `pod` adds",
            absent: "",
        },
        ENV,
        Field {
            name: "workers",
            shape: Shape::Either(&[WORKER_COUNT, Shape::Object(&WORKERS)]),
            meaning: "for `items`: a number from 1 to 1000, or a map of the next four",
            absent: "1",
        },
        Field {
            name: "item",
            shape: Shape::Object(&ITEM),
            meaning: "for `items`: the rules an item is under",
            absent: "as below",
        },
        Field {
            name: "tolerate",
            shape: Shape::Object(&TOLERATE),
            meaning: "for `items`: how much may fail",
            absent: "nothing",
        },
        TIMEOUT,
        RETRIES,
        IMAGE,
        RESOURCES,
        VOLUMES,
        SERVICE_ACCOUNT,
        NODE_SELECTOR,
        POD,
    ],
    rules: &[
        Rule {
            cel: "[has(self.command), has(self.script), has(self.builtin), has(self.process), has(self.http)].filter(x, x).size() <= 1",
            message: "command, script, builtin, process and http exclude each other",
        },
        Rule {
            cel: "!has(self.items) || has(self.command) || has(self.script) || has(self.builtin) || has(self.process) || has(self.http)",
            message: "with items, one of command, script, builtin, process and http says what runs for each of them",
        },
        Rule {
            cel: "has(self.items) || !(has(self.item) || has(self.tolerate) || has(self.builtin) || has(self.process) || has(self.http))",
            message: "item, tolerate, builtin, process and http go with items only",
        },
        Rule {
            cel: "!(has(self.items) && has(self.retries))",
            message: "retries does not go with items; item.attempts is that",
        },
        Rule {
            cel: "!has(self.items) || !(has(self.maxParallel) || has(self.failFast))",
            message: "maxParallel and failFast go with forEach only",
        },
        Rule {
            cel: "!has(self.when) || (has(self.after) && self.after.size() > 0)",
            message: "when says how the steps of after must have ended, and there is no after",
        },
    ],
    apart: &[&["items", "forEach"]],
};

/// `items`.
pub(crate) static ITEMS: Object = Object {
    name: "items",
    fields: &[
        Field {
            name: "count",
            shape: Shape::Integer {
                least: 0,
                most: MAX_COUNT,
            },
            meaning: "this many items, numbered from 0; at most 1000000000",
            absent: "",
        },
        Field {
            name: "format",
            shape: Shape::Text {
                most: TEXT,
                pattern: "",
            },
            meaning: "for `count`: a text with exactly one `%d`, or `%05d` for leading zeros; `%%` is a per \
                      cent sign",
            absent: "`%d`",
        },
        Field {
            name: "lines",
            shape: Shape::Text {
                most: TEXT,
                pattern: "",
            },
            meaning: "a text file: each line that is not empty is an item; `-` is standard input. For a \
                      cluster, `memq run --kube` loads it",
            absent: "",
        },
        Field {
            name: "ndjson",
            shape: Shape::Text {
                most: TEXT,
                pattern: "",
            },
            meaning: "a file of JSON lines, or `-`: each `{\"body\": …}` or `{\"body_base64\": …}`, with `key`, \
                      `group`, `priority`, `delay_ms` and `ttl_ms` of its own if it has them. Loaded as `lines` are",
            absent: "",
        },
        Field {
            name: "glob",
            shape: Shape::Text {
                most: TEXT,
                pattern: "",
            },
            meaning: "a pattern of names of files, `photos/**/*.jpg`: each name that matches, seen from the \
                      folder of the spec, is an item, in order; at most 1000000. Loaded as `lines` are",
            absent: "",
        },
        Field {
            name: "list",
            shape: Shape::Either(&[
                Shape::List {
                    of: &Shape::Scalar { most: 131_072 },
                    least: 0,
                    most: 100_000,
                    told: Told::Place,
                },
                Shape::ListParam,
            ]),
            meaning: "the items: texts, numbers, booleans. `$(params.NAME)` of a list is one",
            absent: "",
        },
        Field {
            name: "queue",
            shape: Shape::Text {
                most: queue_api::limits::MAX_NAME_BYTES as u32,
                pattern: "",
            },
            meaning: "the name of a queue that is loaded already: the run neither loads nor seals it",
            absent: "",
        },
        Field {
            name: "key",
            shape: Shape::Text {
                most: TEXT,
                pattern: r"^\.|\$\(",
            },
            meaning: "where each item's unique key lies: `.` is the item itself, `.user.id` a field of an item \
                      that is a JSON object. Of items with one key only the first is done",
            absent: "none",
        },
        Field {
            name: "group",
            shape: Shape::Text {
                most: TEXT,
                pattern: "",
            },
            meaning: "the group of all items, or where each item's own lies, as `.tenant`; groups take turns",
            absent: "none",
        },
        Field {
            name: "priority",
            shape: Shape::Either(&[
                Shape::Integer {
                    least: i16::MIN as i64,
                    most: i16::MAX as i64,
                },
                Shape::Text {
                    most: TEXT,
                    pattern: r"^\.|\$\(",
                },
            ]),
            meaning: "the priority of all items, -32768 to 32767, higher first, or where each item's own lies, \
                      as `.priority`",
            absent: "0",
        },
    ],
    rules: &[
        Rule {
            cel: "[has(self.count), has(self.lines), has(self.ndjson), has(self.glob), has(self.queue)].filter(x, x).size() <= 1",
            message: "count, lines, ndjson, glob, list and queue exclude each other",
        },
        Rule {
            cel: "!has(self.queue) || !(has(self.key) || has(self.group))",
            message: "what lies in a queue has its key, group and priority already",
        },
        Rule {
            cel: "!has(self.format) || has(self.count)",
            message: "format goes with count only",
        },
    ],
    apart: &[
        &["list", "count"],
        &["list", "lines"],
        &["list", "ndjson"],
        &["list", "glob"],
        &["list", "queue"],
        &["priority", "queue"],
    ],
};

/// `workers` as a map.
pub(crate) static WORKERS: Object = Object {
    name: "workers",
    fields: &[
        Field {
            name: "min",
            shape: WORKER_COUNT,
            meaning: "the fewest, 1 to 1000",
            absent: "1",
        },
        Field {
            name: "max",
            shape: WORKER_COUNT,
            meaning: "the most, 1 to 1000, not below `min`",
            absent: "`min`",
        },
        Field {
            name: "deadline",
            shape: Shape::Duration,
            meaning: "a duration: when the step should be through",
            absent: "none",
        },
        Field {
            name: "concurrency",
            shape: WORKER_COUNT,
            meaning: "items each worker works on at once, 1 to 1000",
            absent: "1",
        },
    ],
    rules: &[],
    apart: &[],
};

/// `item`.
pub(crate) static ITEM: Object = Object {
    name: "item",
    fields: &[
        Field {
            name: "timeout",
            shape: Shape::Duration,
            meaning: "a duration: the longest an attempt may take",
            absent: "no limit",
        },
        Field {
            name: "attempts",
            shape: Shape::Integer {
                least: 1,
                most: queue_api::limits::MAX_ATTEMPTS as i64,
            },
            meaning: "attempts before an item is dead, 1 to 1000",
            absent: "the server's: 5",
        },
        Field {
            name: "backoff",
            shape: Shape::Text {
                most: 64,
                pattern: BACKOFF,
            },
            meaning: "the shortest and longest wait before a retry, `1s..30s`, or one for both, `5s`",
            absent: "the server's: `1s..5m`",
        },
        Field {
            name: "deadOn",
            shape: Shape::List {
                of: &Shape::Integer {
                    least: 1,
                    most: 255,
                },
                least: 1,
                most: 255,
                told: Told::Place,
            },
            meaning: "a list of exit codes, 1 to 255, after which an item is dead at once",
            absent: "`[65]`",
        },
    ],
    rules: &[],
    apart: &[],
};

const BACKOFF: &str = r"^([0-9]+(ms|s|m|h|d))+( *\.\. *([0-9]+(ms|s|m|h|d))+)?$|\$\(";

/// `tolerate`.
pub(crate) static TOLERATE: Object = Object {
    name: "tolerate",
    fields: &[Field {
        name: "dead",
        shape: Shape::IntegerOr {
            pattern: r"^[0-9]+(\.[0-9]+)? *%$|\$\(",
        },
        meaning: "how many items may die: a number, or a share as `\"1%\"`",
        absent: "0",
    }],
    rules: &[],
    apart: &[],
};
