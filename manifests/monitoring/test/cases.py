"""When each alert fires, and when it does not: near cases on both sides, and ordinary ones.

Texts are written out as an operator will read them. Knows nothing of how rules are written or judged.
"""

from dataclasses import dataclass

# Of most series here, as Prometheus adds them.
SERVER = 'namespace="batch",job="memq"'
QUEUE = SERVER + ',queue="thumbs"'
CONTROLLER = 'namespace="batch",job="memq-controller"'
SPEC = CONTROLLER + ',spec="nightly"'
AT_SERVER = {"namespace": "batch", "job": "memq"}
AT_QUEUE = {"namespace": "batch", "queue": "thumbs"}
AT_CONTROLLER = {"namespace": "batch", "job": "memq-controller"}
AT_SPEC = {"namespace": "batch", "spec": "nightly"}


@dataclass(frozen=True)
class Case:
    """Series by their values a minute, in promtool's way of writing them, and what they lead to: nothing `at` a minute, or an alert."""

    rule: str
    story: str
    series: dict
    at: int


@dataclass(frozen=True)
class Fires(Case):
    """What is wrong is so since the minute `at`: no alert before it has held for as long as the rule says, and then this one."""

    labels: dict
    summary: str
    description: str


def series(name, where, values, **labels):
    more = "".join(f',{label}="{value}"' for label, value in labels.items())
    return {f"{name}{{{where}{more}}}": values}


def total(values, limit):
    return series("memq_limits_hit_total", SERVER, values, limit=limit)


def answered(good, bad):
    name = "memq_http_request_duration_seconds_count"
    return series(name, SERVER, good, status="2xx") | series(name, SERVER, bad, status="5xx")


def held(live, items="10+0x60", bytes_="10+0x60"):
    gauges = {"log_left": "8000+0x60", "log_length": "1000+0x60", "log_live": live, "held": bytes_, "max_held": "100+0x60"}
    out = {f"memq_{name}_bytes{{{SERVER}}}": values for name, values in gauges.items()}
    return out | {f"memq_held_items{{{SERVER}}}": items, f"memq_max_held_items{{{SERVER}}}": "100+0x60"}


def syncs(fast, all_of_them):
    name = "memq_log_sync_duration_seconds_bucket"
    return series(name, SERVER, fast, le="0.25") | series(name, SERVER, all_of_them, le="1") | series(name, SERVER, all_of_them, le="+Inf")


def queue(ready="0+0x200", leased="0+0x200", parked="0+0x200", paused="0+0x200", oldest_ready="0+0x200", oldest="0+0x200", backlog="0+0x200"):
    return (
        series("memq_queue_items", QUEUE, ready, state="ready")
        | series("memq_queue_items", QUEUE, leased, state="leased")
        | series("memq_queue_parked_calls", QUEUE, parked)
        | series("memq_queue_is", QUEUE, paused, flag="paused")
        | series("memq_queue_oldest_ready_seconds", QUEUE, oldest_ready)
        | series("memq_queue_oldest_item_seconds", QUEUE, oldest)
        | series("memq_queue_backlog_items", QUEUE, backlog)
    )


def events(queue_=QUEUE, **values):
    names = ("leased", "taken", "acked", "nacked", "released", "dead", "lease_expired")
    out = {}
    for name in names:
        out |= series("memq_queue_events_total", queue_, values.get(name, "7+0x200"), event=name)
    return out


def requests(good, bad, status):
    name = "memq_controller_api_requests_total"
    return series(name, CONTROLLER, good, method="GET", status="2xx") | series(name, CONTROLLER, bad, method="GET", status=status)


