//! What a round counts is what happened, and a server that cannot be measured is named.

mod common;

use std::time::Duration;

use common::{server, stop, target};
use loadtest::closed_loop::Limits;
use loadtest::setup::{load, make_queue, measure};
use loadtest::talk::{Api, Op, Work};
use loadtest::target::Target;
use loadtest::wire::{Connection, request};

use queue_client::Client;
use tokio::net::TcpListener;

const LIMITS: Limits = Limits {
    requests: 1_000,
    duration: Duration::from_secs(30),
};

fn work(api: Api, op: Op, batch: usize) -> Work {
    Work {
        api,
        op,
        queue: "q".parse().expect("a name"),
        body_bytes: 16,
        batch,
    }
}

/// The floor, and where it is.
async fn floor() -> Target {
    let listener = TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a port is free");
    let address = listener.local_addr().expect("it is bound");
    tokio::spawn(loadtest::floor::serve(listener));
    target(&format!("http://{address}")).await
}

#[tokio::test]
async fn the_floor_counts_what_the_client_counts() {
    let floor = floor().await;
    let round = measure(&floor, &work(Api::Floor, Op::Put, 1), 8, LIMITS)
        .await
        .expect("a round");
    assert_eq!(
        (round.requests, round.items, round.latency.len()),
        (1_000, 1_000, 1_000)
    );
    let mut connection = Connection::open(&floor).await.expect("it listens");
    let mut bytes = Vec::new();
    request(&mut bytes, "GET", &floor, "/answered", b"");
    assert_eq!(
        connection.exchange(&bytes).await.expect("a number").body,
        b"1000"
    );
}

#[tokio::test]
async fn every_operation_counts_what_the_server_counts() {
    let server = server().await;
    let at = target(&server.url()).await;
    let queue = Client::new(&server.url())
        .expect("a URL")
        .queue("q".parse().expect("a name"));
    let (mut enqueued, mut acked, mut taken) = (0, 0, 0);
    for (api, put, take) in [(Api::Memq, 1, 1), (Api::V1, 1, 1), (Api::V1, 50, 7)] {
        make_queue(&at, &work(api, Op::Put, 1))
            .await
            .expect("made, or there already");
        let limits = Limits {
            requests: 100,
            ..LIMITS
        };
        let puts = measure(&at, &work(api, Op::Put, put), 8, limits)
            .await
            .expect("a round");
        assert_eq!((puts.requests, puts.items), (100, 100 * put as u64));
        // It ends when the queue is dry.
        let limits = Limits {
            requests: u64::MAX,
            ..LIMITS
        };
        let take = work(api, Op::Take, take);
        let takes = measure(&at, &take, 8, limits).await.expect("a round");
        assert_eq!(takes.items, puts.items);

        enqueued += puts.items;
        let counted = if api == Api::Memq {
            &mut taken
        } else {
            &mut acked
        };
        *counted += takes.items;
        let queue = queue.show().await.expect("the queue is there");
        assert_eq!(queue.totals.enqueued, enqueued);
        assert_eq!((queue.totals.acked, queue.totals.taken), (acked, taken));
        assert_eq!(queue.unfinished, 0);
    }
    stop(server).await;
}

#[tokio::test]
async fn a_round_that_ends_early_leaves_nothing_lent_out() {
    let server = server().await;
    let at = target(&server.url()).await;
    let take = work(Api::V1, Op::Take, 1);
    make_queue(&at, &take).await.expect("made");
    load(&at, &take, 200).await.expect("loaded");
    let taken = measure(
        &at,
        &take,
        8,
        Limits {
            requests: 50,
            ..LIMITS
        },
    )
    .await
    .expect("a round");
    assert_eq!((taken.requests, taken.items), (50, 50));
    let queue = Client::new(&server.url())
        .expect("a URL")
        .queue(take.queue.clone());
    let counts = queue.show().await.expect("the queue is there").counts;
    assert_eq!((counts.leased, counts.done, counts.ready), (0, 50, 150));
    stop(server).await;
}

#[tokio::test]
async fn time_ends_a_round_too() {
    let floor = floor().await;
    let limits = Limits {
        requests: u64::MAX,
        duration: Duration::from_millis(200),
    };
    let round = measure(&floor, &work(Api::Floor, Op::Put, 1), 4, limits)
        .await
        .expect("a round");
    assert!(round.requests > 0);
    assert!(round.elapsed >= limits.duration, "{:?}", round.elapsed);
}

#[tokio::test]
async fn a_server_that_is_not_there_is_named() {
    let nobody = target("http://127.0.0.1:1").await;
    for api in [Api::V1, Api::Memq] {
        let error = make_queue(&nobody, &work(api, Op::Put, 1))
            .await
            .expect_err("refused");
        let error = format!("{error:#}");
        assert!(
            error.starts_with("cannot make queue `q` at http://127.0.0.1:1"),
            "{error}"
        );
        assert!(error.to_lowercase().contains("refused"), "{error}");
    }
}

#[tokio::test]
async fn an_answer_that_is_none_ends_the_round_in_the_servers_words() {
    let server = server().await;
    let at = target(&server.url()).await;
    // No queue was made.
    let put = work(Api::V1, Op::Put, 1);
    let error = measure(&at, &put, 2, LIMITS).await.expect_err("refused");
    let error = format!("{error:#}");
    assert!(error.starts_with("measuring v1: put"), "{error}");
    assert!(
        error.contains("404 instead of 201") && error.contains("no_such_queue"),
        "{error}"
    );
    stop(server).await;
}
