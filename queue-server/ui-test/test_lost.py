"""What gets lost on the way, of the page or of its calls, and what stays behind when the reader goes on."""

import json
import unittest

from looked import Looked, act, asked, browser, expect, figure, file, parts, told
from playwright.sync_api import Route

LOST = ("ERR_FAILED",)


class Lost(Looked):
    def test_what_was_enqueued_and_not_answered_is_not_enqueued_again(self) -> None:
        self.make()
        page = self.look("#/queues/q", permitted=LOST)
        sent: list[str] = []

        def lose(route: Route) -> None:
            if route.request.method != "POST":
                route.continue_()
                return
            sent.append(route.request.headers["idempotency-key"])
            answer = route.fetch()
            if len(sent) == 1:
                route.abort()
            else:
                route.fulfill(response=answer)

        page.route("**/v1/queues/q/items*", lose)
        act(page, "Enqueue")
        dialog = asked(page, "Enqueue in q")
        dialog.get_by_label("One item").check()
        dialog.get_by_label("Items", exact=True).fill("only once")
        dialog.get_by_role("button", name="Enqueue").click()
        expect(dialog.get_by_role("alert")).to_have_text("The server cannot be reached")
        dialog.get_by_role("button", name="Enqueue").click()
        told(page, "1 item enqueued in q.")
        expect(figure(page, "Ready")).to_have_text("1")
        self.assertEqual([item["body"] for item in self.items()], ["only once"])
        self.assertEqual(len(sent), 2)
        # The same again, once it is known that it is there, is another item.
        act(page, "Enqueue")
        dialog.get_by_label("One item").check()
        dialog.get_by_label("Items", exact=True).fill("only once")
        dialog.get_by_role("button", name="Enqueue").click()
        expect(figure(page, "Ready")).to_have_text("2")

    def test_a_dialog_that_was_closed_on_no_answer_does_not_enqueue_twice(self) -> None:
        self.make()
        page = self.look("#/queues/q", permitted=LOST)

        def lose(route: Route) -> None:
            if route.request.method == "POST":
                route.fetch()
                route.abort()
            else:
                route.continue_()

        page.route("**/v1/queues/q/items*", lose)
        dialog = asked(page, "Enqueue in q")
        items = dialog.get_by_label("Items", exact=True)
        send = dialog.get_by_role("button", name="Enqueue")
        act(page, "Enqueue")
        items.fill("a\nb")
        send.click()
        expect(dialog.get_by_role("alert")).to_have_text("The server cannot be reached", timeout=60_000)
        dialog.get_by_role("button", name="Cancel").click()
        expect(figure(page, "Ready")).to_have_text("2")
        page.unroute("**/v1/queues/q/items*")

        act(page, "Enqueue")
        expect(items).to_have_value("a\nb")
        expect(dialog.get_by_role("status").first).to_contain_text("what is in already is left out")
        send.click()
        told(page, "2 items enqueued in q.")
        self.assertEqual([item["body"] for item in self.items()], ["a", "b"])
        # It is known by now that it is there.
        act(page, "Enqueue")
        expect(items).to_have_value("")
        # What was typed and not sent is kept as well, and can be thrown away.
        items.fill("c")
        dialog.get_by_role("button", name="Cancel").click()
        act(page, "Enqueue")
        expect(items).to_have_value("c")
        dialog.get_by_role("button", name="Start afresh").click()
        expect(items).to_have_value("")
        expect(dialog.get_by_text("still here")).not_to_be_visible()
        # Neither of two things is left out without a word.
        items.fill("d")
        dialog.get_by_label("Or a file").set_input_files(file("more.txt", b"e"))
        send.click()
        expect(dialog.get_by_role("alert")).to_contain_text("There are both a text and a file")
        dialog.get_by_role("button", name="Remove the file").click()
        send.click()
        told(page, "1 item enqueued in q.")
        self.assertEqual([item["body"] for item in self.items()], ["a", "b", "d"])

    def test_a_page_whose_parts_do_not_come_says_so(self) -> None:
        self.make()
        page = self.look(permitted=LOST)
        page.route("**/ui/patch.js", lambda route: route.abort())
        self.load_again(page)
        expect(page.get_by_role("heading", name="The page could not be loaded")).to_be_visible()
        # It was a moment's matter.
        page.unroute("**/ui/patch.js")
        page.get_by_role("button", name="Load it again").click()
        expect(page.get_by_role("heading", name="Queues", exact=True)).to_be_visible()

    def test_a_browser_that_runs_nothing_is_told_what_there_is_instead(self) -> None:
        context = browser().new_context(java_script_enabled=False)
        self.addCleanup(context.close)
        bare = context.new_page()
        bare.goto(f"{self.server.url}/")
        expect(bare.locator("main")).to_contain_text("This page needs JavaScript", use_inner_text=True)
        expect(bare.get_by_text("Loading…")).not_to_be_visible()

    def test_parts_that_were_left_are_let_go_of(self) -> None:
        self.bury("broke", *(f"item {number}" for number in range(20)))
        page = self.look("#/queues/q")
        measure = page.context.new_cdp_session(page)
        measure.send("Performance.enable")

        def held() -> dict[str, float]:
            # What the first round lets go of holds others.
            for _ in range(3):
                measure.send("HeapProfiler.collectGarbage")
            metrics = measure.send("Performance.getMetrics")["metrics"]
            return {each["name"]: each["value"] for each in metrics if each["name"] in ("Nodes", "JSEventListeners")}

        def through(times: int) -> None:
            for _ in range(times):
                for part, there in (("Dead letters", "Dead letters"), ("Joblog", "Joblog"), ("Items", "Items")):
                    parts(page, part)
                    expect(page.get_by_role("table", name=there).get_by_role("rowheader")).to_have_count(20)
                parts(page, "Overview")
                expect(page.get_by_role("table", name="Leased items")).to_have_count(0)
                expect(page.get_by_text("No item is leased.")).to_be_visible()

        through(2)
        before = held()
        through(12)
        after = held()
        print(f"after 48 changes of part: {json.dumps(before)} became {json.dumps(after)}")
        # Were they kept, there would be 40 times as many elements.
        for name, value in before.items():
            self.assertLess(after[name], 4 * value, name)

    def test_settings_that_were_typed_and_not_saved_are_still_there(self) -> None:
        self.make()
        page = self.look("#/queues/q/settings")
        attempts = page.get_by_label("Attempts", exact=True)
        attempts.fill("7")
        parts(page, "Overview")
        expect(attempts).to_have_count(0)
        parts(page, "Settings")
        expect(attempts).to_have_value("7")
        expect(page.get_by_text("1 setting changed and not saved.")).to_be_visible()
        page.get_by_role("button", name="Undo changes").click()
        expect(attempts).to_have_value("5")
        self.assertEqual(self.server.queue("q")["settings"]["max_attempts"], 5)


if __name__ == "__main__":
    unittest.main()
