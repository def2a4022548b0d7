"""What was sent and not answered: it comes in once, all of it, and what the page says of it is true."""

import unittest
from typing import Optional

from looked import Looked, act, asked, cell, expect, figure, file, told
from playwright.sync_api import APIResponse, Page, Route

from served import until

LOST = ("ERR_FAILED",)
ROWS = 9_000


class Answers:
    """What becomes of the answers to each request that enqueues, in their order; later ones come as they are."""

    def __init__(self, page: Page, *fates: str) -> None:
        self.names: list[str] = []
        self._fates = list(fates)
        self._unsent: list[Route] = []
        self._held: Optional[tuple[Route, APIResponse]] = None
        self._page = page
        page.route("**/v1/queues/*/items*", self._meet)

    def _meet(self, route: Route) -> None:
        if route.request.method != "POST":
            route.continue_()
            return
        self.names.append(route.request.headers["idempotency-key"])
        fate = self._fates.pop(0) if self._fates else "comes"
        if fate == "never sent":
            self._unsent.append(route)
            return
        answer = route.fetch()
        if fate == "lost":
            route.abort()
        elif fate == "held":
            self._held = (route, answer)
        else:
            route.fulfill(response=answer)

    def wait(self, many: int) -> None:
        """Until so many are asked for."""
        # Asking the page lets what it sent come here.
        until("the page sends", lambda: bool(self._page.evaluate("true") and len(self.names) >= many))

    def give_up(self) -> None:
        while self._unsent:
            self._unsent.pop().abort()

    def let_go(self) -> None:
        # Asking the page lets what it sent come here.
        until("an answer is held", lambda: self._page.evaluate("true") and self._held is not None)
        assert self._held is not None
        route, answer = self._held
        route.fulfill(response=answer)


# Two keys that the browser has before the page hears of the first.
SHUT_AND_OPEN = """
async () => {
  const press = (words, within) => [...document.querySelectorAll(`${within} button`)]
    .find((one) => one.textContent === words).click();
  press('Cancel', 'dialog');
  for (let turn = 0; turn < 10; turn += 1) await null;
  press('Enqueue', 'main');
}
"""


