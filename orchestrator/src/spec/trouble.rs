//! What in a spec cannot work on one machine, or in a cluster, though it is well written.
//!
//! It judges the spec alone: what a cluster has or refuses is for its own answer to say.

use std::fmt;

use super::RunSpec;
use super::env::EnvValue;
use super::handler::Handler;
use super::items::Items;
use super::pod::{PodRules, Volume};
use super::step::{Step, Work};

/// Something that cannot work, or needs a hand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    /// The step.
    pub step: String,
    /// The field of it, as `env.TOKEN`.
    pub field: String,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub help: String,
    /// Whether the run cannot succeed like this. Else it is a word of warning.
    pub fatal: bool,
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            step,
            field,
            message,
            help,
            fatal: _,
        } = self;
        write!(f, "step {step}: {field}: {message}; {help}")
    }
}

/// What a run on one machine can count on beside its spec.
#[derive(Clone, Copy)]
pub struct Machine<'a> {
    /// Whether an environment variable is set, by its name.
    pub variable: &'a dyn Fn(&str) -> bool,
    /// Whether a server was given, in place of one that begins and ends with the run.
    pub server: bool,
}

/// What cannot work with processes on one machine.
#[must_use]
pub fn local_trouble(spec: &RunSpec, machine: Machine<'_>) -> Vec<Trouble> {
    let mut found = Vec::new();
    for step in &spec.steps {
        let mut say = |field: &str, message: String, help: String| {
            found.push(Trouble {
                step: step.name.clone(),
                field: field.to_owned(),
                message,
                help,
                fatal: true,
            });
        };
        if step.handler == Handler::Image {
            say(
                "image",
                "what an image runs by itself cannot run without a cluster".into(),
                "give a command or a script, or run it with --kube".into(),
            );
        }
        for (name, variable, object) in of_a_cluster(step) {
            if !(machine.variable)(&variable) {
                say(
                    &format!("env.{name}"),
                    format!("its value lies in {object}, which only a cluster has"),
                    format!("set {variable}, or run it with --kube"),
                );
            }
        }
        for Volume {
            mount,
            local,
            empty_dir,
            ..
        } in &step.pod.volumes
        {
            if local.is_none() && !empty_dir {
                say(
                    &format!("volumes.{mount}"),
                    "no folder of this machine stands for it".into(),
                    "give `local: DIR` beside it, or run it with --kube".into(),
                );
            }
        }
        if let Work::Items(pool) = &step.work
            && let Items::Queue(queue) = &pool.items
            && !machine.server
        {
            say(
                "items.queue",
                format!("the run's own server has no queue {queue}"),
                "name the server that has it with --server URL".into(),
            );
        }
    }
    found
}

/// The variables of a step whose values lie in a cluster, with what stands for each on one machine and
/// where it lies, each told once however many elements ask for it.
fn of_a_cluster(step: &Step) -> Vec<(&str, String, String)> {
    // What the step itself says of elements is not yet anybody's variable.
    let envs: Vec<_> = match &step.work {
        Work::Each(each) => each.elements.iter().map(|element| &element.env).collect(),
        Work::Items(_) | Work::Once => vec![&step.env],
    };
    let mut found: Vec<_> = envs
        .into_iter()
        .flatten()
        .filter_map(|(name, value)| {
            let object = match value {
                EnvValue::Text(_) => return None,
                EnvValue::Secret { name, .. } => format!("Secret {name}"),
                EnvValue::ConfigMap { name, .. } => format!("ConfigMap {name}"),
            };
            Some((name.as_str(), value.variable()?, object))
        })
        .collect();
    found.sort();
    found.dedup();
    found
}

/// What cannot work in a cluster.
#[must_use]
pub fn cluster_trouble(spec: &RunSpec) -> Vec<Trouble> {
    let mut found = Vec::new();
    for step in &spec.steps {
        let mut say = |field: &str, message: String, help: String, fatal: bool| {
            found.push(Trouble {
                step: step.name.clone(),
                field: field.to_owned(),
                message,
                help,
                fatal,
            });
        };
        if !has_image(&step.pod) {
            let wants = match &step.handler {
                Handler::Script(_) => Some(("script", "a script needs a shell")),
                Handler::Command(words) if !is_ours(&words[0]) => {
                    Some(("command", "a command needs an image that has its program"))
                }
                Handler::Process(_) => {
                    Some(("process", "a process needs an image that has its program"))
                }
                _ => None,
            };
            if let Some((field, wants)) = wants {
                say(
                    field,
                    format!("{wants}, and memq's own image holds memq alone"),
                    "give `image: NAME` to the step or to `defaults`".into(),
                    true,
                );
            }
        }
        for volume in &step.pod.volumes {
            let Volume {
                mount,
                pvc,
                config_map,
                secret,
                empty_dir,
                ..
            } = volume;
            if pvc.is_none() && config_map.is_none() && secret.is_none() && !empty_dir {
                say(
                    &format!("volumes.{mount}"),
                    "nothing in a cluster stands for this folder".into(),
                    "give pvc, configMap, secret or emptyDir beside `local`".into(),
                    true,
                );
            }
        }
        if let Work::Items(pool) = &step.work
            && let Some((field, what)) = pool.items.lie_outside()
        {
            say(
                field,
                format!("a cluster does not see {what}"),
                "`memq run --kube` loads it; a Run made in another way waits for its items".into(),
                false,
            );
        }
    }
    found
}

fn has_image(pod: &PodRules) -> bool {
    let laid_over = pod
        .overlay
        .as_ref()
        .and_then(|overlay| overlay.pointer("/spec/containers")?.as_array())
        .is_some_and(|containers| containers.iter().any(|c| c.get("image").is_some()));
    pod.image.is_some() || laid_over
}

/// Whether memq's own image has the program.
fn is_ours(program: &str) -> bool {
    matches!(program.rsplit('/').next(), Some("memq"))
}
