//! The document, its parameters, and what its steps inherit.

use super::pods::{ENV, IMAGE, NODE_SELECTOR, RESOURCES, SERVICE_ACCOUNT, VOLUMES};
use super::steps::{RETRIES, STEP, TIMEOUT};
use super::{Field, NEEDED, Object, Rule, Shape, TEXT, Told};
use crate::spec::{MAX_RUN_NAME, MAX_STEPS};

const RUN_NAME: &str = "^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$";
const TEXTS: Shape = Shape::Map {
    of: &Shape::Name {
        most: TEXT,
        pattern: "",
    },
    most: 100,
    key: "NAME",
};

/// The document.
pub(crate) static RUN: Object = Object {
    name: "run",
    fields: &[
        Field {
            name: "apiVersion",
            shape: Shape::Word(&[crate::spec::API_VERSION]),
            meaning: "`memq.dev/v1alpha1`",
            absent: NEEDED,
        },
        Field {
            name: "kind",
            shape: Shape::Word(&["Run"]),
            meaning: "`Run`",
            absent: NEEDED,
        },
        Field {
            name: "metadata",
            shape: Shape::Object(&METADATA),
            meaning: "what the run is called",
            absent: NEEDED,
        },
        Field {
            name: "spec",
            shape: Shape::Object(&SPEC),
            meaning: "what the run does",
            absent: NEEDED,
        },
    ],
    rules: &[],
    apart: &[],
};

/// `metadata`, of which Kubernetes knows more.
pub(crate) static METADATA: Object = Object {
    name: "metadata",
    fields: &[
        Field {
            name: "name",
            shape: Shape::Name {
                most: MAX_RUN_NAME as u32,
                pattern: RUN_NAME,
            },
            meaning: "the run's name: at most 63 of `a-z 0-9 - .`, a letter or digit at both ends. On one \
                      machine the queues are named after it",
            absent: "give this or `generateName`",
        },
        Field {
            name: "generateName",
            shape: Shape::Name {
                most: MAX_RUN_NAME as u32,
                pattern: "^[a-z0-9][a-z0-9.-]*$",
            },
            meaning: "the beginning of the name; five letters and digits are added",
            absent: "",
        },
        Field {
            name: "namespace",
            shape: Shape::Name {
                most: 63,
                pattern: "^[a-z0-9]([a-z0-9-]*[a-z0-9])?$",
            },
            meaning: "in a cluster: the namespace",
            absent: "that of the command line",
        },
        Field {
            name: "labels",
            shape: TEXTS,
            meaning: "in a cluster: labels of the run, a map of texts",
            absent: "none",
        },
        Field {
            name: "annotations",
            shape: TEXTS,
            meaning: "in a cluster: annotations of the run, a map of texts",
            absent: "none",
        },
    ],
    rules: &[],
    apart: &[],
};

/// `spec`.
pub(crate) static SPEC: Object = Object {
    name: "spec",
    fields: &[
        Field {
            name: "params",
            shape: Shape::Map {
                of: &Shape::Object(&PARAM),
                most: 100,
                key: "NAME",
            },
            meaning: "a map of declarations, see below",
            absent: "no parameters",
        },
        Field {
            name: "defaults",
            shape: Shape::Object(&DEFAULTS),
            meaning: "what every step inherits, see below",
            absent: "nothing",
        },
        Field {
            name: "ttl",
            shape: Shape::Duration,
            meaning: "in a cluster: how long after its end the run's Jobs and pods are kept; a duration",
            absent: "until the run is removed",
        },
        Field {
            name: "steps",
            shape: Shape::List {
                of: &Shape::Object(&STEP),
                least: 1,
                most: MAX_STEPS as u32,
                told: Told::Name,
            },
            meaning: "a list of 1 to 100 steps, see below",
            absent: NEEDED,
        },
    ],
    rules: &[Rule {
        cel: "(has(self.defaults) && has(self.defaults.image)) || self.steps.all(s, has(s.command) || \
                  has(s.script) || has(s.builtin) || has(s.image))",
        message: "each step has one of command, script and builtin, or an image that runs by itself",
    }],
    apart: &[],
};

/// One declaration of a parameter.
pub(crate) static PARAM: Object = Object {
    name: "param",
    fields: &[
        Field {
            name: "type",
            shape: Shape::Word(&["string", "integer", "boolean", "list"]),
            meaning: "`string`, `integer`, `boolean` or `list` (of texts)",
            absent: "`string`",
        },
        Field {
            name: "default",
            shape: Shape::Typed,
            meaning: "the value without `-p`; checked like any other",
            absent: "none: using the parameter without `-p` is an error",
        },
        Field {
            name: "required",
            shape: Shape::Boolean,
            meaning: "`true`: `-p` must give it. Excludes `default`",
            absent: "`false`",
        },
        Field {
            name: "minimum",
            shape: Shape::Integer {
                least: i64::MIN,
                most: i64::MAX,
            },
            meaning: "the least, for `integer` only",
            absent: "no bound",
        },
        Field {
            name: "maximum",
            shape: Shape::Integer {
                least: i64::MIN,
                most: i64::MAX,
            },
            meaning: "the most, for `integer` only",
            absent: "no bound",
        },
        Field {
            name: "pattern",
            shape: Shape::Text {
                most: TEXT,
                pattern: "",
            },
            meaning: "a regular expression found somewhere in the text, for `string` only; `^…$` holds the \
                      whole of it",
            absent: "any text",
        },
        Field {
            name: "enum",
            shape: Shape::List {
                of: &Shape::Typed,
                least: 1,
                most: 1_000,
                told: Told::Place,
            },
            meaning: "a list of the allowed values",
            absent: "any value",
        },
    ],
    rules: &[],
    apart: &[&["required", "default"]],
};

/// What every step inherits.
pub(crate) static DEFAULTS: Object = Object {
    name: "defaults",
    fields: &[
        IMAGE,
        ENV,
        VOLUMES,
        TIMEOUT,
        RETRIES,
        RESOURCES,
        SERVICE_ACCOUNT,
        NODE_SELECTOR,
    ],
    rules: &[],
    apart: &[],
};
