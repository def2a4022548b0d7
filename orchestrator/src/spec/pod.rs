//! What a step asks of the pods it runs in. On one machine the volumes' folders are all of it that counts.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::cursor::{At, Fields};
use super::env::is_object_name;
use super::fault::Fault;
use super::schema::{RESOURCE, VOLUME};
use super::{node, schema};

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

/// The fields of a pod that steps inherit, as one map has them: a step's or the defaults'.
impl PodRules {
    /// Reads all but `pod` itself.
    pub(crate) fn read(fields: &Fields<'_>, dir: &Path) -> Result<Self, Fault> {
        let text = |name, wanted| {
            fields
                .get(name)
                .map(|at| object_name(at, wanted))
                .transpose()
        };
        Ok(Self {
            image: fields.get("image").map(image).transpose()?,
            resources: fields.get("resources").map(resources).transpose()?,
            volumes: fields
                .get("volumes")
                .map_or(Ok(Vec::new()), |at| volumes(at, dir))?,
            service_account: text("serviceAccountName", "the name of a service account")?,
            node_selector: fields
                .get("nodeSelector")
                .map_or(Ok(BTreeMap::new()), |at| texts(at, "LABEL: value"))?,
            overlay: None,
        })
    }

    /// What a step says laid over what it inherits: volumes and labels by name, the others as a whole.
    pub(crate) fn over(self, inherited: &Self) -> Self {
        let mut volumes = inherited.volumes.clone();
        volumes.retain(|old| self.volumes.iter().all(|new| new.mount != old.mount));
        volumes.extend(self.volumes);
        let mut node_selector = inherited.node_selector.clone();
        node_selector.extend(self.node_selector);
        Self {
            image: self.image.or_else(|| inherited.image.clone()),
            resources: self.resources.or_else(|| inherited.resources.clone()),
            volumes,
            service_account: self
                .service_account
                .or_else(|| inherited.service_account.clone()),
            node_selector,
            overlay: self.overlay,
        }
    }
}

/// A map of texts of the user's own.
pub(crate) fn texts(at: &At<'_>, wanted: &str) -> Result<BTreeMap<String, String>, Fault> {
    at.entries(&format!("a map of texts: {wanted}"))?
        .into_iter()
        .map(|(_, name, at)| Ok((name.to_owned(), at.text("a text")?.to_owned())))
        .collect()
}

/// The overlay: a map, handed on as it is.
pub(crate) fn overlay(at: &At<'_>) -> Result<Value, Fault> {
    match at.node().value {
        node::Value::Map(_) => Ok(schema::json(at.node(), &schema::Shape::Free)),
        _ => Err(at.wrong("a PodTemplateSpec, as {spec: {priorityClassName: low}}")),
    }
}

fn image(at: &At<'_>) -> Result<String, Fault> {
    let wanted = "the name of an image, as docker.io/library/python:3.13";
    let text = at.text(wanted)?;
    if text.is_empty() || text.contains(char::is_whitespace) {
        return Err(at.wrong(wanted));
    }
    Ok(text.to_owned())
}

fn object_name(at: &At<'_>, wanted: &str) -> Result<String, Fault> {
    let text = at.text(wanted)?;
    if is_object_name(text) {
        Ok(text.to_owned())
    } else {
        Err(at.fault(
            format!("Kubernetes takes no name `{text}`"),
            format!("give {wanted}: a-z 0-9 - ., a letter or digit at both ends"),
        ))
    }
}

fn resources(at: &At<'_>) -> Result<Value, Fault> {
    let fields = at.fields(&RESOURCE)?;
    let mut all = serde_json::Map::new();
    for kind in ["requests", "limits"] {
        let Some(at) = fields.get(kind) else { continue };
        let mut amounts = serde_json::Map::new();
        for (_, name, at) in at.entries("a map of amounts: {cpu: 500m, memory: 256Mi}")? {
            let wanted = "an amount as Kubernetes writes it: 500m, 2, 256Mi, 1.5Gi";
            let amount = at.text(wanted)?;
            if !is_quantity(amount) {
                return Err(at.wrong(wanted));
            }
            amounts.insert(name.to_owned(), amount.into());
        }
        all.insert(kind.to_owned(), amounts.into());
    }
    Ok(all.into())
}

/// Digits with at most one point among them, then a unit or a power of ten.
fn is_quantity(text: &str) -> bool {
    let end = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let power = unit.strip_prefix(['e', 'E']).is_some_and(|power| {
        let digits = power.strip_prefix(['+', '-']).unwrap_or(power);
        !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit())
    });
    number.bytes().any(|b| b.is_ascii_digit())
        && number.matches('.').count() <= 1
        && (power || UNITS.contains(&unit))
}

const UNITS: [&str; 16] = [
    "", "n", "u", "m", "k", "M", "G", "T", "P", "E", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei",
];

fn volumes(at: &At<'_>, dir: &Path) -> Result<Vec<Volume>, Fault> {
    at.entries("a map: /MOUNT: {pvc: NAME, local: DIR}")?
        .into_iter()
        .map(|(_, mount, at)| {
            if !mount.starts_with('/') || mount.contains([':', '\0']) || mount == "/" {
                let help = "write where it is mounted as a full path without a colon: /data";
                return Err(at.fault(format!("`{mount}` is no place to mount at"), help));
            }
            Volume::read(mount, &at, dir)
        })
        .collect()
}

impl Volume {
    fn read(mount: &str, at: &At<'_>, dir: &Path) -> Result<Self, Fault> {
        let fields = at.fields(&VOLUME)?;
        let what = fields.at_most_one(&["pvc", "configMap", "secret", "emptyDir"])?;
        let mut volume = Self {
            mount: mount.to_owned(),
            local: fields
                .get("local")
                .map(|at| at.text("a folder").map(|folder| dir.join(folder)))
                .transpose()?,
            read_only: fields
                .get("readOnly")
                .map(At::boolean)
                .transpose()?
                .unwrap_or(false),
            ..Self::default()
        };
        match what {
            None if volume.local.is_none() => {
                return Err(at.fault(
                    "one of pvc, configMap, secret, emptyDir is missing",
                    "say what is mounted, as {pvc: NAME, local: DIR}",
                ));
            }
            None => {}
            Some(("pvc", at)) => volume.pvc = Some(object_name(at, "the name of a claim")?),
            Some(("configMap", at)) => {
                volume.config_map = Some(object_name(at, "the name of a ConfigMap")?);
            }
            Some(("secret", at)) => volume.secret = Some(object_name(at, "the name of a Secret")?),
            Some((_, at)) => match &at.node().value {
                node::Value::Map(map) if map.is_empty() => volume.empty_dir = true,
                _ => return Err(at.wrong("{}, an empty map")),
            },
        }
        Ok(volume)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_those_of_kubernetes() {
        for good in ["1", "500m", "0.5", "1.5Gi", "2e3", "1E-2", "100M", ".5"] {
            assert!(is_quantity(good), "{good}");
        }
        for bad in ["", "m", ".", "1.2.3", "5 Gi", "1gb", "-1", "1e"] {
            assert!(!is_quantity(bad), "{bad}");
        }
    }
}
