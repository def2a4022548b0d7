//! Loads that break off and are gone on with by the same process.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use queue_api::SettingsPatch;
use queue_client::{EnqueueOptions, QueueClient};
use tokio::sync::watch;

use super::world::World;
use crate::kube::load::{Load, open};
use crate::kube::plan::LoadSeen;
use crate::spec::{Given, Work};

const ITEMS: u64 = 25_000;

async fn load() -> Load {
    let text = format!(
        "apiVersion: memq.dev/v1alpha1\nkind: Run\nmetadata: {{name: r}}\nspec:\n  steps:\n  - name: s\n    \
         builtin: echo\n    items: {{count: {ITEMS}}}\n"
    );
    let (here, given) = (
        Path::new("."),
        Given {
            params: &[],
            suffix: "",
        },
    );
    let mut spec = crate::spec::parse(&text, here, here, given).expect("a spec");
    let Work::Items(pool) = spec.steps.remove(0).work else {
        panic!("the step has items");
    };
    let source = open(&pool).await.expect("numbers");
    Load::of(*pool, source)
}

async fn most(queue: &QueueClient, items: u64) {
    let most = SettingsPatch {
        max_items: Some(Some(items)),
        ..SettingsPatch::default()
    };
    queue.create(&most).await.expect("a queue");
}

/// One try; how it ended.
async fn tried(load: &mut Load, queue: &QueueClient) -> LoadSeen {
    let (told, seen) = watch::channel(LoadSeen::Loading(0));
    load.bring(queue, &told).await;
    seen.borrow().clone()
}

#[tokio::test]
async fn a_load_that_broke_off_goes_on_where_it_was() {
    let world = World::start().await;
    let queue = world
        .queue("q")
        .with_give_up_after(Duration::from_millis(100));
    most(&queue, 15_000).await;
    let mut load = load().await;
    let end = tried(&mut load, &queue).await;
    assert!(
        matches!(&end, LoadSeen::Failed { hopeless: false, message } if message.contains("queue_full")),
        "{end:?}"
    );
    most(&queue, 50_000).await;
    assert_eq!(tried(&mut load, &queue).await, LoadSeen::Loaded);
    let items = world.work_off("q").await;
    let different: BTreeSet<_> = items.iter().collect();
    assert_eq!((items.len(), different.len()), (25_000, 25_000));
}

#[tokio::test]
async fn a_queue_that_came_back_empty_is_loaded_from_the_beginning() {
    let world = World::start().await;
    let queue = world
        .queue("q")
        .with_give_up_after(Duration::from_millis(100));
    most(&queue, 15_000).await;
    let mut load = load().await;
    tried(&mut load, &queue).await;
    queue.delete(true).await.expect("it is removed");
    assert_eq!(tried(&mut load, &queue).await, LoadSeen::Loaded);
    let found = queue.show().await.expect("the queue");
    assert_eq!((found.totals.enqueued, found.sealed), (ITEMS, true));
}

#[tokio::test]
async fn nothing_is_loaded_beside_what_the_queue_does_not_know_this_step_for() {
    let world = World::start().await;
    let queue = world.queue("q");
    most(&queue, 50_000).await;
    let stranger = queue.enqueue("of somebody else", EnqueueOptions::default());
    stranger.await.expect("an open queue");
    let end = tried(&mut load().await, &queue).await;
    assert!(
        matches!(&end, LoadSeen::Failed { hopeless: true, message } if message.contains("has 1 item that this step did not bring")),
        "{end:?}"
    );
    let found = queue.show().await.expect("the queue");
    assert_eq!((found.totals.enqueued, found.sealed), (1, false));
}
