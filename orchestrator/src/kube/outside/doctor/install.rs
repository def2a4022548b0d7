//! What is installed: the kind, the controller, the queue server, the image, and the room that a quota leaves.

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::{Namespace, Pod, PodSpec};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::ListParams;
use kube::{Api, Client, ResourceExt as _};
use queue_client::{TOKEN_FILE_VARIABLE, TOKEN_VARIABLE};
use serde_json::Value;

use super::Finding;
use crate::kube::clock;
use crate::kube::object::{GROUP, PLURAL};
use crate::kube::outside::needs;
use crate::kube::outside::reach::{self, Reach};
use crate::kube::quota::Quotas;
use crate::kube::render::{self, Place, rights};
use crate::spec::{self, Given};

/// The controller's Deployment, by its labels.
const CONTROLLERS: &str = "app.kubernetes.io/name=memq,app.kubernetes.io/component=controller";
/// What the manifests call its service account.
const ACCOUNT: &str = "memq-controller";
/// Where a controller tells workers that the queue server is, unless it is told otherwise.
const SERVER: &str = "http://memq:8080";
/// How long the queue server may take to answer.
pub(super) const PATIENCE: std::time::Duration = std::time::Duration::from_secs(3);
/// A pool of the usual shape, to see how many of its workers would fit.
const USUAL: &str = "{apiVersion: memq.dev/v1alpha1, kind: Run, metadata: {name: usual}, \
                     spec: {steps: [{name: usual, items: {count: 1}, builtin: keygen}]}}";

/// The namespace, if it is certain that there is none by this name.
pub(super) async fn no_namespace(client: &Client, name: &str) -> Option<Finding> {
    let found = Api::<Namespace>::all(client.clone()).get(name).await;
    let Err(kube::Error::Api(status)) = found else {
        return None;
    };
    // Whoever may not look at namespaces can well work in one.
    (status.code == 404).then(|| {
        Finding::missing("namespace", format!("there is no namespace {name}")).help(format!(
            "kubectl create namespace {name}, or name another with -n"
        ))
    })
}

/// Whether the kind is as this version has it.
pub(super) async fn kind(client: &Client) -> Finding {
    let there = "the kind Run is installed";
    let kinds = Api::<CustomResourceDefinition>::all(client.clone());
    let found = match kinds.get(&format!("{PLURAL}.{GROUP}")).await {
        Ok(found) => serde_json::to_value(&found.spec).unwrap_or_default(),
        // Rights to look at definitions are rare, and nobody needs them for runs.
        Err(_) => {
            return Finding::well("kind", format!("{there}; of which version you may not see"));
        }
    };
    let ours = spec::schema::crd::definition();
    let schema = |of: &Value| {
        of.pointer("/versions/0/schema/openAPIV3Schema/properties/spec")
            .cloned()
    };
    let (ours, theirs) = (schema(&ours["spec"]), schema(&found));
    let unknown = ours
        .zip(theirs)
        .and_then(|(ours, theirs)| lacks(&ours, &theirs, "spec"));
    match unknown {
        None => Finding::well("kind", format!("{there}, as this version has it")),
        Some(field) => Finding::missing(
            "kind",
            format!("{there}, of another version: it does not know {field}"),
        )
        .help("kubectl apply -f manifests/base/crd.yaml, of this version"),
    }
}

/// A field of our schema that another has not.
fn lacks(ours: &Value, theirs: &Value, at: &str) -> Option<String> {
    let fields = ours["properties"].as_object().into_iter().flatten();
    for (name, ours) in fields {
        let at = format!("{at}.{name}");
        match theirs["properties"].get(name) {
            None => return Some(at),
            Some(theirs) => {
                if let Some(found) = lacks(ours, theirs, &at) {
                    return Some(found);
                }
            }
        }
    }
    for inner in ["items", "additionalProperties"] {
        if ours[inner].is_object()
            && let Some(found) = lacks(&ours[inner], &theirs[inner], at)
        {
            return Some(found);
        }
    }
    None
}

/// A controller that keeps a namespace.
#[derive(Debug, Clone, Default)]
pub(super) struct Controller {
    /// Where it is.
    pub(super) namespace: String,
    /// Its service account.
    pub(super) account: String,
    /// Where it says that the queue server is.
    server: String,
    /// The image it gives to workers, if it says so.
    image: Option<String>,
    /// Whether it has a token for the queue server.
    pub(super) has_token: bool,
    /// The Secret of the workers' token.
    pub(super) worker_token: Option<String>,
}

