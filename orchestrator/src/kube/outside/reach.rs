//! Where the queue server of a run is, and a way to it from here.
//!
//! Workers are told an address of the cluster's own network. What stands behind it is found by the Service
//! of that name, so that it is the same server whatever it is called; where Services may not be read,
//! by our labels.

use k8s_openapi::api::core::v1::{Pod, Service};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use kube::{Api, Client};
use queue_client::ClientBuilder;

use super::forward::{Forward, Goal, Trouble};
use crate::kube::object::RUN_LABEL;
use crate::kube::render::SERVER_PORT;

/// Our servers, by their labels.
const SERVERS: &str = "app.kubernetes.io/name=memq,app.kubernetes.io/component=server";

/// A way to a queue server, open as long as this lives.
#[derive(Debug)]
pub(crate) enum Reach {
    /// Through the API server to a pod.
    Forward(Forward),
    /// By the address that whoever asks named.
    Named(String),
    /// By the address that the cluster tells: it does not lie in it.
    Told(String),
}

impl Reach {
    /// A client of it, to be set up further.
    pub(crate) fn client(&self) -> ClientBuilder {
        match self {
            Self::Forward(forward) => forward.client(),
            Self::Named(url) | Self::Told(url) => queue_client::Client::builder(url),
        }
    }

    /// What stands in the way now, if something does.
    pub(crate) fn trouble(&self) -> Option<Trouble> {
        match self {
            Self::Forward(forward) => forward.trouble(),
            Self::Named(_) | Self::Told(_) => None,
        }
    }

    /// Whether a person's token may be shown there. Whoever may write a run's status could name any server,
    /// and one that a run brought asks for no token: it is for the one that was named, and for the one that
    /// the cluster's runs share.
    pub(crate) fn is_trusted(&self) -> bool {
        match self {
            Self::Forward(forward) => !is_of_run(forward.selector()),
            Self::Named(_) => true,
            Self::Told(_) => false,
        }
    }
}

/// Whether pods that are chosen so belong to one run.
fn is_of_run(selector: &str) -> bool {
    selector
        .split(',')
        .any(|word| word.split('=').next() == Some(RUN_LABEL))
}

/// A host and port of a cluster's network.
#[derive(Debug, PartialEq, Eq)]
struct Inside {
    service: String,
    namespace: String,
    port: u16,
}

/// Opens a way to the server that workers of `namespace` reach by this address; whoever asks may have named one.
pub(crate) async fn to_server(
    client: &Client,
    server: &str,
    namespace: &str,
    named: Option<&str>,
) -> std::io::Result<Reach> {
    let Some(inside) = inside(server, namespace) else {
        let server = server.to_owned();
        let plain = |address: &str| address.trim_end_matches('/').to_owned();
        let is_named = named.is_some_and(|named| plain(named) == plain(&server));
        return Ok(match is_named {
            true => Reach::Named(server),
            false => Reach::Told(server),
        });
    };
    let services = Api::<Service>::namespaced(client.clone(), &inside.namespace);
    let goal = match services.get_opt(&inside.service).await {
        Ok(Some(service)) => behind(&service, inside.port),
        _ => None,
    };
    let goal = goal.unwrap_or_else(|| Goal {
        selector: format!("{SERVERS},!{RUN_LABEL}"),
        port: IntOrString::Int(SERVER_PORT),
    });
    let pods = Api::<Pod>::namespaced(client.clone(), &inside.namespace);
    Ok(Reach::Forward(Forward::open(pods, goal).await?))
}

/// Opens a way to the server that a run brought with it.
pub(crate) async fn to_own(client: &Client, run: &str, namespace: &str) -> std::io::Result<Reach> {
    let goal = Goal {
        selector: format!("{SERVERS},{RUN_LABEL}={run}"),
        port: IntOrString::Int(SERVER_PORT),
    };
    let pods = Api::<Pod>::namespaced(client.clone(), namespace);
    Ok(Reach::Forward(Forward::open(pods, goal).await?))
}

