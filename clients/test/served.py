"""A real server in a process of its own that can be killed and started again, and a wire to it that can be cut.

Knows nothing of what a test does with them. `MEMQ_PROGRAMS` names the folder of the programs, which `cargo xtask test`
sets; without it they are looked for where `cargo build` puts them.
"""

from __future__ import annotations

import json
import os
import pathlib
import re
import select
import socket
import subprocess
import tempfile
import threading
import time
import unittest
import urllib.request
from collections.abc import Callable
from typing import Any, Optional

import memq

ROOT = pathlib.Path(__file__).resolve().parents[2]
CLIENT = ROOT / "clients" / "python"
PROGRAMS = pathlib.Path(os.environ.get("MEMQ_PROGRAMS", ROOT / "target" / "debug"))
# Longer than anything here takes: a test that hangs fails.
BOUND = 60.0


def until(what: str, holds: Callable[[], bool]) -> None:
    """Waits until it is so."""
    end = time.monotonic() + BOUND
    while not holds():
        if time.monotonic() > end:
            raise AssertionError(f"in {BOUND:.0f} s it did not come about that {what}")
        time.sleep(0.01)


class Server:
    """A server on a port and a directory of its own, which it keeps over a restart."""

    def __init__(self, *flags: str, token: Optional[str] = None) -> None:
        self._flags = flags
        # For `call`, where the server asks for one.
        self._headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        self._data = tempfile.TemporaryDirectory(prefix="memq-")
        self._process: Optional[subprocess.Popen[str]] = None
        self.address = "127.0.0.1:0"
        self.start()

    @property
    def url(self) -> str:
        return f"http://{self.address}"

    def start(self) -> None:
        program = [str(PROGRAMS / "memq-server"), "--listen", self.address, "--data-dir", self._data.name, *self._flags]
        log = pathlib.Path(self._data.name).with_suffix(".log")
        with log.open("w") as out:
            self._process = subprocess.Popen(program, stdout=out, stderr=out, text=True)

        def ready() -> bool:
            assert self._process is not None
            if self._process.poll() is not None:
                raise AssertionError(f"the server ended: {log.read_text()}")
            return re.search(r"\bready\b", log.read_text()) is not None

        until("the server is ready", ready)
        said = re.search(r"address=\"?([0-9.]+:[0-9]+)", log.read_text())
        assert said is not None, log.read_text()
        self.address = said[1]

    def kill(self) -> None:
        """As the kernel does when memory is short: without a word."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def stop(self) -> None:
        self.kill()
        self._data.cleanup()
        pathlib.Path(self._data.name).with_suffix(".log").unlink(missing_ok=True)

    def call(self, method: str, path: str, body: Optional[object] = None) -> Any:
        """A call without the client that is tested."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.url}{path}", data=data, method=method, headers=self._headers)
        with urllib.request.urlopen(request, timeout=BOUND) as answer:
            text = answer.read()
        return json.loads(text) if text else None

    def queue(self, name: str) -> Any:
        return self.call("GET", f"/v1/queues/{name}")

    def outcomes(self, name: str) -> list[dict[str, Any]]:
        """All that is finished, in order."""
        found: list[dict[str, Any]] = []
        while True:
            after = found[-1]["outcome"] if found else 0
            with urllib.request.urlopen(f"{self.url}/v1/queues/{name}/outcomes?limit=10000&after={after}") as answer:
                page = [json.loads(line) for line in answer.read().splitlines()]
            if not page:
                return found
            found += page


class Wire:
    """Carries bytes between a client and the server, until it is told to lose some."""

    def __init__(self, server: Server) -> None:
        host, port = server.address.split(":")
        self._target = (host, int(port))
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self.requests = 0
        self._lost_answers = 0
        self._open = True
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def lose_answers(self, count: int) -> None:
        """The next requests are carried out, and the connection breaks before their answers."""
        self._lost_answers = count

    def close(self) -> None:
        self._open = False
        self._listener.close()

    def _accept(self) -> None:
        while self._open:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._carry, args=(near,), daemon=True).start()

    def _carry(self, near: socket.socket) -> None:
        with near, socket.create_connection(self._target) as far:
            handshake = False
            while True:
                for end in select.select([near, far], [], [])[0]:
                    data = end.recv(1 << 16)
                    if not data:
                        return
                    if end is near:
                        self.requests += data.startswith((b"POST", b"GET"))
                        # No request: it asks whether there is TLS here.
                        handshake = data.startswith(b"\x16")
                        far.sendall(data)
                    elif self._lost_answers > 0 and not handshake:
                        self._lost_answers -= 1
                        return
                    else:
                        near.sendall(data)


class Served(unittest.TestCase):
    """A test with a server of its own."""

    server: Server

    def setUp(self) -> None:
        self.server = Server()
        self.addCleanup(self.server.stop)
        self.addCleanup(memq._Server.of(self.server.url).disconnect)
        self.url = self.server.url

    def make(self, name: str = "q", **settings: object) -> None:
        self.server.call("PUT", f"/v1/queues/{name}", settings)

    def wire(self) -> Wire:
        wire = Wire(self.server)
        self.addCleanup(wire.close)
        return wire
