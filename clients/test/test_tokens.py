"""Servers that ask for a token."""

from __future__ import annotations

import logging
import os
import pathlib
import tempfile
import threading
import time
import unittest
import unittest.mock
import urllib.request
from collections.abc import Callable
from typing import Any, Optional

import memq
from served import Served, Server, until

WORK = "a-token-for-work-1"
READ = "a-token-for-read-1"
NEXT = "a-token-for-work-2"
LAST = "a-token-for-work-3"


class Tokens(Served):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory(prefix="memq-")
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.known = self.write("tokens", f"admin an-admin-of-tests\nwork {WORK}\nread {READ}\n")
        self.server = Server("--tokens", str(self.known), token="an-admin-of-tests")
        self.addCleanup(self.server.stop)
        self.url = self.server.url
        self.make()

    def write(self, name: str, text: str) -> pathlib.Path:
        # As a mounted Secret changes: whole, under another name first.
        path = self.folder / name
        path.with_suffix(".new").write_text(text)
        path.with_suffix(".new").replace(path)
        return path

    def environment(self, **variables: str) -> None:
        """Sets these variables of tokens, and no others, for the rest of the test."""
        patch = unittest.mock.patch.dict(os.environ, variables)
        patch.start()
        self.addCleanup(patch.stop)

    def add(self, token: Optional[str] = None, patience: float = 60.0) -> int:
        return len(memq.enqueue(self.url, "q", "a", token=token, patience=patience))

    def know(self, work: str) -> None:
        """The server knows this token for working, and no other."""
        self.write("tokens", f"admin an-admin-of-tests\nwork {work}\n")

        def is_known() -> bool:
            try:
                return self.add(work) == 1
            except memq.Unauthenticated:
                return False

        until("the server has read its tokens again", is_known)

    def test_a_token_is_the_argument_s_else_the_file_s_else_the_variable_s(self) -> None:
        with self.assertRaisesRegex(memq.Unauthenticated, "asks for a token, and none was given"):
            self.add()
        self.assertEqual(self.add(WORK), 1)
        self.environment(MEMQ_TOKEN="nobody-knows-this-one")
        with self.assertRaisesRegex(memq.Unauthenticated, "does not know this token") as caught:
            self.add()
        self.assertEqual((caught.exception.status, caught.exception.code), (401, "unauthenticated"))
        self.assertNotIn("nobody-knows", str(caught.exception))
        self.environment(MEMQ_TOKEN_FILE=str(self.write("token", f"{WORK}\nand a second line\n")))
        self.assertEqual(self.add(), 1)
        with self.assertRaises(memq.Unauthenticated):
            self.add("nobody-knows-this-either")
        done = 0
        for lease in memq.drain(self.url, "q", until="empty", wait=1):
            lease.ack()
            done += 1
        self.assertEqual(done, 2)

    def test_a_role_that_does_not_suffice_is_named(self) -> None:
        with self.assertRaisesRegex(memq.Forbidden, "read.*work") as caught:
            self.add(READ)
        self.assertEqual((caught.exception.status, caught.exception.code), (403, "forbidden"))
        with self.assertRaises(memq.Forbidden):
            next(memq.drain(self.url, "q", token=READ))

    def test_a_file_is_read_again_when_its_token_is_refused(self) -> None:
        self.environment(MEMQ_TOKEN_FILE=str(self.write("token", WORK)))
        self.assertEqual(self.add(), 1)
        leases = memq.drain(self.url, "q", until="empty", wait=1)
        lease = next(leases)
        self.know(NEXT)
        with self.assertLogs("memq", logging.WARNING) as logs, self.assertRaises(memq.Unauthenticated):
            self.write("token", "")
            self.add(patience=0.3)
        self.assertIn("the first line of", logs.output[0])
        self.assertNotIn(WORK, "".join(logs.output))
        self.write("token", NEXT)
        lease.ack("under the next token")
        self.assertEqual(self.add(), 1)

    def test_a_file_or_a_server_that_is_late_is_waited_for(self) -> None:
        self.environment(MEMQ_TOKEN_FILE=str(self.write("token", WORK)))
        self.assertEqual(self.add(), 1)

        def late(change: Callable[[], object]) -> list[str]:
            """The warnings of a call that finds what it needs only after it was refused some times."""
            calls = 0
            once = memq._Server._once

            def counted(server: memq._Server, *call: Any) -> Any:
                nonlocal calls
                calls += 1
                if calls == 4:
                    change()
                return once(server, *call)

            counting = unittest.mock.patch.object(memq._Server, "_once", counted)
            with self.assertLogs("memq", logging.WARNING) as logs, counting:
                self.assertEqual(self.add(), 1)
            self.assertGreater(calls, 3)
            return logs.output

        self.know(NEXT)
        (warning,) = late(lambda: self.write("token", NEXT))
        self.assertRegex(warning, "refuses the token of .*token; asking again for up to 60 s")
        self.know("nobody-has-this-one-1")
        self.write("token", LAST)
        (warning,) = late(lambda: self.know(LAST))
        self.assertNotIn(LAST, warning)

    def test_a_parked_call_that_a_change_of_tokens_ends_is_made_again(self) -> None:
        self.environment(MEMQ_TOKEN_FILE=str(self.write("token", WORK)))
        taken: list[str] = []

        def take() -> None:
            for lease in memq.drain(self.url, "q", until="forever"):
                lease.ack()
                taken.append(lease.text)
                return

        def parked() -> bool:
            headers = {"Authorization": f"Bearer {READ}"}
            with urllib.request.urlopen(urllib.request.Request(f"{self.url}/metrics", headers=headers)) as answer:
                return b"memq_parked_calls 1" in answer.read()

        with self.assertLogs("memq", logging.WARNING) as logs:
            worker = threading.Thread(target=take)
            worker.start()
            until("the call is parked", parked)
            self.write("tokens", f"admin an-admin-of-tests\nwork {NEXT}\n")
            until("it is refused", lambda: "tokens may be changing" in "".join(logs.output))
            self.write("token", NEXT)
            self.add(NEXT)
            worker.join(timeout=60)
        self.assertEqual(taken, ["a"])

    def test_a_thread_that_is_let_in_takes_nothing_from_one_that_is_refused(self) -> None:
        self.environment(MEMQ_TOKEN_FILE=str(self.write("token", WORK)))
        server = memq._Server(self.url, memq._Token.of(None))
        server._let_in(server._shown)
        # Another thread is let in whenever this one has looked since when it is refused.
        looks = unittest.mock.PropertyMock(side_effect=[time.monotonic(), None])
        with unittest.mock.patch.object(memq._Server, "_refused_since", looks, create=True):
            self.assertTrue(server._may_pass(60.0))

    def test_what_another_thread_has_read_is_not_put_back(self) -> None:
        self.environment(MEMQ_TOKEN_FILE=str(self.write("token", WORK)))
        server = memq._Server(self.url, memq._Token.of(None))
        header = memq._Token.header
        self.write("token", LAST)

        def overtaken(token: memq._Token, *again: Any, **given: Any) -> Optional[str]:
            """While this thread has read the token from before, another reads the next."""
            mine = header(token, *again, **given)
            server._shown = f"Bearer {NEXT}"
            return mine

        with unittest.mock.patch.object(memq._Token, "header", overtaken):
            self.assertEqual(server._renewed(f"Bearer {WORK}"), f"Bearer {NEXT}")

    def test_a_refusal_is_waited_out_for_two_minutes_where_the_token_was_good(self) -> None:
        self.environment(MEMQ_TOKEN_FILE=str(self.write("token", WORK)))
        server = memq._Server(self.url, memq._Token.of(None))
        now = 1_000.0
        with unittest.mock.patch("time.monotonic", lambda: now):
            self.assertFalse(server._may_pass(600.0), "it may never have been one")
            server._let_in("Bearer of-before-the-file-changed")
            self.assertFalse(server._may_pass(600.0), "an answer from before says nothing")
            server._let_in(server._shown)
            self.assertTrue(server._may_pass(600.0))
            now += 119.0
            self.assertTrue(server._may_pass(600.0))
            now += 1.0
            self.assertFalse(server._may_pass(600.0), "it was waited out")
            server._let_in(server._shown)
            self.assertTrue(server._may_pass(600.0), "another refusal is waited out anew")

    def test_a_pipe_is_read_once_and_not_waited_for(self) -> None:
        pipe = self.folder / "pipe"
        os.mkfifo(pipe)
        self.environment(MEMQ_TOKEN_FILE=str(pipe))
        writer = threading.Thread(target=pipe.write_text, args=(WORK,))
        writer.start()
        self.assertEqual(self.add(), 1)
        writer.join()
        self.know(NEXT)
        with self.assertLogs("memq", logging.WARNING) as logs, self.assertRaises(memq.Unauthenticated):
            self.add(patience=0.3)
        self.assertIn("cannot be read again", logs.output[0])

    def test_a_token_that_was_never_good_is_refused_at_once(self) -> None:
        self.environment(MEMQ_TOKEN_FILE=str(self.write("token", "nobody-knows-this-one")))
        waits = unittest.mock.patch("time.sleep", side_effect=AssertionError("it waits"))
        with waits, self.assertRaises(memq.Unauthenticated):
            self.add()

    def test_a_variable_that_is_empty_is_none(self) -> None:
        self.environment(MEMQ_TOKEN_FILE="", MEMQ_TOKEN=WORK)
        self.assertEqual(self.add(), 1)
        self.environment(MEMQ_TOKEN_FILE="", MEMQ_TOKEN="")
        with self.assertRaisesRegex(memq.Unauthenticated, "none was given"):
            self.add()

    def test_what_cannot_be_a_token_is_refused_before_it_is_sent(self) -> None:
        for text in ("two words", "line\nbreak", "ümlaut"):
            with self.assertRaises(ValueError) as wrong:
                self.add(text)
            self.assertNotIn(text, str(wrong.exception))
        self.environment(MEMQ_TOKEN_FILE=str(self.folder / "missing"))
        with self.assertRaises(FileNotFoundError):
            self.add()

    def test_a_token_is_never_shown(self) -> None:
        server = memq._Server.of(self.url, WORK)
        self.assertNotIn(WORK, repr(server) + repr(memq._Token.of(WORK)) + server.url)


if __name__ == "__main__":
    unittest.main()
