"""What one can do to a queue and its items: each action is seen in the page and asked of the server."""

import unittest

from looked import Looked, act, asked, expect, figure, parts, told


class Actions(Looked):
    def test_a_queue_is_paused_and_sealed_and_both_are_taken_back(self) -> None:
        self.add("a")
        page = self.look("#/queues/q")
        for name, undo, key in (("Pause", "Resume", "paused"), ("Seal", "Reopen", "sealed")):
            act(page, name)
            expect(page.locator(".head").get_by_text(key, exact=True)).to_be_visible()
            self.assertTrue(self.server.queue("q")[key])
            act(page, undo)
            expect(page.locator(".head").get_by_text(key, exact=True)).to_have_count(0)
            self.assertFalse(self.server.queue("q")[key])
        # By somebody else.
        self.server.call("POST", "/v1/queues/q/pause")
        expect(page.get_by_role("button", name="Resume")).to_be_visible()

    def test_items_are_purged_by_their_state_and_not_before_one_said_so(self) -> None:
        self.load("q", {"body": "a"}, {"body": "b"}, {"body": "later", "delay_ms": 3_600_000})
        self.lease()
        self.bury("broke", "c")
        was = {"ready": 1, "leased": 1, "delayed": 1, "dead": 1}
        self.assertEqual(self.counts(), was | {"leased": 1})
        page = self.look("#/queues/q")
        dialog = asked(page, "Purge q")

        act(page, "Purge…")
        expect(dialog.get_by_text("2 items will be lost.")).to_be_visible()
        dialog.get_by_role("button", name="Cancel").click()
        expect(dialog).to_have_count(0)
        act(page, "Purge…")
        page.keyboard.press("Escape")
        expect(dialog).to_have_count(0)
        self.assertEqual(self.counts(), was)

        act(page, "Purge…")
        dialog.get_by_label("ready (1)").uncheck()
        dialog.get_by_label("delayed (1)").uncheck()
        dialog.get_by_role("button", name="Purge").click()
        expect(dialog.get_by_role("alert")).to_have_text("Tick what is to be thrown away")
        dialog.get_by_label("delayed (1)").check()
        dialog.get_by_role("button", name="Purge 1 item").click()
        told(page, "1 item of q thrown away.")
        expect(figure(page, "Delayed")).to_have_text("0")
        self.assertEqual(self.counts(), {"ready": 1, "leased": 1, "dead": 1})

    def test_a_queue_is_deleted_with_what_its_workers_hold_only_if_one_says_so(self) -> None:
        self.add("a", "b")
        self.lease()
        # Until it hears of the end, the page may ask for the leased items.
        page = self.look("#/queues/q", permitted=("status of 409", "status of 404"))
        dialog = asked(page, "Delete q")
        act(page, "Delete…")
        expect(dialog.get_by_text("2 items will be lost: 1 ready, 1 leased.")).to_be_visible()
        dialog.get_by_role("button", name="Cancel").click()
        expect(dialog).to_have_count(0)
        self.assertEqual(self.counts(), {"ready": 1, "leased": 1})

        act(page, "Delete…")
        dialog.get_by_role("button", name="Delete queue").click()
        expect(dialog.get_by_role("alert")).to_contain_text("leased")
        self.assertEqual(self.counts(), {"ready": 1, "leased": 1})
        dialog.get_by_label("Also take 1 leased item").check()
        dialog.get_by_role("button", name="Delete queue").click()
        told(page, "q is deleted.")
        expect(page.get_by_role("heading", name="Queues", level=1)).to_be_visible()
        self.assertEqual(self.server.call("GET", "/v1/queues")["queues"], [])

    def test_settings_are_changed_one_by_one_and_emptied_to_their_defaults(self) -> None:
        self.make(max_attempts=3, lease_ms=10_000, backoff={"min_ms": 5_000})
        page = self.look("#/queues/q/settings")
        form = page.get_by_role("form", name="Settings of q")
        expect(form.get_by_label("Attempts", exact=True)).to_have_value("3")
        expect(form.get_by_label("First wait before a retry")).to_have_value("5s")
        form.get_by_label("Attempts", exact=True).fill("9")
        form.get_by_role("button", name="Undo changes").click()
        expect(form.get_by_label("Attempts", exact=True)).to_have_value("3")

        form.get_by_label("Lease", exact=True).fill("soon")
        form.get_by_role("button", name="Save settings").click()
        expect(form.get_by_role("alert")).to_contain_text("Lease is no duration")
        form.get_by_label("Lease", exact=True).fill("1m30s")
        form.get_by_label("Attempts", exact=True).fill("")
        form.get_by_label("Longest wait").fill("10m")
        form.get_by_label("Leased at once", exact=True).fill("1")
        form.get_by_role("button", name="Save settings").click()
        told(page, "Settings of q are saved.")
        settings = self.server.queue("q")["settings"]
        self.assertEqual((settings["lease_ms"], settings["max_attempts"], settings["max_leased"]), (90_000, 5, 1))
        self.assertEqual((settings["backoff"]["min_ms"], settings["backoff"]["max_ms"]), (5_000, 600_000))

        # The limit is shown as it is reached.
        self.add("a")
        self.lease()
        parts(page, "Overview")
        expect(page.get_by_text("1 of 1, reached")).to_be_visible()

    def test_a_paused_queue_has_no_time_left(self) -> None:
        self.add(*(f"item {n}" for n in range(10)))
        page = self.look("#/queues/q")
        # It was seen for long enough to know a rate.
        expect(figure(page, "In/s")).to_have_text("0")
        self.settle(self.lease(5))
        expect(figure(page, "Time left")).to_contain_text("s")
        act(page, "Pause")
        expect(figure(page, "Time left")).to_have_text("\u2013")
        # And that not because the rate has fallen to nothing.
        self.assertNotEqual(figure(page, "Out/s").inner_text(), "0")

    def test_what_is_cancelled_is_not_worked_off(self) -> None:
        (item, _) = self.add("a", "b")
        page = self.look("#/queues/q")
        expect(figure(page, "In/s")).to_have_text("0")
        self.server.call("DELETE", f"/v1/queues/q/items/{item}")
        expect(figure(page, "Ready")).to_have_text("1")
        self.assertEqual(figure(page, "Out/s").inner_text(), "0")
        self.assertEqual(figure(page, "Time left").inner_text(), "\u2013")

    def test_figures_and_chart_say_the_same(self) -> None:
        self.add("first")
        page = self.look("#/queues/q", own_clock=True)
        expect(figure(page, "In/s")).to_have_text("0")
        self.add(*(f"item {n}" for n in range(60)))
        expect(figure(page, "In/s")).not_to_have_text("0")
        self.settle(self.lease(30))
        expect(figure(page, "Out/s")).not_to_have_text("0")
        # Long enough for the lines of the chart to have fallen again.
        page.clock.fast_forward(10_000)
        same = """
        () => {
          const of = (label) => [...document.querySelectorAll('dl[aria-label=Figures] > div')]
            .find((tile) => tile.firstChild.textContent === label).lastChild.textContent;
          const said = [...document.querySelectorAll('.chart')][1].querySelectorAll('.legend-value');
          const [into, out] = [of('In/s'), of('Out/s')];
          return out !== '0' && said[0].textContent === `${into}/s` && said[1].textContent === `${out}/s`;
        }
        """
        page.wait_for_function(same)

    def test_a_name_that_is_none_is_told_at_its_field(self) -> None:
        self.make("there")
        page = self.look()
        page.get_by_role("button", name="New queue").click()
        dialog = asked(page, "New queue")
        name = dialog.get_by_label("Name")
        for typed, said in (
            ("my queue!", "A name has no blanks: use letters A to Z, digits, “.”, “_” and “-”"),
            (".hidden", "A name does not begin with “.”"),
            ("there", "There is a queue there already"),
            ("", "Name the queue"),
        ):
            name.fill(typed)
            dialog.get_by_role("button", name="Create queue").click()
            expect(dialog.locator(".field-problem").filter(visible=True)).to_have_text(said)
            expect(name).to_have_attribute("aria-invalid", "true")
            expect(name).to_be_focused()
            expect(dialog.locator(".problem").filter(visible=True)).to_have_count(0)
        name.fill("good")
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", name="good", level=1)).to_be_visible()
        # The same where a queue is made by enqueueing.
        page.get_by_role("navigation", name="Pages").get_by_role("link", name="Queues").click()
        page.get_by_role("button", name="Enqueue items").click()
        dialog = asked(page, "Enqueue items")
        dialog.get_by_label("Queue", exact=True).fill("a/b")
        dialog.get_by_label("Items", exact=True).fill("x")
        page.keyboard.press("Control+Enter")
        expect(dialog.locator(".field-problem").filter(visible=True)).to_contain_text("A name has no “/”")
        dialog.get_by_label("Queue", exact=True).fill("made")
        dialog.get_by_label("Items", exact=True).focus()
        page.keyboard.press("Control+Enter")
        told(page, "1 item enqueued in made.")

    def test_a_sealed_queue_is_reopened_before_one_types(self) -> None:
        self.make()
        page = self.look("#/queues/q", permitted=("status of 409",))
        enqueue = page.get_by_role("button", name="Enqueue", exact=True)
        act(page, "Enqueue")
        dialog = asked(page, "Enqueue in q")
        dialog.get_by_label("Items", exact=True).fill("x")
        # By somebody else, while one types.
        self.server.call("POST", "/v1/queues/q/seal")
        expect(page.locator(".head").get_by_text("drained")).to_be_visible()
        page.keyboard.press("Control+Enter")
        expect(dialog.get_by_role("alert")).to_contain_text("The queue q is sealed: it takes no new items")
        page.keyboard.press("Escape")
        expect(enqueue).to_have_count(0)
        expect(page.get_by_role("button", name="Reopen")).to_be_focused()
        page.keyboard.press("Enter")
        expect(enqueue).to_be_visible()

        act(page, "Enqueue")
        self.server.call("POST", "/v1/queues/q/seal")
        page.keyboard.press("Control+Enter")
        dialog.get_by_role("button", name="Reopen it").click()
        expect(dialog.get_by_role("alert")).to_contain_text("takes new items again")
        dialog.get_by_role("button", name="Enqueue").click()
        told(page, "1 item enqueued in q.")

    def test_an_item_is_cancelled_after_one_was_asked_back(self) -> None:
        ready, leased = self.add("a", "b")[1], self.items()[0]["id"]
        lease = self.lease()[0]
        page = self.look("#/queues/q/items")
        dialog = page.get_by_role("dialog")

        page.get_by_role("button", name=f"Cancel item …{ready[-8:]}").click()
        dialog.get_by_role("button", name="Keep").click()
        expect(dialog).to_have_count(0)
        self.assertEqual(self.counts(), {"ready": 1, "leased": 1})
        page.get_by_role("button", name=f"Cancel item …{ready[-8:]}").click()
        dialog.get_by_role("button", name="Cancel item").click()
        told(page, "1 item cancelled.")
        self.assertEqual(self.server.call("GET", f"/v1/queues/q/items/{ready}")["state"], "cancelled")

        # One that somebody works on.
        parts(page, "Overview")
        page.get_by_role("table", name="Leased items").get_by_role("link", name=f"…{leased[-8:]}").click()
        page.get_by_role("button", name="Cancel item…").click()
        expect(dialog.get_by_text("Its worker loses the lease")).to_be_visible()
        dialog.get_by_role("button", name="Cancel item").click()
        expect(page.locator(".head").get_by_text("cancelled")).to_be_visible()
        answer = self.server.call("POST", "/v1/queues/q/settle", {"settle": [{"lease": lease, "as": "ack"}]})
        self.assertFalse(answer["settled"][0]["ok"])

    def test_an_item_is_enqueued_again_as_a_copy(self) -> None:
        (item,) = self.add("by hand\nin two lines")
        self.settle(self.lease(), result="")
        page = self.look(f"#/queues/q/items/{item}")
        page.get_by_role("button", name="Enqueue a copy…").click()
        dialog = asked(page, "Enqueue in q")
        expect(dialog.get_by_label("Items", exact=True)).to_have_value("by hand\nin two lines")
        dialog.get_by_role("button", name="Enqueue").click()
        told(page, "1 item enqueued in q.")
        self.assertEqual([each["body"] for each in self.items(query="state=ready")], ["by hand\nin two lines"])

    def test_the_theme_is_chosen_and_kept(self) -> None:
        page = self.look(scheme="light")
        ground = "getComputedStyle(document.documentElement).colorScheme"
        page.get_by_role("button", name="Theme: system").click()
        page.get_by_role("button", name="Theme: light").click()
        expect(page.get_by_role("button", name="Theme: dark")).to_be_visible()
        self.assertEqual(page.evaluate(ground), "dark")
        self.load_again(page)
        expect(page.get_by_role("button", name="Theme: dark")).to_be_visible()
        self.assertEqual(page.evaluate(ground), "dark")


