"""A client of the memq queue server: one file, nothing but the standard library.

    import memq

    memq.enqueue("http://127.0.0.1:8080", "thumbs", ["a.png", "b.png"], create=True, seal=True)

    for item in memq.drain("http://127.0.0.1:8080", "thumbs"):
        with item:                      # an exception fails the item, the end of the block acks it
            item.ack(thumbnail(item.text))

`drain` ends when the server says that the queue is drained: sealed, and nothing ready, leased or delayed.
A lease is renewed from a thread of its own for as long as the item is worked on.

What failed on the way is sent again, with growing pauses, for as long as `patience` lasts: a restart of the
server goes unnoticed. That is safe for each call here. A settlement sent twice answers the same twice. An
enqueue carries an `Idempotency-Key`, made up if none is given, so the server takes it once. A lease whose
answer was lost runs out, and its item comes back.

A server may ask for a token: the argument `token`, else the first line of the file that MEMQ_TOKEN_FILE names, else
MEMQ_TOKEN; a variable that is empty counts as none. A token of the environment is shown to whichever server is called.
After a refusal the file is read again, so it can be changed while programs run; where its token was good before, or has
changed, the call is made again for two minutes, or for as long as `patience` lasts if that is less.

Times are seconds. Calls may be made from any thread, and after a fork; but an item that is held stays with the
process that got it.
"""

from __future__ import annotations

import base64
import dataclasses
import http.client
import itertools
import json
import logging
import os
import random
import socket
import ssl
import stat
import threading
import time
import traceback
import urllib.parse
import uuid
from collections.abc import Iterable, Iterator, Mapping
from types import TracebackType
from typing import Any, ClassVar, Literal, Optional, Union, cast

__all__ = [
    "Enqueued",
    "Forbidden",
    "Item",
    "Lease",
    "LeaseLost",
    "MemqError",
    "Problem",
    "Unauthenticated",
    "Unreachable",
    "drain",
    "enqueue",
]
__version__ = "0.1.0"

DEFAULT_URL = "http://127.0.0.1:8080"
"""The server that is called where neither an argument nor `MEMQ_SERVER` names one."""

_CALL_TIMEOUT = 15.0
_UPLOAD_TIMEOUT = 60.0
# What a parked call gets beyond the time it asked to be parked.
_PARK_MARGIN = 10.0
_MIN_PAUSE, _MAX_PAUSE = 0.05, 5.0
# How long a file's token may be refused that was let in before, or was changed: a kubelet puts a changed Secret into
# one pod a minute or so later than into another.
_TOKEN_GRACE = 120.0
# A request holds at most 16 MiB and 100,000 items; JSON at its worst makes six bytes of one.
_BATCH_BYTES = 8 * 1024 * 1024
_BATCH_ITEMS = 10_000
# A larger body goes alone, as it is.
_RAW_BYTES = 1024 * 1024
# A call settles or renews at most so many.
_CALL_LEASES = 10_000
# How long a server may take to show its certificate.
_HANDSHAKE_TIMEOUT = 5.0
# What OpenSSL says of a certificate that was signed by itself, or by somebody who is not known.
_UNKNOWN_ISSUER = (2, 18, 19, 20, 21)
# A worker that waits for ever looks again this often at a queue that is drained and may be reopened.
_REOPENED = 1.0

_log = logging.getLogger("memq")

# A Mapping or another JSON value becomes its JSON text. A list is many bodies, not one.
Body = Union[str, bytes, Mapping[str, Any]]


class MemqError(Exception):
    """What any call of this file raises, other than for wrong arguments."""


class Unreachable(MemqError):
    """The server was out of reach for longer than the patience. The call may have been carried out.

    Raised at once by a server that never answered and cannot be talked to at its address: it speaks no TLS at an
    `https:` one, or does at an `http:` one, or its certificate is not to be trusted.
    """


class Problem(MemqError):
    """The server said no. Decide on `code`, which is stable; `detail` is for people."""

    def __init__(self, status: int, code: str, detail: str) -> None:
        super().__init__(f"{code}: {detail}")
        self.status = status
        self.code = code
        self.detail = detail


class LeaseLost(Problem):
    """The item is no longer yours: its lease ran out, or was revoked. Nothing was changed; drop the item."""


class Unauthenticated(Problem):
    """The server asks for a token, and none was given or one that it does not know. Nothing was done."""


class Forbidden(Problem):
    """The token's role does not allow the call; `detail` says which role does. Nothing was done."""


@dataclasses.dataclass(frozen=True)
class Item:
    """A body to be enqueued, with options of its own. What is None is as the call of `enqueue` says."""

    body: Body
    key: Optional[str] = None
    group: Optional[str] = None
    priority: Optional[int] = None
    delay: Optional[float] = None
    ttl: Optional[float] = None


