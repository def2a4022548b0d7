"""Servers that cannot be called by `https:`, for they speak plain HTTP or nobody trusts them, or by `http:`."""

from __future__ import annotations

import datetime
import importlib
import ipaddress
import pathlib
import socket
import ssl
import tempfile
import threading
import unittest
import unittest.mock
from typing import Optional

import memq
from served import Served

# What a TLS handshake begins with, and no HTTP.
HANDSHAKE = b"\x16"
# What servers of TLS say to a caller who speaks none: Go's, nginx's, and rustls by an alert.
GO = b"HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n"
NGINX = (
    b"HTTP/1.1 400 Bad Request\r\nContent-Length: 53\r\nConnection: close\r\n\r\n"
    b"<html>The plain HTTP request was sent to HTTPS port\r\n"
)
RUSTLS = b"\x15\x03\x03\x00\x02\x02\x32"
# Longer than the tests' runner waits: what is tried again is seen.
PATIENCE = 600.0


def self_signed(folder: pathlib.Path) -> pathlib.Path:
    """A certificate for this machine that nobody signed but itself, and its key, in one file."""
    x509 = importlib.import_module("cryptography.x509")
    ec = importlib.import_module("cryptography.hazmat.primitives.asymmetric.ec")
    hashes = importlib.import_module("cryptography.hazmat.primitives.hashes")
    pem = importlib.import_module("cryptography.hazmat.primitives.serialization")
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "memq")])
    now = datetime.datetime.now(datetime.timezone.utc)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False)
        .sign(key, hashes.SHA256())
    )
    file = folder / "own.pem"
    plain = key.private_bytes(pem.Encoding.PEM, pem.PrivateFormat.PKCS8, pem.NoEncryption())
    file.write_bytes(plain + certificate.public_bytes(pem.Encoding.PEM))
    return file


def read_all(stream: socket.socket) -> None:
    """Reads a request to its end: what is left unread makes the system throw the answer away."""
    with stream.makefile("rb") as request:
        length = 0
        while (line := request.readline()) not in (b"\r\n", b""):
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
        request.read(length)


class Secured:
    """Answers each call by TLS with this certificate, but for calls of these numbers, from 0: by plain HTTP.

    Who begins without a handshake is told `said`; without that OpenSSL says what it does, which is nothing.
    """

    def __init__(self, certificate: pathlib.Path, plain: tuple[int, ...] = (), said: Optional[bytes] = None) -> None:
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(certificate)
        self._plain = plain
        self._said = said
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.calls = 0
        self.url = f"https://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        self._listener.close()

    def _serve(self) -> None:
        while True:
            try:
                stream, _ = self._listener.accept()
            except OSError:
                return
            number, self.calls = self.calls, self.calls + 1
            try:
                if self._said is not None and stream.recv(1, socket.MSG_PEEK) != HANDSHAKE:
                    with stream:
                        read_all(stream)
                        stream.sendall(self._said)
                    continue
                plain = number in self._plain
                with stream if plain else self._context.wrap_socket(stream, server_side=True) as stream:
                    if plain:
                        # A handshake, which has no lines.
                        stream.recv(1 << 16)
                    else:
                        read_all(stream)
                    body = b'{"items": [{"id": "1"}]}'
                    head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
                    stream.sendall(head.encode() + body)
            except OSError:
                continue


class Plain(Served):
    def test_https_to_a_server_of_plain_http_is_told_at_once(self) -> None:
        url = self.url.replace("http:", "https:")
        with self.assertRaises(memq.Unreachable) as caught:
            memq.enqueue(url, "q", "a", patience=PATIENCE)
        said = str(caught.exception)
        self.assertIn("speaks no TLS", said)
        self.assertIn(f"call it at {self.url},", said)


class Untrusted(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory(prefix="memq-")
        self.addCleanup(folder.cleanup)
        self.certificate = self_signed(pathlib.Path(folder.name))

    def secured(self, *plain: int, said: Optional[bytes] = None) -> Secured:
        server = Secured(self.certificate, plain, said)
        self.addCleanup(server.close)
        return server

    def test_a_certificate_that_nobody_trusts_is_told_at_once(self) -> None:
        server = self.secured()
        with self.assertRaises(memq.Unreachable) as caught:
            memq.enqueue(server.url, "q", "a", patience=PATIENCE)
        self.assertIn("is not to be trusted", str(caught.exception))
        self.assertIn("SSL_CERT_FILE", str(caught.exception))
        self.assertEqual(server.calls, 1)

    def test_the_file_of_the_variable_is_trusted_and_who_has_answered_may_be_away_for_a_while(self) -> None:
        server = self.secured(1)
        with unittest.mock.patch.dict("os.environ", {"SSL_CERT_FILE": str(self.certificate)}):
            for _ in range(2):
                memq.enqueue(server.url, "q", "a", patience=PATIENCE)
        self.assertEqual(server.calls, 3)

    def test_http_to_a_server_of_tls_is_told_at_once(self) -> None:
        for said in (None, b"", GO, NGINX, RUSTLS):
            with self.subTest(said=said):
                server = self.secured(said=said)
                url = server.url.replace("https:", "http:") + "/below"
                with self.assertRaises(memq.Unreachable) as caught:
                    memq.enqueue(url, "q", "a", patience=PATIENCE)
                self.assertEqual(
                    str(caught.exception), f"what answers at {url} speaks TLS; call it at {server.url}/below"
                )
                # The call, and a handshake that ends at the certificate.
                self.assertEqual(server.calls, 2)

    def test_who_refuses_and_speaks_no_tls_is_quoted(self) -> None:
        # It is asked for a handshake next, and answers that by plain HTTP.
        server = self.secured(1, said=GO)
        with self.assertRaises(memq.Problem) as caught:
            memq.enqueue(server.url.replace("https:", "http:"), "q", "a", patience=PATIENCE)
        self.assertIn("the answer was 400 Client sent", str(caught.exception))


class Addresses(unittest.TestCase):
    def test_what_answers_at_a_port_is_called_at_that_port(self) -> None:
        for url, scheme, called in (
            ("http://h:8080/x", "https", "https://h:8080/x"),
            ("http://[::1]", "https", "https://[::1]:80"),
            ("https://h", "http", "http://h:443"),
        ):
            self.assertEqual(memq._Server.of(url)._by(scheme), called)