SERVERS = (
    Fires(
        "MemqServerDown", "a server goes away, and its series with it",
        series("memq_ready", SERVER, "1+0x10 stale"), 11, AT_SERVER,
        "memq server memq in namespace batch is gone",
        "It was scraped within the last day and is no longer. Nothing can be enqueued, leased or settled while it is down; what it acknowledged is on its disk.",
    ),
    Fires(
        "MemqServerDown", "outside of Kubernetes there is no namespace",
        {'memq_ready{job="memq"}': "1+0x10 stale"}, 11, {"job": "memq"},
        "memq server memq is gone",
        "It was scraped within the last day and is no longer. Nothing can be enqueued, leased or settled while it is down; what it acknowledged is on its disk.",
    ),
    Case("MemqServerDown", "it is away for two minutes", series("memq_ready", SERVER, "1+0x10 stale _ 1+0x10"), 14),
    Case(
        "MemqServerDown", "a new pod takes over at another address",
        series("memq_ready", SERVER, "1+0x10 stale", instance="10.0.0.1:8080") | series("memq_ready", SERVER, "_x11 1+0x20", instance="10.0.0.2:8080"), 20,
    ),
    Case("MemqServerDown", "it was taken away on purpose a day ago", series("memq_ready", SERVER, "1+0x10 stale"), 1500),
    Fires(
        "MemqServerNotReady", "it recovers for ever",
        series("memq_ready", SERVER, "0+0x10"), 0, AT_SERVER,
        "memq server memq in namespace batch is not ready",
        "It answers but serves nothing: it still reads its log, waits for a restore, or does not end. Ten million items take seconds to read.",
    ),
    Case("MemqServerNotReady", "it recovers for four minutes", series("memq_ready", SERVER, "0+0x4 1+0x10"), 6),
    Case("MemqServerNotReady", "it serves", series("memq_ready", SERVER, "1+0x20"), 10),
    Fires(
        "MemqServerFull", "its storage is full, and producers try on",
        total("0+0x5 6+6x20", "storage_full"), 6, AT_SERVER,
        "memq server memq in namespace batch is full and refuses items",
        "About 30 calls were refused in five minutes because the storage, --max-items or --max-bytes is full. What is there is worked off all the same.",
    ),
    Case("MemqServerFull", "it was full for a moment", total("0+0x5 6 12 12+0x20", "storage_full"), 15),
    Case("MemqServerFull", "a queue is full, which is its own limit", total("0+6x20", "queue_full"), 15),
    Fires(
        "MemqServerNearlyFull", "what lives is past four fifths of the room for it",
        held("3204+0x60"), 0, AT_SERVER,
        "memq server memq in namespace batch is 80.1% full",
        "At 100 % it refuses new items. The fullest of three is told: the storage, --max-items and --max-bytes.",
    ),
    Case("MemqServerNearlyFull", "it is just below", held("3196+0x60"), 20),
    Fires(
        "MemqServerNearlyFull", "the number of items is what is nearly reached",
        held("100+0x60", items="95+0x60"), 0, AT_SERVER,
        "memq server memq in namespace batch is 95% full",
        "At 100 % it refuses new items. The fullest of three is told: the storage, --max-items and --max-bytes.",
    ),
    Case("MemqServerNearlyFull", "a burst comes and goes", held("100+0x5 3900+0x5 100+0x30"), 20),
    Fires(
        "MemqServerNearlyFull", "a server in memory has no log",
        series("memq_held_bytes", SERVER, "90+0x60") | series("memq_max_held_bytes", SERVER, "100+0x60"), 0, AT_SERVER,
        "memq server memq in namespace batch is 90% full",
        "At 100 % it refuses new items. The fullest of three is told: the storage, --max-items and --max-bytes.",
    ),
    Fires(
        "MemqServerRefuses", "clients come with a token that is not known any more",
        total("0+4x60", "unauthenticated"), 8, AT_SERVER | {"limit": "unauthenticated"},
        "memq server memq in namespace batch refuses calls: unauthenticated",
        "About 40 calls were refused in ten minutes by the limit unauthenticated, and it goes on.",
    ),
    Case("MemqServerRefuses", "two calls a minute are refused", total("0+2x60", "queue_full"), 30),
    Case("MemqServerRefuses", "queues keep to their rate, as they were told", total("0+600x60", "rate_limited"), 30),
    Fires(
        "MemqServerErrors", "six calls in a hundred fail",
        answered("0+94x60", "0+6x60"), 1, AT_SERVER,
        "memq server memq in namespace batch fails 6% of the calls",
        "These calls were answered with 5xx: the server is full, is overloaded, or has a mistake.",
    ),
    Case("MemqServerErrors", "four in a hundred", answered("0+96x60", "0+4x60"), 25),
    Case("MemqServerErrors", "nobody calls", answered("9+0x60", "1+0x60"), 25),
    Fires(
        "MemqStorageSlow", "two syncs in a hundred take most of a second",
        syncs("0+98x60", "0+100x60"), 1, AT_SERVER,
        "the storage of memq server memq in namespace batch is slow",
        "One sync in a hundred takes more than 625ms. Every answer waits for one.",
    ),
    Case("MemqStorageSlow", "one in eighty takes four tenths of one", syncs("0+79x60", "0+80x60"), 30),
)

