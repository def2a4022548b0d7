//! What a run brings with it where nobody installed memq: a Job whose one pod has a queue server and a controller
//! for this run alone, and what that pod needs.
//!
//! All of it belongs to the Job and goes with it. Make the Job first, suspended: the others take its uid
//! as their owner's ([`Bundle::belong_to`]), and a pod that started before them would wait for them in errors.
//! Workers are not part of it: the controller makes those.

use std::collections::BTreeMap;

use k8s_openapi::api::batch::v1::{Job, JobSpec};
use k8s_openapi::api::core::v1::{
    ConfigMap, Container, PodSpec, PodTemplateSpec, Service, ServiceAccount, ServicePort,
    ServiceSpec,
};
use k8s_openapi::api::rbac::v1::{Role, RoleBinding, RoleRef, Subject};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use kube::Resource;
use kube::api::ObjectMeta;

use crate::kube::plan::names::{MAX_JOB_NAME, short_hash};

use super::container::{ours, port, probe, text};
use super::labels::{Component, labels};
use super::{CONTROLLER_PORT, Place, SERVER_PORT, profile, resources, rights, volumes};

/// The key of the ConfigMap under which the run lies, as JSON.
pub const SPEC_KEY: &str = "run.json";
/// How long the Job stays after its end, with its logs.
const KEPT_SECONDS: i32 = 60 * 60;
/// Restarts of server and controller, together, before Kubernetes gives up.
const RESTARTS: i32 = 6;
/// Time for the controller to write down where it is, and for the server to close its log.
const GRACE_SECONDS: i64 = 30;
/// Where the server keeps its queues.
const DATA: &str = "/data";
/// Most bytes of the log, less than the room its folder has; and what of bodies is kept in memory.
const DATA_BYTES: &str = "4294967296";
const DATA_ROOM: &str = "5Gi";
const BODY_MEMORY: &str = "134217728";

/// The objects.
#[derive(Debug, Clone, PartialEq)]
pub struct Bundle {
    /// What all others belong to.
    pub job: Job,
    /// The run.
    pub config_map: ConfigMap,
    /// Who the controller is.
    pub service_account: ServiceAccount,
    /// What it may do.
    pub role: Role,
    /// That it may.
    pub role_binding: RoleBinding,
    /// Where workers find the server.
    pub service: Service,
}

/// The name of all objects of a run that brings its own controller. A Service's may have no dots.
#[must_use]
pub fn name(run: &str) -> String {
    let plain = format!("memq-{run}");
    if plain.len() <= MAX_JOB_NAME && !plain.contains('.') {
        return plain;
    }
    let hash = short_hash(&[run]);
    let head: String = plain.chars().take(MAX_JOB_NAME - hash.len() - 1).collect();
    format!("{}-{hash}", head.replace('.', "-").trim_end_matches('-'))
}

/// The address at which workers of such a run find their server.
#[must_use]
pub fn server_url(run: &str) -> String {
    format!("http://{}:{SERVER_PORT}", name(run))
}

/// The objects for a run; `run` is the whole `Run` object as JSON. Of the place, the owner and the server
/// are of no meaning.
#[must_use]
pub fn bundle(place: &Place, run: &str) -> Bundle {
    let name = name(&place.run);
    let meta = |component| ObjectMeta {
        name: Some(name.clone()),
        namespace: Some(place.namespace.clone()),
        labels: Some(labels(component, &place.run, None)),
        ..ObjectMeta::default()
    };
    Bundle {
        job: job(place, meta(Component::Controller)),
        config_map: ConfigMap {
            metadata: meta(Component::Controller),
            data: Some(BTreeMap::from([(SPEC_KEY.to_owned(), run.to_owned())])),
            ..ConfigMap::default()
        },
        service_account: ServiceAccount {
            metadata: meta(Component::Controller),
            automount_service_account_token: Some(false),
            ..ServiceAccount::default()
        },
        role: Role {
            metadata: meta(Component::Controller),
            rules: Some(rights::ephemeral_rules()),
        },
        role_binding: RoleBinding {
            metadata: meta(Component::Controller),
            role_ref: RoleRef {
                api_group: "rbac.authorization.k8s.io".into(),
                kind: "Role".into(),
                name: name.clone(),
            },
            subjects: Some(vec![Subject {
                kind: "ServiceAccount".into(),
                name: name.clone(),
                namespace: Some(place.namespace.clone()),
                ..Subject::default()
            }]),
        },
        service: Service {
            metadata: meta(Component::Server),
            spec: Some(ServiceSpec {
                selector: Some(labels(Component::Server, &place.run, None)),
                // The pod is ready when the controller is, and workers may be quicker.
                publish_not_ready_addresses: Some(true),
                ports: Some(vec![ServicePort {
                    name: Some("http".into()),
                    port: SERVER_PORT,
                    target_port: Some(IntOrString::String("http".into())),
                    ..ServicePort::default()
                }]),
                ..ServiceSpec::default()
            }),
            status: None,
        },
    }
}

