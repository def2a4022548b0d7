//! Where a run is kept: a `Run` object, or a ConfigMap where nobody installed that kind.
//!
//! Writing is guarded by the version that was read: a controller that lost the lead without knowing it
//! writes nothing. What a status says is not known here.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::ConfigMap;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::api::{DeleteParams, ObjectMeta, Patch, PatchParams, Preconditions};
use kube::{Api, Client, Resource as _, ResourceExt as _};
use serde_json::{Value, json};

use super::cluster::RunKey;
use super::object::{CANCEL, FIELD_MANAGER, Run};
use super::patience::{CALL, within};
use super::render::ephemeral::SPEC_KEY;
use super::status::RunStatus;

/// The status of a run, in the ConfigMap that it lies in.
pub(crate) const STATUS_KEY: &str = "status.json";

/// Where a run is kept.
#[derive(Clone)]
pub(super) enum Home {
    /// In an object of its own kind.
    Object(Api<Run>),
    /// In this ConfigMap, beside an ephemeral controller.
    Config(Api<ConfigMap>, String),
}

/// A run as it was read.
#[derive(Debug, Clone)]
pub(super) struct Kept {
    /// The whole object without its status, for the reader of specs.
    pub(super) object: Value,
    /// What was written down of it.
    pub(super) status: RunStatus,
    /// What its Jobs belong to.
    pub(super) owner: OwnerReference,
    /// The uid of where it is kept.
    pub(super) uid: String,
    /// Changes with every write.
    pub(super) version: String,
    /// When it was made.
    pub(super) created: Timestamp,
    /// The spec's generation.
    pub(super) generation: Option<i64>,
    /// Somebody asked for it to be cancelled.
    pub(super) cancelled: bool,
    /// It is being deleted.
    pub(super) deleting: bool,
}

