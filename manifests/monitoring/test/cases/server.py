"""When alerts about a server fire."""

from .common import SERVER, Case, Fires, series

AT_SERVER = {"namespace": "batch", "job": "memq"}


def total(values, limit):
    return series("memq_limits_hit_total", SERVER, values, limit=limit)


def answered(good, bad):
    name = "memq_http_request_duration_seconds_count"
    return series(name, SERVER, good, status="2xx") | series(name, SERVER, bad, status="5xx")


def held(live, items="10+0x60", bytes_="10+0x60"):
    gauges = {
        "log_left": "8000+0x60",
        "log_length": "1000+0x60",
        "log_live": live,
        "held": bytes_,
        "max_held": "100+0x60",
    }
    out = {f"memq_{name}_bytes{{{SERVER}}}": values for name, values in gauges.items()}
    return out | {f"memq_held_items{{{SERVER}}}": items, f"memq_max_held_items{{{SERVER}}}": "100+0x60"}


def syncs(fast, all_of_them):
    name = "memq_log_sync_duration_seconds_bucket"
    return (
        series(name, SERVER, fast, le="0.25")
        | series(name, SERVER, all_of_them, le="1")
        | series(name, SERVER, all_of_them, le="+Inf")
    )


CASES = (
    Fires(
        "MemqServerDown",
        "a server goes away, and its series with it",
        series("memq_ready", SERVER, "1+0x10 stale"),
        11,
        AT_SERVER,
        "memq server memq in namespace batch is gone",
        "It was scraped within the last day and is no longer. Nothing can be enqueued, leased or settled while it is down; what it acknowledged is on its disk.",
    ),
    Fires(
        "MemqServerDown",
        "outside of Kubernetes there is no namespace",
        {'memq_ready{job="memq"}': "1+0x10 stale"},
        11,
        {"job": "memq"},
        "memq server memq is gone",
        "It was scraped within the last day and is no longer. Nothing can be enqueued, leased or settled while it is down; what it acknowledged is on its disk.",
    ),
    Case("MemqServerDown", "it is away for two minutes", series("memq_ready", SERVER, "1+0x10 stale _ 1+0x10"), 14),
    Case(
        "MemqServerDown",
        "a new pod takes over at another address",
        series("memq_ready", SERVER, "1+0x10 stale", instance="10.0.0.1:8080")
        | series("memq_ready", SERVER, "_x11 1+0x20", instance="10.0.0.2:8080"),
        20,
    ),
    Case(
        "MemqServerDown", "it was taken away on purpose a day ago", series("memq_ready", SERVER, "1+0x10 stale"), 1500
    ),
    Fires(
        "MemqServerNotReady",
        "it recovers for ever",
        series("memq_ready", SERVER, "0+0x10"),
        0,
        AT_SERVER,
        "memq server memq in namespace batch is not ready",
        "It answers but serves nothing: it still reads its log, waits for a restore, or does not end. Ten million items take seconds to read.",
    ),
    Case("MemqServerNotReady", "it recovers for four minutes", series("memq_ready", SERVER, "0+0x4 1+0x10"), 6),
    Case("MemqServerNotReady", "it serves", series("memq_ready", SERVER, "1+0x20"), 10),
    Fires(
        "MemqServerFull",
        "its storage is full, and producers try on",
        total("0+0x5 6+6x20", "storage_full"),
        6,
        AT_SERVER,
        "memq server memq in namespace batch is full and refuses items",
        "About 30 calls were refused in five minutes because the storage, --max-items or --max-bytes is full. What is there is worked off all the same.",
    ),
    Case("MemqServerFull", "it was full for a moment", total("0+0x5 6 12 12+0x20", "storage_full"), 15),
    Case("MemqServerFull", "a queue is full, which is its own limit", total("0+6x20", "queue_full"), 15),
    Fires(
        "MemqServerNearlyFull",
        "what lives is past four fifths of the room for it",
        held("3204+0x60"),
        0,
        AT_SERVER,
        "memq server memq in namespace batch is 80.1% full",
        "At 100 % it refuses new items. The fullest of three is told: the storage, --max-items and --max-bytes.",
    ),
    Case("MemqServerNearlyFull", "it is just below", held("3196+0x60"), 20),
    Fires(
        "MemqServerNearlyFull",
        "the number of items is what is nearly reached",
        held("100+0x60", items="95+0x60"),
        0,
        AT_SERVER,
        "memq server memq in namespace batch is 95% full",
        "At 100 % it refuses new items. The fullest of three is told: the storage, --max-items and --max-bytes.",
    ),
    Case("MemqServerNearlyFull", "a burst comes and goes", held("100+0x5 3900+0x5 100+0x30"), 20),
    Fires(
        "MemqServerNearlyFull",
        "a server in memory has no log",
        series("memq_held_bytes", SERVER, "90+0x60") | series("memq_max_held_bytes", SERVER, "100+0x60"),
        0,
        AT_SERVER,
        "memq server memq in namespace batch is 90% full",
        "At 100 % it refuses new items. The fullest of three is told: the storage, --max-items and --max-bytes.",
    ),
    Fires(
        "MemqServerRefuses",
        "clients come with a token that is not known any more",
        total("0+4x60", "unauthenticated"),
        8,
        AT_SERVER | {"limit": "unauthenticated"},
        "memq server memq in namespace batch refuses calls: unauthenticated",
        "About 40 calls were refused in ten minutes by the limit unauthenticated, and it goes on.",
    ),
    Case("MemqServerRefuses", "two calls a minute are refused", total("0+2x60", "queue_full"), 30),
    Case("MemqServerRefuses", "queues keep to their rate, as they were told", total("0+600x60", "rate_limited"), 30),
    Fires(
        "MemqServerErrors",
        "six calls in a hundred fail",
        answered("0+94x60", "0+6x60"),
        1,
        AT_SERVER,
        "memq server memq in namespace batch fails 6% of the calls",
        "These calls were answered with 5xx: the server is full, is overloaded, or has a mistake.",
    ),
    Case("MemqServerErrors", "four in a hundred", answered("0+96x60", "0+4x60"), 25),
    Case("MemqServerErrors", "nobody calls", answered("9+0x60", "1+0x60"), 25),
    Fires(
        "MemqStorageSlow",
        "two syncs in a hundred take most of a second",
        syncs("0+98x60", "0+100x60"),
        1,
        AT_SERVER,
        "the storage of memq server memq in namespace batch is slow",
        "One sync in a hundred takes more than 625ms. Every answer waits for one.",
    ),
    Case("MemqStorageSlow", "one in eighty takes four tenths of one", syncs("0+79x60", "0+80x60"), 30),
)
