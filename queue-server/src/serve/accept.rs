//! Takes connections off the listener, and knows what its errors mean.

use std::io::{self, ErrorKind};
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tracing::{info, warn};

use telemetry::chain;

/// Wait after an accept that failed for want of descriptors or memory. The listener stays readable
/// meanwhile, so trying again at once would take a whole core and help nobody.
const PAUSE: Duration = Duration::from_millis(100);

/// A listener that never gives up.
#[derive(Debug)]
pub(super) struct Acceptor {
    listener: TcpListener,
    starved: bool,
}

impl Acceptor {
    pub(super) fn new(listener: TcpListener) -> Self {
        Self {
            listener,
            starved: false,
        }
    }

    /// The next connection. Can be dropped at any point without losing one.
    pub(super) async fn next(&mut self) -> TcpStream {
        loop {
            match self.listener.accept().await {
                Ok((stream, _)) => {
                    if std::mem::take(&mut self.starved) {
                        info!("connections are accepted again");
                    }
                    return stream;
                }
                Err(error) if is_the_clients(&error) => {}
                Err(error) => {
                    if !std::mem::replace(&mut self.starved, true) {
                        warn!(
                            error.message = %chain(&error),
                            "no connection can be accepted; trying again every {PAUSE:?} (raise the limit of open files?)"
                        );
                    }
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }
}

/// The client left between its connect and our accept: the next one may be there already.
fn is_the_clients(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::ConnectionAborted
            | ErrorKind::ConnectionReset
            | ErrorKind::ConnectionRefused
            | ErrorKind::Interrupted
            | ErrorKind::TimedOut
    )
}
