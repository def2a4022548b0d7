//! What a round counts is what happened, and a server that cannot be measured is named.

mod common;

use std::time::Duration;

use common::{server, stop, target};
use loadtest::closed_loop::Limits;
use loadtest::open_loop::Schedule;
use loadtest::setup::{load, make_queue, measure, measure_paced, new_book};
use loadtest::talk::{Api, Op, Work};
use loadtest::target::Target;
use loadtest::wire::{Connection, request};

use queue_client::Client;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
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
        book: new_book(24).expect("long enough"),
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
        let put = work(api, Op::Put, put);
        let puts = measure(&at, &put, 8, limits).await.expect("a round");
        assert_eq!((puts.requests, puts.items), (100, 100 * put.batch as u64));
        // It ends when the queue is dry.
        let limits = Limits {
            requests: u64::MAX,
            ..LIMITS
        };
        let take = Work {
            op: Op::Take,
            batch: take,
            ..put
        };
        let takes = measure(&at, &take, 8, limits).await.expect("a round");
        assert_eq!(takes.items, puts.items);
        let audit = take.book.audit_by_answers();
        assert!(audit.is_clean() && audit.accepted == puts.items, "{audit}");

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
async fn an_item_that_a_server_forgets_fails_the_audit() {
    let server = server().await;
    let at = target(&server.url()).await;
    let put = work(Api::V1, Op::Put, 1);
    make_queue(&at, &put).await.expect("made");
    load(&at, &put, 20).await.expect("loaded");
    // Somebody else takes one; for the ledger it is as good as lost.
    let queue = Client::new(&server.url())
        .expect("a URL")
        .queue(put.queue.clone());
    let one = queue_api::LeaseRequest::default();
    let leased = queue.lease(&one).await.expect("a lease");
    assert_eq!(leased.items.len(), 1);
    let take = Work {
        op: Op::Take,
        ..put
    };
    let limits = Limits {
        requests: u64::MAX,
        ..LIMITS
    };
    let takes = measure(&at, &take, 4, limits).await.expect("a round");
    assert_eq!(takes.items, 19);
    assert_eq!(take.book.audit_by_answers().lost(), 1);
    stop(server).await;
}

#[tokio::test]
async fn an_open_loop_charges_a_stall_to_every_request_that_was_due() {
    // A server that answers nothing for a while, and then all at once.
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("it is bound");
    let stall = Duration::from_millis(300);
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.expect("a client");
        let mut first = true;
        let mut sink = [0; 4096];
        while stream.read(&mut sink).await.is_ok_and(|read| read > 0) {
            if std::mem::take(&mut first) {
                // The stall itself: there is nothing to wait for.
                tokio::time::sleep(stall).await;
            }
            let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
            stream.write_all(answer).await.expect("it listens");
        }
    });
    let at = target(&format!("http://{address}")).await;
    let schedule = Schedule {
        rate: 1_000.0,
        requests: 400,
    };
    let paced = measure_paced(&at, &work(Api::Floor, Op::Put, 1), 1, schedule)
        .await
        .expect("an open loop");
    assert_eq!(paced.requests, 400);
    // In a closed loop one request of 400 would have been slow, and the median fast.
    let median = Duration::from_nanos(paced.latency.value_at_quantile(0.5));
    assert!(median > stall / 4, "{median:?}");
    assert!(Duration::from_nanos(paced.latency.max()) >= stall);
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
