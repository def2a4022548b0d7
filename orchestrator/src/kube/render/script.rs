//! A step's script as a ConfigMap, and how it is started from there.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{ConfigMap, ConfigMapVolumeSource, Volume, VolumeMount};
use kube::api::ObjectMeta;

use super::labels::{Component, labels};
use super::{Place, RenderError};
use crate::kube::plan::names::short_hash;

/// Where scripts lie in a pod.
pub(super) const FOLDER: &str = "/memq-script";
/// The script's name there, and its key in the ConfigMap.
const KEY: &str = "script";
/// The name of the volume.
const VOLUME: &str = "memq-script";
/// What a ConfigMap takes: the API server refuses more.
const MOST: usize = 1024 * 1024;
/// Whoever the container runs as may read and start it, and nobody may change it.
const MODE: i32 = 0o555;
/// Longest part of a name that is taken over: a ConfigMap's may have 253 characters.
const NAME_PART: usize = 100;

/// The script of a step.
pub(super) fn config_map(place: &Place, step: &str, text: &str) -> Result<ConfigMap, RenderError> {
    let bytes = text.len() + KEY.len();
    if bytes > MOST {
        return Err(RenderError::ScriptTooLong {
            step: step.to_owned(),
            bytes,
            most: MOST,
        });
    }
    let prefix: String = format!("{}-{step}", place.run)
        .chars()
        .take(NAME_PART)
        .collect();
    // A text that changes needs another object: pods that run keep theirs, and this one never changes.
    let name = format!(
        "{}-{}",
        prefix.trim_end_matches(['-', '.']),
        short_hash(&[&place.run, step, text])
    );
    Ok(ConfigMap {
        metadata: ObjectMeta {
            name: Some(name),
            namespace: Some(place.namespace.clone()),
            labels: Some(labels(Component::Worker, &place.run, Some(step))),
            owner_references: place.owner.clone().map(|owner| vec![owner]),
            ..ObjectMeta::default()
        },
        data: Some(BTreeMap::from([(KEY.to_owned(), text.to_owned())])),
        immutable: Some(true),
        ..ConfigMap::default()
    })
}

/// The words that start it: a script that says what reads it is started itself.
pub(super) fn command(text: &str) -> Vec<String> {
    let path = format!("{FOLDER}/{KEY}");
    if text.starts_with("#!") {
        vec![path]
    } else {
        vec!["sh".to_owned(), path]
    }
}

/// The volume it lies on, and where that is.
pub(super) fn volume(config_map: &ConfigMap) -> (Volume, VolumeMount) {
    let volume = Volume {
        name: VOLUME.to_owned(),
        config_map: Some(ConfigMapVolumeSource {
            name: config_map.metadata.name.clone().unwrap_or_default(),
            default_mode: Some(MODE),
            ..ConfigMapVolumeSource::default()
        }),
        ..Volume::default()
    };
    let mount = VolumeMount {
        name: VOLUME.to_owned(),
        mount_path: FOLDER.to_owned(),
        read_only: Some(true),
        ..VolumeMount::default()
    };
    (volume, mount)
}