impl Bundle {
    /// Gives all but the Job to the Job, once it has a uid.
    pub fn belong_to(&mut self, uid: &str) {
        let Self {
            job,
            config_map,
            service_account,
            role,
            role_binding,
            service,
        } = self;
        let owner = OwnerReference {
            api_version: Job::api_version(&()).into_owned(),
            kind: Job::kind(&()).into_owned(),
            name: job.metadata.name.clone().unwrap_or_default(),
            uid: uid.to_owned(),
            controller: Some(true),
            block_owner_deletion: None,
        };
        for meta in [
            &mut config_map.metadata,
            &mut service_account.metadata,
            &mut role.metadata,
            &mut role_binding.metadata,
            &mut service.metadata,
        ] {
            meta.owner_references = Some(vec![owner.clone()]);
        }
    }
}

fn job(place: &Place, metadata: ObjectMeta) -> Job {
    let name = metadata.name.clone().unwrap_or_default();
    let data = volumes::empty("data", DATA, Some(DATA_ROOM));
    let tmp = volumes::tmp();
    let pod = PodSpec {
        // Queues lie in the pod: a controller that fails starts again beside them, not in a new pod.
        restart_policy: Some("OnFailure".into()),
        termination_grace_period_seconds: Some(GRACE_SECONDS),
        service_account_name: Some(name.clone()),
        automount_service_account_token: Some(true),
        enable_service_links: Some(false),
        security_context: Some(profile::pod(false, false)),
        init_containers: Some(vec![Container {
            volume_mounts: Some(vec![data.1]),
            ..server(place)
        }]),
        containers: vec![Container {
            volume_mounts: Some(vec![tmp.1]),
            ..controller(place, &name)
        }],
        volumes: Some(vec![data.0, tmp.0]),
        ..PodSpec::default()
    };
    Job {
        metadata,
        spec: Some(JobSpec {
            parallelism: Some(1),
            completions: Some(1),
            backoff_limit: Some(RESTARTS),
            ttl_seconds_after_finished: Some(KEPT_SECONDS),
            template: PodTemplateSpec {
                metadata: Some(ObjectMeta {
                    labels: Some(labels(Component::Server, &place.run, None)),
                    annotations: Some(super::pod::stay()),
                    ..ObjectMeta::default()
                }),
                spec: Some(pod),
            },
            ..JobSpec::default()
        }),
        status: None,
    }
}

/// The queue server: a native sidecar, which starts before the controller and ends after it.
fn server(place: &Place) -> Container {
    let env = [
        ("MEMQ_LISTEN", &*format!("0.0.0.0:{SERVER_PORT}")),
        ("MEMQ_STORAGE", "disk"),
        ("MEMQ_DATA_DIR", "/data/memq"),
        ("MEMQ_MAX_DATA_BYTES", DATA_BYTES),
        ("MEMQ_BODY_MEMORY", BODY_MEMORY),
        ("MEMQ_LOG_FORMAT", "json"),
    ];
    Container {
        restart_policy: Some("Always".into()),
        args: Some(vec!["server".into()]),
        env: Some(env.map(|(name, value)| text(name, value)).into()),
        ports: Some(vec![port("http", SERVER_PORT)]),
        startup_probe: Some(probe("/readyz", "http", 1, 300)),
        liveness_probe: Some(probe("/healthz", "http", 10, 6)),
        resources: Some(resources::fixed([
            ("cpu", "100m", "2"),
            ("memory", "512Mi", "1Gi"),
            ("ephemeral-storage", "256Mi", "6Gi"),
        ])),
        ..ours("server", place)
    }
}

fn controller(place: &Place, name: &str) -> Container {
    let args = [
        "controller",
        "--ephemeral",
        &place.run,
        "--config-map",
        name,
        "--namespace",
        &place.namespace,
        "--server",
        &server_url(&place.run),
    ];
    let listen = format!("0.0.0.0:{CONTROLLER_PORT}");
    let env = [
        ("MEMQ_IMAGE", Some(&*place.image)),
        ("MEMQ_WORKER_ACCOUNT", place.worker_account.as_deref()),
        ("MEMQ_CONTROLLER_LISTEN", Some(&*listen)),
        ("MEMQ_LOG_FORMAT", Some("json")),
    ];
    let env = env
        .into_iter()
        .filter_map(|(name, value)| Some(text(name, value?)));
    Container {
        args: Some(args.map(str::to_owned).into()),
        env: Some(env.collect()),
        ports: Some(vec![port("metrics", CONTROLLER_PORT)]),
        liveness_probe: Some(probe("/healthz", "metrics", 10, 6)),
        resources: Some(resources::fixed([
            ("cpu", "50m", "1"),
            ("memory", "64Mi", "256Mi"),
            ("ephemeral-storage", "64Mi", "256Mi"),
        ])),
        ..ours("controller", place)
    }
}

#[cfg(test)]
mod tests {
    use super::name;

    #[test]
    fn runs_have_names_of_their_own_that_a_service_may_have() {
        let long = "very-".repeat(12) + "abc";
        for (one, other) in [("a.b", "a-b"), (&*long, &long[..62]), ("a", "b")] {
            assert_ne!(name(one), name(other));
            for name in [name(one), name(other)] {
                let legal = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
                assert!(name.len() <= 63 && name.chars().all(legal), "{name}");
            }
        }
        assert_eq!(name("keygen-x7k2p"), "memq-keygen-x7k2p");
    }
}
