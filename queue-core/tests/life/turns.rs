//! Priorities, and groups that take turns.

use queue_core::{How, Lendable, Seq, Settings, State};

use crate::support::{LEASE, Offer, Shell, Token, ms};

pub(crate) fn of_group(group: &str) -> Offer {
    Offer {
        group: Some(group.to_owned()),
        ..Offer::default()
    }
}

fn of_priority(priority: i16) -> Offer {
    Offer {
        priority,
        ..Offer::default()
    }
}

fn places(tokens: &[Token]) -> Vec<u64> {
    tokens.iter().map(|token| token.seq.0).collect()
}

fn group_of(shell: &Shell, seq: Seq) -> String {
    let terms = shell.queue.terms_of(seq).unwrap_or_default();
    terms
        .group
        .map_or_else(String::new, |name| name.to_string())
}

#[test]
fn higher_priorities_go_first_and_equal_ones_in_the_order_they_came() {
    let mut shell = Shell::new(Settings::default());
    let offers = [0, 5, -1, 5, 0].map(of_priority);
    shell.offer_all(&offers, None, None).unwrap();
    assert_eq!(places(&shell.lease_up_to(9, LEASE, "ada")), [1, 3, 0, 4, 2]);
}

#[test]
fn a_thousand_items_of_ten_groups_go_out_in_fair_turns_however_greedy_one_is() {
    let mut shell = Shell::new(Settings::default());
    shell
        .offer_all(&vec![of_group("greedy"); 910], None, None)
        .unwrap();
    for group in 1..10 {
        let offers = vec![of_group(&format!("modest {group}")); 10];
        shell.offer_all(&offers, None, None).unwrap();
    }
    for max in [1, 9, 33, 57] {
        shell.lease_up_to(max, LEASE, "ada");
    }
    // A hundred items went out: ten of each.
    for group in 1..10 {
        let name = format!("modest {group}");
        let lent = shell.queue.look(Some(queue_core::Kind::Leased), None);
        let lent = lent.filter(|(seq, _)| group_of(&shell, *seq) == name);
        assert_eq!(lent.count(), 10, "{name}");
    }
    assert_eq!(shell.lease_up_to(1_000, LEASE, "ada").len(), 900);
}

#[test]
fn items_without_a_group_take_turns_as_one_group() {
    let mut shell = Shell::new(Settings::default());
    shell.enqueue(3);
    shell
        .offer_all(&vec![of_group("a"); 3], None, None)
        .unwrap();
    let lent = shell.lease_up_to(9, LEASE, "ada");
    assert_eq!(places(&lent), [3, 0, 4, 1, 5, 2]);
}

#[test]
fn a_returned_item_has_its_old_place_in_its_group() {
    let mut shell = Shell::new(Settings::default());
    shell
        .offer_all(&vec![of_group("a"); 3], None, None)
        .unwrap();
    let first = shell.lease();
    shell.settle_now(first, How::Released);
    assert_eq!(shell.lease().seq, first.seq);
}

#[test]
fn a_group_at_its_cap_is_passed_over_until_a_lease_ends() {
    let settings = Settings {
        max_leased_per_group: Some(1),
        ..Settings::default()
    };
    let mut shell = Shell::new(settings);
    let offers = [
        of_group("a"),
        of_group("a"),
        Offer::default(),
        Offer::default(),
    ];
    shell.offer_all(&offers, None, None).unwrap();
    let lent = shell.lease_up_to(9, LEASE, "ada");
    assert_eq!(places(&lent), [0, 2, 3], "the cap binds groups alone");
    assert_eq!(shell.queue.lendable(shell.now), Lendable::Limited);
    assert_eq!(
        shell.take(),
        None,
        "a limit that is reached is as an empty queue"
    );
    shell.settle_now(lent[0], How::Acked);
    assert_eq!(shell.lease().seq, Seq(1));
}

#[test]
fn a_cap_that_is_lifted_lets_the_group_go_on() {
    let settings = Settings {
        max_leased_per_group: Some(1),
        ..Settings::default()
    };
    let mut shell = Shell::new(settings);
    shell
        .offer_all(&vec![of_group("a"); 4], None, None)
        .unwrap();
    assert_eq!(shell.lease_up_to(9, LEASE, "ada").len(), 1);
    shell.configure(|settings| settings.max_leased_per_group = Some(3));
    assert_eq!(shell.lease_up_to(9, LEASE, "ada").len(), 2);
    shell.configure(|settings| settings.max_leased_per_group = None);
    assert_eq!(shell.lease_up_to(9, LEASE, "ada").len(), 1);
}

#[test]
fn taking_obeys_priorities_and_shows_beforehand_what_it_will_take() {
    let mut shell = Shell::new(Settings::default());
    shell
        .offer_all(&[0, 1].map(of_priority), None, None)
        .unwrap();
    let next = shell.queue.next_ready(shell.now).unwrap().body();
    assert_eq!(shell.take(), Some(Seq(1)));
    assert_eq!(shell.queue.item(Seq(1)).unwrap().body(), next);
    assert_eq!(shell.take(), Some(Seq(0)));
    assert_eq!(shell.state(Seq(1)), State::Done);
}

#[test]
fn a_batch_holds_so_many_bytes_and_one_item_at_least() {
    let mut shell = Shell::new(Settings::default());
    shell.offer(&[50, 50, 50, 500]).unwrap();
    assert_eq!(shell.ask(9, 100, LEASE).len(), 2);
    assert_eq!(shell.ask(9, 100, LEASE).len(), 1);
    assert_eq!(shell.ask(9, 100, LEASE).len(), 1);
    shell.offer(&[0, 0, 0]).unwrap();
    assert_eq!(shell.ask(9, 0, LEASE).len(), 3, "empty bodies take no room");
}

#[test]
fn the_turn_outlives_a_snapshot() {
    let mut shell = Shell::new(Settings::default());
    let offers = ["a", "b", "a", "b"].map(of_group);
    shell.offer_all(&offers, None, None).unwrap();
    shell.lease();
    shell.begin_snapshot();
    shell.snapshot_slice(2);
    shell.lease_up_to(1, ms(10), "ada");
    while !shell.snapshot_slice(1) {}
    shell.pass(ms(10));
    assert_eq!(places(&shell.lease_up_to(9, LEASE, "ada")), [2, 1, 3]);
}
