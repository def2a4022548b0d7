//! The runs of a cluster as a person sees them: objects of their own kind, and ConfigMaps of runs that brought their
//! controller along.
//!
//! One place knows both forms; all else here speaks of a [`Record`].

use futures_util::{Stream, StreamExt as _};
use jiff::Timestamp;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::ConfigMap;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::{ListParams, Patch, PatchParams};
use kube::runtime::{WatchStreamExt as _, watcher};
use kube::{Api, Client, Resource, ResourceExt as _};
use serde_json::{Value, json};

use super::bundle::BROKEN_OFF;
use super::needs::{Refused, refused};
use crate::kube::home::STATUS_KEY;
use crate::kube::object::{CANCEL, FIELD_MANAGER, GROUP, RUN_LABEL, Run, VERSION};
use crate::kube::render::ephemeral;
use crate::kube::render::ephemeral::SPEC_KEY;
use crate::kube::status::RunStatus;

/// The Jobs that runs bring, by their labels.
const CONTROLLERS: &str = "app.kubernetes.io/component=controller,memq.dev/run";

/// Which form a run has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Form {
    /// An object of the kind Run.
    Installed,
    /// A ConfigMap beside a controller of its own.
    Ephemeral,
}

/// A run.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Record {
    /// Its namespace.
    pub(crate) namespace: String,
    /// Its name.
    pub(crate) name: String,
    /// Its form.
    pub(crate) form: Form,
    /// When it was made.
    pub(crate) created: Option<Timestamp>,
    /// Its spec, as it was given.
    pub(crate) spec: Value,
    /// How far it is; an error says why that cannot be read.
    pub(crate) status: Result<RunStatus, String>,
    /// Why somebody asked for it to be cancelled.
    pub(crate) cancelled: Option<String>,
}

/// Which runs are meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Scope {
    /// Of one namespace.
    Namespace(String),
    /// Of all.
    All,
}

impl Scope {
    fn api<K>(&self, client: &Client) -> Api<K>
    where
        K: Resource<Scope = k8s_openapi::NamespaceResourceScope, DynamicType = ()>,
    {
        match self {
            Self::Namespace(namespace) => Api::namespaced(client.clone(), namespace),
            Self::All => Api::all(client.clone()),
        }
    }

    fn name(&self) -> &str {
        match self {
            Self::Namespace(namespace) => namespace,
            Self::All => "",
        }
    }
}

/// Whether the kind Run is installed, in our version.
pub(crate) async fn is_installed(client: &Client) -> Result<bool, Refused> {
    let group = format!("{GROUP}/{VERSION}");
    match client.list_api_group_resources(&group).await {
        Ok(found) => Ok(found
            .resources
            .iter()
            .any(|resource| resource.kind == "Run")),
        Err(kube::Error::Api(status)) if status.code == 404 => Ok(false),
        Err(error) => Err(refused(
            &error,
            "ask the API server what is installed",
            "get",
            "",
            "",
        )),
    }
}

/// All runs, the newest first.
pub(crate) async fn list(client: &Client, scope: &Scope) -> Result<Vec<Record>, Refused> {
    let mut records = Vec::new();
    // Whoever may not see runs may see those that lie in ConfigMaps.
    let mut hidden = None;
    match scope.api::<Run>(client).list(&ListParams::default()).await {
        Ok(found) => records.extend(found.items.iter().map(of_object)),
        // The kind is not installed, or not in our version.
        Err(kube::Error::Api(status)) if status.code == 404 => {}
        Err(error) => {
            let forbidden = matches!(&error, kube::Error::Api(status) if status.code == 403);
            let error = refused(&error, "list runs", "list", "runs", scope.name());
            if !forbidden {
                return Err(error);
            }
            hidden = Some(error);
        }
    }
    let select = ListParams::default().labels(RUN_LABEL);
    match scope.api::<ConfigMap>(client).list(&select).await {
        Ok(found) => records.extend(found.items.iter().filter_map(of_config)),
        // Whoever may see runs and no ConfigMaps has none of those.
        Err(kube::Error::Api(status)) if status.code == 403 && !records.is_empty() => {}
        Err(error) => {
            return Err(refused(
                &error,
                "list ConfigMaps of runs",
                "list",
                "configmaps",
                scope.name(),
            ));
        }
    }
    let select = ListParams::default().labels(CONTROLLERS);
    // Whoever may not see Jobs has brought none.
    if let Ok(found) = scope.api::<Job>(client).list(&select).await {
        for half in found.items.iter().filter_map(of_job) {
            let same =
                |one: &&mut Record| (&one.namespace, &one.name) == (&half.namespace, &half.name);
            match records.iter_mut().find(same) {
                Some(whole) if whole.form == Form::Ephemeral => whole.status = half.status,
                Some(_) => {}
                None => records.push(half),
            }
        }
    }
    records.sort_by(|a, b| {
        (b.created, &a.namespace, &a.name).cmp(&(a.created, &b.namespace, &b.name))
    });
    match hidden {
        Some(hidden) if records.is_empty() => Err(hidden),
        _ => Ok(records),
    }
}

