//! Each peer that is on PATH is spoken to as it wants to be: what goes in comes out once. One that is
//! not is left out, as the bench does.

use std::path::PathBuf;
use std::time::Duration;

use loadtest::closed_loop::{Limits, round};
use loadtest::peers::{Kind, Peer};
use loadtest::setup::new_book;

#[tokio::test]
async fn what_goes_into_a_peer_comes_out_once() {
    for kind in Kind::ALL
        .into_iter()
        .filter(|kind| kind.version().is_some())
    {
        let name = format!("peer-{}-{}", kind.program(), std::process::id());
        let directory = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
        std::fs::create_dir_all(&directory).expect("a directory");
        let peer = match Peer::start(kind, &directory, false).await {
            Ok(peer) => peer,
            // An old nats-server knows no `sync_interval: always`.
            Err(error) if format!("{error:#}").contains("ended before it answered") => continue,
            Err(error) => panic!("{error:#}"),
        };
        peer.prepare("q").await.expect("a queue");
        let book = new_book(64).expect("long enough");
        for (puts, expected) in [(true, 100), (false, 100)] {
            let sides = (0..4)
                .map(|at| peer.side("q", puts, at, book.clone()))
                .collect();
            let limits = Limits {
                // Each connection learns by one more that nothing is left.
                requests: if puts { 100 } else { 104 },
                duration: Duration::from_secs(60),
            };
            let round = round(peer.target(), sides, limits).await.expect("a round");
            assert_eq!(round.items, expected, "{kind:?}");
        }
        let audit = book.audit_by_answers();
        assert!(
            audit.is_clean() && audit.accepted == 100,
            "{kind:?}: {audit}"
        );
        drop(peer);
        std::fs::remove_dir_all(&directory).expect("it is ours");
    }
}
