//! What is made of a spec file for a cluster: the object, and the items that must be brought to its queues from here.
//!
//! Pure but for the file. A step whose items lie on this machine becomes one whose queue is loaded already, under the name
//! that the step's own queue would have had: so it goes when the run goes.

use serde_json::{Value, json};

use crate::kube::plan::names;
use crate::kube::render::{self, Place, RenderError};
use crate::spec::{self, Document, Given, Items, Pool, RunSpec, SpecError, Step, Trouble, Work};

/// Bytes of an object past which lists of items are brought to their queues from here: an API server takes about
/// 1.5 MB, and every watch carries all of it.
const MOST_BYTES: usize = 512 * 1024;

/// A run to be made.
#[derive(Debug, Clone)]
pub(crate) struct Order {
    /// What it does, as it was read here.
    pub(crate) spec: RunSpec,
    /// The object, with its name and namespace.
    pub(crate) object: Value,
    /// Its namespace.
    pub(crate) namespace: String,
    /// Queues that are filled from here.
    pub(crate) fills: Vec<Fill>,
    /// What should be known about it and is no obstacle.
    pub(crate) warnings: Vec<String>,
}

/// A queue that is filled from here.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Fill {
    /// The step.
    pub(crate) step: String,
    /// The queue.
    pub(crate) queue: queue_api::QueueName,
    /// Its items, and how they are handled.
    pub(crate) pool: Pool,
}

