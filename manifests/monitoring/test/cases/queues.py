"""When alerts about a queue fire."""

from .common import SERVER, Case, Fires, series

QUEUE = SERVER + ',queue="thumbs"'
AT_QUEUE = {"namespace": "batch", "queue": "thumbs"}


def queue(
    ready="0+0x200",
    leased="0+0x200",
    parked="0+0x200",
    paused="0+0x200",
    oldest_ready="0+0x200",
    backlog="0+0x200",
):
    return (
        series("memq_queue_items", QUEUE, ready, state="ready")
        | series("memq_queue_items", QUEUE, leased, state="leased")
        | series("memq_queue_parked_calls", QUEUE, parked)
        | series("memq_queue_is", QUEUE, paused, flag="paused")
        | series("memq_queue_oldest_ready_seconds", QUEUE, oldest_ready)
        | series("memq_queue_backlog_items", QUEUE, backlog)
    )


def events(queue_=QUEUE, **values):
    names = ("leased", "taken", "acked", "nacked", "released", "dead", "lease_expired")
    out = {}
    for name in names:
        out |= series("memq_queue_events_total", queue_, values.get(name, "7+0x200"), event=name)
    return out


CASES = (
    Fires(
        "MemqQueueWithoutWorkers",
        "items wait, and no worker comes",
        queue(ready="0+0x4 5+0x60") | events(),
        5,
        AT_QUEUE,
        "nobody works on queue thumbs in namespace batch",
        "It has 5 ready items, and has had some for a quarter of an hour; no worker has an item of it or waits for one.",
    ),
    Fires(
        "MemqQueueWithoutWorkers",
        "the last worker went ten minutes ago",
        queue(ready="5+0x60", leased="2+0x10 0+0x60") | events(leased="0+1x10 10+0x60"),
        20,
        AT_QUEUE,
        "nobody works on queue thumbs in namespace batch",
        "It has 5 ready items, and has had some for a quarter of an hour; no worker has an item of it or waits for one.",
    ),
    Case(
        "MemqQueueWithoutWorkers",
        "items that came in two days ago are redriven, and workers come after ten minutes",
        queue(ready="0+0x9 5+0x9 0+0x60", leased="0+0x19 5+0x60", oldest_ready="0+0x9 172800+60x9 0+0x60") | events(),
        24,
    ),
    Case(
        "MemqQueueWithoutWorkers",
        "workers have other items of it",
        queue(ready="5+0x60", leased="2+0x60") | events(),
        30,
    ),
    Case(
        "MemqQueueWithoutWorkers",
        "a worker waits: the queue keeps to its rate",
        queue(ready="5+0x60", parked="1+0x60") | events(),
        30,
    ),
    Case(
        "MemqQueueWithoutWorkers",
        "somebody paused it",
        queue(ready="5+0x60", paused="1+0x60") | events(),
        30,
    ),
    Case(
        "MemqQueueWithoutWorkers",
        "kuard's consumers take from it",
        queue(ready="5+0x60") | events(taken="0+1x60"),
        30,
    ),
    Fires(
        "MemqQueueStalled",
        "workers hold items, and none ends",
        queue(leased="4+0x200", backlog="9+0x200") | events(),
        1,
        AT_QUEUE,
        "queue thumbs in namespace batch does not move",
        "It has workers and 9 items to work on, and none of them has ended for an hour and a half.",
    ),
    Fires(
        "MemqQueueStalled",
        "items of last week are redriven, and none ends",
        queue(
            leased="0+0x45 4+0x150",
            parked="4+0x45 0+0x150",
            backlog="0+0x45 9+0x150",
            oldest_ready="0+0x45 604800+60x150",
        )
        | events(),
        46,
        AT_QUEUE,
        "queue thumbs in namespace batch does not move",
        "It has workers and 9 items to work on, and none of them has ended for an hour and a half.",
    ),
    Case(
        "MemqQueueStalled",
        "an item ends every eighty minutes",
        queue(leased="4+0x200", backlog="9+0x200") | events(acked="0+0x30 1+0x79 2+0x79 3+0x20"),
        189,
    ),
    Case(
        "MemqQueueStalled",
        "there are no workers, which is another alert",
        queue(backlog="9+0x200") | events(),
        180,
    ),
    Case("MemqQueueStalled", "nothing is left to do, and workers wait", queue(parked="4+0x200") | events(), 125),
    Case(
        "MemqQueueStalled",
        "somebody paused it",
        queue(leased="4+0x200", backlog="9+0x200", paused="1+0x200") | events(),
        125,
    ),
    Fires(
        "MemqDeadItemsGrow",
        "one in fourteen items dies",
        events(acked="0+13x60", dead="0+1x60"),
        6,
        AT_QUEUE,
        "queue thumbs in namespace batch gives up items",
        "About 12 items died in half an hour, more than one in twenty of those that ended.",
    ),
    Case("MemqDeadItemsGrow", "one in twenty-five does", events(acked="0+24x60", dead="0+1x60"), 40),
    Fires(
        "MemqDeadItemsGrow",
        "seven died, and hardly any else ended",
        events(acked="0+0x60", dead="0+0x29 0+1x7 7+0x60"),
        36,
        AT_QUEUE,
        "queue thumbs in namespace batch gives up items",
        "About 7 items died in half an hour, more than one in twenty of those that ended.",
    ),
    Case(
        "MemqDeadItemsGrow",
        "four died, and hardly any else ended",
        events(acked="0+0x60", dead="0+0x29 0+1x4 4+0x60"),
        50,
    ),
    Case(
        "MemqDeadItemsGrow",
        "the sum of the less busy queues jumps",
        events(SERVER + ',queue="_other"', dead="0+100x60"),
        40,
    ),
    Fires(
        "MemqRetryStorm",
        "two attempts of three fail",
        events(acked="0+1x60", nacked="0+2x60"),
        11,
        AT_QUEUE,
        "most attempts on queue thumbs in namespace batch fail",
        "About 30 attempts failed in a quarter of an hour, more than half of all.",
    ),
    Case("MemqRetryStorm", "one of three fails", events(acked="0+4x60", nacked="0+2x60"), 35),
    Case("MemqRetryStorm", "few are tried at all", events(acked="0+0x60", nacked="0+1x60"), 35),
    Fires(
        "MemqLeasesExpire",
        "one worker in fourteen dies with its item",
        events(acked="0+13x60", lease_expired="0+1x60"),
        6,
        AT_QUEUE,
        "workers of queue thumbs in namespace batch are lost",
        "About 12 leases ran out in half an hour, more than one in twenty: workers die, hang, or cannot reach the server. The items are done again.",
    ),
    Case("MemqLeasesExpire", "one in twenty-five dies", events(acked="0+24x60", lease_expired="0+1x60"), 40),
    Fires(
        "MemqLeasesExpire",
        "a node with seven workers was lost",
        events(acked="0+1x60", lease_expired="0+0x29 7+0x60"),
        30,
        AT_QUEUE,
        "workers of queue thumbs in namespace batch are lost",
        "About 7 leases ran out in half an hour, more than one in twenty: workers die, hang, or cannot reach the server. The items are done again.",
    ),
    Case(
        "MemqLeasesExpire",
        "a node with four workers was lost",
        events(acked="0+1x60", lease_expired="0+0x29 4+0x60"),
        50,
    ),
)
