//! Each call against a real server.
#![allow(
    clippy::unwrap_used,
    reason = "a test says what it expects by unwrapping it"
)]

mod items;
mod runs;

use std::time::Duration;

use futures_util::{StreamExt, TryStreamExt, stream};
use queue_api::{
    Code, Finish, LeaseRequest, QueueState, SettingsPatch, SettleAs, Settlement, Until,
};
use queue_client::{Client, EnqueueOptions, Error, Lease, QueueClient};
use queue_server::{Config, DiskStorage, Server, Storage};

const LONG: Duration = Duration::from_secs(30);

/// A server, and the directory that it keeps its queues in.
type Served = (Server, tempfile::TempDir);

async fn served(storage: impl FnOnce(DiskStorage) -> Storage) -> (Served, Client) {
    let dir = tempfile::tempdir().unwrap();
    let config = Config {
        listen: ([127, 0, 0, 1], 0).into(),
        storage: storage(DiskStorage {
            data_dir: dir.path().to_owned(),
            ..DiskStorage::default()
        }),
        ..Config::default()
    };
    let mut server = Server::start(config).await.unwrap();
    server.recovered().await.unwrap();
    let client = Client::new(&server.url()).unwrap();
    ((server, dir), client)
}

/// An enqueue that asks for the ids and nothing else.
fn ids() -> EnqueueOptions {
    EnqueueOptions {
        ids: true,
        ..EnqueueOptions::default()
    }
}

async fn server() -> (Served, Client) {
    served(Storage::Disk).await
}

async fn with_queue(settings: &str) -> (Served, QueueClient) {
    let (server, client) = server().await;
    let queue = client.queue("q".parse().unwrap());
    let patch: SettingsPatch = serde_json::from_str(settings).unwrap();
    queue.create(&patch).await.unwrap();
    (server, queue)
}

fn settlement(lease: &Lease, verdict: SettleAs, words: &str) -> Settlement {
    let ack = verdict == SettleAs::Ack;
    Settlement {
        result: ack.then(|| words.into()),
        error: (!ack).then(|| words.into()),
        exit_code: (!ack).then_some(3),
        ..Settlement::new(lease.lease.clone(), verdict)
    }
}

fn items(max: u32) -> LeaseRequest {
    LeaseRequest {
        max: Some(max),
        worker: Some("w".into()),
        ..LeaseRequest::default()
    }
}

#[tokio::test]
async fn a_queue_is_made_shown_changed_and_deleted() {
    let (_server, client) = server().await;
    client.ready().await.unwrap();
    assert!(client.queues().await.unwrap().is_empty());
    let queue = client.queue("q".parse().unwrap());
    let missing = queue.show().await.unwrap_err();
    assert_eq!(missing.code(), Some(Code::NoSuchQueue));

    let patch = SettingsPatch {
        lease_ms: Some(Some(1_234)),
        ..SettingsPatch::default()
    };
    assert_eq!(queue.create(&patch).await.unwrap().settings.lease_ms, 1_234);
    let again = queue.create(&SettingsPatch::default()).await.unwrap();
    assert_eq!(again.settings.lease_ms, 1_234, "what is absent stays");
    assert_eq!(client.queues().await.unwrap().len(), 1);

    assert!(queue.pause().await.unwrap().paused);
    assert!(!queue.resume().await.unwrap().paused);
    assert!(queue.seal().await.unwrap().sealed);
    let refused = queue.enqueue("x", ids()).await.unwrap_err();
    assert_eq!(refused.code(), Some(Code::QueueSealed));
    assert!(!queue.reopen().await.unwrap().sealed);

    queue.enqueue_lines("a\nb\n", ids()).await.unwrap();
    assert_eq!(queue.purge().await.unwrap().affected, 2);
    queue.enqueue("c", ids()).await.unwrap();
    queue.lease(&items(1)).await.unwrap();
    let busy = queue.delete(false).await.unwrap_err();
    assert_eq!(busy.code(), Some(Code::QueueBusy));
    queue.delete(true).await.unwrap();
    assert!(client.queues().await.unwrap().is_empty());
}

#[tokio::test]
async fn enqueue_makes_seals_and_names_as_it_is_asked() {
    let (_server, client) = server().await;
    let queue = client.queue("q".parse().unwrap());
    let options = EnqueueOptions {
        create: true,
        seal: true,
        ..ids()
    };
    let enqueued = queue.enqueue_lines("a\n\nb\r\n", options).await.unwrap();
    assert_eq!((enqueued.count, enqueued.items.len()), (2, 2));
    assert!(queue.show().await.unwrap().sealed);
    queue.reopen().await.unwrap();
    let bytes = vec![0xff, 0, b'\n'];
    let count = queue
        .enqueue(bytes.clone(), EnqueueOptions::default())
        .await;
    assert_eq!(
        (count.as_ref().unwrap().count, count.unwrap().items.len()),
        (1, 0)
    );
    let answer = queue.lease(&items(9)).await.unwrap();
    let bodies: Vec<_> = answer
        .items
        .iter()
        .map(|item| item.body.0.clone())
        .collect();
    assert_eq!(bodies, [b"a".to_vec(), b"b".to_vec(), bytes]);
}