@dataclasses.dataclass(frozen=True)
class Enqueued:
    """What became of one body."""

    id: str
    """The id of its item; for a duplicate, of the item that has the key."""
    duplicate: bool
    """True if another item has the same unique key, and nothing of this one was kept."""


def enqueue(
    url: Optional[str],
    queue: str,
    bodies: Union[Body, Item, Iterable[Union[Body, Item]]],
    *,
    key: Optional[str] = None,
    group: Optional[str] = None,
    priority: Optional[int] = None,
    delay: Optional[float] = None,
    ttl: Optional[float] = None,
    idempotency_key: Optional[str] = None,
    create: bool = False,
    seal: bool = False,
    under: Optional[Lease] = None,
    traceparent: Optional[str] = None,
    tracestate: Optional[str] = None,
    token: Optional[str] = None,
    patience: float = 60.0,
) -> list[Enqueued]:
    """Adds one body, or each of many, and says what became of them, in order. Once it returns they are on disk.

    A `str` or `bytes` is a body as it is, a mapping becomes its JSON text, and anything else that can be iterated
    is many of them. Many go in batches of 10,000 or 8 MiB, each all or nothing; a body above 1 MiB goes alone.

    `key` is unique among live items (and the queue's window after): give it with one body, or in an `Item`.
    Higher `priority` goes first; groups take turns; `delay` and `ttl` count from now.
    `create` makes the queue, `seal` seals it with the last batch, `under` makes it count only while that lease lives
    (then it also goes into a sealed queue). `token` is for a server that asks for one, where not the environment's.
    `traceparent` and `tracestate` are the trace that the items come in with (W3C trace context) and that their workers
    go on with; without them it is that of `under`.
    With the same `idempotency_key` and the same bodies, a whole program may be run again and adds nothing twice: the
    server remembers the key for 24 hours after its last use, and the last 100,000 keys of a queue.
    """
    defaults = _options(None, group, priority, delay, ttl)
    query: dict[str, object] = {} if under is None else {"lease": under.token}
    if create:
        query["create"] = "true"
    server = _Server.of(url, token)
    path = f"/v1/queues/{_quoted(queue)}/items"
    base = idempotency_key if idempotency_key is not None else uuid.uuid4().hex
    if isinstance(bodies, (str, bytes, Mapping)):
        requests = iter([_raw(_bytes(cast(object, bodies)), {} if key is None else {"key": key})])
    elif isinstance(bodies, Item):
        only = bodies if key is None else dataclasses.replace(bodies, key=key)
        requests = iter([_raw(_bytes(only.body), _options_of(only))])
    elif key is not None:
        raise ValueError("a key is for one body: give each of many an Item with its own")
    else:
        requests = _requests(bodies)
    trace = _trace(traceparent, tracestate)
    if traceparent is None and under is not None:
        trace = _trace(under.traceparent, under.tracestate)
    enqueued: list[Enqueued] = []
    for number, request, last in _numbered(requests):
        wanted = {**query, **defaults, **request.options, **({"seal": "true"} if seal and last else {})}
        headers = {"Content-Type": request.media_type, "Idempotency-Key": base if number == 1 else f"{base}.{number}"}
        headers.update(trace)
        target = f"{path}?{urllib.parse.urlencode(wanted)}" if wanted else path
        answer = server.call("POST", target, request.body, headers, _UPLOAD_TIMEOUT, patience).json()
        enqueued += [Enqueued(item["id"], bool(item.get("duplicate"))) for item in answer.get("items", [])]
    return enqueued


def drain(
    url: Optional[str],
    queue: str,
    *,
    worker: Optional[str] = None,
    until: Literal["drained", "empty", "forever"] = "drained",
    wait: float = 30.0,
    lease: Optional[float] = None,
    concurrency: int = 1,
    token: Optional[str] = None,
    patience: float = 300.0,
) -> Iterator[Lease]:
    """The queue's items, one after the other, until the queue is `until`; `forever` never ends by itself.

    Settle each before asking for the next, or use it in a `with`. With a `concurrency` above 1, so many may be held
    at once, to be settled from other threads, and asking for one more waits for one of them. What is held when
    the loop is left is given back.

    `wait` is how long a call is parked while there is nothing (at most 300), `lease` the length of a lease if
    not the queue's, `patience` how long the server may be out of reach, `token` what it asks for where not the
    environment's. Raises `Problem` (a queue that does not exist: `no_such_queue`; no token: `Unauthenticated`) and
    `Unreachable`.
    """
    if until not in ("drained", "empty", "forever"):
        raise ValueError(f"until is drained, empty or forever, not {until!r}")
    if not 0 < wait <= 300:
        raise ValueError(f"wait is above 0 and at most 300 seconds, not {wait}")
    if concurrency < 1:
        raise ValueError(f"concurrency is at least 1, not {concurrency}")
    return _drain(_Server.of(url, token), queue, worker or _worker(), until, wait, lease, concurrency, patience)


