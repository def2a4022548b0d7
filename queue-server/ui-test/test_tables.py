"""Tables, as they must be for who reads and clicks in them: within the window, and true."""

import unittest

from looked import Looked, expect, line

# What a table of a card is wider than, in the card, and the cells of one letter a line.
TOO_WIDE = """
() => [...document.querySelectorAll('.card > table')].filter((table) => table.offsetParent !== null)
  .filter((table) => table.scrollWidth > table.parentElement.clientWidth
    || document.documentElement.scrollWidth > document.documentElement.clientWidth)
  .map((table) => `${table.caption.textContent}: ${table.scrollWidth} of ${table.parentElement.clientWidth}`)
"""
# Without a blank at which a browser would break it.
BODY = "https://media.example.com/" + "0123456789abcdef/" * 30 + "photo.jpg?signature=" + "f" * 64
WORKER = "encoder-deployment-7d9c5b8f6c-x2k4q"


class Widths(Looked):
    def test_a_body_without_blanks_makes_no_table_wider_than_the_window(self) -> None:
        self.bury("cannot-open:" + BODY, BODY, exit_code=65)
        self.add(*[BODY] * 3)
        self.settle(self.lease(worker=WORKER), result=BODY)
        self.lease(worker=WORKER)
        for width in (1440, 1100, 900):
            page = self.look(size={"width": width, "height": 900})
            wrong = []
            for at, table in (
                ("#/queues/q", "Leased items"),
                ("#/queues/q/items", "Items"),
                ("#/queues/q/dead", "Dead letters"),
                ("#/queues/q/joblog", "Joblog"),
            ):
                page.evaluate("(to) => { location.hash = to; }", at)
                expect(page.get_by_role("table", name=table).get_by_role("cell").first).to_be_visible()
                wrong += page.evaluate(TOO_WIDE)
                worker = page.get_by_role("table", name=table).get_by_text(WORKER)
                box = worker.first.bounding_box() if worker.count() > 0 else None
                if box is not None and box["height"] > 70:
                    wrong.append(f"{table}: the worker's name has many lines")
            self.assertEqual(wrong, [], f"at {width} px")


class Held(Looked):
    """What a line under the pointer, or with the focus in it, says when its item has gone on."""

    def test_an_item_in_progress_that_ended_under_the_pointer_says_so(self) -> None:
        first, second = self.add("a", "b")
        lease, other = self.lease(2)
        page = self.look("#/queues/q")
        table = page.get_by_role("table", name="Leased items")
        line(page, f"Item …{first[-8:]}", "Leased items").hover()
        self.settle([lease])
        ended = line(page, f"Item …{first[-8:]}", "Leased items")
        expect(ended.locator("td[data-label='Lease left']")).to_have_text("ended")
        expect(ended.locator("td[data-label='Held for']")).to_have_text("\u2013")
        expect(ended.get_by_role("button")).to_have_count(0)
        expect(page.get_by_text("The lines stay where they are")).to_be_visible()
        # The other one goes on, and is where it was.
        going = line(page, f"Item …{second[-8:]}", "Leased items")
        expect(going.get_by_role("button")).to_have_count(1)
        # The last of them, too.
        self.settle([other])
        expect(going.locator("td[data-label='Lease left']")).to_have_text("ended")
        page.get_by_role("heading", name="q", level=1).hover()
        expect(page.get_by_text("No item is leased.")).to_be_visible()
        expect(table).not_to_be_visible()
        expect(page.get_by_text("The lines stay where they are")).to_have_count(0)

    def test_who_had_the_focus_on_a_button_that_goes_away_has_it_in_the_same_line(self) -> None:
        (item,) = self.add("a")
        (lease,) = self.lease()
        page = self.look("#/queues/q")
        page.get_by_role("button", name=f"Cancel item …{item[-8:]}").focus()
        self.settle([lease])
        expect(page.get_by_role("table", name="Leased items").get_by_role("link")).to_be_focused()

    def test_items_go_on_in_their_lines(self) -> None:
        first, second = self.add("a", "b")
        page = self.look("#/queues/q/items")
        row = line(page, f"Item …{first[-8:]}", "Items")
        row.hover()
        self.settle(self.lease(), result="fine")
        expect(row).to_contain_text("done")
        expect(row).to_contain_text("fine")
        expect(row.get_by_role("button")).to_have_count(0)
        # With a filter they leave the list, and stay as gone.
        page.get_by_label("State").select_option("ready")
        row = line(page, f"Item …{second[-8:]}", "Items")
        expect(page.get_by_role("table", name="Items").get_by_role("rowheader")).to_have_count(1)
        row.hover()
        self.lease()
        expect(row).to_contain_text("no longer ready")
        expect(row.get_by_role("button")).to_have_count(0)
        page.get_by_role("heading", name="q", level=1).hover()
        expect(page.get_by_text("No item is like that.")).to_be_visible()

    def test_a_dead_letter_that_is_dead_no_more_is_ticked_no_more(self) -> None:
        first, second = self.bury("broke", "a", "b")
        page = self.look("#/queues/q/dead")
        for item in (first, second):
            page.get_by_role("checkbox", name=f"Select item …{item[-8:]}").check()
        self.server.call("POST", "/v1/queues/q/redrive", {"ids": [first]})
        row = line(page, f"Item …{first[-8:]}", "Dead letters")
        expect(row).to_contain_text("no longer dead")
        expect(row.get_by_role("checkbox")).to_have_count(0)
        page.get_by_role("button", name="Redrive 1 selected item").click()
        expect(page.get_by_text("No item is dead.")).to_be_visible()
        self.assertEqual(self.counts(), {"ready": 2})


class Errors(Looked):
    def test_dead_letters_say_why_and_redriven_items_are_no_news(self) -> None:
        said = "exited with code 3\n--- stderr\nreading\ncannot open: no such file\n--- stdout\nhello"
        (item,) = self.bury(said, "a", exit_code=3)
        page = self.look("#/queues/q/dead")
        row = line(page, f"Item …{item[-8:]}", "Dead letters")
        expect(row.locator("td[data-label='Why']")).to_have_text("cannot open: no such file")
        self.server.call("POST", "/v1/queues/q/redrive", {"ids": [item]})
        page.evaluate("location.hash = '#/queues/q/items'")
        row = line(page, f"Item …{item[-8:]}", "Items")
        expect(row).to_contain_text("redriven, not tried since")
        expect(row).not_to_contain_text("cannot open")


if __name__ == "__main__":
    unittest.main()