#[tokio::test]
async fn a_lease_is_renewed_settled_and_repeated() {
    let (_server, queue) = with_queue(r#"{"lease_ms":1000,"max_attempts":1}"#).await;
    queue.enqueue_lines("good\nbad\n", ids()).await.unwrap();
    let renewer = queue.renewer(None);
    let answer = queue.lease(&items(2)).await.unwrap();
    assert_eq!(answer.state, QueueState::Open);
    let leases: Vec<_> = answer
        .items
        .into_iter()
        .map(|item| renewer.hold(item))
        .collect();
    // Longer than the leases were first given: what is shown is that they outlive it.
    tokio::time::sleep(Duration::from_millis(1_800)).await;
    assert!(leases.iter().all(|lease| !lease.is_lost()));

    let tokens: Vec<_> = leases.iter().map(|lease| lease.lease.clone()).collect();
    let extended = queue
        .extend(&tokens, Some(Duration::from_secs(60)))
        .await
        .unwrap();
    assert!(
        extended
            .iter()
            .all(|one| one.ok && one.lease_ms.unwrap() > 50_000)
    );

    let good = settlement(&leases[0], SettleAs::Ack, "fine");
    let settled = queue.settle(vec![good.clone()]).await.unwrap();
    assert!(settled[0].ok && !settled[0].repeated);
    let request = LeaseRequest {
        settle: vec![good, settlement(&leases[1], SettleAs::Nack, "no good")],
        ..LeaseRequest::default()
    };
    let answer = queue.lease(&request).await.unwrap();
    assert!(answer.settled[0].ok && answer.settled[0].repeated);
    assert!(answer.settled[1].ok);

    let outcomes = queue.outcomes(0, 10).await.unwrap();
    assert_eq!(outcomes.len(), 2);
    assert_eq!(outcomes[0].result.as_deref(), Some("fine"));
    assert_eq!(
        (outcomes[1].state, outcomes[1].exit_code),
        (Finish::Dead, Some(3))
    );
    assert_eq!(queue.outcomes(1, 10).await.unwrap(), outcomes[1..]);
    assert_eq!(queue.outcomes(0, 1).await.unwrap(), outcomes[..1]);

    let late = queue.extend(&tokens[..1], None).await.unwrap();
    assert_eq!((late[0].ok, late[0].code), (false, Some(Code::LeaseLost)));
}

#[tokio::test]
async fn the_holder_is_told_when_the_queue_is_deleted() {
    let (_server, queue) = with_queue(r#"{"lease_ms":600}"#).await;
    queue.enqueue("x", ids()).await.unwrap();
    let renewer = queue.renewer(None);
    let item = queue.lease(&items(1)).await.unwrap().items.remove(0);
    let lease = renewer.hold(item);
    queue.delete(true).await.unwrap();
    tokio::time::timeout(LONG, lease.lost()).await.unwrap();
}

#[tokio::test]
async fn waiting_and_following_end_when_the_queue_is_drained() {
    let (_server, queue) = with_queue("{}").await;
    queue.enqueue_lines("a\nb\n", ids()).await.unwrap();
    let short = Duration::from_millis(50);
    assert!(queue.wait(Until::Drained, short).await.unwrap().is_none());
    let followed = tokio::spawn(queue.follow(0).collect::<Vec<_>>());
    let waited = {
        let queue = queue.clone();
        tokio::spawn(async move { queue.wait(Until::Drained, LONG).await })
    };
    let renewer = queue.renewer(None);
    for _ in 0..2 {
        let item = queue.lease(&items(1)).await.unwrap().items.remove(0);
        let lease = renewer.hold(item);
        let ack = settlement(&lease, SettleAs::Ack, "r");
        queue.settle(vec![ack]).await.unwrap();
    }
    assert!(!waited.is_finished() && !followed.is_finished());
    queue.seal().await.unwrap();
    assert!(
        waited
            .await
            .unwrap()
            .unwrap()
            .expect("it is drained")
            .drained
    );
    let outcomes = tokio::time::timeout(LONG, followed).await.unwrap().unwrap();
    let bodies: Vec<_> = outcomes.into_iter().map(|o| o.unwrap().body.0).collect();
    assert_eq!(bodies, [b"a", b"b"]);
}

#[tokio::test]
async fn a_backup_is_restored_into_a_server_without_queues_and_into_no_other() {
    let (server_of_it, queue) = with_queue("{}").await;
    let lines: String = (0..5_000).map(|n| format!("item {n}\n")).collect();
    queue.enqueue_lines(lines, ids()).await.unwrap();
    let (_other, empty) = server().await;
    let original = Client::new(&server_of_it.0.url()).unwrap();
    let whole: Vec<_> = original
        .backup()
        .await
        .unwrap()
        .try_collect()
        .await
        .unwrap();
    let pieces = || stream::iter(whole.clone()).map(Ok);

    let cut_off = pieces().chain(stream::once(async { Err(std::io::Error::other("gone")) }));
    let unread = empty.restore(cut_off).await.unwrap_err();
    assert!(
        matches!(&unread, Error::Unread { source, .. } if source.to_string() == "gone"),
        "{unread:?}"
    );
    // The server hears of it a moment later, and serves again.
    empty.ready().await.unwrap();
    assert!(empty.queues().await.unwrap().is_empty());

    let restored = empty.restore(pieces()).await.unwrap();
    assert_eq!((restored.queues, restored.unfinished), (1, 5_000));
    let refused = empty.restore(pieces()).await.unwrap_err();
    assert_eq!(refused.code(), Some(Code::NotEmpty));
}

#[tokio::test]
async fn a_server_in_memory_takes_a_backup_and_makes_none() {
    let (durable, queue) = with_queue("{}").await;
    let original = Client::new(&durable.0.url()).unwrap();
    let whole: Vec<_> = original
        .backup()
        .await
        .unwrap()
        .try_collect()
        .await
        .unwrap();
    let (_memory, memory) = served(|_| Storage::Memory).await;
    let nothing = memory.backup().await.err().unwrap();
    assert_eq!(nothing.code(), Some(Code::BadRequest));
    let restored = memory.restore(stream::iter(whole).map(Ok)).await.unwrap();
    assert_eq!(restored.queues, 1);
    assert_eq!(memory.queues().await.unwrap()[0].name, *queue.name());
}