QUEUES = (
    Fires(
        "MemqQueueWithoutWorkers", "items wait, and no worker comes",
        queue(ready="5+0x60", oldest_ready="0+60x60") | events(), 11, AT_QUEUE,
        "nobody works on queue thumbs in namespace batch",
        "Its oldest ready item has waited for 17m 0s; no worker has an item of it or waits for one.",
    ),
    Case("MemqQueueWithoutWorkers", "they have waited for ten minutes", queue(ready="5+0x60", oldest_ready="0+60x10 600+0x60") | events(), 30),
    Case("MemqQueueWithoutWorkers", "workers have other items of it", queue(ready="5+0x60", oldest_ready="0+60x60", leased="2+0x60") | events(), 30),
    Case("MemqQueueWithoutWorkers", "a worker waits: the queue keeps to its rate", queue(ready="5+0x60", oldest_ready="0+60x60", parked="1+0x60") | events(), 30),
    Case("MemqQueueWithoutWorkers", "somebody paused it", queue(ready="5+0x60", oldest_ready="0+60x60", paused="1+0x60") | events(), 30),
    Case("MemqQueueWithoutWorkers", "kuard's consumers take from it", queue(ready="5+0x60", oldest_ready="0+60x60") | events(taken="0+1x60"), 30),
    Fires(
        "MemqQueueStalled", "workers hold items, and none ends",
        queue(leased="4+0x200", backlog="9+0x200", oldest="0+60x200") | events(), 91, AT_QUEUE,
        "queue thumbs in namespace batch does not move",
        "It has workers and 9 items to work on, and none of them has ended for an hour and a half.",
    ),
    Case("MemqQueueStalled", "one item an hour ends", queue(leased="4+0x200", backlog="9+0x200", oldest="0+60x200") | events(acked="0+0x30 1+0x55 2+0x55 3+0x60"), 170),
    Case("MemqQueueStalled", "it was filled eighty-five minutes ago", queue(leased="4+0x200", backlog="9+0x200", oldest="0+0x45 0+60x100") | events(), 130),
    Case("MemqQueueStalled", "there are no workers, which is another alert", queue(backlog="9+0x200", oldest="0+60x200") | events(), 180),
    Case("MemqQueueStalled", "nothing is left to do, and workers wait", queue(parked="4+0x200", oldest="0+60x200") | events(), 125),
    Case("MemqQueueStalled", "somebody paused it", queue(leased="4+0x200", backlog="9+0x200", oldest="0+60x200", paused="1+0x200") | events(), 125),
    Fires(
        "MemqDeadItemsGrow", "one in fourteen items dies",
        events(acked="0+13x60", dead="0+1x60"), 6, AT_QUEUE,
        "queue thumbs in namespace batch gives up items",
        "About 12 items died in half an hour, more than one in twenty of those that ended.",
    ),
    Case("MemqDeadItemsGrow", "one in twenty-five does", events(acked="0+24x60", dead="0+1x60"), 40),
    Fires(
        "MemqDeadItemsGrow", "seven died, and hardly any else ended",
        events(acked="0+0x60", dead="0+0x29 0+1x7 7+0x60"), 36, AT_QUEUE,
        "queue thumbs in namespace batch gives up items",
        "About 7 items died in half an hour, more than one in twenty of those that ended.",
    ),
    Case("MemqDeadItemsGrow", "four died, and hardly any else ended", events(acked="0+0x60", dead="0+0x29 0+1x4 4+0x60"), 50),
    Case("MemqDeadItemsGrow", "the sum of the less busy queues jumps", events(SERVER + ',queue="_other"', dead="0+100x60"), 40),
    Fires(
        "MemqRetryStorm", "two attempts of three fail",
        events(acked="0+1x60", nacked="0+2x60"), 11, AT_QUEUE,
        "most attempts on queue thumbs in namespace batch fail",
        "About 30 attempts failed in a quarter of an hour, more than half of all.",
    ),
    Case("MemqRetryStorm", "one of three fails", events(acked="0+4x60", nacked="0+2x60"), 35),
    Case("MemqRetryStorm", "few are tried at all", events(acked="0+0x60", nacked="0+1x60"), 35),
    Fires(
        "MemqLeasesExpire", "one worker in fourteen dies with its item",
        events(acked="0+13x60", lease_expired="0+1x60"), 6, AT_QUEUE,
        "workers of queue thumbs in namespace batch are lost",
        "About 12 leases ran out in half an hour, more than one in twenty: workers die, hang, or cannot reach the server. The items are done again.",
    ),
    Case("MemqLeasesExpire", "one in twenty-five dies", events(acked="0+24x60", lease_expired="0+1x60"), 40),
    Fires(
        "MemqLeasesExpire", "a node with seven workers was lost",
        events(acked="0+1x60", lease_expired="0+0x29 7+0x60"), 30, AT_QUEUE,
        "workers of queue thumbs in namespace batch are lost",
        "About 7 leases ran out in half an hour, more than one in twenty: workers die, hang, or cannot reach the server. The items are done again.",
    ),
    Case("MemqLeasesExpire", "a node with four workers was lost", events(acked="0+1x60", lease_expired="0+0x29 4+0x60"), 50),
)