/// The controller that keeps a namespace: its own, or one that keeps all. An error says that it cannot be looked for.
pub(super) async fn controller(
    client: &Client,
    namespace: &str,
) -> kube::Result<Option<Controller>> {
    let labels = ListParams::default().labels(CONTROLLERS);
    let here = Api::<Deployment>::namespaced(client.clone(), namespace);
    if let Some(found) = here.list(&labels).await?.items.first() {
        return Ok(Some(Controller::of(found)));
    }
    // Whoever may not look everywhere may still have one that keeps all.
    let everywhere = Api::<Deployment>::all(client.clone()).list(&labels).await;
    let found = everywhere.map(|found| found.items).unwrap_or_default();
    Ok(found.iter().find(|one| keeps_all(one)).map(Controller::of))
}

impl Controller {
    /// As the manifests install it.
    pub(super) fn usual(namespace: &str) -> Self {
        Self {
            namespace: namespace.to_owned(),
            account: ACCOUNT.to_owned(),
            server: SERVER.to_owned(),
            ..Self::default()
        }
    }

    fn of(deployment: &Deployment) -> Self {
        let spec = pod_spec(deployment);
        let account = spec.and_then(|spec| spec.service_account_name.clone());
        Self {
            namespace: deployment.namespace().unwrap_or_default(),
            account: account.unwrap_or_else(|| ACCOUNT.to_owned()),
            server: told(deployment, "--server", "MEMQ_SERVER")
                .unwrap_or_else(|| SERVER.to_owned()),
            image: told(deployment, "--image", "MEMQ_IMAGE"),
            has_token: told(deployment, "--token-file", TOKEN_FILE_VARIABLE).is_some()
                || has_variable(deployment, TOKEN_VARIABLE),
            worker_token: told(
                deployment,
                "--worker-token-secret",
                "MEMQ_WORKER_TOKEN_SECRET",
            ),
        }
    }
}

fn pod_spec(deployment: &Deployment) -> Option<&PodSpec> {
    deployment.spec.as_ref()?.template.spec.as_ref()
}

fn keeps_all(deployment: &Deployment) -> bool {
    let container = pod_spec(deployment).and_then(|spec| spec.containers.first());
    let args = container.and_then(|container| container.args.as_ref());
    let said = args.is_some_and(|args| args.iter().any(|word| word == "--all-namespaces"));
    said || told(deployment, "--all-namespaces", "MEMQ_ALL_NAMESPACES")
        .is_some_and(|value| value == "true")
}

/// What a controller is told by a flag or a variable.
fn told(deployment: &Deployment, flag: &str, variable: &str) -> Option<String> {
    let container = pod_spec(deployment)?.containers.first()?;
    let args = container.args.as_deref().unwrap_or_default();
    let after = args.iter().position(|word| word == flag);
    let given = after.and_then(|at| args.get(at + 1)).cloned();
    given.or_else(|| {
        let mut env = container.env.iter().flatten();
        env.find(|one| one.name == variable)?.value.clone()
    })
}

/// Whether a controller has a variable, wherever its value comes from.
fn has_variable(deployment: &Deployment, name: &str) -> bool {
    let container = pod_spec(deployment).and_then(|spec| spec.containers.first());
    let mut env = container
        .into_iter()
        .flat_map(|one| one.env.iter().flatten());
    env.any(|one| one.name == name)
}

/// Whether a controller works.
pub(super) async fn leader(client: &Client, namespace: &str) -> Finding {
    let about = "controller";
    let leases = Api::<Lease>::namespaced(client.clone(), namespace);
    let lease = match leases.get_opt(rights::LEASE).await {
        Ok(Some(lease)) => lease,
        Ok(None) => {
            let message = format!("none ever led in namespace {namespace}");
            return Finding::missing(about, message).help(format!(
                "kubectl get pods -n {namespace} -l {CONTROLLERS} shows whether one is about to"
            ));
        }
        Err(error) => {
            let error = needs::refused(
                &error,
                "look at the controller's Lease",
                "get",
                "leases",
                namespace,
            );
            return Finding::unknown(about, first_line(&error.to_string()));
        }
    };
    let spec = lease.spec.unwrap_or_default();
    let holder = spec.holder_identity.unwrap_or_default();
    let length = i64::from(spec.lease_duration_seconds.unwrap_or(0));
    let renewed = spec.renew_time.map(|time| time.0);
    let age = renewed.map(|renewed| clock::now().duration_since(renewed).as_secs());
    match age {
        Some(age) if !holder.is_empty() && age <= length * 2 => Finding::well(
            about,
            format!("{holder} leads, and said so {} s ago", age.max(0)),
        ),
        Some(age) if !holder.is_empty() => {
            let message = format!("the last that led, {holder}, has said nothing for {age} s");
            Finding::missing(about, message).help(format!(
                "kubectl logs -n {namespace} -l {CONTROLLERS} tells why"
            ))
        }
        _ => Finding::missing(about, "none leads: the last one stopped").help(format!(
            "kubectl get pods -n {namespace} -l {CONTROLLERS} shows whether one is about to"
        )),
    }
}