/// Which pods a Service stands for, and which of their ports.
fn behind(service: &Service, port: u16) -> Option<Goal> {
    let spec = service.spec.as_ref()?;
    let selector = spec
        .selector
        .as_ref()
        .filter(|selector| !selector.is_empty())?;
    let words: Vec<_> = selector
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    let ports = spec.ports.as_deref().unwrap_or_default();
    let found = ports.iter().find(|found| found.port == i32::from(port))?;
    let same = IntOrString::Int(found.port);
    Some(Goal {
        selector: words.join(","),
        port: found.target_port.clone().unwrap_or(same),
    })
}

/// The Service an address means, if it is one of the cluster's network.
fn inside(server: &str, namespace: &str) -> Option<Inside> {
    let rest = server.strip_prefix("http://")?;
    let authority = rest.split('/').next()?;
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) => (host, port.parse().ok()?),
        None => (authority, 80),
    };
    if host.parse::<std::net::IpAddr>().is_ok() || host == "localhost" || host.starts_with('[') {
        return None;
    }
    let words: Vec<&str> = host.split('.').collect();
    let (service, namespace) = match words.as_slice() {
        [service] => (*service, namespace),
        [service, namespace] | [service, namespace, "svc", ..] => (*service, *namespace),
        _ => return None,
    };
    Some(Inside {
        service: service.to_owned(),
        namespace: namespace.to_owned(),
        port,
    })
}

#[cfg(test)]
mod tests {
    use fake_kube::{FakeApi, NAMESPACE};
    use serde_json::json;

    use super::*;

    #[test]
    fn an_address_of_the_cluster_is_told_from_one_of_the_world() {
        let found = |server: &str| {
            inside(server, "team").map(|found| (found.service, found.namespace, found.port))
        };
        let of = |service: &str, namespace: &str, port| {
            Some((service.to_owned(), namespace.to_owned(), port))
        };
        assert_eq!(found("http://memq:8080"), of("memq", "team", 8080));
        assert_eq!(found("http://memq.queues:81/"), of("memq", "queues", 81));
        assert_eq!(
            found("http://memq.queues.svc.cluster.local"),
            of("memq", "queues", 80)
        );
        for outside in [
            "https://memq:8080",
            "http://queue.example.com",
            "http://10.0.0.1:80",
            "http://localhost:1",
        ] {
            assert_eq!(found(outside), None, "{outside}");
        }
    }

    #[tokio::test]
    async fn a_token_is_for_the_shared_server_and_the_one_that_was_named() {
        let api = FakeApi::start().await;
        let client = api.client();
        let service = |name: &str, selector: serde_json::Value| {
            json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": name},
                "spec": {"selector": selector, "ports": [{"port": 8080}]}})
        };
        api.put(service("memq", json!({"app.kubernetes.io/name": "memq"})));
        api.put(service(
            "own",
            json!({"app.kubernetes.io/name": "memq", (RUN_LABEL): "r"}),
        ));
        let trusted = async |server: &str, named: Option<&str>| {
            let reach = to_server(&client, server, NAMESPACE, named).await;
            reach.expect("a way").is_trusted()
        };
        assert!(trusted("http://memq:8080", None).await);
        assert!(!trusted("http://own:8080", None).await, "of one run");
        for outside in [
            "http://127.0.0.1:1",
            "http://queue.example.com",
            "https://memq:8080",
        ] {
            assert!(!trusted(outside, None).await, "{outside}");
            assert!(
                !trusted(outside, Some("http://10.0.0.1")).await,
                "{outside}"
            );
            assert!(
                trusted(outside, Some(&format!("{outside}/"))).await,
                "{outside}"
            );
        }
        assert!(
            !to_own(&client, "r", NAMESPACE)
                .await
                .expect("a way")
                .is_trusted()
        );
    }

    #[test]
    fn a_service_says_which_pods_and_which_port_stand_behind_it() {
        let service: Service = serde_json::from_value(json!({"spec": {
            "selector": {"app": "q", "tier": "x"},
            "ports": [{"port": 81, "targetPort": "http"}, {"port": 82}]}}))
        .expect("a service");
        let goal = behind(&service, 81).expect("a goal");
        assert_eq!(
            (goal.selector.as_str(), goal.port),
            ("app=q,tier=x", IntOrString::String("http".into()))
        );
        assert_eq!(
            behind(&service, 82).map(|goal| goal.port),
            Some(IntOrString::Int(82))
        );
        assert!(behind(&service, 83).is_none());
    }
}