/// Why a spec cannot go to a cluster. All of them are for whoever wrote it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NoOrder {
    /// It is no spec: mend it where it says.
    #[error(transparent)]
    Spec(#[from] SpecError),
    /// It is one, and cannot work in a cluster.
    #[error("this run cannot work in a cluster:{}", lines(.0))]
    Trouble(Vec<Trouble>),
    /// A step cannot be made a Job.
    #[error(transparent)]
    Render(#[from] RenderError),
    /// Its queue would have a name that no server takes.
    #[error("the queue of step `{step}` cannot have a name: {message}")]
    Name {
        /// The step.
        step: String,
        /// Why not.
        message: String,
    },
}

/// Reads a spec for a namespace: the one that is named, else that of the file, else `usual`.
pub(crate) fn order(
    document: &Document,
    given: Given<'_>,
    named: Option<&str>,
    usual: &str,
) -> Result<Order, NoOrder> {
    let spec = document.read(given)?;
    let (fatal, warnings): (Vec<_>, Vec<_>) = spec::cluster_trouble(&spec)
        .into_iter()
        .partition(|trouble| trouble.fatal);
    if !fatal.is_empty() {
        return Err(NoOrder::Trouble(fatal));
    }
    let mut object = document.object(given)?;
    let of_file = object
        .pointer("/metadata/namespace")
        .and_then(Value::as_str);
    let namespace = named.or(of_file).unwrap_or(usual).to_owned();
    // Its `generateName` stays: it says of which spec the run is.
    let metadata = &mut object["metadata"];
    metadata["name"] = json!(spec.name);
    metadata["namespace"] = json!(namespace);
    let mut fills = Vec::new();
    for (index, step) in spec.steps.iter().enumerate() {
        if items(step).is_some_and(|items| items.lie_outside().is_some()) {
            fills.push(take(&mut object, &namespace, &spec, index)?);
        }
    }
    for (index, step) in spec.steps.iter().enumerate() {
        if matches!(items(step), Some(Items::List(_))) && object.to_string().len() > MOST_BYTES {
            fills.push(take(&mut object, &namespace, &spec, index)?);
        }
    }
    // What can be seen here is not left to be found out in the cluster.
    let place = Place {
        namespace: namespace.clone(),
        run: spec.name.to_string(),
        owner: None,
        server: String::new(),
        image: render::IMAGE.to_owned(),
        worker_account: None,
        worker_token: None,
    };
    render::review(&spec, &object, &place, false)?;
    let brought = |trouble: &Trouble| {
        let steps = spec.steps.iter().filter(|step| step.name == trouble.step);
        let mut fields = steps.filter_map(|step| items(step)?.lie_outside());
        fields.any(|(field, _)| field == trouble.field)
    };
    let told = |trouble: &Trouble| !brought(trouble);
    Ok(Order {
        warnings: warnings
            .iter()
            .filter(|t| told(t))
            .map(Trouble::to_string)
            .collect(),
        spec,
        object,
        namespace,
        fills,
    })
}

fn items(step: &Step) -> Option<&Items> {
    match &step.work {
        Work::Items(pool) => Some(&pool.items),
        Work::Each(_) | Work::Once => None,
    }
}

/// Takes a step's items out of the object.
fn take(
    object: &mut Value,
    namespace: &str,
    spec: &RunSpec,
    index: usize,
) -> Result<Fill, NoOrder> {
    let step = &spec.steps[index];
    let named = names::queue(namespace, spec, step);
    let (Work::Items(pool), Some(queue)) = (&step.work, named) else {
        unreachable!("only steps with items are taken");
    };
    let queue = queue.map_err(|error| NoOrder::Name {
        step: step.name.clone(),
        message: error.to_string(),
    })?;
    object["spec"]["steps"][index]["items"] = json!({"queue": queue});
    Ok(Fill {
        step: step.name.clone(),
        queue,
        pool: (**pool).clone(),
    })
}

fn lines(troubles: &[Trouble]) -> String {
    troubles
        .iter()
        .map(|trouble| format!("\n  {trouble}"))
        .collect()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn read(steps: &str, dir: &Path, named: Option<&str>) -> Result<Order, NoOrder> {
        let text = format!(
            "apiVersion: memq.dev/v1alpha1\nkind: Run\nmetadata: {{generateName: r-}}\nspec:\n  \
             params: {{n: {{type: integer, default: 1}}}}\n  steps:\n{steps}"
        );
        let document = Document::parse(&text, &dir.join("run.yaml"), dir)?;
        let params = [("n".to_owned(), "7".to_owned())];
        let given = Given {
            params: &params,
            suffix: "x7k2p",
        };
        order(&document, given, named, "usual")
    }

    #[test]
    fn the_object_has_a_name_a_namespace_and_the_parameters_that_were_given() {
        let steps = "  - {name: a, items: {count: $(params.n)}, builtin: keygen}\n";
        let order = read(steps, Path::new("."), None).expect("an order");
        assert_eq!(
            order.object["metadata"],
            json!({"generateName": "r-", "name": "r-x7k2p", "namespace": "usual"})
        );
        assert_eq!(order.object["spec"]["params"]["n"]["default"], 7);
        assert_eq!(
            order.object["spec"]["steps"][0]["items"]["count"],
            "$(params.n)"
        );
        assert!(order.fills.is_empty());
        let read_there = spec::from_object(&order.object).expect("the cluster reads it");
        assert_eq!(read_there.steps, order.spec.steps);
        let other = read(steps, Path::new("."), Some("team")).expect("an order");
        assert_eq!(other.namespace, "team");
    }

    #[test]
    fn items_of_this_machine_are_brought_to_the_queue_that_the_step_would_have_had() {
        let dir = tempfile::tempdir().expect("a folder");
        std::fs::write(dir.path().join("names.txt"), "a\nb\n").expect("a file");
        let steps = "  - {name: a, items: {lines: names.txt}, image: busybox, command: [echo]}\n";
        let order = read(steps, dir.path(), None).expect("an order");
        assert_eq!(
            order.object["spec"]["steps"][0]["items"],
            json!({"queue": "run.usual.r-x7k2p.a"})
        );
        let [fill] = order.fills.as_slice() else {
            panic!("{:?}", order.fills)
        };
        assert_eq!(
            (fill.step.as_str(), fill.queue.as_str()),
            ("a", "run.usual.r-x7k2p.a")
        );
        assert!(matches!(fill.pool.items, Items::Lines(_)));
        spec::from_object(&order.object).expect("the cluster reads it");
    }

    #[test]
    fn a_list_stays_in_the_object_until_that_would_be_too_large() {
        let list = |entries: usize| {
            let entries: Vec<_> = (0..entries).map(|n| format!("entry-{n:08}")).collect();
            format!(
                "  - {{name: a, items: {{list: [{}]}}, builtin: keygen}}\n",
                entries.join(", ")
            )
        };
        let small = read(&list(100), Path::new("."), None).expect("an order");
        assert!(small.fills.is_empty());
        let large = read(&list(40_000), Path::new("."), None).expect("an order");
        assert_eq!(large.fills.len(), 1);
        assert!(
            large.object.to_string().len() < 2_000,
            "the list is not in it"
        );
    }

    #[test]
    fn what_cannot_work_in_a_cluster_is_refused_before_anything_is_made() {
        let refused = read("  - {name: a, command: [convert]}\n", Path::new("."), None);
        let message = refused.expect_err("it needs an image").to_string();
        assert!(
            message.contains("step a: command:") && message.contains("image"),
            "{message}"
        );
    }
}
