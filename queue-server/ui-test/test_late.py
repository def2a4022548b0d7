"""Answers that come late: what the page heard meanwhile, and what its reader did meanwhile, is not lost to them."""

import unittest

from looked import Late, Looked, act, asked, expect, figure, line, painted, parts, told
from playwright.sync_api import Route

from served import until

# Two clicks that the browser has before the page hears of an answer to the first.
TWICE = """
(name) => {
  const button = document.querySelector(`button[aria-label='${name} page']`);
  button.click();
  button.click();
}
"""


class Lists(Looked):
    def test_what_changes_while_a_list_is_on_its_way_is_in_it_soon(self) -> None:
        self.bury("broke", "a")
        page = self.look("#/queues/q")
        for many, (at, table) in enumerate((("items", "Items"), ("dead", "Dead letters")), 2):
            late = Late(page, "**/v1/queues/q/items?*")
            parts(page, table)
            late.wait()
            self.bury("broke", at)
            expect(figure(page, "Dead")).to_have_text(str(many))
            late.let_go()
            expect(page.get_by_role("table", name=table).get_by_role("rowheader")).to_have_count(many)

    def test_a_filter_whose_answer_is_late_is_not_taken_for_news_of_the_list_before(self) -> None:
        first, _ = self.add("a", "b")
        self.lease()
        page = self.look("#/queues/q/items", own_clock=True)
        row = line(page, f"Item …{first[-8:]}", "Items")
        row.hover()
        late = Late(page, "**/v1/queues/q/items?*")
        page.get_by_label("State").select_option("ready")
        late.wait()
        # The page would now look on its own.
        self.add("c")
        expect(figure(page, "Ready")).to_have_text("2")
        page.clock.fast_forward(2_500)
        late.let_go()
        expect(row).to_have_count(0)

    def test_a_list_whose_answer_never_comes_is_asked_for_again(self) -> None:
        for part, table in (("items", "Items"), ("dead", "Dead letters")):
            with self.subTest(part=part):
                self.bury("broke", "a", to=part)
                page = self.look(f"#/queues/{part}/{part}", own_clock=True)
                names = page.get_by_role("table", name=table).get_by_role("rowheader")
                expect(names).to_have_count(1)
                hung = Late(page, "**/v1/queues/*/items?*")
                self.bury("broke", "b", to=part)
                expect(figure(page, "Dead")).to_have_text("2")
                page.clock.fast_forward(2_500)
                hung.wait()
                hung.forget()
                page.clock.fast_forward(15_000)
                expect(names).to_have_count(2)
                # Nobody waits for it any more.
                hung.let_go()
                expect(names).to_have_count(2)

    def test_pages_are_turned_one_by_one_however_fast_one_clicks(self) -> None:
        self.add(*(f"item {number}" for number in range(170)))
        page = self.look("#/queues/q/items")
        first = page.get_by_role("table", name="Items").get_by_role("rowheader").first
        expect(first).to_contain_text("item 0")
        for name, at, body in (("Next", 2, "item 50"), ("Previous", 1, "item 0"), ("Next", 2, "item 50")):
            page.evaluate(TWICE, name)
            expect(page.get_by_text(f"Page {at}", exact=True)).to_be_visible()
            expect(first).to_contain_text(body)

    def test_what_is_ticked_while_the_list_renews_itself_stays_ticked(self) -> None:
        self.bury("broke", "a", "b")
        page = self.look("#/queues/q/dead")
        names = page.get_by_role("table", name="Dead letters").get_by_role("rowheader")
        expect(names).to_have_count(2)
        late = Late(page, "**/v1/queues/q/items?*")
        self.bury("broke", "c")
        late.wait()
        page.get_by_label("Select all shown").check()
        late.let_go()
        painted(page)
        page.get_by_role("button", name="Redrive 2 selected items").click()
        expect(names).to_have_count(1)

    def test_no_number_is_said_of_a_filter_that_was_not_answered_yet(self) -> None:
        self.bury("timeout", "a")
        self.bury("no such file", "b", "c")
        page = self.look("#/queues/q/dead")
        text = page.get_by_label("Error contains")
        text.fill("timeout")
        all_of_them = page.get_by_role("button", name="Redrive all")
        expect(all_of_them).to_have_text("Redrive all 1 that match")
        late = Late(page, "**/v1/queues/q/items?*")
        text.fill("no")
        late.wait()
        expect(all_of_them).to_have_text("Redrive all that match")
        late.let_go()
        expect(all_of_them).to_have_text("Redrive all 2 that match")


