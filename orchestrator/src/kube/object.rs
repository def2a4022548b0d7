//! The `Run` custom resource as the API server has it.
//!
//! Spec and status are raw JSON here: an object that this version cannot read must not break the watch
//! that all others come through. [`crate::spec`] reads the one, [`super::status`] the other.

use std::borrow::Cow;

use k8s_openapi::NamespaceResourceScope;
use kube::Resource;
use kube::api::ObjectMeta;
use kube::core::TypeMeta;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::status::RunStatus;

/// The group of our API.
pub const GROUP: &str = "memq.dev";
/// Its version.
pub const VERSION: &str = "v1alpha1";
/// The plural, as in URLs and rules.
pub const PLURAL: &str = "runs";
/// The annotation that asks for a run to be cancelled; its value is shown as the reason.
pub const CANCEL: &str = "memq.dev/cancel";
/// The label that carries the run's name.
pub const RUN_LABEL: &str = "memq.dev/run";
/// The label that carries the step's name.
pub const STEP_LABEL: &str = "memq.dev/step";
/// The field manager of all we write.
pub const FIELD_MANAGER: &str = "memq";

/// A run in a cluster.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Run {
    /// `apiVersion` and `kind`.
    #[serde(flatten, default)]
    pub types: Option<TypeMeta>,
    /// Name, namespace, labels and so on.
    #[serde(default)]
    pub metadata: ObjectMeta,
    /// What to do, as [`crate::spec`] reads it.
    #[serde(default)]
    pub spec: Value,
    /// How far it is, as [`super::status`] reads it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<Value>,
}

impl Run {
    /// Its status, or an empty one if nobody has taken the run up.
    pub fn status(&self) -> serde_json::Result<RunStatus> {
        match &self.status {
            None | Some(Value::Null) => Ok(RunStatus::default()),
            Some(status) => RunStatus::deserialize(status),
        }
    }
}

impl Resource for Run {
    type DynamicType = ();
    type Scope = NamespaceResourceScope;

    fn kind((): &()) -> Cow<'_, str> {
        "Run".into()
    }

    fn group((): &()) -> Cow<'_, str> {
        GROUP.into()
    }

    fn version((): &()) -> Cow<'_, str> {
        VERSION.into()
    }

    fn plural((): &()) -> Cow<'_, str> {
        PLURAL.into()
    }

    fn meta(&self) -> &ObjectMeta {
        &self.metadata
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.metadata
    }
}
