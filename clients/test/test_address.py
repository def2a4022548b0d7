"""Which server an address names, and what is sent along."""

from __future__ import annotations

import http.server
import threading
import unittest

import memq


class Addresses(unittest.TestCase):
    def test_a_port_that_is_not_named_is_the_scheme_s(self) -> None:
        for url, host, port in (
            ("http://[::1]", "::1", 80),
            ("https://[::1]", "::1", 443),
            ("http://[::1]:8080", "::1", 8080),
            ("http://memq.example/base/", "memq.example", 80),
        ):
            server = memq._Server.of(url)
            self.addCleanup(server.disconnect)
            connection, _ = server._connection(1)
            self.assertEqual((connection.host, connection.port), (host, port), url)

    def test_a_user_and_a_password_are_sent(self) -> None:
        got: list[str] = []

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                got.append(self.headers["Authorization"])
                self.rfile.read(int(self.headers["Content-Length"]))
                self.send_response(201)
                self.end_headers()
                self.wfile.write(b'{"items":[]}')

            def log_message(self, format: str, *args: object) -> None:
                pass

        with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
            thread = threading.Thread(target=server.serve_forever)
            thread.start()
            self.addCleanup(thread.join)
            self.addCleanup(server.shutdown)
            address = f"http://user:p%40ss@127.0.0.1:{server.server_port}"
            memq.enqueue(address, "q", "a")
        self.assertEqual(got, ["Basic dXNlcjpwQHNz"])