class Drafts(Looked):
    def bodies(self, name: str = "q") -> list[str]:
        return [item["body"] for item in self.items(name)]

    def test_a_dialog_that_is_shut_and_opened_in_one_breath_still_has_what_was_typed(self) -> None:
        self.make()
        page = self.look("#/queues/q")
        act(page, "Enqueue")
        dialog = asked(page, "Enqueue in q")
        dialog.get_by_label("Items", exact=True).fill("typed")
        page.evaluate(SHUT_AND_OPEN)
        expect(dialog).to_have_count(1)
        expect(dialog.get_by_label("Items", exact=True)).to_have_value("typed")

    def test_a_file_that_was_stopped_comes_in_once_and_whole_even_if_the_queue_is_made_anew(self) -> None:
        # Two pieces.
        rows = file("rows.txt", b"".join(b"%01000d\n" % number for number in range(ROWS)))
        for name, anew in (("same", False), ("anew", True)):
            with self.subTest(name):
                self.make(name)
                page = self.look(f"#/queues/{name}", permitted=LOST)
                answers = Answers(page, "comes", "never sent")
                dialog = asked(page, f"Enqueue in {name}")
                act(page, "Enqueue", on=name)
                dialog.get_by_label("Or a file").set_input_files(rows)
                dialog.get_by_role("button", name="Enqueue").click()
                expect(figure(page, "Ready")).to_have_text("8,380")
                # The page may be told of the items before it has the answer; the second piece goes after that.
                answers.wait(2)
                dialog.get_by_role("button", name="Cancel").click()
                told(page, "Stopped: 8,380 items before that were taken.")
                answers.give_up()
                if anew:
                    self.server.call("DELETE", f"/v1/queues/{name}")
                    self.make(name)
                    expect(figure(page, "Ready")).to_have_text("0")
                act(page, "Enqueue", on=name)
                expect(dialog).to_contain_text("what is in already is left out")
                dialog.get_by_role("button", name="Enqueue").click()
                told(page, f"9,000 items enqueued in {name}.")
                self.assertEqual(self.counts(name), {"ready": ROWS})
                # Both pieces by the names that they had.
                self.assertEqual(answers.names[:2], answers.names[2:])

    def test_a_queue_that_is_seen_before_the_answer_comes_gets_its_first_item_once(self) -> None:
        page = self.look()
        answers = Answers(page, "held")
        form = page.get_by_role("form", name="Enqueue the first items")
        form.get_by_label("One item").check()
        form.get_by_label("Items", exact=True).fill("a\nb")
        form.get_by_role("button", name="Enqueue").click()
        expect(cell(page, "tasks", "Ready")).to_have_text("1")
        # Whoever is impatient sends it again.
        again = page.get_by_role("button", name="Enqueue items")
        dialog = asked(page, "Enqueue items")
        items = dialog.get_by_label("Items", exact=True)
        again.click()
        expect(items).to_have_value("a\nb")
        expect(dialog).to_contain_text("what is in already is left out")
        dialog.get_by_role("button", name="Enqueue").click()
        told(page, "1 item enqueued in tasks.")
        self.assertEqual(self.bodies("tasks"), ["a\nb"])
        answers.let_go()
        expect(page.get_by_role("heading", name="tasks", level=1)).to_be_visible()
        page.get_by_role("navigation", name="Pages").get_by_role("link", name="Queues").click()
        again.click()
        expect(items).to_have_value("")
        expect(dialog.get_by_text("sent before")).not_to_be_visible()

    def test_an_answer_that_comes_late_takes_away_what_was_kept_for_it(self) -> None:
        page = self.look()
        answers = Answers(page, "held")
        form = page.get_by_role("form", name="Enqueue the first items")
        form.get_by_role("button", name="Enqueue").click()
        expect(cell(page, "tasks", "Ready")).to_have_text("3")
        answers.let_go()
        told(page, "3 items enqueued in tasks.")
        page.get_by_role("navigation", name="Pages").get_by_role("link", name="Queues").click()
        page.get_by_role("button", name="Enqueue items").click()
        dialog = asked(page, "Enqueue items")
        expect(dialog.get_by_label("Items", exact=True)).to_have_value("")
        expect(dialog.get_by_text("sent before")).not_to_be_visible()

    def test_what_was_changed_after_it_was_sent_is_not_said_to_come_in_once(self) -> None:
        self.make()
        page = self.look("#/queues/q", permitted=LOST)
        Answers(page, "lost")
        dialog = asked(page, "Enqueue in q")
        items = dialog.get_by_label("Items", exact=True)
        send = dialog.get_by_role("button", name="Enqueue")
        cancel = dialog.get_by_role("button", name="Cancel")
        act(page, "Enqueue")
        dialog.get_by_label("One item").check()
        items.fill("a")
        send.click()
        expect(dialog.get_by_role("alert")).to_have_text("The server cannot be reached")
        note = dialog.get_by_role("status").first
        expect(note).to_contain_text("what is in already is left out")
        items.fill("ab")
        expect(note).to_contain_text("may come in twice")
        cancel.click()
        act(page, "Enqueue")
        expect(note).to_contain_text("may come in twice")
        items.fill("a")
        expect(note).to_contain_text("what is in already is left out")
        dialog.get_by_label("An item a line").check()
        expect(note).to_contain_text("may come in twice")
        dialog.get_by_label("One item").check()
        items.fill("")
        cancel.click()
        act(page, "Enqueue")
        expect(dialog.get_by_text("sent before")).not_to_be_visible()
        # An empty text was thrown away, and with it what was known of the one before.
        dialog.get_by_label("One item").check()
        items.fill("a")
        send.click()
        told(page, "1 item enqueued in q.")
        self.assertEqual(self.bodies(), ["a", "a"])

    def test_nothing_is_typed_or_thrown_away_while_it_is_sent(self) -> None:
        self.make()
        page = self.look("#/queues/q", permitted=LOST)
        answers = Answers(page, "lost", "held")
        dialog = asked(page, "Enqueue in q")
        items = dialog.get_by_label("Items", exact=True)
        send = dialog.get_by_role("button", name="Enqueue")
        afresh = dialog.get_by_role("button", name="Start afresh")
        act(page, "Enqueue")
        dialog.get_by_label("One item").check()
        items.fill("a")
        send.click()
        expect(afresh).to_be_visible()
        items.focus()
        send.click()
        expect(afresh).not_to_be_visible()
        page.keyboard.type("more")
        self.assertEqual(dialog.locator("textarea").input_value(), "a")
        answers.let_go()
        told(page, "1 item enqueued in q.")
        expect(dialog).to_have_count(0)
        self.assertEqual(self.bodies(), ["a"])


if __name__ == "__main__":
    unittest.main()
