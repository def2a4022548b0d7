"""What workers make of their time."""

from ..grafana import Choice, Column, Graph, Query, Row, Stat, Steps, Table, bad_from
from .common import dashboard, runbook

# Spec and step come from the labels of the pod, by the PodMonitor.
WORKERS = 'namespace=~"$namespace",spec=~"$spec",step=~"$step"'


def rate(family, labels="", by=""):
    return f"sum{by} (rate(memq_worker_{family}{{{WORKERS}{labels}}}[$__rate_interval]))"


def slots(labels="", by=""):
    return f"sum{by} (memq_worker_slots{{{WORKERS}{labels}}})"


def busy(by=""):
    """Share of the slots' time that items took: of the slots that were seen, those that were seen busy. A rate of the seconds would be of workers
    that have ended, too, and too low for those that are new, and workers of a Job live for minutes."""

    def seen(labels=""):
        return f"sum{by} (sum_over_time(memq_worker_slots{{{WORKERS}{labels}}}[$__rate_interval]))"

    return seen(',state="busy"') + " / " + seen()


def good(by=""):
    """Share of the items that were acknowledged. Rows without an item in that time have none."""
    done = ',verdict="ack"'
    return f"{rate('items_total', done, by)} / ({rate('items_total', by=by)} > 0)"


SHARE = Steps("red", ((0.5, "yellow"), (0.8, "green")))

NOW = Row(
    "Now",
    (
        Stat(
            "Workers",
            "Workers that are scraped.",
            (Query(f'count (memq_worker_slots{{{WORKERS},state="busy"}})'),),
            steps=Steps("text"),
        ),
        Stat(
            "Busy slots",
            "Slots that have an item. A worker has one, or as many as `--concurrency` says.",
            (Query(slots(',state="busy"')),),
            steps=Steps("text"),
        ),
        Stat("Idle slots", "Slots that wait for an item.", (Query(slots(',state="idle"')),), steps=Steps("text")),
        Stat(
            "Time in use",
            "Share of the time of all slots that went into items. Low while there is a backlog: the queue's limits or the server hold workers up. Low "
            "without one: there are too many.",
            (Query(busy()),),
            unit="percentunit",
            steps=SHARE,
        ),
        Stat(
            "Items",
            "Items a second that were finished with, whatever the verdict.",
            (Query(rate("items_total")),),
            unit="cps",
            steps=Steps("text"),
        ),
        Stat(
            "Acknowledged",
            "Share of the items that were acknowledged: the rest was work for nothing.",
            (Query(good()),),
            unit="percentunit",
            steps=SHARE,
        ),
        Stat(
            "Time of an item",
            "What a handler took on average.",
            (Query(f"{rate('handler_duration_seconds_sum')} / ({rate('handler_duration_seconds_count')} > 0)"),),
            unit="s",
            steps=Steps("text"),
        ),
        Stat(
            "Lost",
            "Items a second whose lease ended before their worker did. Another worker does them again.",
            (Query(rate("items_total", ',verdict="lost"')),),
            unit="cps",
            steps=bad_from(0.001),
            help=runbook("MemqLeasesExpire"),
        ),
    ),
)

USE = Row(
    "Use of time",
    (
        Graph(
            "Slots",
            "Slots of all workers by what they do.",
            (Query(slots(by=" by (state)"), "{{state}}"),),
            stacked=True,
        ),
        Graph(
            "Time in use",
            "Share of the slots' time that went into items, by step.",
            (Query(busy(" by (spec, step)"), "{{spec}} {{step}}"),),
            unit="percentunit",
            top=1,
        ),
        Graph(
            "Time around handlers",
            "Seconds of slots a second that went into items but not into their handlers: fetching them, starting programs, settling.",
            (
                Query(f"clamp_min({rate('busy_seconds_total')} - {rate('handler_duration_seconds_sum')}, 0)", "around"),
                Query(rate("handler_duration_seconds_sum"), "in handlers"),
            ),
            unit="s",
            stacked=True,
        ),
    ),
)

ITEMS = Row(
    "Items",
    (
        Graph(
            "Items by verdict",
            "Items a second by what the server took as their verdict; lost are those whose lease ended first.",
            (Query(rate("items_total", by=" by (verdict)"), "{{verdict}}"),),
            unit="cps",
            stacked=True,
        ),
        Graph(
            "Time of handlers",
            "How long handlers took, by what they said of the item: half of them less than the p50, all but one in twenty less than the p95.",
            tuple(
                Query(
                    f"histogram_quantile({q}, {rate('handler_duration_seconds_bucket', by=' by (le, verdict)')})",
                    f"p{q * 100:.0f} {{{{verdict}}}}",
                )
                for q in (0.5, 0.95)
            ),
            unit="s",
        ),
        Graph(
            "Waiting in workers",
            "Items that were leased ahead (`--prefetch`) and wait for a slot, and items that are handled and not settled yet.",
            (
                Query(f"sum (memq_worker_items_ahead{{{WORKERS}}})", "ahead"),
                Query(f"sum (memq_worker_unsettled_items{{{WORKERS}}})", "unsettled"),
            ),
        ),
    ),
)

SERVER = Row(
    "Calls to the server",
    (
        Graph(
            "Calls",
            "Calls a second by how they ended. One that is repeated until it is answered counts once.",
            (Query(rate("calls_total", by=" by (call, result)"), "{{call}} {{result}}"),),
            unit="cps",
            width=12,
        ),
        Graph(
            "Repeated tries",
            "Tries a second that failed and were made again: the server was away, or the network.",
            (Query(rate("call_retries_total"), "tries"),),
            unit="cps",
            width=12,
        ),
        Table.of(
            "By step",
            "As of now. Steps with long backlogs and little time in use are worth a look.",
            ("namespace", "spec", "step"),
            Column("Workers", f'count by (namespace, spec, step) (memq_worker_slots{{{WORKERS},state="busy"}})'),
            Column("Slots", slots(by=" by (namespace, spec, step)")),
            Column("Time in use", busy(" by (namespace, spec, step)"), "percentunit", SHARE),
            Column("Items", rate("items_total", by=" by (namespace, spec, step)"), "cps"),
            Column("Acknowledged", good(" by (namespace, spec, step)"), "percentunit", SHARE),
        ),
    ),
)

DASHBOARD = dashboard(
    "memq-workers",
    "memq / Workers",
    "What workers make of their time: slots, items, handlers, and calls to the server.",
    (
        Choice(
            "spec",
            "Spec",
            'memq_worker_slots{namespace=~"$namespace"}',
            "What the runs of the workers are called but for the letters that generateName adds.",
        ),
        Choice("step", "Step", 'memq_worker_slots{namespace=~"$namespace",spec=~"$spec"}'),
    ),
    NOW,
    USE,
    ITEMS,
    SERVER,
)
