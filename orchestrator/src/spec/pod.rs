//! What a step asks of the pods it runs in. On one machine the volumes' folders are all of it that counts.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde_json::Value;

/// What a step asks of its pods.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct PodRules {
    /// The image; absent: memq's own.
    pub image: Option<String>,
    /// Kubernetes' ResourceRequirements: `requests` and `limits`.
    pub resources: Option<Value>,
    /// Folders and files laid into the pod.
    pub volumes: Vec<Volume>,
    /// The service account; absent: one without rights.
    pub service_account: Option<String>,
    /// Labels a node must have.
    pub node_selector: BTreeMap<String, String>,
    /// A PodTemplateSpec laid over ours.
    pub overlay: Option<Value>,
}

/// Something laid into the file system of what a step runs.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Volume {
    /// Where: a full path.
    pub mount: String,
    /// The PersistentVolumeClaim it is.
    pub pvc: Option<String>,
    /// The ConfigMap it is.
    pub config_map: Option<String>,
    /// The Secret it is.
    pub secret: Option<String>,
    /// Whether it is an empty folder that goes with the pod.
    pub empty_dir: bool,
    /// The folder that stands for it where no cluster is.
    pub local: Option<PathBuf>,
    /// Whether nothing may be written to it.
    pub read_only: bool,
}
