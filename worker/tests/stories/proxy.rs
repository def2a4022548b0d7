//! A network between a worker and its server: it can be cut, and it counts what is sent.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// Hands connections on while it is whole.
pub(crate) struct Proxy {
    address: SocketAddr,
    whole: watch::Sender<bool>,
    sent: Arc<AtomicUsize>,
    made: Arc<AtomicUsize>,
}

impl Proxy {
    pub(crate) async fn to(url: &str) -> Self {
        let target = url.strip_prefix("http://").unwrap().to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (whole, state) = watch::channel(true);
        let sent = Arc::new(AtomicUsize::new(0));
        let made = Arc::new(AtomicUsize::new(0));
        let (counted, connected) = (sent.clone(), made.clone());
        tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                let (mut state, target, counted) = (state.clone(), target.clone(), counted.clone());
                if !*state.borrow() {
                    continue;
                }
                connected.fetch_add(1, SeqCst);
                tokio::spawn(async move {
                    let Ok(far) = TcpStream::connect(target).await else {
                        return;
                    };
                    tokio::select! {
                        () = hand_on(near, far, &counted) => {}
                        _ = state.wait_for(|whole| !whole) => {}
                    }
                });
            }
        });
        Self {
            address,
            whole,
            sent,
            made,
        }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Breaks all connections and makes no new ones.
    pub(crate) fn cut(&self) {
        self.whole.send_replace(false);
    }

    pub(crate) fn mend(&self) {
        self.whole.send_replace(true);
    }

    /// How many connections were made through it.
    pub(crate) fn connections(&self) -> usize {
        self.made.load(SeqCst)
    }

    /// How many pieces were sent to the server: a request is one or a few.
    pub(crate) fn sent(&self) -> usize {
        self.sent.load(SeqCst)
    }
}

async fn hand_on(near: TcpStream, far: TcpStream, sent: &AtomicUsize) {
    let (mut from_near, mut to_near) = near.into_split();
    let (mut from_far, mut to_far) = far.into_split();
    let there = async {
        let mut buffer = vec![0; 64 * 1024];
        while let Ok(read @ 1..) = from_near.read(&mut buffer).await {
            sent.fetch_add(1, SeqCst);
            if to_far.write_all(&buffer[..read]).await.is_err() {
                break;
            }
        }
    };
    let back = tokio::io::copy(&mut from_far, &mut to_near);
    // Either end that closes closes the other.
    tokio::select! {
        () = there => {}
        _ = back => {}
    }
}
