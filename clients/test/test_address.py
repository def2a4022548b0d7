"""Which server an address names, and what is sent along."""

from __future__ import annotations

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

    def test_a_user_or_a_password_is_refused_and_not_repeated(self) -> None:
        for url in (
            "http://x:s3cret@h",
            "http://s3cret@h/sub",
            "http://x:s3cret@h/?a",
            "x:s3cret@h",
            "http://s3:cret@[h",
        ):
            with self.assertRaises(ValueError) as caught:
                memq.enqueue(url, "q", "a")
            said = str(caught.exception)
            self.assertNotIn("cret", said)
            self.assertIn("MEMQ_TOKEN_FILE", said, url)
