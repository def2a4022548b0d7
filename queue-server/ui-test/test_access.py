"""Who may do what: tokens, and pages of somebody else."""

import pathlib
import tempfile
import unittest
import urllib.error
import urllib.request

from looked import Looked, act, asked, expect, figure
from proxied import Proxy, stranger

from served import BOUND, until

TAKEN_OUT = ("status of 401", "ERR_INCOMPLETE_CHUNKED_ENCODING")
READ, ADMIN = "read-only-0123456789", "may-do-all-0123456789"
# Does on its own what a page of its own could do, and the rest when somebody clicks.
HARMLESS = """<!doctype html><title>harmless</title>
<form method=post enctype=text/plain action="WRONG/items"><input name=body value=bad><button>Win</button></form>
<script>
const send = (what, mode) => fetch('WRONG/' + what, { method: 'POST', mode, body: 'bad' });
const tried = ['items', 'purge', 'pause', 'seal'].flatMap((what) => [send(what, 'no-cors'), send(what, 'cors')]);
window.answers = Promise.all(tried.map((answer) => answer.then(({ type }) => type, () => 'refused')));
</script>
"""


class Tokens(Looked):
    token = ADMIN

    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.tokens = pathlib.Path(folder.name) / "tokens"
        self.know(f"read {READ}\nadmin {ADMIN}\n")
        self.flags = ("--tokens", str(self.tokens))
        super().setUp()
        self.add("a")

    def know(self, tokens: str) -> None:
        self.tokens.with_suffix(".new").write_text(tokens)
        self.tokens.with_suffix(".new").replace(self.tokens)

    def server_knows(self, token: str) -> None:
        def known() -> bool:
            request = urllib.request.Request(
                f"{self.server.url}/v1/queues", headers={"Authorization": f"Bearer {token}"}
            )
            try:
                with urllib.request.urlopen(request, timeout=BOUND):
                    return True
            except urllib.error.HTTPError:
                return False

        until("the server knows the token", known)

    def test_a_page_whose_token_is_taken_out_learns_it_and_goes_on_with_another(self) -> None:
        page = self.look("#/queues/q", permitted=TAKEN_OUT)
        dialog = asked(page, "This server wants a token")
        dialog.get_by_label("Token").fill(READ)
        page.keyboard.press("Enter")
        expect(page.locator("#connection")).to_have_text("Live")
        # Nothing is done on the page, and nothing happens in the queue.
        self.know(f"admin {ADMIN}\n")
        expect(page.locator("#connection")).to_have_text("No access")
        away = page.locator("#away")
        expect(away).to_contain_text("was taken out")
        # It may be good again in a moment, and whoever reads is not interrupted.
        expect(dialog).to_have_count(0)
        expect(away).to_contain_text("What is shown is as it was until then.")
        expect(figure(page, "Ready")).to_have_text("1")
        away.get_by_role("button", name="Enter a token").click()
        dialog.get_by_label("Token").fill(ADMIN)
        page.keyboard.press("Enter")
        expect(page.locator("#connection")).to_have_text("Live")
        expect(away).not_to_be_visible()

    def test_a_token_that_is_put_back_soon_is_tried_again_without_a_word(self) -> None:
        page = self.look("#/queues/q", permitted=TAKEN_OUT, own_clock=True)
        asked(page, "This server wants a token").get_by_label("Token").fill(READ)
        page.keyboard.press("Enter")
        connection = page.locator("#connection")
        expect(connection).to_have_text("Live")
        self.know(f"admin {ADMIN}\n")
        expect(connection).to_have_text("No access")
        self.know(f"read {READ}\nadmin {ADMIN}\n")
        self.server_knows(READ)
        page.clock.fast_forward("00:16")
        expect(connection).to_have_text("Live")
        # After two minutes it is tried every ten alone.
        self.know(f"admin {ADMIN}\n")
        expect(connection).to_have_text("No access")
        with page.expect_response("**/v1/events"):
            page.clock.fast_forward("02:10")
        tried: list[str] = []
        page.on("request", lambda request: tried.append(request.url))
        page.clock.fast_forward("05:00")
        with page.expect_response("**/v1/events"):
            page.clock.fast_forward("10:00")
        self.assertEqual(len(tried), 1)
        expect(connection).to_have_text("No access")

    def test_a_page_that_no_stream_reaches_tries_its_token_again_too(self) -> None:
        proxy = Proxy(self, self.server)
        proxy.of_streams = 502
        page = self.look("#/queues/q", url=proxy.url, permitted=(*TAKEN_OUT, "status of 502"), own_clock=True)
        dialog = asked(page, "This server wants a token")
        dialog.get_by_label("Token").fill(READ)
        page.keyboard.press("Enter")
        connection = page.locator("#connection")
        expect(connection).to_have_text("Polling")
        self.know(f"admin {ADMIN}\n")
        expect(connection).to_have_text("No access")
        expect(page.locator("#away")).to_contain_text("What is shown is as it was until then.")
        expect(dialog).to_have_count(0)
        self.know(f"read {READ}\nadmin {ADMIN}\n")
        self.server_knows(READ)
        page.clock.fast_forward("00:16")
        expect(connection).to_have_text("Polling")

    def test_the_page_asks_for_a_token_until_it_is_a_good_one(self) -> None:
        page = self.look("#/queues/q", permitted=("status of 401",))
        dialog = asked(page, "This server wants a token")
        dialog.get_by_role("button", name="Use this token").click()
        expect(dialog.get_by_role("alert")).to_have_text("Enter the token")
        dialog.get_by_label("Token").fill("wrong-0123456789abcdef")
        dialog.get_by_role("button", name="Use this token").click()
        expect(dialog.get_by_label("Token")).to_have_value("")
        expect(dialog.get_by_role("alert")).to_contain_text("token")
        expect(dialog.get_by_role("alert")).not_to_have_text("Enter the token")
        expect(dialog.get_by_label("Token")).to_have_attribute("type", "password")
        dialog.get_by_label("Token").fill(ADMIN)
        page.keyboard.press("Enter")
        expect(figure(page, "Ready")).to_have_text("1")
        act(page, "Pause")
        expect(page.get_by_role("button", name="Resume")).to_be_visible()
        # It is kept for this tab, and nowhere else.
        self.load_again(page)
        expect(figure(page, "Ready")).to_have_text("1")
        self.assertNotIn(ADMIN, page.evaluate("JSON.stringify([{...localStorage}, document.cookie, location.href])"))
        self.assertIn(ADMIN, page.evaluate("JSON.stringify({...sessionStorage})"))

    def test_who_gives_no_token_is_told_and_can_give_one_later(self) -> None:
        page = self.look(permitted=("status of 401",))
        expect(page.get_by_text("Authorization")).to_have_count(0)
        asked(page, "This server wants a token").get_by_role("button", name="Cancel").click()
        expect(page.get_by_role("heading", name="No access")).to_be_visible()
        page.get_by_role("button", name="Enter a token").click()
        asked(page, "This server wants a token").get_by_label("Token").fill(ADMIN)
        page.keyboard.press("Enter")
        expect(page.get_by_role("link", name="q", exact=True)).to_be_visible()

    def test_a_token_that_may_only_read_is_told_so_in_words(self) -> None:
        page = self.look("#/queues/q", permitted=("status of 401", "status of 403"))
        dialog = asked(page, "This server wants a token")
        dialog.get_by_label("Token").fill(READ)
        page.keyboard.press("Enter")
        expect(figure(page, "Ready")).to_have_text("1")
        act(page, "Pause")
        refused = page.locator("#problems")
        expect(refused).to_contain_text("admin")
        expect(refused).to_contain_text("read")
        self.assertFalse(self.server.queue("q")["paused"])
        act(page, "Enqueue")
        enqueue = asked(page, "Enqueue in q")
        enqueue.get_by_label("Items", exact=True).fill("x")
        enqueue.get_by_role("button", name="Enqueue").click()
        expect(enqueue.get_by_role("alert")).to_contain_text("work")
        enqueue.get_by_role("button", name="Cancel").click()
        self.assertEqual(self.counts(), {"ready": 1})
        # The other token does it.
        page.get_by_role("button", name="Token", exact=True).click()
        dialog.get_by_label("Token").fill(ADMIN)
        page.keyboard.press("Enter")
        expect(dialog).to_have_count(0)
        act(page, "Pause")
        expect(page.get_by_role("button", name="Resume")).to_be_visible()


