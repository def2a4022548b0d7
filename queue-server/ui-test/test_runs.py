"""Runs, as `memq run` reports them to the server that it has within itself."""

import os
import pathlib
import re
import subprocess
import tempfile
import threading
import unittest

from looked import Looked, expect, figure

from served import BOUND, PROGRAMS, until

SPEC = """
apiVersion: memq.dev/v1alpha1
kind: Run
metadata: {name: frames}
spec:
  steps:
  - name: prepare
    command: ["true"]
  - name: render
    after: [prepare]
    items: {count: 4}
    workers: 2
    item: {attempts: 1}
    script: |
      while [ ! -e "$GATE" ]; do sleep 0.05; done
      [ "$MEMQ_ITEM" != 3 ] || { echo "frame 3 is black" >&2; exit 7; }
      echo "frame $MEMQ_ITEM"
    tolerate: {dead: 1}
  - name: stitch
    after: [render]
    command: ["true"]
"""


# What a page sees of a server that ends, by what it asks just then.
ENDED = (
    "ERR_CONNECTION_REFUSED",
    "ERR_CONNECTION_RESET",
    "ERR_INCOMPLETE_CHUNKED_ENCODING",
    "ERR_EMPTY_RESPONSE",
    "status of 503",
)


class Runs(Looked):
    def setUp(self) -> None:
        super().setUp()
        held = tempfile.TemporaryDirectory()
        self.addCleanup(held.cleanup)
        self.folder = pathlib.Path(held.name)
        self.gate = self.folder / "gate"
        (self.folder / "run.yaml").write_text(SPEC)

    def start(self, *flags: str) -> "subprocess.Popen[str]":
        program = [str(PROGRAMS / "memq"), "run", "run.yaml", *flags]
        run = subprocess.Popen(
            program,
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**os.environ, "GATE": str(self.gate)},
        )
        self.said: list[str] = []
        assert run.stdout is not None
        lines = iter(run.stdout.readline, "")
        reader = threading.Thread(target=lambda: self.said.extend(lines), daemon=True)
        reader.start()

        def end() -> None:
            self.gate.touch()
            try:
                run.wait(BOUND)
            finally:
                run.kill()
                run.wait()
                reader.join()
                assert run.stdout is not None
                run.stdout.close()

        self.addCleanup(end)
        return run

    def test_a_run_prints_where_to_watch_it_and_is_seen_there(self) -> None:
        run = self.start()
        where: list[tuple[str, str]] = []

        def printed() -> bool:
            self.assertIsNone(run.poll(), "".join(self.said))
            where.extend(re.findall(r"(http://[0-9.:]+)/(#/runs/frames\S*)", "".join(self.said)))
            return where != []

        until("the run says where it is watched", printed)
        url, at = where[0]
        page = self.look(at, url=url, permitted=ENDED)
        expect(page.get_by_role("heading", name="render")).to_be_visible()
        page.get_by_role("navigation", name="Pages").get_by_role("link", name="Runs").click()
        row = page.get_by_role("row").filter(has=page.get_by_role("link", name=re.compile("^frames")))
        expect(row).to_contain_text("running")
        expect(row).to_contain_text("1 of 3")
        row.get_by_role("link").click()
        step = page.get_by_role("listitem").filter(has=page.get_by_role("heading", name="render"))
        expect(step).to_contain_text("0 of 4 done")
        expect(step).to_contain_text("2 busy")
        # What it works on is a queue like any other.
        step.get_by_role("link").click()
        expect(figure(page, "Leased")).to_have_text("2")
        expect(page.get_by_role("table", name="Leased items").get_by_role("rowheader")).to_have_count(2)
        page.go_back()
        expect(step).to_contain_text("running")
        self.gate.touch()
        run.wait(BOUND)

    def test_a_run_is_followed_on_a_server_to_its_end(self) -> None:
        page = self.look("#/runs")
        expect(page.get_by_text("No run has reported to this server.")).to_be_visible()
        run = self.start("--server", self.server.url)
        link = page.get_by_role("link", name=re.compile("^frames"))
        expect(link).to_be_visible()
        link.click()
        step = page.get_by_role("listitem").filter(has=page.get_by_role("heading", name="render"))
        expect(step).to_contain_text("running")
        stitch = page.get_by_role("listitem").filter(has=page.get_by_role("heading", name="stitch"))
        expect(stitch).to_contain_text("pending")
        self.gate.touch()
        expect(step).to_contain_text("3 of 4 done, 1 failed")
        expect(page.locator(".head")).to_contain_text(re.compile("succeeded|failed"))
        self.assertEqual(run.wait(BOUND) == 0, "succeeded" in page.locator(".head").inner_text())
        # Why an item failed is three steps away.
        step.get_by_role("link").click()
        page.get_by_role("navigation", name="Parts of").get_by_role("link", name="Dead letters").click()
        dead = page.get_by_role("table", name="Dead letters")
        expect(dead).to_contain_text("frame 3 is black")
        dead.get_by_role("link").click()
        expect(page.get_by_role("group", name="Error")).to_contain_text("frame 3 is black")


if __name__ == "__main__":
    unittest.main()
