"""Enqueueing: options, batches, and that what is sent twice goes in once."""

from __future__ import annotations

from typing import Optional

import memq
from served import Served


class Enqueueing(Served):
    def leased(self) -> list[str]:
        return [self.acked(item) for item in memq.drain(self.url, "q")]

    def acked(self, item: memq.Lease) -> str:
        item.ack()
        return item.text

    def test_one_that_is_sent_twice_goes_in_once(self) -> None:
        self.make()
        wire = self.wire()
        wire.lose_answers(2)
        (one,) = memq.enqueue(wire.url, "q", "a")
        self.assertEqual(wire.requests, 3)
        wire.lose_answers(1)
        many = memq.enqueue(wire.url, "q", ["b", "c"], seal=True)
        self.assertFalse(one.duplicate or many[0].duplicate)
        self.assertEqual(self.leased(), ["a", "b", "c"])

    def test_a_program_that_is_run_again_adds_nothing(self) -> None:
        first = memq.enqueue(self.url, "q", ["a", "b"], idempotency_key="load-7", create=True, seal=True)
        again = memq.enqueue(self.url, "q", ["a", "b"], idempotency_key="load-7", create=True, seal=True)
        self.assertEqual(first, again)
        with self.assertRaises(memq.Problem) as raised:
            memq.enqueue(self.url, "q", ["a", "other"], idempotency_key="load-7", create=True, seal=True)
        self.assertEqual(raised.exception.code, "idempotency_mismatch")
        self.assertEqual(self.leased(), ["a", "b"])

    def test_a_key_is_taken_once(self) -> None:
        (first,) = memq.enqueue(self.url, "q", "a", key="k", create=True)
        (second,) = memq.enqueue(self.url, "q", "b", key="k")
        items: list[memq.Body | memq.Item] = [memq.Item("c", key="k"), memq.Item("d", key="l"), "e"]
        third, fourth, fifth = memq.enqueue(self.url, "q", items, seal=True)
        self.assertEqual((second.id, second.duplicate, third.id, third.duplicate), (first.id, True, first.id, True))
        self.assertFalse(fourth.duplicate or fifth.duplicate)
        self.assertEqual(self.leased(), ["a", "d", "e"])
        with self.assertRaisesRegex(ValueError, "Item with its own"):
            memq.enqueue(self.url, "q", ["f"], key="k")

    def test_priorities_groups_and_delays_order_the_items(self) -> None:
        self.make()
        memq.enqueue(self.url, "q", "later", delay=0.3, priority=9)
        memq.enqueue(self.url, "q", ["a1", "a2", memq.Item("b1", group="b")], group="a")
        memq.enqueue(self.url, "q", "first", priority=5, key="key", seal=True)
        got: list[tuple[str, str | None, int]] = []
        for item in memq.drain(self.url, "q"):
            with item:
                got.append((item.text, item.group, item.priority))
        self.assertEqual(got[:4], [("first", None, 5), ("a1", "a", 0), ("b1", "b", 0), ("a2", "a", 0)])
        self.assertEqual(got[4:], [("later", None, 9)])

    def test_an_item_that_nobody_takes_in_its_time_expires(self) -> None:
        memq.enqueue(self.url, "q", ["old", memq.Item("young", ttl=600)], ttl=0.001, create=True, seal=True)
        self.assertEqual(self.leased(), ["young"])
        self.assertEqual(self.server.queue("q")["totals"]["item_expired"], 1)

    def test_items_may_make_items_while_their_lease_lives(self) -> None:
        memq.enqueue(self.url, "q", "parent", create=True, seal=True)
        drain = memq.drain(self.url, "q")
        parent = next(drain)
        memq.enqueue(self.url, "q", ["child 1", "child 2"], under=parent)
        parent.ack()
        with self.assertRaises(memq.LeaseLost):
            memq.enqueue(self.url, "q", "orphan", under=parent)
        self.assertEqual([self.acked(item) for item in drain], ["child 1", "child 2"])

    def test_more_than_a_request_holds_goes_in_several(self) -> None:
        ids = memq.enqueue(self.url, "q", (f"{n}" for n in range(25_000)), idempotency_key="many", create=True)
        again = memq.enqueue(self.url, "q", (f"{n}" for n in range(25_000)), idempotency_key="many", create=True)
        self.assertEqual(len({one.id for one in ids}), 25_000)
        self.assertEqual(ids, again)
        memq.enqueue(self.url, "large", ["x" * 1_000_000 for _ in range(20)], create=True)
        self.assertEqual(self.server.queue("q")["counts"]["ready"], 25_000)
        self.assertEqual(self.server.queue("large")["counts"]["ready"], 20)

    def test_a_large_body_goes_as_it_is_and_in_its_place(self) -> None:
        self.make(max_body_bytes=8_000_000)
        # As JSON this is six times as long, and more than a request may hold.
        large = "\x01" * 5_000_000
        items: list[memq.Body | memq.Item] = ["a", memq.Item(large, key="k", ttl=600), "b", memq.Item(large, key="k")]
        first = memq.enqueue(self.url, "q", items, group="g", idempotency_key="load", seal=True)
        again = memq.enqueue(self.url, "q", items, group="g", idempotency_key="load", seal=True)
        self.assertEqual(first, again)
        self.assertEqual([one.duplicate for one in first], [False, False, False, True])
        got: list[tuple[int, Optional[str], Optional[str]]] = []
        for item in memq.drain(self.url, "q"):
            with item:
                got.append((len(item.body), item.key, item.group))
        self.assertEqual(got, [(1, None, "g"), (5_000_000, "k", "g"), (1, None, "g")])

    def test_a_trace_goes_with_the_item_and_to_what_it_makes(self) -> None:
        self.make()
        parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
        memq.enqueue(self.url, "q", ["a"], traceparent=parent, tracestate="a=1", seal=True)
        seen: list[tuple[str, Optional[str], Optional[str]]] = []
        for item in memq.drain(self.url, "q"):
            with item:
                seen.append((item.text, item.traceparent, item.tracestate))
                if item.text == "a":
                    memq.enqueue(self.url, "q", "b", under=item)
        self.assertEqual(seen, [("a", parent, "a=1"), ("b", parent, "a=1")])
