//! Servers to measure, in the test's own process.

use loadtest::target::Target;
use queue_server::{Config, Server};

/// A memq server on a free port.
pub(crate) async fn server() -> Server {
    let listen = "127.0.0.1:0".parse().expect("an address");
    Server::start(Config {
        listen,
        ..Config::default()
    })
    .await
    .expect("the server starts")
}

/// Stops a server that has nothing left to do.
pub(crate) async fn stop(server: Server) {
    server.stop().await.expect("the server stops");
}

/// A target on this machine.
pub(crate) async fn target(url: &str) -> Target {
    Target::resolve(url, false).await.expect("on this machine")
}
