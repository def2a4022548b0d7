"""A page that stays open while its server dies, and one that no stream reaches."""

import unittest

from looked import Looked, act, asked, cell, expect, figure, line, told
from playwright.sync_api import Route
from proxied import Proxy

from served import until

AWAY = (
    "ERR_CONNECTION_REFUSED",
    "ERR_CONNECTION_RESET",
    "ERR_INCOMPLETE_CHUNKED_ENCODING",
    "ERR_EMPTY_RESPONSE",
    "status of 503",
)


class Connection(Looked):
    def test_a_server_that_is_killed_and_comes_back_is_shown_as_it_is(self) -> None:
        self.add("a", "b", "c")
        page = self.look("#/queues/q", permitted=AWAY)
        expect(figure(page, "Ready")).to_have_text("3")
        page.evaluate("window.same = true")
        connection = page.locator("#connection")
        expect(connection).to_have_text("Live")

        self.server.kill()
        expect(connection).to_have_text("Reconnecting…")
        # What one does meanwhile fails in words, and nothing is lost of what was typed.
        act(page, "Enqueue")
        dialog = asked(page, "Enqueue in q")
        dialog.get_by_label("One item").check()
        dialog.get_by_label("Items", exact=True).fill("typed while it was away")
        dialog.get_by_role("button", name="Enqueue").click()
        expect(dialog.get_by_role("alert")).to_have_text("The server cannot be reached")

        self.server.start()
        self.settle(self.lease(), result="after")
        expect(connection).to_have_text("Server restarted")
        told(page, "The server was restarted")
        expect(figure(page, "Done")).to_have_text("1")
        dialog.get_by_role("button", name="Enqueue").click()
        told(page, "1 item enqueued in q.")
        expect(figure(page, "Ready")).to_have_text("3")
        self.assertEqual(self.counts(), {"ready": 3, "done": 1})
        self.assertTrue(page.evaluate("window.same"), "the page was loaded anew")
        # And it goes on by itself.
        self.add("d")
        expect(figure(page, "Ready")).to_have_text("4")

    def test_a_queue_that_was_deleted_while_the_page_was_away_is_gone(self) -> None:
        self.add("a", to="kept")
        self.add("a", to="lost")
        page = self.look(permitted=AWAY)
        expect(line(page, "lost")).to_be_visible()
        self.server.kill()
        expect(page.locator("#connection")).to_have_text("Reconnecting…")
        self.server.start()
        self.server.call("DELETE", "/v1/queues/lost")
        expect(line(page, "lost")).to_have_count(0)
        expect(cell(page, "kept", "Ready")).to_have_text("1")

    def test_a_server_that_does_not_come_back_is_said_to_be_away_and_since_when(self) -> None:
        self.add("a", "b")
        page = self.look("#/queues/q", permitted=AWAY, own_clock=True)
        expect(figure(page, "Ready")).to_have_text("2")
        connection = page.locator("#connection")
        self.server.kill()
        expect(connection).to_have_text("Reconnecting…")
        page.clock.fast_forward("01:05")
        expect(connection).to_have_text("No answer")
        expect(page.get_by_text("The server does not answer since")).to_contain_text("trying again every 15 s")
        expect(figure(page, "Ready")).to_have_text("2")
        self.server.start()
        page.get_by_role("button", name="Try now").click()
        expect(connection).to_have_text("Server restarted")
        expect(page.get_by_text("The server does not answer since")).to_have_count(0)

    def test_a_page_that_never_hears_its_server_says_what_fails_and_what_to_do(self) -> None:
        self.add("a")
        page = self.look(permitted=("ERR_FAILED", "status of 502"))
        page.route("**/v1/**", lambda route: route.abort())
        self.load_again(page)
        connection = page.locator("#connection")
        expect(connection).to_have_text("No answer")
        heard = page.get_by_text(f"Nothing is heard of a memq server at {self.server.url}/")
        expect(heard).to_contain_text("the server cannot be reached. Trying again every 4 s.")
        expect(heard).to_contain_text("See whether memq-server runs")
        # What stands between may answer for itself. It does before the other is gone: the page tries on its own, too.
        page.route("**/v1/**", lambda route: route.fulfill(status=200, content_type="text/html", body="Log in"))
        page.get_by_role("button", name="Try now").click()
        expect(heard).to_contain_text("what answers is no memq server")
        # While a try hangs there is no other, but by who wants one.
        hung: list[Route] = []
        page.route("**/v1/events", lambda route: hung.append(route))
        until("the page tries again", lambda: bool(page.evaluate("true") and hung))
        # Taken off, the routes would let go what hangs.
        page.route("**/v1/**", lambda route: route.continue_())
        page.get_by_role("button", name="Try now").click()
        hung[0].abort()
        expect(connection).to_have_text("Live")
        expect(heard).to_have_count(0)
        expect(cell(page, "q", "Ready")).to_have_text("1")

    def test_below_a_path_of_a_proxy_that_refuses_streams_the_page_asks_again_and_again(self) -> None:
        self.add("a")
        proxy = Proxy(self, self.server, "/deep/memq")
        proxy.of_streams = 502
        page = self.look(url=proxy.url, permitted=("status of 502",))
        expect(page.locator("#connection")).to_have_text("Polling")
        line(page, "q").get_by_role("link").click()
        expect(figure(page, "Ready")).to_have_text("1")
        self.add("b")
        expect(figure(page, "Ready")).to_have_text("2")
        # What one does goes through it, too.
        act(page, "Pause")
        expect(page.get_by_role("button", name="Resume")).to_be_visible()
        self.assertTrue(self.server.queue("q")["paused"])

    def test_the_first_items_are_seen_at_once_where_no_stream_tells_of_them(self) -> None:
        proxy = Proxy(self, self.server)
        proxy.of_streams = 502
        page = self.look(url=proxy.url, permitted=("status of 502",), own_clock=True)
        expect(page.locator("#connection")).to_have_text("Polling")
        # From here on the page does not ask again.
        page.clock.pause_at(page.evaluate("Date.now() / 1000 + 5"))
        page.get_by_role("form", name="Enqueue the first items").get_by_role("button", name="Enqueue").click()
        expect(page.get_by_role("heading", name="tasks", level=1)).to_be_visible()
        expect(figure(page, "Ready")).to_have_text("3")

    def test_a_proxy_that_holds_streams_back_is_found_out(self) -> None:
        self.add("a")
        proxy = Proxy(self, self.server)
        page = self.look("#/queues/q", url=proxy.url, own_clock=True)
        until("the page asked for a stream", lambda: proxy.streams == 1)
        page.clock.fast_forward("00:11")
        expect(page.locator("#connection")).to_have_text("Polling")
        self.add("b")
        expect(figure(page, "Ready")).to_have_text("2")
        self.assertEqual(proxy.streams, 1)


if __name__ == "__main__":
    unittest.main()
