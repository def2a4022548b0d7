"""A real browser that looks at the page of a real server, and everything that goes wrong in it while it does.

Owns the browser, one for all tests, and what a test must not see: a script of a stranger, a breach of the page's
policy, anything on the console. Knows nothing of what a test does. `MEMQ_TEST_CHROMIUM` names the browser, which
`cargo xtask test` sets.
"""

from __future__ import annotations

import atexit
import functools
import json
import os
import re
import unittest
import urllib.request
from typing import Any, Optional

from playwright.sync_api import APIResponse, Browser, ConsoleMessage, Locator, Page, Route, expect, sync_playwright

from served import BOUND, PROGRAMS, Server, until

BROWSER = os.environ.get("MEMQ_TEST_CHROMIUM", "/usr/bin/chromium")
# Where a test that failed leaves what was to be seen.
PICTURES = PROGRAMS.parent / "ui-test"
# Longer than anything here takes on a machine that others use.
BOUND_MS = 20_000
FLAGS = [
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    # Only what stands here decides how a page is painted.
    "--force-color-profile=srgb",
    "--hide-scrollbars",
]
WIDE = {"width": 1440, "height": 900}
NARROW = {"width": 390, "height": 844}
# Told before anything of the page runs.
WATCH = """
window.breaches = [];
document.addEventListener('securitypolicyviolation', (event) => {
  window.breaches.push(`${event.effectiveDirective}: ${event.blockedURI}`);
});
window.longest = 0;
new PerformanceObserver((list) => {
  for (const { duration } of list.getEntries()) window.longest = Math.max(window.longest, duration);
}).observe({ type: 'longtask' });
"""

expect.set_options(timeout=BOUND_MS)


@functools.cache
def browser() -> Browser:
    """The one browser."""
    play = sync_playwright().start()
    atexit.register(play.stop)
    # Only root's browser cannot lock itself in.
    flags = ["--no-sandbox", *FLAGS] if os.geteuid() == 0 else FLAGS
    started = play.chromium.launch(executable_path=BROWSER, args=flags)
    atexit.register(started.close)
    return started


class Looked(unittest.TestCase):
    """A test with a server of its own."""

    flags: tuple[str, ...] = ()
    token: Optional[str] = None

    def setUp(self) -> None:
        self.server = Server(*self.flags, token=self.token)
        self.addCleanup(self.server.stop)
        # A browser gives up what it loads when the machine's network changes, as by a container that starts on it.
        self._given_up: list[str] = []

    def look(
        self,
        at: str = "",
        *,
        size: Any = WIDE,
        scheme: Any = "light",
        url: Optional[str] = None,
        permitted: tuple[str, ...] = (),
        own_clock: bool = False,
    ) -> Page:
        """Opens the page as a reader of its own would.

        `permitted` are patterns of what may stand on its console, where a browser tells of each call that was refused.
        With a clock of its own it can be told that time went by (`page.clock.fast_forward`).
        """
        context = browser().new_context(viewport=size, color_scheme=scheme, accept_downloads=True)
        context.set_default_timeout(BOUND_MS)
        context.add_init_script(WATCH)
        if own_clock:
            context.clock.install()
        page = context.new_page()
        wrong: list[str] = []

        def console(message: ConsoleMessage) -> None:
            if message.type not in ("error", "warning"):
                return
            if "ERR_NETWORK_CHANGED" in message.text:
                self._given_up.append(message.text)
            elif not any(re.search(pattern, message.text) for pattern in permitted):
                wrong.append(f"on the console: {message.text} ({message.location['url']})")

        page.on("console", console)
        page.on("pageerror", lambda error: wrong.append(f"not caught: {error.message}\n{error.stack}"))
        # The page has dialogs of its own: this is a stranger's script.
        page.on("dialog", lambda dialog: (wrong.append(f"a box: {dialog.message}"), dialog.dismiss()))
        page.on("popup", lambda popup: wrong.append(f"a window: {popup.url}"))

        def close() -> None:
            wrong.extend(f"against the policy: {breach}" for breach in page.evaluate("window.breaches ?? []"))
            if wrong or self._failed():
                self._keep(page)
            context.close()
            self.assertEqual(wrong, [])

        self.addCleanup(close)
        page.goto(f"{url or self.server.url}/{at}")
        self._whole(page)
        return page

    def load_again(self, page: Page) -> None:
        """Loads a page anew, as its reader would."""
        page.reload()
        self._whole(page)

    def _whole(self, page: Page) -> None:
        if self._given_up:
            self._given_up.clear()
            page.reload()

    def _failed(self) -> bool:
        return not getattr(getattr(self, "_outcome", None), "success", True)

    def _keep(self, page: Page) -> None:
        PICTURES.mkdir(parents=True, exist_ok=True)
        to = PICTURES / f"{self.id().rpartition('.')[2]}.png"
        page.screenshot(path=to)
        print(f"{self.id()}: what was to be seen is in {to}")

    # The server, without the page.

    def make(self, name: str = "q", **settings: object) -> None:
        self.server.call("PUT", f"/v1/queues/{name}", settings)

    def add(self, *bodies: str, to: str = "q") -> list[str]:
        """Enqueues items, makes the queue if there is none, and tells their ids."""
        return self.load(to, *({"body": body} for body in bodies))

    def load(self, to: str, *items: dict[str, Any]) -> list[str]:
        """The same for items with more than a body."""
        return self._post(to, "\n".join(json.dumps(item) for item in items).encode(), "application/x-ndjson")

    def add_bytes(self, body: bytes, to: str = "q") -> str:
        return self._post(to, body, "application/octet-stream")[0]

    def _post(self, to: str, body: bytes, kind: str) -> list[str]:
        headers = {"Content-Type": kind}
        if self.token is not None:
            headers["Authorization"] = f"Bearer {self.token}"
        url = f"{self.server.url}/v1/queues/{to}/items?create=true"
        request = urllib.request.Request(url, data=body, headers=headers)
        with urllib.request.urlopen(request, timeout=BOUND) as answer:
            return [item["id"] for item in json.load(answer)["items"]]

    def lease(self, many: int = 1, *, of: str = "q", worker: str = "worker-1", lease_ms: int = 600_000) -> list[str]:
        wanted = {"max": many, "worker": worker, "lease_ms": lease_ms}
        answer = self.server.call("POST", f"/v1/queues/{of}/lease", wanted)
        leases = [item["lease"] for item in answer["items"]]
        self.assertEqual(len(leases), many)
        return leases

    def settle(self, leases: list[str], how: str = "ack", *, of: str = "q", **said: object) -> None:
        settled = [{"lease": lease, "as": how, **said} for lease in leases]
        self.server.call("POST", f"/v1/queues/{of}/settle", {"settle": settled})

    def bury(self, error: str, *bodies: str, to: str = "q", **said: object) -> list[str]:
        """Items that were tried once and died of an error."""
        ids = self.add(*bodies, to=to)
        self.settle(self.lease(len(bodies), of=to), "dead", of=to, error=error, **said)
        return ids

    def counts(self, name: str = "q") -> dict[str, int]:
        """How many there are of each state that has any."""
        return {state: many for state, many in self.server.queue(name)["counts"].items() if many > 0}

    def items(self, name: str = "q", query: str = "") -> list[dict[str, Any]]:
        listed: list[dict[str, Any]] = self.server.call("GET", f"/v1/queues/{name}/items?limit=500&{query}")["items"]
        return listed


