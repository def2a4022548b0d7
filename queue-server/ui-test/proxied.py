"""Others than the page and its server: a proxy with its own view of streams, and a page of somebody else.

Knows nothing of a browser.
"""

from __future__ import annotations

import http.client
import http.server
import threading
import unittest
from typing import Any

from served import BOUND, Server

# Those that are about one connection and not about the answer.
OWN = ("connection", "keep-alive", "transfer-encoding", "content-length", "date", "server")


class Proxy:
    """Serves a server below a path, as an Ingress does; each whole answer at once, so that no stream comes through."""

    def __init__(self, test: unittest.TestCase, server: Server, path: str = "") -> None:
        # What it says of a stream; None: it waits for a whole answer, which never comes.
        self.of_streams: int | None = None
        self.streams = 0
        self._ended = threading.Event()
        proxy = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                if not self.path.startswith(f"{path}/"):
                    self._answer(404, [], b"")
                elif self.path.endswith("/v1/events"):
                    proxy.streams += 1
                    if proxy.of_streams is None:
                        proxy._ended.wait(BOUND)
                        self.close_connection = True
                    else:
                        self._answer(proxy.of_streams, [("Content-Type", "text/html")], b"<h1>Bad gateway</h1>")
                else:
                    self._pass_on()

            def _pass_on(self) -> None:
                length = int(self.headers.get("Content-Length", 0))
                host, port = server.address.split(":")
                far = http.client.HTTPConnection(host, int(port), timeout=BOUND)
                try:
                    far.request(self.command, self.path.removeprefix(path), self.rfile.read(length), dict(self.headers))
                    answer = far.getresponse()
                    head = [(name, value) for name, value in answer.getheaders() if name.lower() not in OWN]
                    self._answer(answer.status, head, answer.read())
                except OSError:
                    self._answer(502, [], b"")
                finally:
                    far.close()

            do_POST = do_PUT = do_DELETE = do_GET  # noqa: N815

            def _answer(self, status: int, head: list[tuple[str, str]], body: bytes) -> None:
                self.send_response(status)
                for name, value in head:
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                pass

        self.url = _served(test, Handler) + path
        test.addCleanup(self._ended.set)


def stranger(test: unittest.TestCase, page: str) -> str:
    """The address of somebody else's page."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.end_headers()
            self.wfile.write(page.encode() if self.path == "/" else b"")

        def log_message(self, *_: Any) -> None:
            pass

    return _served(test, Handler)


def _served(test: unittest.TestCase, handler: type[http.server.BaseHTTPRequestHandler]) -> str:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()

    def stop() -> None:
        server.shutdown()
        server.server_close()
        thread.join()

    test.addCleanup(stop)
    return f"http://127.0.0.1:{server.server_address[1]}"
