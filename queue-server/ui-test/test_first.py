"""From nothing to the first results: what somebody does who has read no manual."""

import unittest

from looked import Looked, act, asked, cell, expect, figure, file, line, told


class First(Looked):
    def test_the_first_items_are_put_in_and_watched_while_they_are_worked_on(self) -> None:
        page = self.look()
        page.evaluate("window.same = true")
        form = page.get_by_role("form", name="Enqueue the first items")
        form.get_by_label("Queue", exact=True).fill("photos")
        form.get_by_label("Items", exact=True).fill("one.jpg\ntwo.jpg\n\nthree.jpg\n")
        form.get_by_role("button", name="Enqueue").click()

        expect(page.get_by_role("heading", name="photos", level=1)).to_be_visible()
        expect(figure(page, "Ready")).to_have_text("3")
        self.assertEqual([item["body"] for item in self.items("photos")], ["one.jpg", "two.jpg", "three.jpg"])
        # Nobody works on them yet.
        how = page.get_by_role("group", name="Work them off")
        expect(how).to_contain_text(f"memq worker --server {self.server.url} --queue photos")

        # Somebody else works on them.
        leases = self.lease(2, of="photos")
        expect(figure(page, "Ready")).to_have_text("1")
        expect(figure(page, "Leased")).to_have_text("2")
        expect(how).not_to_be_visible()
        self.settle(leases[:1], of="photos")
        self.settle(leases[1:], "dead", of="photos", error="no such file")
        expect(figure(page, "Done")).to_have_text("1")
        expect(figure(page, "Dead")).to_have_text("1")

        page.get_by_role("navigation", name="Pages").get_by_role("link", name="Queues").click()
        expect(cell(page, "photos", "Ready")).to_have_text("1")
        self.add("four.jpg", "five.jpg", to="photos")
        expect(cell(page, "photos", "Ready")).to_have_text("3")
        expect(figure(page, "Ready", "All queues together")).to_have_text("3")
        expect(page.locator("#connection")).to_have_text("Live")
        self.assertTrue(page.evaluate("window.same"), "the page was loaded anew")

    def test_a_queue_that_others_make_or_delete_comes_and_goes(self) -> None:
        self.make("here")
        page = self.look()
        expect(line(page, "here")).to_be_visible()
        self.make("there")
        expect(line(page, "there")).to_be_visible()
        line(page, "there").get_by_role("link").click()
        self.server.call("DELETE", "/v1/queues/there")
        expect(page.get_by_text("There is no queue there.")).to_be_visible()
        page.get_by_role("button", name="Create it").click()
        expect(figure(page, "Ready")).to_have_text("0")
        self.assertEqual(self.server.queue("there")["counts"]["ready"], 0)

    def test_a_queue_is_made_with_settings(self) -> None:
        page = self.look()
        page.get_by_role("button", name="New queue").click()
        dialog = asked(page, "New queue")
        dialog.get_by_label("Name").fill("encode")
        dialog.get_by_text("Settings", exact=True).click()
        dialog.get_by_label("Lease", exact=True).fill("45 s")
        dialog.get_by_label("Attempts", exact=True).fill("a few")
        dialog.get_by_label("Growth of the wait").fill("3")
        dialog.get_by_label("Largest item").fill("64 KiB")
        dialog.get_by_role("button", name="Create queue").click()
        expect(dialog.get_by_role("alert")).to_have_text("Attempts is no whole number")
        expect(dialog.get_by_label("Attempts", exact=True)).to_be_focused()
        dialog.get_by_label("Attempts", exact=True).fill("2")
        dialog.get_by_role("button", name="Create queue").click()

        expect(page.get_by_role("heading", name="encode", level=1)).to_be_visible()
        settings = self.server.queue("encode")["settings"]
        self.assertEqual((settings["lease_ms"], settings["max_attempts"]), (45_000, 2))
        self.assertEqual((settings["backoff"]["factor"], settings["max_body_bytes"]), (3, 65_536))

    def test_what_the_server_does_not_take_is_said_in_the_dialog(self) -> None:
        self.make("q")
        page = self.look(permitted=("status of 4",))
        page.get_by_role("button", name="New queue").click()
        dialog = asked(page, "New queue")
        for name, words in (("", "Name the queue"), ("q", "There is a queue q already"), ("two words", "no blanks")):
            dialog.get_by_label("Name").fill(name)
            dialog.get_by_role("button", name="Create queue").click()
            expect(dialog.get_by_role("alert")).to_contain_text(words)
        # Only the server knows the bounds of a setting.
        dialog.get_by_label("Name").fill("r")
        dialog.get_by_text("Settings", exact=True).click()
        dialog.get_by_label("Growth of the wait").fill("99")
        dialog.get_by_role("button", name="Create queue").click()
        expect(dialog.get_by_role("alert")).to_contain_text("factor")
        self.assertNotIn("`", dialog.get_by_role("alert").inner_text())
        dialog.get_by_role("button", name="Cancel").click()
        expect(dialog).to_have_count(0)
        self.assertEqual([queue["name"] for queue in self.server.call("GET", "/v1/queues")["queues"]], ["q"])

    def test_items_come_as_a_text_as_lines_and_as_a_file(self) -> None:
        self.make()
        page = self.look("#/queues/q")
        dialog = asked(page, "Enqueue in q")

        act(page, "Enqueue")
        dialog.get_by_label("One item").check()
        dialog.get_by_label("Items", exact=True).fill("two\nlines")
        dialog.get_by_text("Options").click()
        dialog.get_by_label("Priority").fill("7")
        dialog.get_by_label("Group").fill("anna")
        dialog.get_by_label("Unique key").fill("only-once")
        dialog.get_by_label("Delay").fill("1h")
        dialog.get_by_role("button", name="Enqueue").click()
        told(page, "1 item enqueued in q.")
        expect(figure(page, "Delayed")).to_have_text("1")
        item = self.items()[0]
        self.assertEqual(
            [item[key] for key in ("body", "priority", "group", "key")], ["two\nlines", 7, "anna", "only-once"]
        )

        act(page, "Enqueue")
        dialog.get_by_label("Items", exact=True).fill("a\nb\n")
        dialog.get_by_role("button", name="Enqueue").click()
        expect(figure(page, "Ready")).to_have_text("2")

        act(page, "Enqueue")
        dialog.get_by_label("NDJSON").check()
        dialog.get_by_label("Items", exact=True).fill(
            '{"body": {"id": 1}, "key": "only-once"}\n{"body": "c", "delay_ms": 3600000}\n'
        )
        dialog.get_by_role("button", name="Enqueue").click()
        told(page, "1 item enqueued in q, 1 duplicate left out.")
        expect(figure(page, "Delayed")).to_have_text("2")

        # More than a request takes: it goes in pieces.
        lines = b"".join(b"row %d\n" % number for number in range(25_000))
        act(page, "Enqueue")
        dialog.get_by_label("Or a file").set_input_files(file("rows.txt", lines))
        dialog.get_by_label("Seal the queue with it").check()
        dialog.get_by_role("button", name="Enqueue").click()
        told(page, "25,000 items enqueued in q.")
        expect(figure(page, "Ready")).to_have_text("25,002")
        self.assertEqual(self.counts(), {"ready": 25_002, "delayed": 2})
        self.assertTrue(self.server.queue("q")["sealed"])

        # Every page of them can be got at.
        page.get_by_role("navigation", name="Parts of q").get_by_role("link", name="Items").click()
        page.get_by_label("State").select_option("ready")
        table = page.get_by_role("table", name="Items")
        expect(table.get_by_role("rowheader").first).to_contain_text("a")
        expect(table.get_by_role("rowheader")).to_have_count(50)
        for number in (2, 3, 4):
            page.get_by_role("button", name="Next page").click()
            expect(page.get_by_text(f"Page {number}")).to_be_visible()
        expect(table.get_by_role("rowheader").first).to_contain_text("row 148")
        page.get_by_role("button", name="Previous page").click()
        expect(table.get_by_role("rowheader").first).to_contain_text("row 98")

    def test_items_go_into_a_queue_that_is_not_there_yet(self) -> None:
        self.make("old")
        page = self.look()
        page.get_by_role("button", name="Enqueue items").click()
        dialog = asked(page, "Enqueue items")
        dialog.get_by_role("button", name="Enqueue").click()
        expect(dialog.get_by_role("alert")).to_have_text("Name the queue")
        dialog.get_by_label("Queue", exact=True).fill("new")
        dialog.get_by_label("Items", exact=True).fill("x")
        dialog.get_by_role("button", name="Enqueue").click()
        expect(cell(page, "new", "Ready")).to_have_text("1")
        self.assertEqual(self.counts("new"), {"ready": 1})


if __name__ == "__main__":
    unittest.main()