RUNS = (
    Fires(
        "MemqControllerWithoutLeader", "two stand by, and none leads",
        series("memq_controller_leader", CONTROLLER, "0+0x20", pod="a") | series("memq_controller_leader", CONTROLLER, "0+0x20", pod="b"), 0, AT_CONTROLLER,
        "no memq controller memq-controller in namespace batch works",
        "None holds the lease, or none is there. Runs do not go on: no workers are started, added or replaced. Workers that run go on.",
    ),
    Fires(
        "MemqControllerWithoutLeader", "the only one goes away",
        series("memq_controller_leader", CONTROLLER, "1+0x10 stale"), 11, AT_CONTROLLER,
        "no memq controller memq-controller in namespace batch works",
        "None holds the lease, or none is there. Runs do not go on: no workers are started, added or replaced. Workers that run go on.",
    ),
    Case(
        "MemqControllerWithoutLeader", "the other one takes over after two minutes",
        series("memq_controller_leader", CONTROLLER, "1+0x5 stale", pod="a") | series("memq_controller_leader", CONTROLLER, "0+0x7 1+0x20", pod="b"), 12,
    ),
    Case("MemqControllerWithoutLeader", "one leads and one stands by", series("memq_controller_leader", CONTROLLER, "1+0x20", pod="a") | series("memq_controller_leader", CONTROLLER, "0+0x20", pod="b"), 15),
    Fires(
        "MemqControllerFailing", "it lacks a right",
        requests("0+7x60", "0+1x60", "403"), 1, AT_CONTROLLER,
        "the API server refuses memq controller memq-controller in namespace batch",
        "12.5% of its requests fail: it lacks a right, is throttled, or the API server is out of reach. Runs stand still or react late.",
    ),
    Case("MemqControllerFailing", "two requests in twenty-five get no answer", requests("0+23x60", "0+2x60", "error"), 30),
    Case("MemqControllerFailing", "others wrote first, which is everyday", requests("0+5x60", "0+5x60", "409"), 30),
    Fires(
        "MemqRunFailed", "the first failure of a spec",
        series("memq_runs_total", SPEC, "_x10 1+0x30", result="failed"), 10, AT_SPEC,
        "a run of nightly (controller in namespace batch) failed",
        "A run of this spec failed within the last quarter of an hour. `memq ls` names it, `memq why RUN` says why.",
    ),
    Fires(
        "MemqRunFailed", "a further one",
        series("memq_runs_total", SPEC, "3+0x30 4+0x30", result="failed"), 31, AT_SPEC,
        "a run of nightly (controller in namespace batch) failed",
        "A run of this spec failed within the last quarter of an hour. `memq ls` names it, `memq why RUN` says why.",
    ),
    Case("MemqRunFailed", "the last one failed an hour ago", series("memq_runs_total", SPEC, "_x10 1+0x90", result="failed"), 75),
    Case("MemqRunFailed", "runs succeed", series("memq_runs_total", SPEC, "0+1x60", result="succeeded") | series("memq_runs_total", SPEC, "0+0x60", result="failed"), 30),
    Fires(
        "MemqRunHeldUp", "no node takes its pods",
        series("memq_run_conditions", SPEC, "1+0x30", condition="CapacityBlocked"), 0, AT_SPEC | {"condition": "CapacityBlocked"},
        "a run of nightly (controller in namespace batch) is held up",
        "CapacityBlocked: its pods do not start. `memq why RUN` says what is in their way.",
    ),
    Case("MemqRunHeldUp", "a node came after ten minutes", series("memq_run_conditions", SPEC, "1+0x10 0+0x30", condition="CapacityBlocked"), 20),
    Fires(
        "MemqRunStuck", "it was cancelled, and does not end",
        series("memq_runs", SPEC, "1+0x60", phase="stopping"), 0, AT_SPEC | {"phase": "stopping"},
        "a run of nightly (controller in namespace batch) stays stopping",
        "It should have begun, or ended, within moments. `memq why RUN` says what it waits for.",
    ),
    Case("MemqRunStuck", "it took twenty minutes to stop", series("memq_runs", SPEC, "1+0x20 0+0x60", phase="stopping"), 35),
    Case("MemqRunStuck", "it runs for hours, as it should", series("memq_runs", SPEC, "1+0x200", phase="running"), 180),
    Fires(
        "MemqRunWillBeLate", "not even all workers would do",
        series("memq_run_conditions", SPEC, "1+0x30", condition="DeadlineInfeasible"), 0, AT_SPEC,
        "a run of nightly (controller in namespace batch) will miss its deadline",
        "No number of workers that it may have is enough. `memq show RUN` tells the cap that binds.",
    ),
    Case("MemqRunWillBeLate", "it was late for five minutes", series("memq_run_conditions", SPEC, "1+0x5 0+0x30", condition="DeadlineInfeasible"), 15),
)

CASES = SERVERS + QUEUES + RUNS
