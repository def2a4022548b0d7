//! Makes what a run is in a cluster: an object of its kind, or what it brings along.

use kube::api::PostParams;
use kube::{Api, Client};

use super::bundle::{self, Brought};
use super::needs::{Refused, refused};
use super::order::Order;
use super::records::{self, Form, Record};
use crate::kube::object::{FIELD_MANAGER, Run};
use crate::kube::render::{Place, ephemeral};

/// Makes it; the run, and what it brought.
pub(crate) async fn submit(
    client: &Client,
    order: &Order,
    form: Form,
    image: &str,
) -> Result<(Record, Option<Brought>), Refused> {
    let (namespace, name) = (order.namespace.as_str(), order.spec.name.as_str());
    let doing = format!("make run {name}");
    let brought = match form {
        Form::Ephemeral => {
            let place = Place {
                namespace: namespace.to_owned(),
                run: name.to_owned(),
                owner: None,
                server: ephemeral::server_url(name),
                image: image.to_owned(),
                worker_account: None,
                worker_token: None,
            };
            Some(bundle::bring(client, &place, &order.object).await?)
        }
        Form::Installed => {
            create(client, order, &doing).await?;
            None
        }
    };
    let found = records::find(client, namespace, name).await?;
    let record = found.ok_or_else(|| Refused::Other {
        doing,
        message: "it was there and is gone".into(),
    })?;
    Ok((record, brought))
}

async fn create(client: &Client, order: &Order, doing: &str) -> Result<(), Refused> {
    let namespace = order.namespace.as_str();
    let odd = |error: serde_json::Error| Refused::Other {
        doing: doing.to_owned(),
        message: error.to_string(),
    };
    let run: Run = serde_json::from_value(order.object.clone()).map_err(odd)?;
    let params = PostParams {
        field_manager: Some(FIELD_MANAGER.into()),
        ..PostParams::default()
    };
    let runs = Api::<Run>::namespaced(client.clone(), namespace);
    match runs.create(&params, &run).await {
        Ok(_) => Ok(()),
        Err(kube::Error::Api(status)) if status.code == 409 => Err(Refused::Other {
            doing: doing.to_owned(),
            message: format!(
                "namespace {namespace} has a run of this name: `memq show {name}` shows it; delete it with \
                 `kubectl delete run {name} -n {namespace}`, or give this one another name",
                name = order.spec.name
            ),
        }),
        Err(error) => Err(refused(&error, doing, "create", "runs", namespace)),
    }
}
