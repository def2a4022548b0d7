//! Brings a run's own queue server and controller into a cluster where nobody installed memq, watches them start, and takes
//! them away.
//!
//! What they are is [`crate::kube::render::ephemeral`]'s. Everything belongs to one Job, so taking that away is enough,
//! whatever else was made of it. Once it has ended Kubernetes takes it away after a time; one whose making was broken off is
//! suspended and never ends, so it is listed with the runs and cancelled as one.

use std::time::Duration;

use futures_util::{Stream, StreamExt as _, stream};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{ConfigMap, Pod, Service, ServiceAccount};
use k8s_openapi::api::rbac::v1::{Role, RoleBinding};
use kube::api::{DeleteParams, ListParams, Patch, PatchParams, PostParams, Preconditions};
use kube::{Api, Client, Resource, ResourceExt as _};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::needs::{Refused, refused};
use crate::kube::object::{FIELD_MANAGER, RUN_LABEL};
use crate::kube::observe;
use crate::kube::plan::PodPhase;
use crate::kube::refused::RefusedPods;
use crate::kube::render::{Place, ephemeral};
use crate::kube::status::JobVerdict;

/// How often it is looked how the start goes on: it takes seconds, and rarely minutes.
const LOOK: Duration = Duration::from_secs(1);
/// How often it is looked whether what was started is still there.
const LOOK_LATER: Duration = Duration::from_secs(5);

/// What is said of a Job that nobody started.
pub(crate) const BROKEN_OFF: &str =
    "was never started: its making was broken off, or still goes on; `memq cancel` takes it away";

/// What was brought.
#[derive(Debug, Clone)]
pub(crate) struct Brought {
    namespace: String,
    run: String,
    job: String,
    uid: String,
}

/// Brings all of it. What was made before something was refused is taken away again.
pub(crate) async fn bring(
    client: &Client,
    place: &Place,
    object: &Value,
) -> Result<Brought, Refused> {
    let mut bundle = ephemeral::bundle(place, &object.to_string());
    if let Some(spec) = bundle.job.spec.as_mut() {
        spec.suspend = Some(true);
    }
    let namespace = place.namespace.as_str();
    let jobs = Api::<Job>::namespaced(client.clone(), namespace);
    let doing = format!("make the Job of run {}", place.run);
    let made = match jobs.create(&params(), &bundle.job).await {
        Err(kube::Error::Api(status)) if status.code == 409 => {
            return Err(Refused::Other {
                doing,
                message: format!(
                    "namespace {namespace} has a run of this name: cancel it with `memq cancel {run} -n {namespace}`, wait for its end, \
                     or give this one another name; `kubectl delete job {job} -n {namespace}` takes away what is left of it",
                    run = place.run,
                    job = job(&place.run),
                ),
            });
        }
        made => made.map_err(|error| refused(&error, &doing, "create", "jobs", namespace))?,
    };
    let brought = Brought {
        namespace: namespace.to_owned(),
        run: place.run.clone(),
        job: made.name_any(),
        uid: made.uid().unwrap_or_default(),
    };
    bundle.belong_to(&brought.uid);
    match furnish(client, namespace, &bundle, &brought).await {
        Ok(()) => Ok(brought),
        Err(error) => {
            // What cannot be taken away now is listed with the runs, and cancelled as one.
            let _kept = take_away(client, &brought).await;
            Err(error)
        }
    }
}

async fn furnish(
    client: &Client,
    namespace: &str,
    bundle: &ephemeral::Bundle,
    brought: &Brought,
) -> Result<(), Refused> {
    let ephemeral::Bundle {
        job: _,
        config_map,
        service_account,
        role,
        role_binding,
        service,
    } = bundle;
    make::<ServiceAccount>(client, namespace, service_account, "serviceaccounts").await?;
    make::<Role>(client, namespace, role, "roles").await?;
    make::<RoleBinding>(client, namespace, role_binding, "rolebindings").await?;
    make::<ConfigMap>(client, namespace, config_map, "configmaps").await?;
    make::<Service>(client, namespace, service, "services").await?;
    let start = Patch::Merge(json!({"spec": {"suspend": false}}));
    let params = PatchParams {
        field_manager: Some(FIELD_MANAGER.into()),
        ..PatchParams::default()
    };
    let jobs = Api::<Job>::namespaced(client.clone(), namespace);
    let started = jobs.patch(&brought.job, &params, &start).await;
    let doing = format!("start Job {}", brought.job);
    started
        .map(drop)
        .map_err(|error| refused(&error, &doing, "patch", "jobs", namespace))
}

async fn make<K>(client: &Client, namespace: &str, object: &K, plural: &str) -> Result<(), Refused>
where
    K: Resource<Scope = k8s_openapi::NamespaceResourceScope, DynamicType = ()>,
    K: Clone + std::fmt::Debug + Serialize + DeserializeOwned,
{
    let made = Api::<K>::namespaced(client.clone(), namespace)
        .create(&params(), object)
        .await;
    let doing = format!("make {} {}", K::kind(&()), object.name_any());
    made.map(drop)
        .map_err(|error| refused(&error, &doing, "create", plural, namespace))
}

fn params() -> PostParams {
    PostParams {
        field_manager: Some(FIELD_MANAGER.into()),
        ..PostParams::default()
    }
}