/// Whether the queue server answers, and the way to it if it does.
pub(super) async fn server(
    client: &Client,
    namespace: &str,
    controller: &Controller,
    named: Option<&str>,
) -> (Finding, Option<Reach>) {
    let about = "queue server";
    let url = controller.server.as_str();
    let reach = match reach::to_server(client, url, namespace, named).await {
        Ok(reach) => reach,
        Err(error) => {
            let message = format!("no port of this machine is free: {error}");
            return (Finding::unknown(about, message), None);
        }
    };
    let missing = |why: &str| Finding::missing(about, format!("{url}: {why}"));
    let queues = match reach.client().give_up_after(PATIENCE).build() {
        Ok(queues) => queues,
        Err(error) => return (missing(&crate::kube::say(&error)), None),
    };
    let Err(error) = queues.ready().await else {
        let image = match &reach {
            Reach::Forward(forward) => forward.image(),
            Reach::Named(_) | Reach::Told(_) => None,
        };
        let image = image.map_or(String::new(), |image| format!(", image {image}"));
        let answers = Finding::well(about, format!("{url} answers{image}"));
        return (answers, Some(reach));
    };
    let found = match reach.trouble() {
        Some(trouble) if trouble.forbidden => {
            Finding::unknown(about, format!("{url}: {}", trouble.text))
        }
        Some(trouble) => missing(&trouble.text),
        None => missing(&crate::kube::say(&error)),
    };
    (found, None)
}

/// The image of workers. Whether a node has it, or can pull it, shows only when one tries.
pub(super) async fn image(
    client: &Client,
    namespace: &str,
    controller: Option<&Controller>,
    asked: &str,
) -> Finding {
    let about = "image";
    let used = controller.and_then(|controller| controller.image.as_deref());
    let image = used.unwrap_or(asked);
    let pods = Api::<Pod>::namespaced(client.clone(), namespace);
    let pods = match pods.list(&ListParams::default()).await {
        Ok(pods) => pods.items,
        Err(_) => {
            return Finding::unknown(
                about,
                format!("workers run {image}; you may not see whether any pod has used it"),
            );
        }
    };
    let statuses = |pod: &Pod| {
        let status = pod.status.clone().unwrap_or_default();
        let inits = status.init_container_statuses.unwrap_or_default();
        let others = status.container_statuses.unwrap_or_default();
        inits.into_iter().chain(others).collect::<Vec<_>>()
    };
    let same = |named: &str| named == image || named.ends_with(&format!("/{image}"));
    let ran = pods.iter().find(|pod| {
        statuses(pod)
            .iter()
            .any(|one| same(&one.image) && !one.image_id.is_empty())
    });
    match ran {
        Some(pod) => Finding::well(
            about,
            format!(
                "workers run {image}, which pod {} has started with",
                pod.name_any()
            ),
        ),
        None => Finding::unknown(
            about,
            format!(
                "workers run {image}; no pod of {namespace} has used it, and whether nodes can pull it shows only when one tries"
            ),
        ),
    }
}

/// How many workers fit.
pub(super) async fn quota(client: &Client, namespace: &str, image: &str) -> Finding {
    let about = "quota";
    let place = Place {
        namespace: namespace.to_owned(),
        run: "usual".into(),
        owner: None,
        server: SERVER.to_owned(),
        image: image.to_owned(),
        worker_account: None,
        worker_token: None,
    };
    let given = Given {
        params: &[],
        suffix: "",
    };
    let none = std::path::Path::new("");
    let usual = spec::parse(USUAL, none, none, given).ok();
    let pod = usual.and_then(|usual| render::pool_pod(&place, usual.steps.first()?).ok());
    let Some(pod) = pod else {
        return Finding::unknown(about, "the usual worker cannot be made");
    };
    let left = Quotas::new(client.clone()).left(namespace, &pod).await;
    match left {
        None => Finding::well(
            about,
            format!("no quota of {namespace} that you may see bounds workers"),
        ),
        Some(left) if left.more_pods == 0 => Finding::missing(
            about,
            format!("no worker fits: {} is used up", left.binding),
        )
        .help(format!("kubectl describe quota -n {namespace}")),
        Some(left) => {
            let message = format!(
                "{} more workers of the usual size fit; {} bounds them",
                left.more_pods, left.binding
            );
            Finding::well(about, message)
        }
    }
}

fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().to_owned()
}