class DeadLetters(Looked):
    def setUp(self) -> None:
        super().setUp()
        self.timeouts = self.bury("timeout after 30 s\nat line 7", "t1", "t2", "t3", exit_code=75)
        self.broken = self.bury("no such file", "f1", "f2", exit_code=1)

    def states(self) -> dict[str, str]:
        return {item["body"]: item["state"] for item in self.items()}

    def test_some_are_redriven_by_hand(self) -> None:
        page = self.look("#/queues/q")
        parts(page, "Dead letters")
        table = page.get_by_role("table", name="Dead letters")
        expect(table.get_by_role("rowheader")).to_have_count(5)
        redrive = page.get_by_role("button", name="Redrive selected")
        expect(redrive).to_be_disabled()
        for item in (self.timeouts[0], self.broken[1]):
            page.get_by_role("checkbox", name=f"Select item …{item[-8:]}").check()
        page.get_by_role("button", name="Redrive 2 selected items").click()
        told(page, "2 items of q are ready again.")
        expect(table.get_by_role("rowheader")).to_have_count(3)
        self.assertEqual({body for body, state in self.states().items() if state == "ready"}, {"t1", "f2"})

        # The others, all at once.
        page.get_by_label("Select all shown").check()
        page.get_by_role("button", name="Redrive 3 selected items").click()
        expect(page.get_by_text("No item is dead.")).to_be_visible()
        self.assertEqual(self.counts(), {"ready": 5})

    def test_those_of_one_error_are_redriven_by_filter(self) -> None:
        page = self.look("#/queues/q/dead")
        table = page.get_by_role("table", name="Dead letters")
        expect(table.get_by_role("rowheader")).to_have_count(5)
        page.get_by_label("Error contains").fill("timeout")
        expect(table.get_by_role("rowheader")).to_have_count(3)
        page.get_by_label("Exit code").fill("1")
        expect(page.get_by_text("No dead item is like that.")).to_be_visible()
        page.get_by_label("Exit code").fill("75")
        page.get_by_role("button", name="Redrive all 3 that match").click()
        told(page, "3 items of q are ready again.")
        self.assertEqual({body for body, state in self.states().items() if state == "dead"}, {"f1", "f2"})
        # The address keeps the filter, for who sends it to a colleague.
        other = self.look(page.url.partition("/#")[2].join(["#", ""]))
        expect(other.get_by_label("Error contains")).to_have_value("timeout")

    def test_all_are_redriven_from_the_queue_and_one_from_itself(self) -> None:
        page = self.look(f"#/queues/q/items/{self.broken[0]}")
        page.get_by_role("button", name="Redrive", exact=True).click()
        expect(page.locator(".head").get_by_text("ready", exact=True)).to_be_visible()
        self.assertEqual(self.states()["f1"], "ready")
        page.get_by_role("navigation", name="Where you are").get_by_role("link", name="q", exact=True).click()
        act(page, "Redrive 4 dead")
        expect(figure(page, "Dead")).to_have_text("0")
        expect(page.get_by_role("button", name="Redrive dead")).to_be_disabled()
        self.assertEqual(self.counts(), {"ready": 5})

    def test_many_are_redriven_after_one_was_asked_back(self) -> None:
        self.bury("broke", *(f"item {n}" for n in range(100)))
        page = self.look("#/queues/q/dead")
        dialog = asked(page, "Redrive 105 dead items")
        page.get_by_role("button", name="Redrive all 105").click()
        expect(dialog.get_by_text("no call makes them dead again")).to_be_visible()
        dialog.get_by_role("button", name="Cancel").click()
        expect(dialog).to_have_count(0)
        self.assertEqual(self.counts(), {"dead": 105})
        act(page, "Redrive 105 dead")
        dialog.get_by_role("button", name="Redrive 105 items").click()
        told(page, "105 items of q are ready again.")
        self.assertEqual(self.counts(), {"ready": 105})

    def test_some_are_thrown_away_and_then_all(self) -> None:
        page = self.look("#/queues/q/dead")
        page.get_by_role("checkbox", name=f"Select item …{self.broken[0][-8:]}").check()
        page.get_by_role("button", name="Throw away selected…").click()
        asked(page, "Throw away").get_by_role("button", name="Keep").click()
        self.assertEqual(self.counts(), {"dead": 5})
        page.get_by_role("button", name="Throw away selected…").click()
        asked(page, "Throw away").get_by_role("button", name="Throw away item").click()
        told(page, "1 dead item thrown away.")
        self.assertEqual(self.counts(), {"dead": 4})
        expect(page.get_by_role("button", name="Redrive all 4")).to_be_visible()
        page.get_by_role("button", name="Throw away all…").click()
        dialog = asked(page, "Throw away 4 dead items")
        expect(dialog.get_by_text("4 dead items of q will be lost")).to_be_visible()
        dialog.get_by_role("button", name="Throw away 4 dead items").click()
        told(page, "4 dead items thrown away.")
        expect(page.get_by_text("No item is dead.")).to_be_visible()
        self.assertEqual(self.counts(), {})


if __name__ == "__main__":
    unittest.main()
