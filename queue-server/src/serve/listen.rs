//! The listening socket, and what its connections inherit.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use rustix::net::sockopt;
use tokio::net::{TcpListener, TcpSocket};

/// Connections that wait in the kernel to be accepted. The kernel cuts it to its own limit.
const BACKLOG: u32 = 4096;
/// Silence after which the kernel asks a peer whether it is still there. A machine that lost its
/// power says no goodbye, and whoever follows outcomes may rightly be silent for days.
const PROBE_AFTER: Duration = Duration::from_secs(60);
/// Time between such questions, and how many stay unanswered before the connection is given up.
const PROBE_EVERY: Duration = Duration::from_secs(15);
const PROBES: u32 = 4;

/// Binds the address and listens on it.
pub(crate) fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    // A server that is started again must not wait for its old connections to be forgotten.
    socket.set_reuseaddr(true)?;
    // Set here once rather than on each connection: accepted sockets inherit them.
    sockopt::set_socket_keepalive(&socket, true)?;
    sockopt::set_tcp_keepidle(&socket, PROBE_AFTER)?;
    sockopt::set_tcp_keepintvl(&socket, PROBE_EVERY)?;
    sockopt::set_tcp_keepcnt(&socket, PROBES)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_accepted_connection_notices_a_peer_that_is_no_more() {
        let listener = listen(SocketAddr::from(([127, 0, 0, 1], 0))).expect("a free port");
        let address = listener.local_addr().expect("an address");
        let (connected, accepted) =
            tokio::join!(tokio::net::TcpStream::connect(address), listener.accept());
        connected.expect("a connection");
        let (stream, _) = accepted.expect("a connection");
        assert_eq!(sockopt::socket_keepalive(&stream), Ok(true));
        assert_eq!(sockopt::tcp_keepidle(&stream), Ok(PROBE_AFTER));
        assert_eq!(sockopt::tcp_keepintvl(&stream), Ok(PROBE_EVERY));
        assert_eq!(sockopt::tcp_keepcnt(&stream), Ok(PROBES));
    }
}