class Actions(Looked):
    def test_an_answer_that_is_older_than_what_was_heard_changes_nothing(self) -> None:
        self.make()
        page = self.look("#/queues/q")
        late = Late(page, "**/v1/queues/q/pause", "POST")
        act(page, "Pause")
        expect(page.get_by_role("button", name="Resume")).to_be_visible()
        # By somebody else.
        self.server.call("POST", "/v1/queues/q/resume")
        expect(page.get_by_role("button", name="Pause")).to_be_visible()
        late.let_go()
        told(page, "q is paused")
        painted(page)
        expect(page.get_by_role("button", name="Pause")).to_be_visible()

    def test_a_queue_that_is_made_anew_while_the_one_before_is_deleted_is_there(self) -> None:
        self.make()
        page = self.look("#/queues/q")
        late = Late(page, "**/v1/queues/q", "DELETE")
        act(page, "Delete…")
        asked(page, "Delete q").get_by_role("button", name="Delete queue").click()
        late.wait()
        self.make(max_attempts=7)
        self.add("a")
        expect(figure(page, "Ready")).to_have_text("1")
        late.let_go()
        told(page, "q is deleted.")
        expect(line(page, "q")).to_be_visible()

    def test_nothing_is_typed_into_settings_while_they_are_saved(self) -> None:
        self.make()
        page = self.look("#/queues/q/settings")
        attempts = page.get_by_label("Attempts", exact=True)
        late = Late(page, "**/v1/queues/q", "PUT")
        attempts.fill("7")
        page.keyboard.press("Enter")
        late.wait()
        page.keyboard.type("5")
        self.assertEqual(page.locator("form").get_by_label("Attempts", exact=True).input_value(), "7")
        late.let_go()
        told(page, "Settings of q are saved.")
        expect(attempts).to_have_value("7")
        self.assertEqual(self.server.queue("q")["settings"]["max_attempts"], 7)

    def test_what_was_typed_before_somebody_else_made_the_first_queue_is_still_there(self) -> None:
        page = self.look()
        page.get_by_role("form", name="Enqueue the first items").get_by_label("Items", exact=True).fill("typed")
        self.make("other")
        expect(line(page, "other")).to_be_visible()
        page.get_by_role("button", name="Enqueue items").click()
        expect(asked(page, "Enqueue items").get_by_label("Items", exact=True)).to_have_value("typed")


class Away(Looked):
    def test_trying_now_does_not_wait_for_a_try_that_hangs(self) -> None:
        page = self.look(permitted=("ERR_FAILED",), own_clock=True)
        page.route("**/v1/**", lambda route: route.abort())
        self.load_again(page)
        connection = page.locator("#connection")
        expect(connection).to_have_text("No answer")
        hung: list[Route] = []
        for what in ("queues", "runs*"):
            page.route(f"**/v1/{what}", lambda route: hung.append(route))
        until("the page asks again", lambda: bool(page.evaluate("true") and len(hung) >= 2))
        # Taken off, the routes would let go what hangs.
        page.route("**/v1/**", lambda route: route.continue_())
        # From here on nothing is tried because time goes by.
        page.clock.pause_at(page.evaluate("Date.now() / 1000 + 5"))
        page.get_by_role("button", name="Try now").click()
        for route in hung:
            route.abort()
        expect(connection).to_have_text("Live")


if __name__ == "__main__":
    unittest.main()