class Late:
    """Answers that the server gives at once, and the page has when they are let go: what it hears before is newer."""

    def __init__(self, page: Page, at: str, method: str = "GET") -> None:
        self._page, self._method = page, method
        self._over = False
        self._held: list[tuple[Route, APIResponse]] = []
        page.route(at, self._meet)

    def _meet(self, route: Route) -> None:
        if route.request.method == self._method and not self._over:
            self._held.append((route, route.fetch()))
        else:
            route.fallback()

    def wait(self) -> None:
        """Until the server gave the first of them."""
        # Asking the page lets what it sent come here.
        until("an answer is held", lambda: bool(self._page.evaluate("true") and self._held))

    def forget(self) -> None:
        """What is held never comes; those after it come as they are."""
        self._over = True

    def let_go(self) -> None:
        """Those after them come as they are."""
        self.wait()
        # Without any route of its own the browser would be given all that is held.
        self._over = True
        while self._held:
            route, answer = self._held.pop(0)
            route.fulfill(response=answer)


def painted(page: Page) -> None:
    """Until the page shows all that it was told by now."""
    page.evaluate("() => new Promise((done) => requestAnimationFrame(() => setTimeout(done)))")


# The page, as somebody finds their way in it.


def figure(page: Page, label: str, row: str = "Figures") -> Locator:
    """The number that stands under a word."""
    tiles = page.locator(f"dl[aria-label='{row}'] > div")
    return tiles.filter(has=page.locator("dt", has_text=re.compile(f"^{label}$"))).locator("dd")


def cell(page: Page, name: str, label: str) -> Locator:
    """A number in the line of a queue."""
    return line(page, name).locator(f"td[data-label='{label}']")


def line(page: Page, name: str, table: str = "") -> Locator:
    """The line of a queue, a run or an item, by the link that it begins with."""
    lines = page.get_by_role("table", name=table or None).get_by_role("row")
    return lines.filter(has=page.get_by_role("link", name=name, exact=True))


def act(page: Page, name: str, on: str = "q") -> None:
    """Presses one of the buttons for a whole queue."""
    page.get_by_role("group", name=f"Act on {on}").get_by_role("button", name=name).click()


def asked(page: Page, title: str) -> Locator:
    """The dialog that asks back."""
    return page.get_by_role("dialog", name=title)


def told(page: Page, words: str) -> None:
    """Waits for what the page says in passing."""
    expect(page.locator("#notices").get_by_text(words)).to_be_visible()


def parts(page: Page, name: str) -> None:
    """Goes to a part of a queue."""
    page.get_by_role("navigation", name="Parts of").get_by_role("link", name=name).click()


def file(name: str, text: bytes) -> Any:
    return {"name": name, "mimeType": "text/plain", "buffer": text}
