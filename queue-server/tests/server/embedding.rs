//! A server inside another program.

use std::net::{SocketAddr, TcpStream};

use queue_server::{Config, Server, StartError, Storage};

use crate::harness::until;

fn on(address: &str) -> Config {
    Config {
        listen: address.parse().expect("an address"),
        storage: Storage::Memory,
        ..Config::default()
    }
}

#[tokio::test]
async fn its_url_is_one_that_can_be_called() {
    let server = Server::start(on("127.0.0.1:0")).await.expect("a server");
    assert_eq!(server.url(), format!("http://{}", server.local_addr()));
    server.stop().await.expect("no panic");

    let everywhere = Server::start(on("0.0.0.0:0")).await.expect("a server");
    let port = everywhere.local_addr().port();
    assert_eq!(everywhere.url(), format!("http://127.0.0.1:{port}"));
    everywhere.stop().await.expect("no panic");
}

#[tokio::test]
async fn two_do_not_share_a_port() {
    let first = Server::start(on("127.0.0.1:0")).await.expect("a server");
    let address = first.local_addr();
    let second = Server::start(on(&address.to_string())).await;
    assert!(
        matches!(second, Err(StartError::InUse(taken)) if taken == address),
        "{second:?}"
    );
    first.stop().await.expect("no panic");
    let third = Server::start(on(&address.to_string()))
        .await
        .expect("the port is free again");
    third.stop().await.expect("no panic");
}

#[tokio::test]
async fn a_configuration_is_refused_before_anything_is_bound() {
    let mut config = on("127.0.0.1:0");
    config.max_queues = 0;
    let refused = Server::start(config).await.expect_err("refused");
    assert!(
        matches!(&refused, StartError::Config(error) if error.field() == "max_queues"),
        "{refused:?}"
    );
}

#[tokio::test]
async fn one_that_is_dropped_stops_listening() {
    let server = Server::start(on("127.0.0.1:0")).await.expect("a server");
    let address: SocketAddr = server.local_addr();
    TcpStream::connect(address).expect("it listens");
    drop(server);
    until("it does not listen", async || {
        TcpStream::connect(address).is_err()
    })
    .await;
}

#[tokio::test]
async fn stopping_says_how_it_went() {
    let server = Server::start(on("127.0.0.1:0")).await.expect("a server");
    let stopped = server.stop().await.expect("no panic");
    assert_eq!((stopped.open, stopped.cut), (0, 0));
    assert!(
        stopped
            .to_string()
            .starts_with("all 0 connections ended by themselves"),
        "{stopped}"
    );
}