/// The run of this name, in whichever form.
pub(crate) async fn find(
    client: &Client,
    namespace: &str,
    name: &str,
) -> Result<Option<Record>, Refused> {
    let runs = Api::<Run>::namespaced(client.clone(), namespace);
    let doing = format!("read run {name}");
    // Whoever may not see runs may see one that lies in a ConfigMap.
    let hidden = match runs.get_opt(name).await {
        Ok(Some(run)) => return Ok(Some(of_object(&run))),
        Ok(None) => None,
        // The kind is not installed: the API server has no words of its own for that.
        Err(kube::Error::Api(status)) if status.code == 404 => None,
        Err(error) => {
            let forbidden = matches!(&error, kube::Error::Api(status) if status.code == 403);
            let error = refused(&error, &doing, "get", "runs", namespace);
            if !forbidden {
                return Err(error);
            }
            Some(error)
        }
    };
    let maps = Api::<ConfigMap>::namespaced(client.clone(), namespace);
    let found = match maps.get_opt(&ephemeral::name(name)).await {
        Ok(Some(found)) => Ok(of_config(&found)),
        Ok(None) => half_made(client, namespace, name).await,
        // Whoever may see runs and no ConfigMaps has none of those.
        Err(kube::Error::Api(status)) if status.code == 403 && is_installed(client).await? => {
            Ok(None)
        }
        Err(error) => Err(refused(&error, &doing, "get", "configmaps", namespace)),
    };
    match (found, hidden) {
        (Ok(None) | Err(_), Some(hidden)) => Err(hidden),
        (found, _) => found,
    }
}

/// A run of which only the Job is there.
async fn half_made(
    client: &Client,
    namespace: &str,
    name: &str,
) -> Result<Option<Record>, Refused> {
    let jobs = Api::<Job>::namespaced(client.clone(), namespace);
    match jobs.get_opt(&ephemeral::name(name)).await {
        Ok(found) => Ok(found
            .as_ref()
            .and_then(of_job)
            .filter(|one| one.name == name)),
        // Whoever may not see Jobs has brought none.
        Err(kube::Error::Api(status)) if status.code == 403 => Ok(None),
        Err(error) => Err(refused(
            &error,
            &format!("read run {name}"),
            "get",
            "jobs",
            namespace,
        )),
    }
}

/// Asks for a run to be cancelled; whoever carries it out does so.
pub(crate) async fn cancel(client: &Client, record: &Record, reason: &str) -> Result<(), Refused> {
    let patch = Patch::Merge(json!({"metadata": {"annotations": {CANCEL: reason}}}));
    let params = PatchParams {
        field_manager: Some(FIELD_MANAGER.into()),
        ..PatchParams::default()
    };
    let (namespace, name) = (&record.namespace, &record.name);
    let doing = format!("cancel run {name}");
    match record.form {
        Form::Installed => {
            let runs = Api::<Run>::namespaced(client.clone(), namespace);
            let done = runs.patch(name, &params, &patch).await;
            done.map(drop)
                .map_err(|error| refused(&error, &doing, "patch", "runs", namespace))
        }
        Form::Ephemeral => {
            let maps = Api::<ConfigMap>::namespaced(client.clone(), namespace);
            let done = maps.patch(&ephemeral::name(name), &params, &patch).await;
            done.map(drop)
                .map_err(|error| refused(&error, &doing, "patch", "configmaps", namespace))
        }
    }
}

