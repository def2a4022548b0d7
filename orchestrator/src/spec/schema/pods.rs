//! What a step asks of its pods, and its variables.

use super::{Field, NAME_AND_KEY, OBJECT_NAME, Object, Rule, Shape, TEXT};

/// `image`.
pub(super) const IMAGE: Field = Field {
    name: "image",
    shape: Shape::Text {
        most: 1_024,
        pattern: r"^\S+$",
    },
    meaning: "in a cluster: the image that `command` and `script` run in; without either, the image's own \
              command runs",
    absent: "memq's own image, which has no shell: a built-in needs no other",
};

/// `env`.
pub(super) const ENV: Field = Field {
    name: "env",
    shape: Shape::Map {
        of: &Shape::Either(&[Shape::Scalar { most: 131_072 }, Shape::Object(&ENV_SOURCE)]),
        most: 500,
        key: "NAME",
    },
    meaning: "a map of variables: a plain value, `{secret: NAME/KEY}` or `{configMap: NAME/KEY}`; names \
              beginning with `MEMQ_` are kept for memq",
    absent: "none",
};

/// Where a variable's value lies.
pub(crate) static ENV_SOURCE: Object = Object {
    name: "env source",
    fields: &[
        Field {
            name: "secret",
            shape: Shape::Text {
                most: 512,
                pattern: NAME_AND_KEY,
            },
            meaning: "`NAME/KEY`: this key of this Secret. On one machine: the variable `MEMQ_SECRET_NAME_KEY`",
            absent: "",
        },
        Field {
            name: "configMap",
            shape: Shape::Text {
                most: 512,
                pattern: NAME_AND_KEY,
            },
            meaning: "`NAME/KEY`: this key of this ConfigMap. On one machine: the variable \
                      `MEMQ_CONFIGMAP_NAME_KEY`",
            absent: "",
        },
    ],
    rules: &[],
    apart: &[],
};

/// `volumes`.
pub(super) const VOLUMES: Field = Field {
    name: "volumes",
    shape: Shape::Map {
        of: &Shape::Object(&VOLUME),
        most: 100,
        key: "/MOUNT",
    },
    meaning: "a map: the full path where it is mounted, and what is mounted there",
    absent: "none",
};

/// One volume.
pub(crate) static VOLUME: Object = Object {
    name: "volume",
    fields: &[
        Field {
            name: "pvc",
            shape: Shape::Text {
                most: 253,
                pattern: OBJECT_NAME,
            },
            meaning: "the name of a PersistentVolumeClaim",
            absent: "",
        },
        Field {
            name: "configMap",
            shape: Shape::Text {
                most: 253,
                pattern: OBJECT_NAME,
            },
            meaning: "the name of a ConfigMap, each key a file",
            absent: "",
        },
        Field {
            name: "secret",
            shape: Shape::Text {
                most: 253,
                pattern: OBJECT_NAME,
            },
            meaning: "the name of a Secret, each key a file",
            absent: "",
        },
        Field {
            name: "emptyDir",
            shape: Shape::Nothing,
            meaning: "`{}`: an empty folder that goes with the pod",
            absent: "",
        },
        Field {
            name: "local",
            shape: Shape::Text {
                most: TEXT,
                pattern: "",
            },
            meaning: "the folder that stands for it on one machine; a relative name starts at the folder of \
                      the spec",
            absent: "on one machine only an `emptyDir` can do without",
        },
        Field {
            name: "readOnly",
            shape: Shape::Boolean,
            meaning: "`true`: nothing may be written to it",
            absent: "`false`",
        },
    ],
    rules: &[Rule {
        cel: "[has(self.pvc), has(self.configMap), has(self.secret), has(self.emptyDir)].filter(x, x).size() <= 1",
        message: "a volume is only one of pvc, configMap, secret and emptyDir",
    }],
    apart: &[],
};

const QUANTITIES: Shape = Shape::Map {
    of: &Shape::Quantity,
    most: 20,
    key: "NAME",
};

/// `resources`.
pub(super) const RESOURCES: Field = Field {
    name: "resources",
    shape: Shape::Object(&RESOURCE),
    meaning: "in a cluster: what a pod needs and may take, as in a Kubernetes container",
    absent: "a small request and limit",
};

/// `requests` and `limits`.
pub(crate) static RESOURCE: Object = Object {
    name: "resources",
    fields: &[
        Field {
            name: "requests",
            shape: QUANTITIES,
            meaning: "what a pod is sure to get: `{cpu: 500m, memory: 256Mi}`",
            absent: "memq's own",
        },
        Field {
            name: "limits",
            shape: QUANTITIES,
            meaning: "what it may take at most",
            absent: "memq's own",
        },
    ],
    rules: &[],
    apart: &[],
};

/// `serviceAccountName`.
pub(super) const SERVICE_ACCOUNT: Field = Field {
    name: "serviceAccountName",
    shape: Shape::Text {
        most: 253,
        pattern: OBJECT_NAME,
    },
    meaning: "in a cluster: the service account of the pods",
    absent: "the namespace's, without a token",
};

/// `nodeSelector`.
pub(super) const NODE_SELECTOR: Field = Field {
    name: "nodeSelector",
    shape: Shape::Map {
        of: &Shape::Scalar { most: 63 },
        most: 50,
        key: "LABEL",
    },
    meaning: "in a cluster: labels a node must have, a map of texts",
    absent: "any node",
};

/// `pod`.
pub(super) const POD: Field = Field {
    name: "pod",
    shape: Shape::Free,
    meaning: "in a cluster: a PodTemplateSpec laid over memq's by strategic merge, for everything else; the \
              container is called `worker`",
    absent: "nothing",
};