def _drain(
    server: _Server,
    queue: str,
    worker: str,
    until: str,
    wait: float,
    length: Optional[float],
    concurrency: int,
    patience: float,
) -> Iterator[Lease]:
    ends = {"drained": ("drained",), "empty": ("drained", "empty"), "forever": ()}[until]
    ask: dict[str, object] = {"max": 1, "wait_ms": _ms(wait), "worker": worker}
    if length is not None:
        ask["lease_ms"] = _ms(length)
    if until == "empty":
        ask["until"] = until
    body = json.dumps(ask).encode()
    path = f"/v1/queues/{_quoted(queue)}"
    keeper = _Keeper(server, path, length, patience)
    try:
        while True:
            keeper.make_room(concurrency)
            answer = server.call("POST", f"{path}/lease", body, _JSON, wait + _PARK_MARGIN, patience).json()
            for leased in answer["items"]:
                yield keeper.hold(leased)
                # Nothing here refers to the lease while its holder works.
                del leased
            if answer["state"] in ends:
                return
            if answer["state"] == "drained":
                time.sleep(_REOPENED)
    finally:
        keeper.close()


class Lease:
    """An item that is lent to you, until you settle it or lose it.

    As a context manager: the end of the block acks it, unless it was settled before. An exception in the block
    fails the item with the traceback as its error and is then suppressed, so that a loop goes on with the next;
    it is logged (logger `memq`). `KeyboardInterrupt`, `SystemExit` and the like give the item back and go on.
    In a fork the block does nothing with the item: it is the parent's.
    """

    def __init__(self, keeper: _Keeper, leased: Mapping[str, Any]) -> None:
        body = leased.get("body")
        self.id: str = leased["id"]
        self.body: bytes = base64.b64decode(leased["body_base64"]) if body is None else body.encode()
        self.attempt: int = leased["attempt"]
        """Which attempt this is, from 1."""
        self.key: Optional[str] = leased.get("key")
        self.group: Optional[str] = leased.get("group")
        self.priority: int = leased.get("priority", 0)
        self.enqueued: str = leased["enqueued"]
        """When it was enqueued, RFC 3339."""
        self.traceparent: Optional[str] = leased.get("traceparent")
        """The trace it came in with, W3C trace context: go on with it, as with a header of a request that you serve."""
        self.tracestate: Optional[str] = leased.get("tracestate")
        self.token: str = leased["lease"]
        self._keeper = keeper
        self._state: Literal["held", "settling", "settled", "lost"] = "held"
        self._told_lost = threading.Event()
        self._length = keeper.length
        self._remained = leased["lease_ms"] / 1000
        self._deadline = time.monotonic() + self._remained
        self._renew_at = self._deadline - self._remained * 2 / 3
        self._stayed = False

    def __repr__(self) -> str:
        return f"<memq.Lease of item {self.id}, attempt {self.attempt}, {self._state}>"

    @property
    def text(self) -> str:
        """The body as text. Raises UnicodeDecodeError if it is not UTF-8."""
        return self.body.decode()

    def json(self) -> Any:
        """The body as the JSON value it is. Raises ValueError if it is none."""
        return json.loads(self.body)

    @property
    def lost(self) -> bool:
        """Whether the lease is known to be lost: whatever is still done for the item is in vain."""
        return self._told_lost.is_set()

    def wait_lost(self, timeout: Optional[float] = None) -> bool:
        """Waits until the lease is lost, for so long at most, and says whether it is."""
        return self._told_lost.wait(timeout)

    def ack(self, result: object = None, *, log: Optional[str] = None) -> None:
        """It is done. The result is text or any JSON value, the log what it printed; both are kept with it."""
        if isinstance(result, (bytes, bytearray)):
            result = result.decode(errors="replace")
        self._settle("ack", result=result, log=log)

    def nack(
        self,
        error: Union[str, BaseException, None] = None,
        *,
        delay: Optional[float] = None,
        exit_code: Optional[int] = None,
        log: Optional[str] = None,
    ) -> None:
        """It failed. It comes again after the queue's back-off, or this delay, until its attempts are spent."""
        self._settle("nack", error=_words(error), delay_ms=_some_ms(delay), exit_code=exit_code, log=log)

    def release(self, error: Optional[str] = None, *, delay: Optional[float] = None) -> None:
        """Give it back: the attempt is not spent."""
        self._settle("release", error=error, delay_ms=_some_ms(delay))

    def dead(
        self,
        error: Union[str, BaseException, None] = None,
        *,
        exit_code: Optional[int] = None,
        log: Optional[str] = None,
    ) -> None:
        """It can never work: no further attempt."""
        self._settle("dead", error=_words(error), exit_code=exit_code, log=log)

    def extend(self, seconds: Optional[float] = None) -> float:
        """Makes the lease last so long from now, or the loop's or the queue's length, and says how long it will.

        Seldom needed: leases are renewed by themselves, from then on to the same length.
        """
        return self._keeper.extend(self, seconds)

    def _runs(self, since: float, remains: float) -> None:
        # At its hard end a lease has less each time, and ends when it would have ended anyway. One answer like that may
        # be a lease that was made shorter; after two in a row it is not asked for again.
        stays = remains < self._remained and abs(since + remains - self._deadline) < self._remained / 12
        fades = stays and self._stayed
        self._stayed, self._remained, self._deadline = stays, remains, since + remains
        self._renew_at = self._deadline if fades else since + remains / 3

    def _settle(self, verdict: str, **fields: object) -> None:
        self._keeper.settle(self, {"lease": self.token, "as": verdict, **_present(fields)})

    def __enter__(self) -> Lease:
        return self

    def __exit__(
        self, kind: Optional[type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> bool:
        if self._state == "settled" or self._keeper.is_foreign():
            return False
        try:
            if error is None:
                self.ack()
            elif isinstance(error, LeaseLost):
                raise error
            elif isinstance(error, Exception):
                _log.warning("item %s failed", self.id, exc_info=error)
                self.nack(error)
            else:
                self.release(f"the worker was stopped: {type(error).__name__}")
        except LeaseLost as lost:
            _log.warning("item %s is no longer ours: %s", self.id, lost)
        return error is None or isinstance(error, Exception)


class _Keeper(threading.Thread):
    """Holds the leases of one loop and renews each when a third of what remained has passed."""

    def __init__(self, server: _Server, path: str, length: Optional[float], patience: float) -> None:
        super().__init__(name="memq-renewals", daemon=True)
        self._server, self._path, self._patience = server, path, patience
        self.length = length
        self._pid = os.getpid()
        self._held: dict[str, Lease] = {}
        self._changed = threading.Condition()
        self._closed = False

    def hold(self, leased: Mapping[str, Any]) -> Lease:
        lease = Lease(self, leased)
        with self._changed:
            self._held[lease.token] = lease
            self._changed.notify_all()
        if not self.is_alive():
            self.start()
        return lease

    def is_foreign(self) -> bool:
        """Whether this process is a fork of the one that holds the leases."""
        return self._pid != os.getpid()

    def _here(self, lease: Lease) -> None:
        # Before any lock: whoever had it at the fork is not here to let go of it.
        if self.is_foreign():
            raise RuntimeError(f"item {lease.id} is held by process {self._pid}, of which this one is a fork")

    def make_room(self, places: int) -> None:
        if self.is_foreign():
            raise RuntimeError(f"this loop is process {self._pid}'s, of which this one is a fork: begin one of its own")
        with self._changed:
            if places == 1 and self._held:
                (item,) = self._held.values()
                raise RuntimeError(
                    f"item {item.id} is neither acked nor failed: settle it before the next, or use a `with`"
                )
            self._changed.wait_for(lambda: len(self._held) < places)

    def settle(self, lease: Lease, settlement: Mapping[str, object]) -> None:
        self._here(lease)
        with self._changed:
            if lease._state in ("settling", "settled"):
                raise RuntimeError(f"item {lease.id} is settled already")
            lease._state = "settling"
        done = False
        try:
            # Half of a surrogate pair, which JSON can bring in, is no text that the server takes.
            body = json.dumps({"settle": [settlement]}, ensure_ascii=False).encode(errors="replace")
            headers = {**_JSON, **_trace(lease.traceparent, lease.tracestate)}
            answer = self._server.call("POST", f"{self._path}/settle", body, headers, _UPLOAD_TIMEOUT, self._patience)
            self._judge(lease, answer.json()["settled"][0])
            done = True
        finally:
            with self._changed:
                if done:
                    lease._state = "settled"
                    self._held.pop(lease.token, None)
                elif lease._state == "settling":
                    lease._state = "held"
                self._changed.notify_all()

    def extend(self, lease: Lease, seconds: Optional[float]) -> float:
        self._here(lease)
        length = self.length if seconds is None else seconds
        (told,), since = self._extend([lease], length, self._patience)
        self._judge(lease, told)
        with self._changed:
            lease._length = length
            lease._runs(since, told["lease_ms"] / 1000)
            self._changed.notify_all()
        return float(told["lease_ms"] / 1000)

    def _judge(self, lease: Lease, told: Mapping[str, Any]) -> None:
        if told["ok"]:
            return
        code = told.get("code", "")
        if code != "lease_lost":
            raise Problem(200, code, f"the server refused it for item {lease.id}")
        with self._changed:
            self._lose(lease)
        raise LeaseLost(409, code, f"the lease of item {lease.id} is lost")

    def _lose(self, lease: Lease) -> None:
        lease._state = "lost"
        self._held.pop(lease.token, None)
        lease._told_lost.set()
        self._changed.notify_all()

    def _extend(
        self, leases: list[Lease], length: Optional[float], patience: float
    ) -> tuple[list[dict[str, Any]], float]:
        ask: dict[str, object] = {"leases": [lease.token for lease in leases]}
        if length is not None:
            ask["lease_ms"] = _ms(length)
        body = json.dumps(ask).encode()
        # Counted from before the call: what remains is never overestimated.
        since = time.monotonic()
        remains = min(lease._deadline for lease in leases) - since
        timeout = min(_CALL_TIMEOUT, max(remains / 2, 0.05)) if patience == 0 else _CALL_TIMEOUT
        answer = self._server.call("POST", f"{self._path}/extend", body, _JSON, timeout, patience)
        settled: list[dict[str, Any]] = answer.json()["settled"]
        return settled, since

    def run(self) -> None:
        try:
            self._renew()
        finally:
            self._server.disconnect()

    def _renew(self) -> None:
        while True:
            with self._changed:
                if self._closed:
                    return
                now = time.monotonic()
                due = self._due(now)
                if not due:
                    sooner = min((lease._renew_at for lease in self._held.values()), default=now + 60)
                    self._changed.wait(max(sooner - now, 0.001))
                    continue
            try:
                answers, since = self._extend(due, due[0]._length, 0)
            except Exception as error:  # whatever it is, it is tried again until the leases have run out
                _log.debug("cannot renew %d leases: %s", len(due), error)
                answers, since = [], 0.0
            with self._changed:
                for lease, told in itertools.zip_longest(due, answers):
                    self._renewed(lease, told, since)

    def _due(self, now: float) -> list[Lease]:
        """Which to renew now, to the same length. Those that ran out are lost; a settlement under way will hear so."""
        for lease in list(self._held.values()):
            if lease._deadline <= now:
                if lease._state == "held":
                    self._lose(lease)
                else:
                    lease._renew_at = now + 1
        due = [lease for lease in self._held.values() if lease._renew_at <= now < lease._deadline]
        return [lease for lease in due if lease._length == due[0]._length][:_CALL_LEASES]

    def _renewed(self, lease: Lease, told: Optional[Mapping[str, Any]], since: float) -> None:
        now = time.monotonic()
        if told is not None and told["ok"]:
            lease._runs(since, told["lease_ms"] / 1000)
        elif told is not None and told.get("code") == "lease_lost" and lease._state == "held":
            self._lose(lease)
        else:
            lease._renew_at = now + max((lease._deadline - now) / 8, 0.02)

    def close(self) -> None:
        if self.is_foreign():
            return
        with self._changed:
            left = [lease for lease in self._held.values() if lease._state == "held"]
            self._patience = min(self._patience, 5.0)
        for lease in left:
            try:
                lease.release("the worker stopped")
            except (MemqError, RuntimeError) as error:
                _log.debug("item %s comes back when its lease runs out: %s", lease.id, error)
        with self._changed:
            for lease in left:
                self._lose(lease)
            self._closed = True
            self._changed.notify_all()


@dataclasses.dataclass(frozen=True)
class _Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        try:
            return json.loads(self.body)
        except ValueError as error:
            raise MemqError(f"this is no memq server: its answer is not JSON ({error})") from None


@dataclasses.dataclass(frozen=True)
class _Token:
    """Where a token comes from."""

    file: Optional[str] = None
    text: Optional[str] = dataclasses.field(default=None, repr=False)

    @classmethod
    def of(cls, given: Optional[str]) -> _Token:
        if given is not None:
            return cls(text=given)
        file = os.environ.get("MEMQ_TOKEN_FILE")
        return cls(file=file) if file else cls(text=os.environ.get("MEMQ_TOKEN"))

    def header(self, again: bool = False) -> Optional[str]:
        """What is shown to a server: read anew where it lies in a file."""
        text, where = self.text or "", "token"
        if self.file is not None:
            where = f"the first line of {self.file}"
            # A pipe can be read but once: it would wait for a writer without end.
            if again and not stat.S_ISREG(os.stat(self.file).st_mode):
                raise OSError(f"{self.file} is no file, and cannot be read again")
            with open(self.file, encoding="utf-8", errors="replace") as lines:
                text = lines.readline(8192)
        text = text.strip()
        if text and not (text.isascii() and text.isprintable() and " " not in text):
            raise ValueError(f"{where} is to be visible ASCII characters alone, without spaces")
        if self.file is not None and not text:
            raise ValueError(f"{where} is empty, and is to be a token")
        return f"Bearer {text}" if text else None


class _Server:
    """The way to one server: a connection for each thread, kept open from call to call."""

    _known: ClassVar[dict[tuple[str, _Token], _Server]] = {}

    def __init__(self, url: str, token: _Token) -> None:
        if "@" in url:
            # Addresses stand in logs and messages, so what comes before is not repeated here either.
            raise ValueError(
                f"the address of the server at {url.rpartition('@')[2]!r} has something before an `@`, which others "
                "would see: give a token as `token` or by MEMQ_TOKEN_FILE"
            )
        parts = urllib.parse.urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
            raise ValueError(f"{url!r} is not the address of a server: write it like {DEFAULT_URL}")
        self._tls = ssl.create_default_context() if parts.scheme == "https" else None
        # Not left to HTTPConnection, which looks for a port in what is an IPv6 address.
        port = parts.port if parts.port is not None else 80 if self._tls is None else 443
        self._host, self._port, self._base = parts.hostname, port, parts.path.rstrip("/")
        self._token, self._shown = token, token.header()
        # Whether anything has answered: what fails from then on may pass.
        self._answered = False
        # Whether the token was let in, or its file has changed: then a refusal may pass.
        self._vouched = False
        self._refused_since: Optional[float] = None
        self._local = threading.local()
        self.url = parts.geturl()

    @classmethod
    def of(cls, url: Optional[str], token: Optional[str] = None) -> _Server:
        which = url or os.environ.get("MEMQ_SERVER") or DEFAULT_URL, _Token.of(token)
        return cls._known.get(which) or cls._known.setdefault(which, cls(*which))

    def call(
        self, method: str, path: str, body: bytes, headers: Mapping[str, str], timeout: float, patience: float
    ) -> _Answer:
        """Makes the call, again and again while that may help and patience lasts, counted from the first failure."""
        pause, failing_since = _MIN_PAUSE, None
        while True:
            asked = 0.0
            failure: MemqError
            try:
                shown = self._shown
                answer = self._once(method, path, body, headers, timeout, shown)
                if answer.status == 401 and "retry-after" in answer.headers:
                    # It may pass, as the server says: the token was taken out while the call waited.
                    self._vouched = True
                if answer.status in (401, 403) and shown != (newer := self._renewed(shown)):
                    # What was refused was not carried out.
                    shown, answer = newer, self._once(method, path, body, headers, timeout, newer)
            except (OSError, http.client.HTTPException) as error:
                trouble = None if self._answered else self._tls_trouble(error)
                if trouble is not None:
                    raise Unreachable(trouble) from error
                failure = Unreachable(f"cannot reach {self.url}: {str(error) or type(error).__name__}")
                failure.__cause__ = error
            else:
                self._answered = True
                if 200 <= answer.status < 300:
                    self._let_in(shown)
                    return answer
                refusal = failure = _problem(answer, self._shown is not None)
                # Many who speak TLS answer so to those who do not, each in words of its own.
                if answer.status == 400 and not refusal.code and self._speaks_tls():
                    raise Unreachable(self._tls_wanted()) from refusal
                if answer.status == 401 and self._may_pass(patience):
                    pass
                elif answer.status not in (408, 429, 500, 502, 503, 504, 507):
                    raise failure
                asked = _seconds(answer.headers.get("retry-after", ""))
            now = time.monotonic()
            failing_since = now if failing_since is None else failing_since
            delay = max(asked, random.uniform(pause / 2, pause))
            if now - failing_since + delay > patience:
                raise failure
            _log.debug("%s; trying again in %.2f s", failure, delay)
            time.sleep(delay)
            pause = min(pause * 2, _MAX_PAUSE)

    def _tls_trouble(self, error: Exception) -> Optional[str]:
        """What of a handshake's failure does not pass by itself, and what to do; None if something else failed."""
        if isinstance(error, ssl.SSLCertVerificationError):
            said = f"{self.url} is not to be trusted: {error.verify_message}"
            if error.verify_code not in _UNKNOWN_ISSUER:
                return said
            return f"{said}; name a file (PEM) with the certificate of who signed its own in SSL_CERT_FILE"
        if self._tls is None:
            if not isinstance(error, (ConnectionError, http.client.HTTPException)):
                return None
            # Without a connection there is nobody who could speak TLS.
            reached = not isinstance(error, ConnectionRefusedError)
            return self._tls_wanted() if reached and self._speaks_tls() else None
        if not isinstance(error, ssl.SSLError):
            return None
        if error.reason != "WRONG_VERSION_NUMBER" and "record layer failure" not in str(error):
            return None
        return (
            f"what answers at {self.url} speaks no TLS; if it is a memq server call it at {self._by('http')}, or put a "
            "proxy with TLS in front of it"
        )

    def _speaks_tls(self) -> bool:
        """Whether what answers at this `http:` address speaks TLS, for sure: it shows a certificate.

        What it says to plain HTTP is its own affair: an alert, a page of its own, nothing. The handshake ends there and
        nothing is sent, because nobody is trusted.
        """
        if self._tls is not None:
            return False
        nobody = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        try:
            with socket.create_connection((self._host, self._port), _HANDSHAKE_TIMEOUT) as stream:
                nobody.wrap_socket(stream, server_hostname=self._host).close()
        except OSError as error:
            return isinstance(error, ssl.SSLCertVerificationError)
        return False

    def _tls_wanted(self) -> str:
        return f"what answers at {self.url} speaks TLS; call it at {self._by('https')}"

    def _by(self, scheme: str) -> str:
        """The address of the same port by another scheme."""
        parts = urllib.parse.urlsplit(self.url)
        netloc = parts.netloc if parts.port is not None else f"{parts.netloc.rstrip(':')}:{self._port}"
        return parts._replace(scheme=scheme, netloc=netloc).geturl()

    def _renewed(self, refused: Optional[str]) -> Optional[str]:
        """What to show after this was refused: what the token's file has by now, unless another thread has read it."""
        if self._shown == refused and self._token.file is not None:
            try:
                newer = self._token.header(again=True)
            except (OSError, ValueError) as error:
                told = _log.debug if self._refused_since is not None else _log.warning
                told("the token was refused, and no other can be had: %s", error)
            else:
                # Threads share all this: another may have read the file since, and knows better.
                if newer != refused and self._shown == refused:
                    self._shown, self._vouched = newer, True
        return self._shown

    def _let_in(self, shown: Optional[str]) -> None:
        # What was let in before the file changed says nothing of what it holds now.
        if shown == self._shown:
            self._vouched, self._refused_since = True, None

    def _may_pass(self, patience: float) -> bool:
        """Whether a refusal may pass: tokens are being changed, and the server or the token's file is late."""
        if self._token.file is None or not self._vouched or patience <= 0:
            return False
        now = time.monotonic()
        # Read once: another thread may be let in meanwhile.
        since = self._refused_since
        if since is None:
            since = self._refused_since = now
            within = min(_TOKEN_GRACE, patience)
            _log.warning(
                "the server refuses the token of %s; asking again for up to %.0f s, for tokens may be changing",
                self._token.file,
                within,
            )
        return now - since < _TOKEN_GRACE

    def _once(
        self, method: str, path: str, body: bytes, headers: Mapping[str, str], timeout: float, shown: Optional[str]
    ) -> _Answer:
        connection, reused = self._connection(timeout)
        wanted = {**headers} if shown is None else {"Authorization": shown, **headers}
        try:
            try:
                connection.request(method, self._base + path, body, wanted)
                response = connection.getresponse()
            except (ConnectionError, http.client.BadStatusLine):
                # The server closed a connection that lay unused: that is no failure, and costs no pause.
                if not reused:
                    raise
                connection.close()
                connection.request(method, self._base + path, body, wanted)
                response = connection.getresponse()
            lower = {name.lower(): value for name, value in response.getheaders()}
            return _Answer(response.status, lower, response.read())
        except BaseException:
            # Half an answer may be on the way: nothing else must be read from it.
            connection.close()
            raise

    def disconnect(self) -> None:
        """Closes this thread's connection."""
        if hasattr(self._local, "mine"):
            del self._local.mine

    def _connection(self, timeout: float) -> tuple[http.client.HTTPConnection, bool]:
        mine: Optional[_Connection] = getattr(self._local, "mine", None)
        # A fork shares its parent's sockets: it must make its own.
        if mine is None or mine.pid != os.getpid():
            mine = self._local.mine = _Connection(self._host, self._port, self._tls)
        http_connection = mine.http
        http_connection.timeout = timeout
        if http_connection.sock is not None:
            http_connection.sock.settimeout(timeout)
        return http_connection, http_connection.sock is not None


class _Connection:
    """A thread's connection, closed when the thread ends."""

    def __init__(self, host: str, port: Optional[int], tls: Optional[ssl.SSLContext]) -> None:
        self.pid = os.getpid()
        self.http = (
            http.client.HTTPConnection(host, port)
            if tls is None
            else http.client.HTTPSConnection(host, port, context=tls)
        )

    def __del__(self) -> None:
        self.http.close()


_JSON = {"Content-Type": "application/json"}


def _problem(answer: _Answer, shown: bool) -> Problem:
    status = answer.status
    try:
        told = json.loads(answer.body)
        code, detail = str(told["code"]), str(told["detail"])
    except (ValueError, KeyError, TypeError):
        words = answer.body[:200].decode(errors="replace").strip().split("\n")[0]
        code, detail = "", f"the answer was {status} {words}".strip()
    if status == 401:
        # Whoever says so: a proxy before the server may ask for one as well.
        why = "the server does not know this token" if shown else "the server asks for a token, and none was given"
        return Unauthenticated(status, "unauthenticated", f"{why} (token=, MEMQ_TOKEN_FILE or MEMQ_TOKEN)")
    kinds = {"lease_lost": LeaseLost, "forbidden": Forbidden}
    return kinds.get(code, Problem)(status, code, detail)


def _seconds(header: str) -> float:
    return float(header) if header.isdigit() else 0.0


def _worker() -> str:
    return f"{socket.gethostname()}-{os.getpid()}"


def _words(error: Union[str, BaseException, None]) -> Optional[str]:
    if isinstance(error, BaseException):
        return "".join(traceback.format_exception(type(error), error, error.__traceback__))
    return error


def _ms(seconds: float) -> int:
    return round(seconds * 1000)


def _some_ms(seconds: Optional[float]) -> Optional[int]:
    return None if seconds is None else _ms(seconds)


def _quoted(queue: str) -> str:
    return urllib.parse.quote(queue, safe="")


def _trace(traceparent: Optional[str], tracestate: Optional[str]) -> dict[str, str]:
    """Headers that say which trace a call is part of."""
    if traceparent is None:
        return {}
    return {"traceparent": traceparent, **({} if tracestate is None else {"tracestate": tracestate})}


def _present(fields: Mapping[str, object]) -> dict[str, object]:
    return {name: value for name, value in fields.items() if value is not None}


def _options(
    key: Optional[str],
    group: Optional[str],
    priority: Optional[int],
    delay: Optional[float],
    ttl: Optional[float],
) -> dict[str, object]:
    times = {"delay_ms": _some_ms(delay), "ttl_ms": _some_ms(ttl)}
    return _present({"key": key, "group": group, "priority": priority, **times})


def _bytes(body: object) -> bytes:
    if isinstance(body, bytes):
        return body
    if isinstance(body, str):
        return body.encode()
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()


def _options_of(item: Item) -> dict[str, object]:
    return _options(item.key, item.group, item.priority, item.delay, item.ttl)


def _line(body: bytes, options: Mapping[str, object]) -> bytes:
    try:
        line = {"body": body.decode(), **options}
    except UnicodeDecodeError:
        line = {"body_base64": base64.b64encode(body).decode(), **options}
    return json.dumps(line, ensure_ascii=False).encode() + b"\n"


@dataclasses.dataclass(frozen=True)
class _Request:
    body: bytes
    media_type: str
    options: Mapping[str, object]


def _raw(body: bytes, options: Mapping[str, object]) -> _Request:
    return _Request(body, "application/octet-stream", options)


def _lines(batch: list[bytes]) -> _Request:
    return _Request(b"".join(batch), "application/x-ndjson", {})


def _requests(items: Iterable[Union[Body, Item]]) -> Iterator[_Request]:
    """The items in their order: many as lines, a large one alone."""
    batch: list[bytes] = []
    size = 0
    for given in items:
        item = given if isinstance(given, Item) else Item(given)
        body = _bytes(item.body)
        large = len(body) > _RAW_BYTES
        line = b"" if large else _line(body, _options_of(item))
        if batch and (large or size + len(line) > _BATCH_BYTES or len(batch) == _BATCH_ITEMS):
            yield _lines(batch)
            batch, size = [], 0
        if large:
            yield _raw(body, _options_of(item))
        else:
            batch.append(line)
            size += len(line)
    if batch:
        yield _lines(batch)


def _numbered(requests: Iterator[_Request]) -> Iterator[tuple[int, _Request, bool]]:
    """Each with its number from 1, and whether it is the last. Without any there is one of no items."""
    number, request = 1, next(requests, _lines([]))
    for following in requests:
        yield number, request, False
        number, request = number + 1, following
    yield number, request, True
