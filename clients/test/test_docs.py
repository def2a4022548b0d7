"""What docs/clients.md shows does what it says."""

from __future__ import annotations

import os
import pathlib
import subprocess
import sys
import tempfile
import time

from docs import block

import memq
from served import BOUND, CLIENT, PROGRAMS, ROOT, Served, Server

RUST = "queue-client/examples/drain.rs"


class Docs(Served):
    def run_in(self, folder: str, *words: str, **variables: str) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "MEMQ_SERVER": self.url, "PYTHONPATH": str(CLIENT), **variables}
        return subprocess.run(
            words, cwd=folder, env=environment, capture_output=True, text=True, timeout=BOUND, check=False
        )

    def shell(self, queue: str, command: str, **variables: str) -> subprocess.CompletedProcess[str]:
        return self.run_in("/", "sh", "-c", block("shell worker"), "worker.sh", queue, command, **variables)

    def test_the_shell_worker_drains_keeps_results_and_tells_of_failures(self) -> None:
        self.make(max_attempts=2, backoff={"min_ms": 1, "max_ms": 1, "factor": 1})
        for body in ("one", "bad", "two lines\nof ü", "", b"\x00\xff"):
            memq.enqueue(self.url, "q", body)
        self.server.call("POST", "/v1/queues/q/seal")
        done = self.shell("q", 'read -r line; echo "read $line"; test "$line" != bad || { echo no >&2; exit 3; }')
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        outcomes = {one.get("body", "binary"): one for one in self.server.outcomes("q")}
        self.assertEqual(outcomes["one"]["result"], "read one\n")
        self.assertEqual(outcomes["two lines\nof ü"]["result"], "read two lines\n")
        self.assertEqual(len(outcomes), 5)
        bad = outcomes["bad"]
        self.assertEqual((bad["state"], bad["attempts"], bad["error"]), ("dead", 2, "read bad\nno\n"))

    def test_the_shell_worker_shows_the_token_of_its_file(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            tokens, headers = pathlib.Path(folder, "tokens"), pathlib.Path(folder, "headers")
            tokens.write_text("work a-token-for-a-shell\n")
            headers.write_text("Authorization: Bearer a-token-for-a-shell\n")
            guarded = Server("--tokens", str(tokens))
            self.addCleanup(guarded.stop)
            self.url = guarded.url
            memq.enqueue(self.url, "q", ["good", "bad"], create=True, seal=True, token="a-token-for-a-shell")
            refused = self.shell("q", "cat")
            self.assertEqual(refused.returncode, 1)
            self.assertIn("unauthenticated", refused.stderr)
            # A result too large is settled a second way.
            large = "read -r a; test $a = good || head -c 17000000 /dev/zero"
            done = self.shell("q", large, HEADERS=str(headers))
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertNotIn("unauthenticated", done.stderr)

    def test_the_shell_worker_is_eight_lines_and_says_what_it_cannot_do(self) -> None:
        self.assertEqual(len(block("shell worker").splitlines()), 8)
        missing = self.shell("none", "cat")
        self.assertEqual(missing.returncode, 1)
        self.assertIn("no_such_queue", missing.stderr)

    def test_a_result_that_is_refused_is_told_and_fails_the_item(self) -> None:
        memq.enqueue(self.url, "q", "a", create=True, seal=True)
        done = self.shell("q", "head -c 17000000 /dev/zero")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("body_too_large", done.stderr)
        (outcome,) = self.server.outcomes("q")
        self.assertEqual(outcome["state"], "dead")
        self.assertIn("body_too_large", outcome["error"])

    def test_the_shell_worker_waits_for_a_server_that_is_away_or_paused(self) -> None:
        memq.enqueue(self.url, "q", "a", create=True, seal=True)
        self.server.call("POST", "/v1/queues/q/pause")
        self.server.kill()
        environment = {**os.environ, "MEMQ_SERVER": self.url}
        words = ["sh", "-c", block("shell worker").replace("wait_ms=30s", "wait_ms=50"), "worker.sh", "q", "cat"]
        with subprocess.Popen(words, env=environment) as worker:
            # Long enough for it to find nobody; whether it did changes nothing.
            time.sleep(0.3)
            self.server.start()
            self.server.call("POST", "/v1/queues/q/resume")
            self.assertEqual(worker.wait(BOUND), 0)
        self.assertEqual(self.server.outcomes("q")[0]["result"], "a")

    def test_enqueueing_from_the_shell_twice_adds_once(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            pathlib.Path(folder, "items.txt").write_text("a\nb\n")
            for _ in range(2):
                done = self.run_in(folder, "sh", "-c", block("shell enqueue"))
                self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertEqual(self.server.queue("thumbs")["totals"]["enqueued"], 2)

    def test_the_examples_in_python_load_and_drain(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            for example in ("python load", "python worker"):
                pathlib.Path(folder, "example.py").write_text(block(example))
                done = self.run_in(folder, sys.executable, "example.py")
                self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "", ""))
        outcomes = self.server.outcomes("thumbs")
        self.assertEqual(len(outcomes), 103)
        self.assertEqual(outcomes[0]["result"], '{"file":"c.png","width":64} of attempt 1')

    def test_the_example_in_rust_is_the_one_that_is_built_and_drains(self) -> None:
        self.assertEqual(block(RUST, mark="same"), (ROOT / RUST).read_text())
        memq.enqueue(self.url, "q", ["a", "b"], create=True, seal=True)
        done = self.run_in("/", str(PROGRAMS / "examples" / "drain"), "q")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertEqual([one["result"] for one in self.server.outcomes("q")], ["A", "B"])
