"""The page without a mouse, and what a screen reader is told of it."""

import re
import unittest

from looked import Looked, asked, expect, figure, told

SEEN = """
(element) => element.matches(':focus-visible') && getComputedStyle(element).outlineStyle !== 'none'
"""


class Keyboard(Looked):
    def press(self, name: str, role: str = "button", key: str = "Enter", back: bool = False) -> None:
        """Goes on with Tab until something has the focus, and presses a key there."""
        self.reach(name, role, back)
        self.page.keyboard.press(key)

    def reach(self, name: str, role: str = "button", back: bool = False) -> None:
        wanted = self.page.get_by_role(role, name=re.compile(f"^{re.escape(name)}[ 0-9]*$")).first
        expect(wanted).to_be_visible()
        for _ in range(80):
            if wanted.evaluate("(element) => element === document.activeElement"):
                # Who goes by key sees where they are.
                self.assertTrue(wanted.evaluate(SEEN), f"the focus on {role} {name} is not to be seen")
                return
            self.page.keyboard.press("Shift+Tab" if back else "Tab")
        self.fail(f"Tab never comes to {role} {name}")

    def test_items_are_enqueued_without_a_mouse(self) -> None:
        self.make()
        self.page = page = self.look()
        page.keyboard.press("Tab")
        expect(page.get_by_role("link", name="Skip to content")).to_be_focused()
        page.keyboard.press("Enter")
        expect(page.locator("main")).to_be_focused()
        self.press("q", "link")
        expect(page.get_by_role("heading", name="q", level=1)).to_be_focused()

        self.press("Enqueue")
        dialog = asked(page, "Enqueue in q")
        expect(dialog.get_by_label("Items", exact=True)).to_be_focused()
        page.keyboard.type("by key\nand another")
        page.keyboard.press("Escape")
        expect(dialog).to_have_count(0)
        expect(page.get_by_role("button", name="Enqueue")).to_be_focused()
        self.assertEqual(self.counts(), {})

        # What was typed is still there.
        page.keyboard.press("Space")
        expect(dialog.get_by_label("Items", exact=True)).to_have_value("by key\nand another")
        # The focus stays inside.
        for _ in range(30):
            page.keyboard.press("Tab")
            inside = "document.activeElement === document.body || document.activeElement.closest('dialog') !== null"
            self.assertTrue(page.evaluate(inside), "the focus left the dialog")
        self.reach("Cancel")
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        told(page, "2 items enqueued in q.")
        expect(page.get_by_role("button", name="Enqueue")).to_be_focused()
        expect(figure(page, "Ready")).to_have_text("2")
        self.assertEqual([item["body"] for item in self.items()], ["by key", "and another"])

    def test_dead_letters_are_redriven_without_a_mouse(self) -> None:
        first, _ = self.bury("broke", "a", "b")
        self.page = page = self.look("#/queues/q")
        self.press("Dead letters", "link")
        self.press(f"Select item …{first[-8:]}", "checkbox", "Space")
        self.press("Redrive 1 selected item", back=True)
        told(page, "1 item of q is ready again.")
        self.assertEqual([item["body"] for item in self.items(query="state=ready")], ["a"])

        # What destroys asks back, and Escape is no.
        self.press("Throw away all…")
        dialog = asked(page, "Throw away 1 dead item")
        expect(dialog).to_be_visible()
        page.keyboard.press("Escape")
        expect(dialog).to_have_count(0)
        expect(page.get_by_role("button", name="Throw away all…")).to_be_focused()
        self.assertEqual(self.counts(), {"ready": 1, "dead": 1})
        page.keyboard.press("Enter")
        self.press("Throw away 1 dead item")
        told(page, "1 dead item thrown away.")
        self.assertEqual(self.counts(), {"ready": 1})

    def test_what_happens_is_told_to_who_does_not_see_it(self) -> None:
        self.add("a")
        self.page = page = self.look("#/queues/q")
        expect(page.get_by_role("status").filter(has_text="Live")).to_be_visible()
        self.press("Pause")
        expect(page.get_by_role("status").filter(has_text="q is paused")).to_be_visible()
        expect(page.get_by_role("button", name="Resume")).to_be_focused()
        expect(page).to_have_title("q: Overview · memq")
        self.press("Joblog", "link")
        expect(page).to_have_title("q: Joblog · memq")
        self.assertEqual(page.locator("html").get_attribute("lang"), "en")


if __name__ == "__main__":
    unittest.main()
