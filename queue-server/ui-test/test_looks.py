"""Every view, dark and light, wide and narrow: held to the rules of accessibility, and nothing sticks out."""

import unittest
from collections.abc import Iterator

from axe_playwright_python.base import AXE_FILE_PATH
from looked import NARROW, WIDE, Looked, act, asked, expect
from playwright.sync_api import Page

AXE = AXE_FILE_PATH.read_text()
# Without a page's own scripts: `evaluate` is the debugger's.
ASK = """
async () => {
  const found = await axe.run(document, { resultTypes: ['violations'], reporter: 'v2' });
  const told = (node) => `${node.target.join(' ')} ${node.any.map(({ message }) => message).join('; ')}`;
  return found.violations.map(({ id, impact, help, nodes }) =>
    `${impact}: ${id}: ${help}: ${nodes.map(told).slice(0, 4).join(' | ')}`);
}
"""
# What is further right than the window is wide.
STICKS_OUT = """
() => {
  const wide = document.documentElement.clientWidth;
  const most = Math.max(document.documentElement.scrollWidth, document.body.scrollWidth);
  if (most <= wide) return [];
  const all = [...document.querySelectorAll('body *')];
  const out = all.filter((element) => element.getBoundingClientRect().right > wide + 1);
  return [`${most} px`, ...out.slice(0, 5).map((element) => `${element.tagName} ${element.className}`)];
}
"""
NAME = "a-queue.with_a-very-long-name-" * 4
WORKER = "encoder-deployment-7d9c5b8f6c-x2k4q"
RUN = {
    "run": "nightly-20261121-x7k2",
    "spec": "nightly",
    "namespace": "batch",
    "phase": "Running",
    "started": "2026-11-21T04:00:00Z",
    "message": "step load: wanted 9 workers; the namespace's quota leaves room for 4",
    "steps": [
        {"name": "extract", "phase": "Succeeded", "done": 1, "failed": 0, "total": 1},
        {
            "name": "load",
            "phase": "Running",
            "queues": ["q"],
            "done": 1_834,
            "failed": 12,
            "total": 4_000,
            "eta_ms": 353_000,
            "rate_per_s": 6.13,
            "workers": {"busy": 4, "idle": 0, "wanted": 9},
            "binding": "quota",
            "started": "2026-11-21T04:00:10Z",
        },
        {"name": "report", "phase": "Pending", "done": 0, "failed": 0, "total": 1},
    ],
}