/// What a watch of a run tells: the run, nothing once it is gone, or why it cannot be seen now.
pub(crate) type Sight = Result<Option<Record>, Refused>;

/// Watches one run, for as long as it is asked.
pub(crate) fn watch(
    client: &Client,
    form: Form,
    namespace: &str,
    name: &str,
) -> impl Stream<Item = Sight> + Send + Unpin + use<> {
    let doing = format!("follow run {name}");
    let of = namespace.to_owned();
    let cannot = move |error: watcher::Error, resource: &str| {
        let verb = if matches!(error, watcher::Error::InitialListFailed(_)) {
            "list"
        } else {
            "watch"
        };
        match error {
            watcher::Error::InitialListFailed(error)
            | watcher::Error::WatchStartFailed(error)
            | watcher::Error::WatchFailed(error) => refused(&error, &doing, verb, resource, &of),
            error => Refused::Other {
                doing: doing.clone(),
                message: crate::kube::say(&error),
            },
        }
    };
    match form {
        Form::Installed => {
            let runs = Api::<Run>::namespaced(client.clone(), namespace);
            let seen = watcher::watch_object(runs, name).default_backoff();
            seen.map(move |seen| match seen {
                Ok(run) => Ok(run.as_ref().map(of_object)),
                Err(error) => Err(cannot(error, "runs")),
            })
            .boxed()
        }
        Form::Ephemeral => {
            let maps = Api::<ConfigMap>::namespaced(client.clone(), namespace);
            let seen = watcher::watch_object(maps, &ephemeral::name(name)).default_backoff();
            seen.map(move |seen| match seen {
                Ok(map) => Ok(map.as_ref().and_then(of_config)),
                Err(error) => Err(cannot(error, "configmaps")),
            })
            .boxed()
        }
    }
}

fn of_object(run: &Run) -> Record {
    let status = run.status();
    record(
        &run.metadata,
        run.name_any(),
        Form::Installed,
        run.spec.clone(),
        status,
    )
}

/// A ConfigMap that holds a run; scripts lie in ConfigMaps of the same labels.
fn of_config(map: &ConfigMap) -> Option<Record> {
    let data = map.data.as_ref()?;
    let object: Value = serde_json::from_str(data.get(SPEC_KEY)?).unwrap_or_default();
    let name = map.labels().get(RUN_LABEL)?.clone();
    let status = match data.get(STATUS_KEY) {
        None => Ok(RunStatus::default()),
        Some(text) => serde_json::from_str(text),
    };
    Some(record(
        &map.metadata,
        name,
        Form::Ephemeral,
        object["spec"].clone(),
        status,
    ))
}

/// A Job that was made for a run and never started: nothing else of the run need be there.
fn of_job(job: &Job) -> Option<Record> {
    let name = job.labels().get(RUN_LABEL)?.clone();
    let suspended = job.spec.as_ref()?.suspend == Some(true);
    if !suspended || job.name_any() != ephemeral::name(&name) {
        return None;
    }
    let status = RunStatus {
        message: format!("its Job {BROKEN_OFF}"),
        ..RunStatus::default()
    };
    Some(record(
        &job.metadata,
        name,
        Form::Ephemeral,
        Value::Null,
        Ok(status),
    ))
}

fn record(
    meta: &ObjectMeta,
    name: String,
    form: Form,
    spec: Value,
    status: serde_json::Result<RunStatus>,
) -> Record {
    let annotations = meta.annotations.as_ref();
    Record {
        namespace: meta.namespace.clone().unwrap_or_default(),
        name,
        form,
        created: meta.creation_timestamp.as_ref().map(|time| time.0),
        spec,
        status: status.map_err(|error| {
            format!("its status cannot be read ({error}): another version wrote it")
        }),
        cancelled: annotations.and_then(|all| all.get(CANCEL)).cloned(),
    }
}
