//! Bytes: when the queue lets go of what it was given to keep.

use queue_core::{How, Purge, Settings, Settlement};

use crate::support::{Shell, ms, plain};

/// An item that failed twice and then ended so, each time with a note.
fn noted(settings: Settings, end: How) -> Shell {
    let mut shell = Shell::new(Settings {
        max_attempts: 9,
        ..settings
    });
    shell.enqueue(1);
    for how in [How::Nacked, How::Nacked, end] {
        let token = shell.lease();
        let note = shell.blobs.store(6);
        let delay = Some(ms(0));
        let settlement = Settlement {
            note: Some(note),
            delay,
            ..plain(how)
        };
        shell.settle_with(token, settlement).unwrap();
    }
    shell
}

#[test]
fn a_purged_item_gives_back_its_body_and_every_note() {
    for end in [How::Released, How::Buried] {
        let mut shell = noted(Settings::default(), end);
        assert_eq!(shell.blobs.freed(), 0);
        let before = shell.queue.next_seq();
        shell.purge(Purge {
            ready: true,
            delayed: true,
            dead: true,
            before,
        });
        assert_eq!(shell.blobs.freed(), 4);
    }
}

#[test]
fn a_forgotten_item_gives_back_its_body_and_every_note() {
    let settings = Settings {
        done_retention: ms(50),
        ..Settings::default()
    };
    let mut shell = noted(settings, How::Acked);
    assert_eq!(
        shell.blobs.freed(),
        0,
        "a done item keeps what its outcome shows"
    );
    shell.pass(ms(50));
    shell.catch_up();
    assert_eq!(shell.blobs.freed(), 4);
}

#[test]
fn a_refused_settle_leaves_its_note_with_the_caller() {
    let mut shell = Shell::new(Settings::default());
    shell.enqueue(1);
    let token = shell.lease();
    shell.settle_now(token, How::Released);
    let note = shell.blobs.store(6);
    let stale = Settlement {
        note: Some(note),
        ..plain(How::Acked)
    };
    assert!(shell.settle_with(token, stale).is_err());
    assert!(!shell.blobs.is_freed(note), "the queue never had it");
}
