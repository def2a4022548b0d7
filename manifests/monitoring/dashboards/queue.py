"""One queue."""

from ..grafana import Choice, Graph, Query, Row, Stat, Steps, bad_from
from .common import dashboard, runbook

ONE = 'namespace=~"$namespace",queue="$queue"'
EVENTS = f'memq_queue_events_total{{{ONE},event=~"%s"}}'


def rate(events, by=""):
    return f"sum{by} (rate({EVENTS % events}[$__rate_interval]))"


def items(state):
    return f'sum (memq_queue_items{{{ONE},state="{state}"}})'


def flag(name):
    return Query(f'max (memq_queue_is{{{ONE},flag="{name}"}})', name)


BACKLOG = f"sum (memq_queue_backlog_items{{{ONE}}})"
# Without a speed only an empty queue has one: 0. A queue that is stuck must not look like one that is done.
TIME_LEFT = f"{BACKLOG} / (sum (rate({EVENTS % 'acked|dead|taken'}[$__rate_interval])) > 0) or ({BACKLOG} == 0)"

NOW = Row(
    "Now",
    (
        Stat("Ready", "Items that wait for a worker.", (Query(items("ready")),), steps=Steps("text")),
        Stat("Leased", "Items that workers have.", (Query(items("leased")),), steps=Steps("text")),
        Stat(
            "Delayed",
            "Items that are not due yet, those that wait for their next attempt among them.",
            (Query(items("delayed")),),
            steps=Steps("text"),
        ),
        Stat(
            "Dead",
            "Items that were given up. `memq queue items QUEUE --state dead` shows why; `memq queue redrive` tries them again.",
            (Query(items("dead")),),
            steps=bad_from(1),
            help=runbook("MemqDeadItemsGrow"),
        ),
        Stat(
            "Done",
            "Items that were finished, as long as the queue has been there.",
            (Query(items("done")),),
            steps=Steps("text"),
        ),
        Stat(
            "Oldest ready item",
            "How long the oldest item that waits for a worker has been in the queue.",
            (Query(f"max (memq_queue_oldest_ready_seconds{{{ONE}}})"),),
            unit="s",
            steps=bad_from(600, 3600),
        ),
        Stat(
            "Waiting workers",
            "Lease calls that wait for an item: idle workers.",
            (Query(f"sum (memq_queue_parked_calls{{{ONE}}})"),),
            steps=Steps("text"),
        ),
        Stat(
            "Time left",
            "The backlog by the speed of the last minutes. No value while nothing is finished and something is left.",
            (Query(TIME_LEFT),),
            unit="s",
            steps=Steps("text"),
        ),
        Stat(
            "Paused",
            "A paused queue gives no items to workers.",
            (flag("paused"),),
            words={0: ("no", "text"), 1: ("paused", "yellow")},
            width=6,
        ),
        Stat(
            "Sealed",
            "A sealed queue takes no more items.",
            (flag("sealed"),),
            words={0: ("open", "text"), 1: ("sealed", "blue")},
            width=6,
        ),
        Stat(
            "Drained",
            "Drained: sealed, and nothing is left to do. Workers that run until then end.",
            (flag("drained"),),
            words={0: ("no", "text"), 1: ("drained", "green")},
            width=6,
        ),
        Stat(
            "Empty",
            "Empty: nothing is left to do, and nothing came in for a moment.",
            (flag("empty"),),
            words={0: ("no", "text"), 1: ("empty", "green")},
            width=6,
        ),
    ),
)

