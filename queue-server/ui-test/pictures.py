"""Takes the pictures of the page that the docs show: a server as one may find it in use, each view light and dark.

Writes them to the folder that is named. Knows nothing of what is right: that is what the tests are for.
"""

from __future__ import annotations

import json
import pathlib
import random
import sys
import time
import urllib.request
from typing import Any

from looked import browser, expect

from served import BOUND, Server

# A picture is for a page of text: small, and as sharp as a screen that is not.
LIMIT = 150 * 1024
# Each view with the size at which it is seen best.
VIEWS = (
    ("queues", "#/queues", 1200, 540),
    ("queue", "#/queues/thumbnails", 1200, 840),
    ("dead", "#/queues/transcode/dead", 1200, 760),
    ("run", "#/runs/nightly-20261121", 1200, 660),
    ("narrow", "#/queues/thumbnails", 390, 780),
)
# How long the page looks on before it is taken: its charts show what it saw.
SEEN_S = 75
PODS = ("x2k4q", "m8tzn", "q5wdp", "h7rnc")


class Shop:
    """Queues of somebody who sells photos, and the workers on them."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.chance = random.Random(6)
        self.held: list[str] = []
        self.made = 0
        server.call("PUT", "/v1/queues/thumbnails", {"max_attempts": 3, "max_leased": 16, "lease_ms": 120_000})
        self.add("thumbnails", 2_400)
        self.add("invoices", 120)
        self.add("newsletter-november", 18_250)
        server.call("POST", "/v1/queues/newsletter-november/pause")
        self.add("nightly-report", 1)
        self.end("nightly-report", "ack", result="report.pdf")
        server.call("POST", "/v1/queues/nightly-report/seal")
        self.add("search-index", 640, delay_ms=1_800_000)
        self.add("transcode", 36)
        for number in range(9):
            missing = number % 3 != 0
            why = f"no such file: /media/in/{4_000 + number}.mov" if missing else "ffmpeg: moov atom not found"
            self.end("transcode", "dead", error=why, exit_code=66 if missing else 1, log=f"opening\n{why}\n")
        for pod in PODS:
            self.take("transcode", f"transcode-7d9c5-{pod}")
        server.call("PUT", "/v1/runs/nightly-20261121", self.run())

    def add(self, queue: str, many: int, **options: object) -> None:
        lines = []
        for _ in range(many):
            self.made += 1
            body = {"photo": f"photos/2026/{self.made:06}.jpg", "width": 640}
            lines.append(json.dumps({"body": body, "group": f"shop-{self.chance.randrange(40)}", **options}))
        url = f"{self.server.url}/v1/queues/{queue}/items?create=true&ids=false"
        headers = {"Content-Type": "application/x-ndjson"}
        with urllib.request.urlopen(urllib.request.Request(url, "\n".join(lines).encode(), headers), timeout=BOUND):
            pass

    def take(self, queue: str, worker: str, many: int = 1) -> list[str]:
        wanted = {"max": many, "worker": worker, "lease_ms": 120_000}
        return [item["lease"] for item in self.server.call("POST", f"/v1/queues/{queue}/lease", wanted)["items"]]

    def end(self, queue: str, how: str, **said: object) -> None:
        settled = [{"lease": lease, "as": how, **said} for lease in self.take(queue, "worker-1")]
        self.server.call("POST", f"/v1/queues/{queue}/settle", {"settle": settled})

    def work(self) -> None:
        """A moment of a day."""
        if self.chance.random() < 0.6:
            self.add("thumbnails", self.chance.randrange(4, 40))
        self.add("invoices", self.chance.randrange(1, 4))
        self.end("invoices", "ack", result="sent")
        for pod in PODS:
            self.held += self.take("thumbnails", f"thumbnails-6b8f9-{pod}", self.chance.randrange(3, 8))
        self.chance.shuffle(self.held)
        settled = []
        while len(self.held) > 9:
            lease = self.held.pop()
            if self.chance.random() < 0.985:
                settled.append({"lease": lease, "as": "ack", "result": "640x480"})
            else:
                why = "convert: not a JPEG file: starts with 0x3c 0x68"
                settled.append({"lease": lease, "as": "dead", "error": why, "exit_code": 65})
        self.server.call("POST", "/v1/queues/thumbnails/settle", {"settle": settled})

    def run(self) -> dict[str, Any]:
        def at(ago: float) -> str:
            return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - ago))

        one = {"done": 1, "failed": 0, "total": 1}
        return {
            "run": "nightly-20261121",
            "spec": "nightly",
            "namespace": "batch",
            "phase": "Running",
            "started": at(412),
            "steps": [
                {"name": "fetch", "phase": "Succeeded", **one, "started": at(412), "ended": at(380)},
                {
                    "name": "transcode",
                    "phase": "Running",
                    "queues": ["transcode"],
                    "done": 1_834,
                    "failed": 9,
                    "total": 4_000,
                    "eta_ms": 353_000,
                    "rate_per_s": 6.1,
                    "workers": {"busy": 4, "idle": 0, "wanted": 9},
                    "binding": "quota",
                    "started": at(380),
                    "message": "wanted 9 workers; the namespace's quota leaves room for 4",
                },
                {"name": "report", "phase": "Pending", **one, "done": 0},
            ],
        }


def main() -> None:
    folder = pathlib.Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    server = Server()
    try:
        take(server, folder)
    finally:
        server.stop()


def take(server: Server, folder: pathlib.Path) -> None:
    shop = Shop(server)
    open_pages = []
    for scheme in ("light", "dark"):
        for name, at, width, height in VIEWS:
            size: Any = {"width": width, "height": height}
            context = browser().new_context(viewport=size, color_scheme=scheme)
            page = context.new_page()
            page.goto(f"{server.url}/{at}")
            open_pages.append((f"{name}-{scheme}", page))
    # Charts show what a page saw: so it looks on for a while.
    end = time.monotonic() + SEEN_S
    while time.monotonic() < end:
        shop.work()
        open_pages[0][1].wait_for_timeout(300)
    for name, page in open_pages:
        if "dead" in name:
            # It tells how long ago, as of when it was asked for.
            page.reload()
            expect(page.get_by_role("table", name="Dead letters").get_by_role("cell").first).to_be_visible()
        expect(page.locator("#connection")).to_have_text("Live")
        to = folder / f"{name}.png"
        page.screenshot(path=to, animations="disabled")
        if to.stat().st_size > LIMIT:
            raise SystemExit(f"{to} has {to.stat().st_size} bytes, over {LIMIT}")


if __name__ == "__main__":
    main()
