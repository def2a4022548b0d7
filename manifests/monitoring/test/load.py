"""A small load in which everything happens that can happen to items and calls, again and again, until it is stopped.

Knows the server's API and a worker's command line; nothing of metrics.
"""

import urllib.error
import urllib.request

from process import Program
from served import PROGRAMS, until
from steady import Steady

QUEUE = "thumbs"
SETTINGS = {
    "max_attempts": 2,
    "backoff": {"min_ms": 100, "max_ms": 100},
    "max_items": 10000,
    "max_bytes": 1_000_000,
    "max_leased": 100,
    "rate_per_s": 500,
}
LARGE = "/v1/queues/large/items?create=true&ids=false"
# What an item says is what becomes of it.
HANDLER = 'case "$MEMQ_ITEM" in bad*) exit 1;; poison*) exit 65;; esac'


class Load(Steady):
    """On a server, and on one that is full."""

    # Not faster: what is measured is not speed, and others want the processors too.
    pause = 0.1

    def __init__(self, server, full):
        self._server, self._full = server, full
        server.call("PUT", f"/v1/queues/{QUEUE}", SETTINGS)
        server.call("PUT", "/v1/queues/small", {"max_items": 1})
        self._ask("POST", "/v1/queues/small/items", "x", expect=201)
        until("a server is full", lambda: self._ask("POST", LARGE, "z" * (1 << 20), server=full) == 507)
        super().__init__()

    def round(self):
        items = f"/v1/queues/{QUEUE}/items"
        self._ask("POST", f"{items}?lines=true", "good\ngood\ngood\nbad\npoison\n" * 2, expect=201)
        self._ask("POST", f"{items}?key=once&delay_ms=600000", "twice", expect=201)
        self._ask("POST", f"{items}?ttl_ms=50&delay_ms=60000", "too late", expect=201)
        unwanted = self._server.call("POST", f"{items}?delay_ms=60000")["items"][0]["id"]
        self._ask("DELETE", f"{items}/{unwanted}")
        # One is given back, and one is left to its fate.
        for lease in self._leased(2, 100)[:1]:
            self._server.call("POST", f"/v1/queues/{QUEUE}/settle", {"settle": [{"lease": lease, "as": "release"}]})
        self._server.call("POST", f"/v1/queues/{QUEUE}/redrive", {"limit": 1})
        # kuard's own consumers take items for good.
        self._ask("POST", f"/memq/server/queues/{QUEUE}/dequeue")
        # Refused: by a queue's own limit, and for want of room.
        self._ask("POST", "/v1/queues/small/items", "y", expect=429)
        self._ask("POST", LARGE, "z" * (1 << 20), server=self._full, expect=507)
        self._ask("GET", "/v1/queues/nobody", expect=404)
        self._ask("POST", f"/v1/queues/{QUEUE}/purge?state=dead")

    def _leased(self, most, length):
        got = self._server.call(
            "POST", f"/v1/queues/{QUEUE}/lease", {"max": most, "lease_ms": length, "worker": "nobody"}
        )
        return [item["lease"] for item in got["items"]]

    def _ask(self, method, path, body="", expect=None, server=None):
        """The status of a call that may be refused; `expect` is the one it must have."""
        url = f"{(server or self._server).url}{path}"
        try:
            with urllib.request.urlopen(
                urllib.request.Request(url, body.encode() if method == "POST" else None, method=method)
            ) as answer:
                status = answer.status
        except urllib.error.HTTPError as refused:
            with refused:
                status = refused.status
        if expect not in (None, status):
            raise AssertionError(f"{method} {path} is answered {status}")
        return status


class Worker(Program):
    """A real worker on the queue, with two slots."""

    def __init__(self, server):
        words = [
            "--server",
            server.url,
            "--queue",
            QUEUE,
            "--concurrency",
            "2",
            "--until",
            "forever",
            "--dead-on",
            "65",
            "--prefetch",
            "1",
            "--health-listen",
            "127.0.0.1:0",
        ]
        super().__init__(
            [PROGRAMS / "memq-worker", *words, "--", "sh", "-c", HANDLER], r"answering .* on http://([\d.:]+)"
        )