FLOW = Row(
    "Flow",
    (
        Graph(
            "Items by state",
            "What the queue holds. Done items are not counted here.",
            (Query(f'sum by (state) (memq_queue_items{{{ONE},state!="done"}})', "{{state}}"),),
            width=12,
            stacked=True,
        ),
        Graph(
            "In and out",
            "Items a second that came in, were given to workers, and left as done. Taken are those of kuard's API, which have no lease. Duplicates were in the queue already.",
            (Query(rate("enqueued|duplicates|leased|acked|taken", " by (event)"), "{{event}}"),),
            unit="cps",
            width=12,
        ),
        Graph(
            "Age",
            "How long the oldest ready item, and the oldest that is ready, leased or delayed, has been in the queue. If the first grows there are too few workers.",
            (
                Query(f"max (memq_queue_oldest_ready_seconds{{{ONE}}})", "oldest ready"),
                Query(f"max (memq_queue_oldest_item_seconds{{{ONE}}})", "oldest"),
            ),
            unit="s",
            width=12,
        ),
        Graph(
            "Workers",
            "Items that workers have, and calls of workers that wait for one.",
            (Query(items("leased"), "busy"), Query(f"sum (memq_queue_parked_calls{{{ONE}}})", "waiting")),
            width=12,
            help=runbook("MemqQueueWithoutWorkers", "MemqQueueStalled"),
        ),
    ),
)

TROUBLE = Row(
    "What went wrong",
    (
        Graph(
            "Failures",
            "Items a second that failed an attempt, that lost their worker before it ended, and that were given up.",
            (Query(rate("nacked|lease_expired|dead", " by (event)"), "{{event}}"),),
            unit="cps",
            width=12,
            help=runbook("MemqRetryStorm", "MemqLeasesExpire"),
        ),
        Graph(
            "Failed share",
            "Of the attempts that ended, those that failed or lost their worker.",
            (
                Query(
                    f"{rate('nacked|lease_expired')} / (sum (rate({EVENTS % 'acked|nacked|lease_expired'}[$__rate_interval])) > 0) or {rate('nacked|lease_expired')}",
                    "failed",
                ),
            ),
            unit="percentunit",
            width=12,
            top=1,
            steps=bad_from(0.1, 0.5),
            show_limits=True,
        ),
        Graph(
            "Items that left otherwise",
            "Items a second that were given back unspent, outlived their time, were cancelled or purged; and dead ones that are tried again.",
            (Query(rate("released|item_expired|cancelled|purged|redriven", " by (event)"), "{{event}}"),),
            unit="cps",
            width=12,
        ),
        Graph(
            "Dead items",
            "Items that were given up and are still there.",
            (Query(items("dead"), "dead"),),
            width=12,
            steps=bad_from(1),
        ),
    ),
)


def limited(used, title, most, setting):
    return Query(f"sum ({used})", title), Query(f"sum (memq_queue_{setting}{{{ONE}}})", most)


LIMITS = Row(
    "Limits of the queue",
    (
        Graph(
            "Items",
            "Items that count against `max_items`, and that limit if the queue has it. Beyond it enqueues are refused.",
            limited(f'memq_queue_items{{{ONE},state=~"ready|leased|delayed|dead"}}', "held", "max_items", "max_items"),
            width=6,
        ),
        Graph(
            "Bytes",
            "Bytes of bodies, and `max_bytes` if the queue has it. Beyond it enqueues are refused.",
            limited(f"memq_queue_bytes{{{ONE}}}", "held", "max_bytes", "max_bytes"),
            unit="bytes",
            width=6,
        ),
        Graph(
            "Leased at a time",
            "Items that workers have, and `max_leased` if the queue has it. At it further workers wait.",
            limited(f'memq_queue_items{{{ONE},state="leased"}}', "leased", "max_leased", "max_leased"),
            width=6,
        ),
        Graph(
            "Leases a second",
            "Items a second that were given to workers, and `rate_per_s` if the queue has it. At it workers wait.",
            limited(f"rate({EVENTS % 'leased'}[$__rate_interval])", "leases", "rate_per_s", "max_leases_per_second"),
            unit="cps",
            width=6,
        ),
    ),
)

DASHBOARD = dashboard(
    "memq-queue",
    "memq / Queue",
    "One queue: what it holds, how fast it moves, what went wrong, and its limits.",
    (Choice("queue", "Queue", 'memq_queue_items{namespace=~"$namespace"}', several=False),),
    NOW,
    FLOW,
    TROUBLE,
    LIMITS,
)
