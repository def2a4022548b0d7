//! Kubernetes objects from a spec: what a step looks like as a Job, and what a run without our CRD brings with it.
//!
//! Pure: the same spec, place and name give the same object. Owns every choice about how our pods are
//! made (their profile, their probes, what they are told); docs/jobs.md gives each with its reason.
//! It does not know which Job is due, nor an API server: names, numbers and owners come from the caller.
//!
//! 1. Every object that is made passes Pod Security's restricted profile, unless `pod:` takes that away.
//! 2. A text of the spec reaches its process byte for byte: Kubernetes' own `$(NAME)` is kept from it.
//! 3. Nothing of a spec is left out in silence: what cannot be rendered is a [`RenderError`].

mod container;
pub mod ephemeral;
mod job;
mod labels;
mod overlay;
mod pod;
mod profile;
mod resources;
mod review;
pub mod rights;
mod script;
mod volumes;

use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::ConfigMap;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;

use crate::spec::{Element, EnvValue, Handler, Step, Work};

pub use job::{job, pool_pod};
pub use labels::{Component, ELEMENT_ANNOTATION, labels};
pub use review::{first_job, review};

/// The container of a pod that does the step's work; `pod:` means it by this name.
pub const WORKER: &str = "worker";
/// memq's own image, of the version that this is.
pub const IMAGE: &str = concat!("memq:", env!("CARGO_PKG_VERSION"));
/// The port on which a worker tells whether it is alive and ready.
pub const HEALTH_PORT: i32 = 8081;
/// The port of the queue server.
pub const SERVER_PORT: i32 = 8080;
/// The port of the controller's health and metrics.
pub const CONTROLLER_PORT: i32 = 8082;

/// Where a run is to happen, and with what.
#[derive(Debug, Clone, PartialEq)]
pub struct Place {
    /// The namespace.
    pub namespace: String,
    /// The run's name.
    pub run: String,
    /// Whom the objects belong to, and go with; nobody where they are made for review.
    pub owner: Option<OwnerReference>,
    /// The queue server, as workers reach it.
    pub server: String,
    /// memq's own image.
    pub image: String,
    /// The service account of steps that name none; absent: the namespace's default. Its token is not mounted.
    pub worker_account: Option<String>,
    /// The Secret, in the same namespace, whose key `token` is what workers show to the queue server; absent: it asks for
    /// none.
    pub worker_token: Option<String>,
}

/// A Job that is wanted.
#[derive(Debug, Clone)]
pub struct Wanted<'a> {
    /// Its name: at most 63 characters.
    pub name: String,
    /// The step it is of.
    pub step: &'a Step,
    /// The element of a `forEach`, from 0.
    pub element: Option<u32>,
    /// The round of a pool, or the try of anything else, from 1.
    pub number: u32,
    /// The queue of a step with items; of no meaning for others.
    pub queue: String,
    /// Pods at once; of meaning for a step with items alone.
    pub parallelism: u32,
}

/// A Job and what must be there before it.
#[derive(Debug, Clone, PartialEq)]
pub struct Rendered {
    /// The Job.
    pub job: Job,
    /// Its script, if it has one. The name changes with the text, so one that is there is the right one.
    pub config_maps: Vec<ConfigMap>,
}

/// Why a step cannot be a Job. All of them are for whoever wrote the spec, and stay until it is changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RenderError {
    /// memq's image holds no shell and no programs: name an image that does.
    #[error("step `{step}` runs {what} in a cluster, which needs an `image` that has it")]
    NoImage {
        /// The step.
        step: String,
        /// What it runs.
        what: &'static str,
    },
    /// A built-in that works on items was asked to run without any.
    #[error("step `{step}` runs the built-in `{builtin}`, which needs `items` in a cluster")]
    BuiltinWithoutItems {
        /// The step.
        step: String,
        /// The built-in.
        builtin: String,
    },
    /// The script does not fit a ConfigMap: put it into an image or on a volume.
    #[error("the script of step `{step}` has {bytes} bytes, and a ConfigMap takes {most}")]
    ScriptTooLong {
        /// The step.
        step: String,
        /// Its length.
        bytes: usize,
        /// The most there may be.
        most: usize,
    },
    /// A volume names nothing that a cluster has: add pvc, configMap, secret or emptyDir.
    #[error(
        "the volume `{mount}` of step `{step}` says nothing for a cluster: give it `pvc`, `configMap`, `secret` or `emptyDir`"
    )]
    VolumeWithoutSource {
        /// The step.
        step: String,
        /// Where it would be.
        mount: String,
    },
    /// A volume lies where memq puts its own files: choose another path.
    #[error("the volume `{mount}` of step `{step}` lies where memq puts its own files")]
    ReservedMount {
        /// The step.
        step: String,
        /// Where it would be.
        mount: String,
    },
    /// `resources` is not what Kubernetes calls so: requests and limits, each a map of quantities.
    #[error("the `resources` of step `{step}` are not Kubernetes' ResourceRequirements ({why})")]
    Resources {
        /// The step.
        step: String,
        /// What is wrong.
        why: String,
    },
    /// `pod` is not part of a PodTemplateSpec: mend it as `kubectl explain pod.spec` says.
    #[error("the `pod` of step `{step}` cannot be laid over a PodTemplateSpec ({why})")]
    Overlay {
        /// The step.
        step: String,
        /// What is wrong.
        why: String,
    },
    /// The caller asked for an element that the step does not have.
    #[error("step `{step}` has no element {element}")]
    NoSuchElement {
        /// The step.
        step: String,
        /// The element.
        element: u32,
    },
}

/// What one Job of a step runs: the step's own, or its element's.
#[derive(Debug, Clone, Copy)]
struct Part<'a> {
    step: &'a Step,
    handler: &'a Handler,
    env: &'a std::collections::BTreeMap<String, EnvValue>,
    element: Option<&'a Element>,
}

impl<'a> Part<'a> {
    fn of(wanted: &Wanted<'a>) -> Result<Self, RenderError> {
        let step = wanted.step;
        let element = match (&step.work, wanted.element) {
            (Work::Each(each), Some(index)) => {
                let element = each.elements.get(index as usize);
                Some(element.ok_or_else(|| RenderError::NoSuchElement {
                    step: step.name.clone(),
                    element: index,
                })?)
            }
            _ => None,
        };
        Ok(Self {
            step,
            handler: element.map_or(&step.handler, |element| &element.handler),
            env: element.map_or(&step.env, |element| &element.env),
            element,
        })
    }

    /// The image of the user's that runs it, if memq's does not: the step's, or what `pod` says.
    fn own_image(&self) -> Option<&'a str> {
        let laid_over = || {
            let containers = self
                .step
                .pod
                .overlay
                .as_ref()?
                .pointer("/spec/containers")?;
            let ours = |container: &&serde_json::Value| container["name"] == WORKER;
            containers.as_array()?.iter().find(ours)?["image"].as_str()
        };
        laid_over().or(self.step.pod.image.as_deref())
    }

    /// Whether a worker of ours goes through items for it.
    fn has_worker(&self) -> bool {
        matches!(self.step.work, Work::Items(_)) && *self.handler != Handler::Image
    }

    /// Whether the user's image must be given our program.
    fn installs(&self) -> bool {
        let builtin = matches!(self.handler, Handler::Builtin(_));
        self.own_image().is_some() && (self.has_worker() || builtin)
    }
}

#[cfg(test)]
mod tests;
