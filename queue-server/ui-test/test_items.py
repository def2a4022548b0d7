"""Items as they are looked at: who holds them, what became of them, and what a stranger put into them."""

import unittest

from looked import Looked, act, asked, cell, expect, figure, line, parts, told

# Each would show itself: by a box, a request, a breach of the policy, or an element.
HOSTILE = [
    "<script>alert('body')</script>",
    "<img src=x onerror=\"alert('image')\">",
    "</pre></td></table><h1>Not ours</h1><svg onload=alert(1)>",
    "<a href=\"javascript:alert('link')\">click</a>",
    "{{constructor.constructor('alert(1)')()}}",
    "invoice\u202efdp.exe\u0000",
]


class Items(Looked):
    def test_leased_items_show_who_holds_them_and_for_how_long(self) -> None:
        first, second = self.add("a.mov", "b.mov")
        self.lease(worker="encoder-7d9c-x2k", lease_ms=600_000)
        page = self.look("#/queues/q")
        held = line(page, f"Item …{first[-8:]}", "Leased items")
        expect(held).to_contain_text("a.mov")
        expect(held.get_by_role("cell", name="encoder-7d9c-x2k")).to_be_visible()
        expect(held.locator("td[data-label='Lease left']")).to_contain_text("9 m")
        # Another is taken, and the first is done.
        (lease,) = self.lease(worker="encoder-2")
        expect(line(page, f"Item …{second[-8:]}", "Leased items")).to_contain_text("encoder-2")
        self.settle([lease])
        expect(line(page, f"Item …{second[-8:]}", "Leased items")).to_have_count(0)
        held.get_by_role("link").click()
        expect(page.get_by_text("encoder-7d9c-x2k")).to_be_visible()
        expect(page.get_by_text("The first is running.")).to_be_visible()

    def test_a_dead_item_shows_each_attempt_with_what_it_printed(self) -> None:
        self.make(max_attempts=2, backoff={"min_ms": 0, "max_ms": 0})
        (item,) = self.add('{"file":"a.jpg","width":640}')
        log = "reading\n" + "\n".join(f"<b>{number}</b>" for number in range(2_000))
        self.settle(self.lease(worker="w-1"), "nack", error="connection reset", exit_code=75, log=log)
        self.settle(
            self.lease(worker="w-2"), "nack", error="no such file\n" + "at line 7\n" * 20, exit_code=1, log="bye\n"
        )
        page = self.look(f"#/queues/q/items/{item}")
        expect(page.locator(".head").get_by_text("dead")).to_be_visible()
        expect(page.get_by_role("heading", name="Why it is dead")).to_be_visible()
        expect(page.get_by_role("group", name="Error")).to_contain_text("no such file\nat line 7")
        table = page.get_by_role("table", name="Attempts")
        expect(table.get_by_role("rowheader")).to_have_text(["1", "2"])
        for words in ("w-1", "w-2", "connection reset", "75"):
            expect(table.get_by_text(words, exact=True)).to_be_visible()

        page.get_by_role("button", name="Output of attempt 1").click()
        dialog = asked(page, "Output of attempt 1")
        expect(dialog.get_by_role("group", name="Output")).to_contain_text("reading\n<b>0</b>")
        dialog.get_by_role("button", name="Show all").click()
        expect(dialog.get_by_role("group", name="Output")).to_contain_text("<b>1999</b>")
        dialog.get_by_role("button", name="Close").click()
        page.get_by_role("button", name="Error of attempt 2").click()
        expect(asked(page, "Error of attempt 2").get_by_role("group")).to_contain_text("at line 7")
        page.keyboard.press("Escape")

        # The body, made readable, and as a file.
        body = page.get_by_role("group", name="Body")
        page.get_by_role("button", name="Format JSON").click()
        expect(body).to_contain_text('{\n  "file": "a.jpg",\n  "width": 640\n}')
        with page.expect_download() as saved:
            page.get_by_role("button", name="Save Body").click()
        self.assertEqual(saved.value.path().read_text(), '{"file":"a.jpg","width":640}')

    def test_what_a_failed_command_printed_is_its_output_and_not_its_error(self) -> None:
        # As memq's workers say it.
        said = "the command exited with 66\n--- stderr\ncannot open a.jpg\n--- stdout\nreading a.jpg"
        (item,) = self.bury(said, "a.jpg", exit_code=66)
        page = self.look(f"#/queues/q/items/{item}")
        table = page.get_by_role("table", name="Attempts")
        expect(table.locator("td[data-label='What it said']")).to_have_text("the command exited with 66")
        page.get_by_role("button", name="Output of attempt 1").click()
        printed = asked(page, "Output of attempt 1").get_by_role("group", name="Output")
        expect(printed).to_have_text("--- stderr\ncannot open a.jpg\n--- stdout\nreading a.jpg", use_inner_text=True)

    def test_the_joblog_goes_on_by_itself(self) -> None:
        self.add("a", "b", "c")
        self.settle(self.lease(), result="fine")
        page = self.look("#/queues/q/joblog")
        table = page.get_by_role("table", name="Joblog")
        expect(table.get_by_role("rowheader")).to_have_count(1)
        expect(table).to_contain_text("fine")
        self.settle(self.lease(), "dead", error="broke\nbadly", exit_code=3)
        expect(table.get_by_role("row").nth(1)).to_contain_text("broke")
        expect(table.get_by_role("row").nth(1)).to_contain_text("exit 3")
        page.get_by_label("Show outcomes").select_option("done")
        expect(table.get_by_role("rowheader").filter(visible=True)).to_have_count(1)
        page.get_by_label("Show outcomes").select_option("all")
        page.get_by_role("button", name="Stop following").click()
        self.settle(self.lease(), result="last")
        expect(figure(page, "Done")).to_have_text("2")
        page.get_by_role("button", name="Follow", exact=True).click()
        expect(table.get_by_role("rowheader")).to_have_count(3)

    def test_the_few_that_died_are_found_in_a_long_joblog(self) -> None:
        self.bury("no such file", "one.jpg", "two.jpg", "three.jpg")
        for _ in range(4):
            self.add(*(f"{number}.jpg" for number in range(200)))
            self.settle(self.lease(200))
        page = self.look("#/queues/q/joblog")
        names = page.get_by_role("table", name="Joblog").get_by_role("rowheader")
        expect(names).to_have_count(200)
        page.get_by_label("Show outcomes").select_option("dead")
        expect(names).to_have_count(3)
        expect(page.get_by_text("The last 3 dead; looked at 803")).to_be_visible()
        self.load_again(page)
        expect(page.get_by_label("Show outcomes")).to_have_value("dead")
        expect(names).to_have_count(3)
        page.get_by_label("Show outcomes").select_option("cancelled")
        expect(page.get_by_text("None of the 803 that are known ended as cancelled.")).to_be_visible()

    def test_items_are_found_by_state_and_group(self) -> None:
        self.load("q", *({"body": f"item {n}", "group": f"group {n % 3}"} for n in range(6)))
        self.lease()
        page = self.look("#/queues/q/items")
        names = page.get_by_role("table", name="Items").get_by_role("rowheader")
        expect(names).to_have_count(6)
        page.get_by_label("State").select_option("leased")
        expect(names).to_have_count(1)
        page.get_by_label("State").select_option("")
        page.get_by_label("Group").fill("group 2")
        expect(names).to_have_count(2)
        expect(names.last).to_contain_text("item 5")
        # Where one was before.
        names.last.get_by_role("link").click()
        expect(page.get_by_role("heading", name="Item …")).to_be_visible()
        page.go_back()
        expect(page.get_by_label("Group")).to_have_value("group 2")
        expect(names).to_have_count(2)