/// The name of the Job that all of it belongs to.
pub(crate) fn job(run: &str) -> String {
    ephemeral::name(run)
}

/// What was brought for a run that is there already.
pub(crate) async fn brought(
    client: &Client,
    namespace: &str,
    run: &str,
) -> Result<Option<Brought>, Refused> {
    let job = job(run);
    let jobs = Api::<Job>::namespaced(client.clone(), namespace);
    let found = jobs.get_opt(&job).await;
    let found = found
        .map_err(|error| refused(&error, &format!("read Job {job}"), "get", "jobs", namespace))?;
    Ok(found.map(|found| Brought {
        namespace: namespace.to_owned(),
        run: run.to_owned(),
        uid: found.uid().unwrap_or_default(),
        job,
    }))
}

/// Takes it away, with all that belongs to it. What is gone already, or is another's, is left as it is.
pub(crate) async fn take_away(client: &Client, brought: &Brought) -> Result<(), Refused> {
    let params = DeleteParams::background().preconditions(Preconditions {
        uid: Some(brought.uid.clone()),
        resource_version: None,
    });
    let jobs = Api::<Job>::namespaced(client.clone(), &brought.namespace);
    match jobs.delete(&brought.job, &params).await {
        Ok(_) => Ok(()),
        Err(kube::Error::Api(status)) if matches!(status.code, 404 | 409) => Ok(()),
        Err(error) => {
            let doing = format!("take Job {} away", brought.job);
            Err(refused(
                &error,
                &doing,
                "delete",
                "jobs",
                &brought.namespace,
            ))
        }
    }
}

/// How the start of what was brought goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Start {
    /// It is on its way.
    Coming,
    /// It does not come on, for this reason; it may yet.
    Waits(String),
    /// It runs.
    Runs,
    /// It will not: it failed, or somebody took it away.
    Over(String),
}

/// Looks how it goes, now and then, and tells each change.
pub(crate) fn watch(
    client: &Client,
    brought: &Brought,
) -> impl Stream<Item = Start> + Send + Unpin + use<> {
    stream::unfold(Look::new(client, brought), |mut look| async move {
        loop {
            let wait = if look.last == Start::Runs {
                LOOK_LATER
            } else {
                LOOK
            };
            tokio::time::sleep(wait).await;
            // What cannot be asked now is asked again; the run's own watch says what is wrong.
            let Some(start) = look.look().await else {
                continue;
            };
            if start != look.last {
                look.last = start.clone();
                return Some((start, look));
            }
        }
    })
    .boxed()
}

/// Looks how it goes once; nothing if that cannot be seen.
pub(crate) async fn look(client: &Client, brought: &Brought) -> Option<Start> {
    Look::new(client, brought).look().await
}

struct Look {
    jobs: Api<Job>,
    pods: Api<Pod>,
    refusals: RefusedPods,
    brought: Brought,
    last: Start,
}

impl Look {
    fn new(client: &Client, brought: &Brought) -> Self {
        Self {
            jobs: Api::namespaced(client.clone(), &brought.namespace),
            pods: Api::namespaced(client.clone(), &brought.namespace),
            refusals: RefusedPods::new(client.clone()),
            brought: brought.clone(),
            last: Start::Coming,
        }
    }

    async fn look(&self) -> Option<Start> {
        let Brought {
            namespace,
            run,
            job,
            uid,
        } = &self.brought;
        let found = self.jobs.get_opt(job).await.ok()?;
        let Some(found) = found.filter(|found| found.uid().as_ref() == Some(uid)) else {
            return Some(Start::Over(format!("its Job {job} was deleted")));
        };
        if found.spec.as_ref().and_then(|spec| spec.suspend) == Some(true) {
            return Some(Start::Waits(format!("its Job {job} {BROKEN_OFF}")));
        }
        let mut jobs = [observe::job(&found)];
        self.refusals.tell(namespace, &mut jobs).await;
        let [seen] = jobs;
        if let Some((JobVerdict::Failed, reason, message)) = seen.ended {
            return Some(Start::Over(format!(
                "its Job {job} failed: {reason}: {message}"
            )));
        }
        let select = format!("{RUN_LABEL}={run},app.kubernetes.io/component=server");
        let pods = self
            .pods
            .list(&ListParams::default().labels(&select))
            .await
            .ok()?;
        let pods = pods.items.iter().map(observe::pod);
        let Some(pod) = pods
            .filter(|pod| !pod.deleting)
            .max_by_key(|pod| pod.created)
        else {
            let refused = seen
                .pods_refused
                .map(|(_, said)| format!("its pod is refused: {said}"));
            return Some(refused.map_or(Start::Coming, Start::Waits));
        };
        let name = &pod.name;
        Some(match (pod.phase, &pod.unschedulable, &pod.waiting) {
            (_, Some((_, said)), _) => {
                Start::Waits(format!("no node takes its pod {name}: {said}"))
            }
            (_, _, Some((reason, said))) if !on_the_way(reason) => {
                let mark = if said.is_empty() { "" } else { ": " };
                Start::Waits(format!(
                    "its pod {name} does not start: {reason}{mark}{said}"
                ))
            }
            (PodPhase::Running, ..) => Start::Runs,
            _ => Start::Coming,
        })
    }
}

/// What every start goes through.
fn on_the_way(reason: &str) -> bool {
    matches!(reason, "ContainerCreating" | "PodInitializing")
}
