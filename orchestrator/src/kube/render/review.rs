//! All objects of a run at once, for somebody to look at before anything is made.
//!
//! What is shown of a step is its first Job. It does not know the command line.

use serde::Serialize;
use serde_json::{Value, json};

use super::{Place, RenderError, Rendered, Wanted, ephemeral, job};
use crate::kube::plan::names;
use crate::spec::{RunSpec, Step, Work};

/// The objects of a run, each before those that need it. `object` is the run itself, as a cluster is given it;
/// with `ephemeral` it lies in what the run brings with it.
pub fn review(
    spec: &RunSpec,
    object: &Value,
    place: &Place,
    ephemeral: bool,
) -> Result<Vec<Value>, RenderError> {
    let mut object = object.clone();
    if let Some(metadata) = object
        .pointer_mut("/metadata")
        .and_then(Value::as_object_mut)
    {
        metadata.remove("generateName");
        metadata.insert("name".into(), json!(place.run));
        metadata.insert("namespace".into(), json!(place.namespace));
    }
    let mut objects = Vec::new();
    if ephemeral {
        let ephemeral::Bundle {
            job,
            config_map,
            service_account,
            role,
            role_binding,
            service,
        } = ephemeral::bundle(place, &object.to_string());
        objects.extend([
            value(&service_account),
            value(&role),
            value(&role_binding),
            value(&config_map),
            value(&service),
            value(&job),
        ]);
    } else {
        objects.push(object);
    }
    for step in &spec.steps {
        let rendered = first_job(spec, step, place)?;
        objects.extend(rendered.config_maps.iter().map(value));
        objects.push(value(&rendered.job));
    }
    Ok(objects)
}

/// The Job with which a step begins, and what it mounts.
pub fn first_job(spec: &RunSpec, step: &Step, place: &Place) -> Result<Rendered, RenderError> {
    job(place, &first(spec, step, place))
}

fn first<'a>(spec: &RunSpec, step: &'a Step, place: &Place) -> Wanted<'a> {
    let (element, parallelism) = match &step.work {
        Work::Items(pool) => (None, pool.workers.min),
        Work::Each(_) => (Some(0), 1),
        Work::Once => (None, 1),
    };
    // A name that no server takes is an error of the controller's, in the run's status; here it is shown.
    let queue = names::queue(&place.namespace, spec, step).and_then(Result::ok);
    Wanted {
        name: names::job(&place.run, &step.name, element, 1),
        step,
        element,
        number: 1,
        queue: queue.map_or_else(String::new, |queue| queue.to_string()),
        parallelism,
    }
}

/// An object as JSON. All that could fail is a map whose keys are no texts, and Kubernetes has none.
fn value(object: &impl Serialize) -> Value {
    serde_json::to_value(object).unwrap_or_default()
}