class Strangers(Looked):
    def test_a_page_of_somebody_else_changes_nothing(self) -> None:
        self.add("a")
        url = stranger(
            self,
            HARMLESS.replace("WRONG", f"{self.server.url}/v1/queues/q"),
        )
        # Another port of the same host is another origin of the same site, another name is another site.
        for origin in (url, url.replace("127.0.0.1", "localhost")):
            with self.subTest(origin=origin):
                page = self.look(url=origin, permitted=("CORS policy", "status of 40[34]", "ERR_FAILED"))
                answers = page.evaluate("window.answers")
                # The first of a pair is sent all the same; what it was answered nobody can read.
                self.assertEqual(answers, ["opaque", "refused"] * 4)
                page.get_by_role("button", name="Win").click()
                expect(page.locator("body")).to_contain_text("forbidden")
                queue = self.server.queue("q")
                self.assertEqual(queue["counts"]["ready"], 1)
                self.assertFalse(queue["paused"] or queue["sealed"])

    def test_the_page_is_in_no_frame(self) -> None:
        url = stranger(self, f"<!doctype html><title>frame</title><iframe src='{self.server.url}/'></iframe>")
        page = self.look(url=url, permitted=("frame-ancestors", "Framing"))
        with self.assertRaises(AssertionError):
            expect(page.frame_locator("iframe").get_by_text("Queues").first).to_be_visible(timeout=1_000)


if __name__ == "__main__":
    unittest.main()
