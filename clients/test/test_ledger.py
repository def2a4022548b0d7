"""Workers in Python, in shell and in Rust against a ledger, with kill -9 of workers and of the server in the middle.

`MEMQ_LEDGER_ITEMS=10000` drains so many with each, and says how long it took.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections import Counter

from docs import block

import memq
from served import BOUND, CLIENT, PROGRAMS, Served

ASKED = int(os.environ.get("MEMQ_LEDGER_ITEMS", "0"))
KILLS = 3
PYTHON = """
import memq
for item in memq.drain(None, "q"):
    with item:
        item.ack(item.text.upper())
"""


class Ledger(Served):
    def test_a_worker_in_python_loses_none(self) -> None:
        self.drained_by(500, sys.executable, "-c", PYTHON)

    def test_a_worker_in_shell_loses_none(self) -> None:
        self.drained_by(100, "sh", "-c", block("shell worker"), "worker.sh", "q", "tr a-z A-Z")

    def test_a_worker_in_rust_loses_none(self) -> None:
        self.drained_by(500, str(PROGRAMS / "examples" / "drain"), "q")

    def drained_by(self, items: int, *words: str) -> None:
        items = ASKED or items
        # A lease whose holder was killed comes back after this.
        self.make(lease_ms=1000, max_attempts=50)
        bodies = [f"item {n}" for n in range(items)]
        memq.enqueue(self.url, "q", bodies, seal=True)
        began = time.monotonic()
        workers = [self.worker(words) for _ in range(3)]
        for kill in range(1, KILLS + 1):
            self.until_done(items * kill // (KILLS + 1))
            workers[0].kill()
            workers[0].wait()
            self.server.kill()
            self.server.start()
            workers = [*workers[1:], self.worker(words)]
        for worker in workers:
            self.assertEqual(worker.wait(BOUND + items / 5), 0)
        if ASKED:
            took = time.monotonic() - began
            print(f"{items} items, {KILLS} kills of worker and server: {took:.1f} s", file=sys.stderr)

        done = Counter(str(one.get("result")).strip() for one in self.server.outcomes("q"))
        self.assertEqual(done, Counter(body.upper() for body in bodies))
        queue = self.server.queue("q")
        self.assertEqual((queue["drained"], queue["totals"]["acked"]), (True, items))

    def worker(self, words: tuple[str, ...]) -> subprocess.Popen[bytes]:
        environment = {**os.environ, "MEMQ_SERVER": self.url, "PYTHONPATH": str(CLIENT), "LEASE": "1s"}
        worker = subprocess.Popen(words, env=environment)
        self.addCleanup(worker.wait)
        self.addCleanup(worker.kill)
        return worker

    def until_done(self, count: int) -> None:
        end = time.monotonic() + BOUND + count / 5
        while self.server.queue("q")["counts"]["done"] < count:
            self.assertLess(time.monotonic(), end, f"{count} are not done in time")
            time.sleep(0.02)
