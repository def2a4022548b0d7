//! Folders of a pod: the step's own, and those every pod of ours has.

use k8s_openapi::api::core::v1::{
    ConfigMapVolumeSource, EmptyDirVolumeSource, KeyToPath, PersistentVolumeClaimVolumeSource,
    SecretVolumeSource, Volume, VolumeMount,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;

use super::{RenderError, script};
use crate::spec::{self, Step};

/// Where our program lies in an image that is not ours. Not `/memq`: that is the program itself in our own
/// image, which installs it, and a folder cannot be mounted over a file.
pub(super) const PROGRAM_FOLDER: &str = "/memq-program";
/// The folder for what is not to be kept, which a root that is read only does not have.
pub(super) const TMP: &str = "/tmp";
/// Where the token for the queue server lies.
const TOKEN_FOLDER: &str = "/var/run/secrets/memq";
/// The token's key in its Secret, and its file.
const TOKEN: &str = "token";
/// Room for our program, a few times its size.
const PROGRAM_ROOM: &str = "64Mi";

/// Volumes and where they are mounted.
pub(super) type Mounted = (Volume, VolumeMount);

/// The step's own volumes.
pub(super) fn of_step(step: &Step) -> Result<Vec<Mounted>, RenderError> {
    step.pod
        .volumes
        .iter()
        .enumerate()
        .map(|(index, volume)| own(step, index, volume))
        .collect()
}

fn own(step: &Step, index: usize, volume: &spec::Volume) -> Result<Mounted, RenderError> {
    let mount = volume.mount.trim_end_matches('/');
    if [PROGRAM_FOLDER, script::FOLDER, TOKEN_FOLDER].contains(&mount) {
        return Err(RenderError::ReservedMount {
            step: step.name.clone(),
            mount: volume.mount.clone(),
        });
    }
    let mut made = Volume {
        name: format!("volume-{}", index + 1),
        ..Volume::default()
    };
    if let Some(claim) = &volume.pvc {
        made.persistent_volume_claim = Some(PersistentVolumeClaimVolumeSource {
            claim_name: claim.clone(),
            read_only: None,
        });
    } else if let Some(name) = &volume.config_map {
        made.config_map = Some(ConfigMapVolumeSource {
            name: name.clone(),
            ..ConfigMapVolumeSource::default()
        });
    } else if let Some(name) = &volume.secret {
        made.secret = Some(SecretVolumeSource {
            secret_name: Some(name.clone()),
            ..SecretVolumeSource::default()
        });
    } else if volume.empty_dir {
        made.empty_dir = Some(EmptyDirVolumeSource::default());
    } else {
        return Err(RenderError::VolumeWithoutSource {
            step: step.name.clone(),
            mount: volume.mount.clone(),
        });
    }
    let at = VolumeMount {
        name: made.name.clone(),
        mount_path: volume.mount.clone(),
        read_only: volume.read_only.then_some(true),
        ..VolumeMount::default()
    };
    Ok((made, at))
}

/// The folder our program is put into.
pub(super) fn program() -> Mounted {
    empty("memq-program", PROGRAM_FOLDER, Some(PROGRAM_ROOM))
}

/// The folder for temporary files.
pub(super) fn tmp() -> Mounted {
    empty("tmp", TMP, None)
}

/// The folder with the token for the queue server, out of this Secret.
pub(super) fn token(secret: &str) -> Mounted {
    let volume = Volume {
        name: "memq-token".into(),
        secret: Some(SecretVolumeSource {
            secret_name: Some(secret.to_owned()),
            items: Some(vec![KeyToPath {
                key: TOKEN.into(),
                path: TOKEN.into(),
                mode: None,
            }]),
            ..SecretVolumeSource::default()
        }),
        ..Volume::default()
    };
    let at = VolumeMount {
        name: volume.name.clone(),
        mount_path: TOKEN_FOLDER.into(),
        read_only: Some(true),
        ..VolumeMount::default()
    };
    (volume, at)
}

/// The file of the token.
pub(super) fn token_file() -> String {
    format!("{TOKEN_FOLDER}/{TOKEN}")
}

/// An empty folder that goes with the pod.
pub(super) fn empty(name: &str, mount: &str, room: Option<&str>) -> Mounted {
    let volume = Volume {
        name: name.to_owned(),
        empty_dir: Some(EmptyDirVolumeSource {
            size_limit: room.map(|room| Quantity(room.to_owned())),
            ..EmptyDirVolumeSource::default()
        }),
        ..Volume::default()
    };
    let at = VolumeMount {
        name: name.to_owned(),
        mount_path: mount.to_owned(),
        ..VolumeMount::default()
    };
    (volume, at)
}