class Strangers(Looked):
    def test_markup_in_an_item_is_shown_and_never_run(self) -> None:
        for text in HOSTILE:
            (item,) = self.add(text)
            (lease,) = self.lease(worker=f"w {text[:40]}".replace("\0", "").replace("\u202e", ""))
            self.settle([lease], "dead", error=text, log=text, exit_code=1)
            if item[-8:] == "00000000":
                self.server.call("POST", "/v1/queues/q/redrive", {"ids": [item]})
                self.settle(self.lease(worker=text), result=text)
        page = self.look("#/queues/q/items")
        expect(page.get_by_role("table", name="Items").get_by_role("rowheader")).to_have_count(len(HOSTILE))
        expect(page.get_by_text(HOSTILE[1]).first).to_be_visible()
        parts(page, "Dead letters")
        expect(page.get_by_text(HOSTILE[3]).first).to_be_visible()
        parts(page, "Joblog")
        expect(page.get_by_text(HOSTILE[0]).first).to_be_visible()
        for item in self.items():
            page.goto(f"{self.server.url}/#/queues/q/items/{item['id']}")
            expect(page.get_by_role("group", name="Body")).to_contain_text(item["body"].rstrip("\0"))
            page.get_by_role("button", name="Output of attempt 1").click()
            expect(page.get_by_role("dialog").get_by_role("group", name="Output")).to_be_visible()
            page.keyboard.press("Escape")
        self.assertEqual(page.get_by_role("heading", name="Not ours").count(), 0)
        self.assertEqual(page.locator("main img, main [onload], main [onerror], main a[href^=javascript]").count(), 0)

    def test_an_address_with_markup_in_it_is_shown_and_never_run(self) -> None:
        page = self.look("#/queues/%3Cimg%20src%3Dx%20onerror%3Dalert(1)%3E")
        expect(page.get_by_text("There is no queue <img src=x onerror=alert(1)>.")).to_be_visible()
        page.goto(f"{self.server.url}/#/<script>alert(1)</script>")
        expect(page.get_by_role("heading", name="There is no such page")).to_be_visible()

    def test_a_body_of_a_mebibyte_is_shown_in_parts(self) -> None:
        text = "begin " + "0123456789abcdef" * 65_535 + "0123456789"
        (item,) = self.add(text)
        page = self.look("#/queues/q/items")
        line(page, f"Item …{item[-8:]}").get_by_role("link").click()
        body = page.get_by_role("group", name="Body")
        expect(body).to_contain_text("begin 0123")
        self.assertLess(len(body.inner_text()), 10_000)
        page.evaluate("window.longest = 0")
        page.get_by_role("button", name="Show all (1 MiB)").click()
        expect(body).to_have_text(text)
        print(f"a body of 1 MiB: longest task {page.evaluate('window.longest'):.0f} ms")

    def test_bytes_that_are_no_text_are_shown_as_digits(self) -> None:
        item = self.add_bytes(bytes(range(256)) * 300)
        page = self.look("#/queues/q/items")
        expect(line(page, f"Item …{item[-8:]}")).to_contain_text("75 KiB, not text")
        line(page, f"Item …{item[-8:]}").get_by_role("link").click()
        body = page.get_by_role("group", name="Body")
        expect(body).to_contain_text("000010  10 11 12")
        expect(page.get_by_role("button", name="Enqueue a copy…")).to_have_count(0)
        page.get_by_role("button", name="Show the first 64 KiB").click()
        expect(body).to_contain_text("00fff0")
        with page.expect_download() as saved:
            page.get_by_role("button", name="Save Body").click()
        self.assertEqual(saved.value.path().read_bytes(), bytes(range(256)) * 300)

    def test_a_name_of_as_many_characters_as_there_may_be(self) -> None:
        name = ("a-very.long_name-" * 8)[:128]
        page = self.look()
        page.get_by_role("button", name="New queue").click()
        dialog = asked(page, "New queue")
        dialog.get_by_label("Name").fill(name)
        dialog.get_by_role("button", name="Create queue").click()
        expect(page.get_by_role("heading", name=name, level=1)).to_be_visible()
        act(page, "Enqueue", on=name)
        asked(page, "Enqueue in").get_by_label("Items", exact=True).fill("x")
        asked(page, "Enqueue in").get_by_role("button", name="Enqueue").click()
        told(page, "1 item enqueued")
        page.get_by_role("navigation", name="Pages").get_by_role("link", name="Queues").click()
        expect(cell(page, name, "Ready")).to_have_text("1")
        self.assertEqual(self.counts(name), {"ready": 1})


if __name__ == "__main__":
    unittest.main()