class Looks(Looked):
    def setUp(self) -> None:
        super().setUp()
        self.make("q", max_leased=10, max_attempts=2)
        self.bury(
            "convert: not a JPEG file: starts with 0x3c 0x68\n" + "at line 7 " * 40,
            "photo-1.jpg",
            exit_code=65,
            log="x\n",
        )
        self.add(*(f"s3://media/{n:030}/{n:030}.mov" for n in range(60)))
        self.load("q", {"body": "later", "delay_ms": 3_600_000, "group": "anna", "key": "k" * 200, "priority": 3})
        self.lease(3, worker=WORKER)
        self.make(NAME)
        self.server.call("POST", f"/v1/queues/{NAME}/pause")
        self.server.call("POST", f"/v1/queues/{NAME}/seal")
        self.json = self.add('{"file":"' + "x" * 300 + '"}', to="other")[0]
        self.binary = self.add_bytes(bytes(range(256)) * 8, to="other")
        self.server.call("PUT", f"/v1/runs/{RUN['run']}", RUN)

    def views(self, page: Page) -> Iterator[str]:
        """Each view of the page, when it is there."""
        dead = self.items(query="state=dead")[0]["id"]
        leased = self.items(query="state=leased")[0]["id"]
        cells = page.get_by_role("cell").first
        for at, ready in (
            ("#/queues", cells),
            ("#/queues?find=nothing-is-so", page.get_by_text("No queue is like that.")),
            ("#/queues/q", page.get_by_role("table", name="Leased items").get_by_role("cell").first),
            ("#/queues/q/items", cells),
            ("#/queues/q/dead", page.get_by_role("table", name="Dead letters").get_by_role("cell").first),
            ("#/queues/q/joblog", page.get_by_role("table", name="Joblog").get_by_role("cell").first),
            ("#/queues/q/settings", page.get_by_role("form", name="Settings of q")),
            (f"#/queues/{NAME}", page.get_by_text("No item is leased.")),
            (f"#/queues/q/items/{dead}", page.get_by_role("table", name="Attempts")),
            (f"#/queues/q/items/{leased}", page.get_by_text(WORKER)),
            (f"#/queues/other/items/{self.json}", page.get_by_role("group", name="Body")),
            (f"#/queues/other/items/{self.binary}", page.get_by_role("group", name="Body")),
            ("#/queues/unknown", page.get_by_text("There is no queue unknown.")),
            ("#/runs", cells),
            (f"#/runs/{RUN['run']}", page.get_by_role("heading", name="load")),
            ("#/nothing", page.get_by_role("heading", name="There is no such page")),
        ):
            page.evaluate("(to) => { location.hash = to; }", at)
            expect(ready).to_be_visible()
            yield at
        page.evaluate("location.hash = '#/queues/q'")
        dialog = page.get_by_role("dialog")
        for name in ("Enqueue", "Purge…", "Delete…"):
            act(page, name)
            expect(dialog).to_be_visible()
            if name == "Enqueue":
                dialog.get_by_text("Options").click()
                dialog.get_by_role("button", name="Enqueue").click()
                expect(dialog.get_by_role("alert")).not_to_be_empty()
            yield f"dialog {name}"
            page.keyboard.press("Escape")
            expect(dialog).to_have_count(0)
        act(page, "Pause")
        expect(page.get_by_role("button", name="Resume")).to_be_visible()
        yield "a notice"
        act(page, "Resume")
        page.evaluate("location.hash = '#/queues'")
        page.get_by_role("button", name="New queue").click()
        asked(page, "New queue").get_by_text("Settings", exact=True).click()
        yield "dialog New queue"
        page.keyboard.press("Escape")

    def judge(self, size: object, scheme: str) -> None:
        page = self.look(size=size, scheme=scheme)
        expect(page.locator("#connection")).to_have_text("Live")
        page.evaluate(AXE)
        wrong = []
        for view in self.views(page):
            wrong += [f"{view}: {each}" for each in page.evaluate(ASK)]
            out = page.evaluate(STICKS_OUT)
            if out:
                wrong.append(f"{view}: scrolls sideways: {', '.join(out)}")
        self.assertEqual(wrong, [], "\n" + "\n".join(wrong))

    def test_wide_and_light(self) -> None:
        self.judge(WIDE, "light")

    def test_wide_and_dark(self) -> None:
        self.judge(WIDE, "dark")

    def test_narrow_and_light(self) -> None:
        self.judge(NARROW, "light")

    def test_narrow_and_dark(self) -> None:
        self.judge(NARROW, "dark")


class Details(Looked):
    def test_nothing_is_cut_or_askew(self) -> None:
        self.bury("broke", "a")
        page = self.look("#/queues/q", size=NARROW)
        tabs = page.get_by_role("navigation", name="Parts of q").get_by_role("link")
        expect(tabs.last).to_be_visible()
        ends = tabs.evaluate_all("(all) => all.map((each) => each.getBoundingClientRect().right)")
        self.assertLessEqual(max(ends), NARROW["width"])
        page = self.look("#/queues/q")
        facts = page.locator(".two > .card > .facts")
        expect(facts).to_have_count(2)
        tops = facts.evaluate_all("(all) => all.map((each) => each.getBoundingClientRect().top)")
        self.assertEqual(len(set(tops)), 1, tops)
        crumbs = page.get_by_role("navigation", name="Where you are")
        expect(crumbs).to_have_text("Queues")


class Welcome(Looked):
    def test_what_a_server_without_queues_shows(self) -> None:
        wrong = []
        for size in (WIDE, NARROW):
            for scheme in ("light", "dark"):
                page = self.look(size=size, scheme=scheme)
                expect(page.get_by_role("form", name="Enqueue the first items")).to_be_visible()
                page.evaluate(AXE)
                wrong += page.evaluate(ASK) + page.evaluate(STICKS_OUT)
        self.assertEqual(wrong, [], "\n" + "\n".join(wrong))


if __name__ == "__main__":
    unittest.main()
