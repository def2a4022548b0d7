//! Bytes that are kept, moved and let go.

use super::*;
use proptest::prelude::*;

fn here(bodies: &Bodies, blob: Blob) -> &[u8] {
    match bodies.get(blob) {
        Stored::Here(bytes) => bytes,
        Stored::Logged(logged) => panic!("{logged:?} is not in memory"),
    }
}

#[test]
fn bytes_that_went_to_the_log_leave_memory_and_say_where_they_are() {
    let mut bodies = Bodies::default();
    let blobs: Vec<_> = (0..100).map(|_| bodies.put(&[7; 50_000])).collect();
    let stays = bodies.put(b"stays");
    let high = 1 << 45 | 77;
    for (n, blob) in blobs.iter().enumerate() {
        bodies.move_to_log(*blob, Lsn(high + n as u64));
    }
    assert!(bodies.held() <= SEGMENT_BYTES as u64, "{}", bodies.held());
    let logged = |at| {
        Stored::Logged(Logged {
            at: Lsn(at),
            len: 50_000,
        })
    };
    assert_eq!(bodies.get(blobs[3]), logged(high + 3));
    bodies.move_to_log(blobs[3], Lsn(5));
    assert_eq!(bodies.get(blobs[3]), logged(5));
    assert_eq!(here(&bodies, stays), b"stays");
    blobs.into_iter().for_each(|blob| bodies.free(blob));
    assert_eq!(here(&bodies, stays), b"stays");
    bodies.free(stays);
    assert_eq!((bodies.held(), bodies.slots.len()), (0, 0));
}

#[test]
fn what_goes_to_the_log_at_once_takes_no_memory_beside_what_stays() {
    let mut bodies = Bodies::default();
    let stays = bodies.put(b"stays");
    for n in 0..2_000 {
        let blobs = [bodies.put(&[7; 3_000]), bodies.put(&[8; 40])];
        for blob in blobs.into_iter().rev() {
            bodies.move_to_log(blob, Lsn(n));
        }
    }
    assert!(
        bodies.held() <= 2 * FIRST_SEGMENT_BYTES as u64,
        "{}",
        bodies.held()
    );
    assert_eq!(here(&bodies, stays), b"stays");
}

proptest! {
    #[test]
    fn bytes_come_back_as_they_were_put(
        steps in proptest::collection::vec((0_usize..3_000, any::<u8>(), any::<prop::sample::Index>()), 1..400),
    ) {
        let mut bodies = Bodies::default();
        let mut model: Vec<(Blob, Vec<u8>)> = Vec::new();
        for (len, fill, victim) in steps {
            let bytes = vec![fill; len];
            model.push((bodies.put(&bytes), bytes));
            if fill % 4 != 0 {
                let (blob, bytes) = model.swap_remove(victim.index(model.len()));
                prop_assert_eq!(here(&bodies, blob), &bytes[..]);
                bodies.free(blob);
            }
            for (blob, bytes) in &model {
                prop_assert_eq!(here(&bodies, *blob), &bytes[..]);
            }
        }
    }
}

#[test]
fn a_few_old_items_do_not_pin_the_memory_of_those_that_left() {
    let mut bodies = Bodies::default();
    let mut old = Vec::new();
    let mut rest = Vec::new();
    for n in 0..100_000_u32 {
        let blob = bodies.put(&[n as u8; 100]);
        if n % 1_000 == 0 {
            old.push((n, blob));
        } else {
            rest.push(blob);
        }
    }
    let full = bodies.held();
    rest.into_iter().for_each(|blob| bodies.free(blob));
    assert!(
        bodies.held() < full / 4,
        "{} of {full} are still held",
        bodies.held()
    );
    for (n, blob) in old {
        assert_eq!(here(&bodies, blob), [n as u8; 100]);
    }
}

#[test]
fn what_comes_and_goes_beside_an_old_item_leaves_no_memory_behind() {
    for len in [10, 100_000] {
        let mut bodies = Bodies::default();
        let old = bodies.put(b"old");
        for _ in 0..100 * SEGMENT_BYTES / len / 10 {
            let passing = bodies.put(&vec![7; len]);
            bodies.free(passing);
        }
        assert!(
            bodies.held() <= 2 * SEGMENT_BYTES as u64,
            "{len}: {}",
            bodies.held()
        );
        assert_eq!(here(&bodies, old), b"old");
    }
}

#[test]
fn the_last_one_out_gives_everything_back() {
    let mut bodies = Bodies::default();
    let blobs: Vec<_> = (0..10_000).map(|_| bodies.put(&[0; 64])).collect();
    blobs.into_iter().for_each(|blob| bodies.free(blob));
    assert_eq!((bodies.held(), bodies.slots.len()), (0, 0));
}

#[test]
fn a_large_body_gets_memory_of_its_own_size() {
    let mut bodies = Bodies::default();
    let small = bodies.put(b"small");
    let large = bodies.put(&vec![7; 10 * SEGMENT_BYTES]);
    assert_eq!(here(&bodies, large).len(), 10 * SEGMENT_BYTES);
    bodies.free(large);
    assert!(bodies.held() <= SEGMENT_BYTES as u64);
    assert_eq!(here(&bodies, small), b"small");
}
