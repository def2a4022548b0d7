"""Draining a queue: what ends it, what becomes of an item, and what becomes of it when things break."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import memq
from served import BOUND, CLIENT, Served, until


class Draining(Served):
    def test_a_queue_is_drained_and_the_results_are_kept(self) -> None:
        memq.enqueue(self.url, "q", ["a", "b", "c"], create=True, seal=True)
        for item in memq.drain(self.url, "q", worker="w1"):
            item.ack({"was": item.text})
        outcomes = self.server.outcomes("q")
        self.assertEqual([one["result"] for one in outcomes], ['{"was":"a"}', '{"was":"b"}', '{"was":"c"}'])
        self.assertEqual({one["worker"] for one in outcomes}, {"w1"})
        self.assertTrue(self.server.queue("q")["drained"])

    def test_bodies_come_as_they_went_whatever_their_bytes(self) -> None:
        bodies: list[memq.Body] = ["schön 🦆\n", "", b"\x00\xff\n\r", b"plain", {"n": 1, "ü": [None]}, "\x00"]
        memq.enqueue(self.url, "q", bodies, create=True)
        memq.enqueue(self.url, "q", b"\xfe alone", seal=True)
        got: list[bytes] = []
        for item in memq.drain(self.url, "q"):
            with item:
                got.append(item.body)
                if item.body.startswith(b"{"):
                    self.assertEqual(item.json(), {"n": 1, "ü": [None]})
                if item.body == b"\xfe alone":
                    with self.assertRaises(UnicodeDecodeError):
                        _ = item.text
        expected = ["schön 🦆\n".encode(), b"", b"\x00\xff\n\r", b"plain", '{"n":1,"ü":[null]}'.encode(), b"\x00"]
        self.assertEqual(got, [*expected, b"\xfe alone"])

    def test_a_drain_until_empty_ends_without_a_seal(self) -> None:
        self.make(quiet_ms=100)
        memq.enqueue(self.url, "q", ["a", "b"])
        got = [self.acked(item) for item in memq.drain(self.url, "q", until="empty")]
        self.assertEqual(got, ["a", "b"])

    def test_a_worker_waits_while_another_holds_the_last_item(self) -> None:
        memq.enqueue(self.url, "q", "last", create=True, seal=True)
        mine = memq.drain(self.url, "q")
        held = next(mine)
        theirs: list[str] = []
        other = threading.Thread(
            target=lambda: theirs.extend(self.acked(item) for item in memq.drain(self.url, "q", wait=0.2))
        )
        other.start()
        held.release()
        until("the other has it", lambda: bool(theirs) or not other.is_alive())
        other.join(BOUND)
        self.assertEqual(theirs, ["last"])
        self.assertEqual(list(mine), [])

    def test_what_a_loop_that_is_left_holds_is_given_back(self) -> None:
        memq.enqueue(self.url, "q", "a", create=True, seal=True)
        held: list[memq.Lease] = []
        for item in memq.drain(self.url, "q"):
            held.append(item)
            break
        self.assertTrue(held[0].lost)
        counts = self.server.queue("q")
        self.assertEqual((counts["counts"]["ready"], counts["totals"]["released"]), (1, 1))

    def test_an_item_that_is_forgotten_is_a_mistake_and_no_deadlock(self) -> None:
        memq.enqueue(self.url, "q", "a", create=True, seal=True)
        drain = memq.drain(self.url, "q")
        item = next(drain)
        with self.assertRaisesRegex(RuntimeError, item.id):
            next(drain)
        self.assertEqual(self.server.queue("q")["counts"]["ready"], 1)

    def test_several_are_held_at_once_where_threads_work(self) -> None:
        memq.enqueue(self.url, "q", [str(n) for n in range(20)], create=True, seal=True)
        together = threading.Barrier(4)

        def work(item: memq.Lease) -> None:
            with item:
                together.wait(BOUND)

        with ThreadPoolExecutor(4) as pool:
            for item in memq.drain(self.url, "q", concurrency=4):
                pool.submit(work, item)
        self.assertEqual(self.server.queue("q")["counts"]["done"], 20)

    def test_what_makes_no_sense_is_refused_before_anything_is_sent(self) -> None:
        wrongs: tuple[dict[str, Any], ...] = ({"until": "done"}, {"wait": 0}, {"wait": 301}, {"concurrency": 0})
        for wrong in wrongs:
            with self.assertRaises(ValueError, msg=str(wrong)):
                memq.drain(self.url, "q", **wrong)
        for url in ("127.0.0.1:8080", "ftp://x", "http://", "http://x/?a", "http://x:port"):
            with self.assertRaises(ValueError, msg=url):
                memq.enqueue(url, "q", "a")

    def test_a_queue_that_is_not_there_is_named(self) -> None:
        with self.assertRaises(memq.Problem) as raised:
            next(memq.drain(self.url, "none"))
        self.assertEqual((raised.exception.status, raised.exception.code), (404, "no_such_queue"))
        self.assertIn("none", raised.exception.detail)

    def test_the_environment_names_the_server(self) -> None:
        os.environ["MEMQ_SERVER"] = self.url
        self.addCleanup(os.environ.pop, "MEMQ_SERVER")
        memq.enqueue(None, "q", "a", create=True, seal=True)
        self.assertEqual([self.acked(item) for item in memq.drain(None, "q")], ["a"])

    def acked(self, item: memq.Lease) -> str:
        item.ack()
        return item.text


class Settling(Served):
    def test_an_exception_fails_the_item_with_its_traceback_and_the_loop_goes_on(self) -> None:
        self.make(max_attempts=1)
        memq.enqueue(self.url, "q", ["bad", "good"], seal=True)
        with self.assertLogs("memq", "WARNING"):
            for item in memq.drain(self.url, "q"):
                with item:
                    if item.text == "bad":
                        raise KeyError("no such thumbnail")
        bad, good = self.server.outcomes("q")
        self.assertEqual((bad["state"], good["state"]), ("dead", "done"))
        self.assertIn('raise KeyError("no such thumbnail")', bad["error"])

    def test_a_worker_that_is_stopped_gives_its_item_back_unspent(self) -> None:
        memq.enqueue(self.url, "q", "a", create=True)
        with self.assertRaises(SystemExit):
            for item in memq.drain(self.url, "q"):
                with item:
                    raise SystemExit(75)
        again = next(memq.drain(self.url, "q"))
        self.assertEqual(again.attempt, 1)

    def test_each_verdict_does_what_it_says(self) -> None:
        self.make(max_attempts=2, backoff={"min_ms": 1, "max_ms": 1, "factor": 1})
        memq.enqueue(self.url, "q", "x", seal=True)
        drain = memq.drain(self.url, "q")
        item = next(drain)
        item.release(delay=0.01)
        item = next(drain)
        self.assertEqual(item.attempt, 1)
        item.nack("once", delay=0.01, exit_code=3)
        item = next(drain)
        self.assertEqual(item.attempt, 2)
        self.assertGreater(item.extend(60), 50)
        item.dead(ValueError("never"))
        with self.assertRaisesRegex(RuntimeError, "settled already"):
            item.ack()
        self.assertEqual(list(drain), [])
        (outcome,) = self.server.outcomes("q")
        self.assertEqual((outcome["state"], outcome["error"]), ("dead", "ValueError: never\n"))

    def test_a_failure_whose_words_are_no_utf_8_is_a_failure_as_any_other(self) -> None:
        self.make(max_attempts=1)
        memq.enqueue(self.url, "q", [r'{"name":"\ud800"}', "b"], seal=True)
        for item in memq.drain(self.url, "q"):
            with item:
                if item.text != "b":
                    raise ValueError("unknown name " + item.json()["name"])
                item.ack({"half": "\udc00"}, log="\udc00")
        dead, done = self.server.outcomes("q")
        self.assertIn("ValueError: unknown name", dead["error"])
        self.assertEqual(done["result"], '{"half":"?"}')

    def test_a_lease_that_is_lost_is_told_and_cannot_settle(self) -> None:
        self.make(lease_ms=300)
        memq.enqueue(self.url, "q", "a")
        drain = memq.drain(self.url, "q")
        item = next(drain)
        self.server.call("DELETE", "/v1/queues/q?force=true")
        self.assertTrue(item.wait_lost(BOUND))
        self.assertTrue(item.lost)
        self.assertRaises(memq.Problem, item.extend)
        self.assertRaises(memq.Problem, item.ack)

    def test_a_lease_outlives_its_first_length_while_the_work_lasts(self) -> None:
        self.make(lease_ms=400)
        memq.enqueue(self.url, "q", ["a", "b"], seal=True)
        began = time.monotonic()
        for item in memq.drain(self.url, "q"):
            # Four times what the lease was given for: what is shown is that nobody else got the item.
            while time.monotonic() < began + 1.6:
                time.sleep(0.05)
            self.assertFalse(item.lost)
            item.ack(item.attempt)
        self.assertEqual([one["result"] for one in self.server.outcomes("q")], ["1", "1"])

    def test_a_lease_that_is_made_shorter_is_renewed_on(self) -> None:
        self.make(lease_ms=3000)
        memq.enqueue(self.url, "q", ["the queue's", "my own"], seal=True)
        drain = memq.drain(self.url, "q", concurrency=2)
        by_queue, by_me = next(drain), next(drain)
        self.assertLess(by_me.extend(0.4), 0.5)
        # To two thirds: the first renewal then ends when the lease would have ended anyway.
        self.make(lease_ms=2000)
        self.outlasts(3.6, by_queue, by_me)
        self.make(lease_ms=300)
        by_queue.extend()
        self.assertGreater(by_me.extend(0.9), 0.8)
        self.outlasts(2, by_queue, by_me)
        by_queue.ack()
        by_me.ack()
        self.assertEqual([one["attempts"] for one in self.server.outcomes("q")], [1, 1])

    def outlasts(self, seconds: float, *items: memq.Lease) -> None:
        # Nothing may happen for as long.
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.assertEqual([item.text for item in items if item.lost], [])
            time.sleep(0.02)

    def test_the_hard_end_of_an_attempt_loses_the_lease(self) -> None:
        self.make(lease_ms=300, max_lease_ms=600)
        memq.enqueue(self.url, "q", "a")
        drain = memq.drain(self.url, "q")
        item = next(drain)
        self.assertTrue(item.wait_lost(BOUND))
        # The client counts from before its call, so that it never believes in a lease that is over; the server decides.
        until("the server took it back", lambda: self.server.queue("q")["counts"]["ready"] == 1)
        self.assertRaises(memq.LeaseLost, item.ack)
        self.assertEqual(next(drain).attempt, 2)


class Breaking(Served):
    def test_an_answer_that_is_lost_is_asked_for_again(self) -> None:
        self.make(lease_ms=300)
        memq.enqueue(self.url, "q", ["a", "b"], seal=True)
        wire = self.wire()
        got: list[str] = []
        wire.lose_answers(2)
        for item in memq.drain(wire.url, "q"):
            wire.lose_answers(1)
            item.ack(item.text)
            got.append(item.text)
        self.assertEqual(sorted(got), ["a", "b"])
        queue = self.server.queue("q")
        self.assertEqual((queue["totals"]["acked"], queue["counts"]["done"]), (2, 2))

    def test_a_server_killed_in_the_middle_and_started_again_goes_unnoticed(self) -> None:
        self.make(lease_ms=1000)
        memq.enqueue(self.url, "q", [str(n) for n in range(200)], seal=True)
        for number, item in enumerate(memq.drain(self.url, "q"), 1):
            if number in (50, 100, 150):
                self.server.kill()
                again = threading.Timer(0.2, self.server.start)
                again.start()
                self.addCleanup(again.join)
            item.ack(item.text)
        results = [int(one["result"]) for one in self.server.outcomes("q")]
        self.assertEqual(sorted(results), list(range(200)))

    def test_a_server_that_stays_away_is_told_once_patience_is_over(self) -> None:
        memq.enqueue(self.url, "q", "a", create=True)
        self.server.kill()
        with self.assertRaisesRegex(memq.Unreachable, self.url):
            next(memq.drain(self.url, "q", patience=0.3))

    def test_a_worker_killed_with_an_item_in_its_hands_loses_nothing(self) -> None:
        self.make(lease_ms=500)
        memq.enqueue(self.url, "q", ["a"], seal=True)
        code = f"import memq, time\nfor _ in memq.drain({self.url!r}, 'q'): print('has it', flush=True); time.sleep(99)"
        python = {**os.environ, "PYTHONPATH": str(CLIENT)}
        with subprocess.Popen([sys.executable, "-c", code], env=python, stdout=subprocess.PIPE, text=True) as worker:
            assert worker.stdout is not None
            self.assertEqual(worker.stdout.readline(), "has it\n")
            worker.send_signal(signal.SIGKILL)
        for item in memq.drain(self.url, "q"):
            self.assertEqual(item.attempt, 2)
            item.ack()

    def test_a_forked_child_leaves_its_parents_item_alone(self) -> None:
        self.make(lease_ms=600)
        memq.enqueue(self.url, "q", ["a"], seal=True)
        drain = memq.drain(self.url, "q")
        for item in drain:
            with item:
                child = os.fork()
                if child == 0:
                    os._exit(self.as_a_child(item, drain))
                ended = os.waitpid(child, 0)[1]
                item.ack(ended)
        (outcome,) = self.server.outcomes("q")
        self.assertEqual((outcome.get("result"), outcome["attempts"]), ("0", 1), outcome)
        self.assertEqual(self.server.queue("q")["totals"]["released"], 0)

    def as_a_child(self, item: memq.Lease, drain: Iterator[memq.Lease]) -> int:
        """The exit code: 0 if all was refused, or left to the parent."""
        refused = 0
        for settle in (item.ack, item.extend, lambda: next(drain)):
            try:
                settle()
            except RuntimeError as error:
                refused += "process" in str(error)
        with item:
            pass
        with contextlib.suppress(SystemExit), item:
            sys.exit(3)
        return 0 if refused == 3 else 1

    def test_a_fork_makes_connections_of_its_own(self) -> None:
        memq.enqueue(self.url, "q", ["parent"], create=True)
        child = os.fork()
        if child == 0:
            for n in range(50):
                memq.enqueue(self.url, "q", f"child {n}")
            os._exit(0)
        for n in range(50):
            memq.enqueue(self.url, "q", f"parent {n}")
        self.assertEqual(os.waitpid(child, 0)[1], 0)
        self.assertEqual(self.server.queue("q")["counts"]["ready"], 101)