/// Why a run cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub(super) enum HomeError {
    /// The API server refused or did not answer.
    #[error(transparent)]
    Api(#[from] kube::Error),
    /// It is there and cannot be understood: it was written by something newer, or by hand.
    #[error("the {0} cannot be read")]
    Unreadable(&'static str, #[source] serde_json::Error),
    /// It changed since it was read: read it again.
    #[error("it was changed meanwhile")]
    Changed,
}

impl Home {
    /// The home of a run among objects of its kind.
    pub(super) fn object(client: Client, key: &RunKey) -> Self {
        Self::Object(Api::namespaced(client, &key.namespace))
    }

    /// The home of a run in a ConfigMap.
    pub(super) fn config(client: Client, namespace: &str, name: String) -> Self {
        Self::Config(Api::namespaced(client, namespace), name)
    }

    /// The run as it is now; none if it is gone.
    pub(super) async fn read(&self, run: &str) -> Result<Option<Kept>, HomeError> {
        match self {
            Self::Object(runs) => {
                let found = within(CALL, runs.get_opt(run)).await?;
                found.map(|run| kept_of_object(&run)).transpose()
            }
            Self::Config(maps, name) => {
                let found = within(CALL, maps.get_opt(name)).await?;
                found.map(|map| kept_of_config(&map)).transpose()
            }
        }
    }

    /// Writes the status of a run if nobody changed the run since `kept`; the new version.
    pub(super) async fn write(
        &self,
        run: &str,
        kept: &Kept,
        status: &RunStatus,
    ) -> Result<String, HomeError> {
        let apply = PatchParams::apply(FIELD_MANAGER).force();
        let guard = json!({"resourceVersion": kept.version, "uid": kept.uid});
        let unwritable = |error| HomeError::Unreadable("status", error);
        let meta = match self {
            Self::Object(runs) => {
                let mut patch = json!({
                    "apiVersion": Run::api_version(&()), "kind": Run::kind(&()),
                    "metadata": guard,
                    "status": serde_json::to_value(status).map_err(unwritable)?,
                });
                patch["metadata"]["name"] = run.into();
                let patch = Patch::Apply(&patch);
                let written = within(CALL, runs.patch_status(run, &apply, &patch)).await;
                written.map_err(changed)?.metadata
            }
            Self::Config(maps, name) => {
                let text = serde_json::to_string(status).map_err(unwritable)?;
                let patch = json!({
                    "apiVersion": "v1", "kind": "ConfigMap",
                    "metadata": {"name": name, "resourceVersion": kept.version, "uid": kept.uid},
                    "data": BTreeMap::from([(STATUS_KEY, text)]),
                });
                let patch = Patch::Apply(&patch);
                let written = within(CALL, maps.patch(name, &apply, &patch)).await;
                written.map_err(changed)?.metadata
            }
        };
        Ok(meta.resource_version.unwrap_or_default())
    }

    /// Removes an ended run whose time has come, unless another took its name.
    pub(super) async fn remove(&self, run: &str, kept: &Kept) -> Result<(), HomeError> {
        let Self::Object(runs) = self else {
            // The ConfigMap goes with the Job it belongs to.
            return Ok(());
        };
        let params = DeleteParams::background().preconditions(Preconditions {
            uid: Some(kept.uid.clone()),
            resource_version: None,
        });
        match within(CALL, runs.delete(run, &params)).await {
            Ok(_) => Ok(()),
            Err(kube::Error::Api(status)) if matches!(status.code, 404 | 409) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

/// How long an ended run stays, where its spec says.
pub(super) fn remains(
    status: &RunStatus,
    ttl: Option<Duration>,
    now: Timestamp,
) -> Option<Duration> {
    let end = status.finished_at?.checked_add(ttl?).ok()?;
    Some(Duration::try_from(end.duration_since(now)).unwrap_or_default())
}

fn changed(error: kube::Error) -> HomeError {
    match error {
        kube::Error::Api(status) if status.code == 409 => HomeError::Changed,
        error => HomeError::Api(error),
    }
}

fn created(meta: &ObjectMeta) -> Timestamp {
    let created = meta.creation_timestamp.as_ref();
    created.map_or(Timestamp::UNIX_EPOCH, |time| time.0)
}

fn kept_of_object(run: &Run) -> Result<Kept, HomeError> {
    let status = run
        .status()
        .map_err(|e| HomeError::Unreadable("status", e))?;
    let meta = &run.metadata;
    let uid = meta.uid.clone().unwrap_or_default();
    Ok(Kept {
        object: json!({
            "apiVersion": Run::api_version(&()), "kind": Run::kind(&()),
            "metadata": {"name": run.name_any(), "generateName": meta.generate_name},
            "spec": run.spec,
        }),
        status,
        owner: OwnerReference {
            api_version: Run::api_version(&()).into_owned(),
            kind: Run::kind(&()).into_owned(),
            name: run.name_any(),
            uid: uid.clone(),
            controller: Some(true),
            // It would need a right of its own where a cluster checks who may, and buys nothing here.
            block_owner_deletion: None,
        },
        uid,
        version: meta.resource_version.clone().unwrap_or_default(),
        created: created(meta),
        generation: meta.generation,
        cancelled: run.annotations().contains_key(CANCEL),
        deleting: meta.deletion_timestamp.is_some(),
    })
}

fn kept_of_config(map: &ConfigMap) -> Result<Kept, HomeError> {
    let data = map.data.as_ref();
    let text = |key: &str| data.and_then(|data| data.get(key)).map(String::as_str);
    let status = match text(STATUS_KEY) {
        None => RunStatus::default(),
        Some(text) => serde_json::from_str(text).map_err(|e| HomeError::Unreadable("status", e))?,
    };
    let object = serde_json::from_str(text(SPEC_KEY).unwrap_or_default())
        .map_err(|e| HomeError::Unreadable("spec", e))?;
    let meta = &map.metadata;
    let owner = map.owner_references().first().cloned().unwrap_or_default();
    Ok(Kept {
        object,
        status,
        owner,
        uid: meta.uid.clone().unwrap_or_default(),
        version: meta.resource_version.clone().unwrap_or_default(),
        created: created(meta),
        generation: None,
        cancelled: map.annotations().contains_key(CANCEL),
        deleting: meta.deletion_timestamp.is_some(),
    })
}
