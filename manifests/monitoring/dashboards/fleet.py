"""All servers and queues on one page."""

from ..grafana import Column, Graph, Link, Query, Row, Stat, Steps, Table, bad_from
from ..words import storage
from .common import TAIL, dashboard, quantiles, runbook

ALL = 'namespace=~"$namespace"'
# What leaves the busiest thousand queues, or comes back to them, makes the sum of the rest jump: no rate of that.
EVENTS = f'memq_queue_events_total{{{ALL},queue!="_other",event=~"%s"}}'
TO_QUEUE = Link(
    "Show this queue", "/d/memq-queue?var-namespace=${__data.fields.namespace}&var-queue=${__data.fields.queue}&" + TAIL
)
TO_QUEUE_OF_LINE = Link("Show this queue", "/d/memq-queue?var-queue=${__field.labels.queue}&" + TAIL)


def rate(events, by=""):
    return f"sum{by} (rate({EVENTS % events}[$__rate_interval]))"


def items(state):
    return f'sum (memq_queue_items{{{ALL},state="{state}"}})'


NOW = Row(
    "Now",
    (
        Stat(
            "Servers ready",
            "Servers that may serve: not while they recover, are restored or stop.",
            (Query(f"sum (memq_ready{{{ALL}}})"),),
            steps=Steps("red", ((1, "green"),)),
            help=runbook("MemqServerDown", "MemqServerNotReady"),
        ),
        Stat(
            "Alerts",
            "Alerts of memq that fire. They are drawn over the graphs as well.",
            (Query(f'count (ALERTS{{alertname=~"Memq.+",alertstate="firing",{ALL}}}) or vector(0)'),),
            steps=Steps("green", ((1, "red"),)),
        ),
        Stat("Queues", "Queues on all servers.", (Query(f"sum (memq_queues{{{ALL}}})"),), steps=Steps("text")),
        Stat("Ready", "Items that wait for a worker.", (Query(items("ready")),), steps=Steps("text")),
        Stat("Leased", "Items that workers have.", (Query(items("leased")),), steps=Steps("text")),
        Stat(
            "Dead",
            "Items that were given up: out of attempts, or found to be poison. They wait to be redriven or purged.",
            (Query(items("dead")),),
            steps=bad_from(1),
        ),
        Stat(
            "Done", "Items a second that were finished.", (Query(rate("acked|taken")),), unit="cps", steps=Steps("text")
        ),
        Stat(
            "Oldest ready item",
            "How long the oldest item that waits for a worker has been in its queue.",
            (Query(f"max (memq_queue_oldest_ready_seconds{{{ALL}}})"),),
            unit="s",
            steps=bad_from(600, 3600),
        ),
    ),
)

QUEUES = Row(
    "Queues",
    (
        Graph(
            "Items by state",
            "What all queues hold. Done items are not counted here.",
            (Query(f'sum by (state) (memq_queue_items{{{ALL},state!="done"}})', "{{state}}"),),
            stacked=True,
        ),
        Graph(
            "In and out",
            "Items a second that came in, were given to workers, and left as done. Taken are those of kuard's API, which have no lease.",
            (Query(rate("enqueued|leased|acked|taken", " by (event)"), "{{event}}"),),
            unit="cps",
        ),
        Graph(
            "What went wrong",
            "Items a second that failed an attempt, lost their worker, were given up, outlived their time or were cancelled.",
            (Query(rate("nacked|lease_expired|dead|item_expired|cancelled", " by (event)"), "{{event}}"),),
            unit="cps",
        ),
        Graph(
            "Longest backlogs",
            "The ten queues with the most items that could be worked on now.",
            (Query(f"topk (10, sum by (namespace, queue) (memq_queue_backlog_items{{{ALL}}}))", "{{queue}}"),),
            width=12,
            links=(TO_QUEUE_OF_LINE,),
        ),
        Graph(
            "Oldest ready items",
            "The ten queues whose oldest item that waits for a worker came in longest ago.",
            (Query(f"topk (10, max by (namespace, queue) (memq_queue_oldest_ready_seconds{{{ALL}}}))", "{{queue}}"),),
            unit="s",
            width=12,
            links=(TO_QUEUE_OF_LINE,),
            steps=bad_from(600, 3600),
            show_limits=True,
            help=runbook("MemqQueueWithoutWorkers"),
        ),
        Table.of(
            "All queues",
            "As of now. `_other` is the sum of all queues but the thousand busiest of a server. A click on a name shows its queue.",
            ("namespace", "queue"),
            Column("Backlog", f"sum by (namespace, queue) (memq_queue_backlog_items{{{ALL}}})"),
            *(
                Column(
                    state.capitalize(),
                    f'sum by (namespace, queue) (memq_queue_items{{{ALL},state="{state}"}})',
                    steps=steps,
                )
                for state, steps in (("ready", None), ("leased", None), ("delayed", None), ("dead", bad_from(1)))
            ),
            Column(
                "Oldest ready",
                f"max by (namespace, queue) (memq_queue_oldest_ready_seconds{{{ALL}}})",
                "s",
                bad_from(600, 3600),
            ),
            Column("In", rate("enqueued", " by (namespace, queue)"), "cps"),
            Column("Done", rate("acked|taken", " by (namespace, queue)"), "cps"),
            links=(TO_QUEUE,),
        ),
    ),
)

TIMES = Row(
    "Waiting and handling",
    (
        Graph(
            "Time until leased",
            "How long items had been ready when a worker got them.",
            quantiles("memq_lease_wait_seconds", ALL),
            unit="s",
        ),
        Graph(
            "Time leased",
            "How long workers had items, by how that ended: half of them less than the p50, all but one in twenty less than the p95.",
            quantiles("memq_item_duration_seconds", ALL, by=("as",), of=(0.5, 0.95)),
            unit="s",
        ),
        Graph(
            "Parked calls",
            "Calls that wait on the server, most of them those of workers that wait for an item, and the most that may.",
            (
                Query(f"sum (memq_parked_calls{{{ALL}}})", "parked"),
                Query(f"sum (memq_max_parked_calls{{{ALL}}})", "most"),
            ),
        ),
    ),
)

HTTP = Row(
    "HTTP",
    (
        Graph(
            "Requests",
            "Requests a second by status.",
            (
                Query(
                    f"sum by (status) (rate(memq_http_request_duration_seconds_count{{{ALL}}}[$__rate_interval]))",
                    "{{status}}",
                ),
            ),
            unit="reqps",
            stacked=True,
            help=runbook("MemqServerErrors"),
        ),
        Graph(
            "Time by route",
            "How long all but one in twenty requests took at most, of the ten slowest routes. Calls that wait, as leases do, count that time.",
            (
                Query(
                    f"topk (10, histogram_quantile(0.95, sum by (le, method, route) (rate(memq_http_request_duration_seconds_bucket{{{ALL}}}[$__rate_interval]))))",
                    "{{method}} {{route}}",
                ),
            ),
            unit="s",
        ),
        Graph(
            "Connections",
            "Connections that are open, and how many are made a second: a client that makes one for each call is slow and costs much.",
            (
                Query(f"sum (memq_http_connections{{{ALL}}})", "open"),
                Query(f"sum (rate(memq_http_connections_total{{{ALL}}}[$__rate_interval]))", "made a second"),
            ),
        ),
    ),
)


def share(of, most):
    return f"max (memq_{of}{{{ALL}}} / memq_{most}{{{ALL}}})"


LIMITS = Row(
    "Limits",
    (
        Graph(
            "How full",
            "What the fullest server has of what it may have. At 100 % it refuses. Storage counts the room that is kept to end all items and to compact the log.",
            (
                Query(share("held_items", "max_held_items"), "items"),
                Query(share("held_bytes", "max_held_bytes"), "bytes"),
                Query(share("queues", "max_queues"), "queues"),
                Query(share("parked_calls", "max_parked_calls"), "parked calls"),
                Query(share("http_connections", "http_max_connections"), "connections"),
                Query(f"max ({storage('{' + ALL + '}')})", "storage"),
            ),
            unit="percentunit",
            width=12,
            steps=bad_from(0.8, 1),
            show_limits=True,
            help=runbook("MemqServerNearlyFull", "MemqServerFull"),
        ),
        Graph(
            "Refused",
            "Calls a second that met a limit. rate_limited and max_leased are a queue's own limits doing their work.",
            (Query(f"sum by (limit) (rate(memq_limits_hit_total{{{ALL}}}[$__rate_interval]))", "{{limit}}"),),
            unit="cps",
            width=12,
            help=runbook("MemqServerRefuses"),
        ),
    ),
)

LOG = Row(
    "Log and disk",
    (
        Graph(
            "Time of a sync",
            "Every answer waits for one. A disk that takes long makes everything slow.",
            quantiles("memq_log_sync_duration_seconds", ALL),
            unit="s",
            help=runbook("MemqStorageSlow"),
        ),
        Graph(
            "Syncs",
            "Syncs a second, and the groups of records that they wrote: under load several share one.",
            (
                Query(f"sum (rate(memq_log_syncs_total{{{ALL}}}[$__rate_interval]))", "syncs"),
                Query(f"sum (rate(memq_log_frames_total{{{ALL}}}[$__rate_interval]))", "frames"),
                Query(f"sum (rate(memq_log_compactions_total{{{ALL}}}[$__rate_interval]))", "compactions"),
            ),
            unit="cps",
        ),
        Graph(
            "Written",
            "Bytes a second that went into the log.",
            (Query(f"sum (rate(memq_log_written_bytes_total{{{ALL}}}[$__rate_interval]))", "written"),),
            unit="Bps",
        ),
        Graph(
            "Size of the log",
            "What it takes on disk, how much of it is still needed, and what may yet be appended.",
            (
                Query(f"sum (memq_log_disk_bytes{{{ALL}}})", "files"),
                Query(f"sum (memq_log_length_bytes{{{ALL}}})", "kept"),
                Query(f"sum (memq_log_live_bytes{{{ALL}}})", "live"),
                Query(f"sum (memq_log_left_bytes{{{ALL}}})", "left"),
            ),
            unit="bytes",
        ),
        Graph(
            "Disk",
            "The file system of the data: others may fill it too.",
            (
                Query(f"sum (memq_disk_free_bytes{{{ALL}}})", "free"),
                Query(f"sum (memq_disk_size_bytes{{{ALL}}})", "size"),
            ),
            unit="bytes",
        ),
        Graph(
            "Last recovery",
            "How long the log was read when the server started last.",
            (Query(f"max (memq_recovery_duration_seconds{{{ALL}}})", "recovery"),),
            unit="s",
        ),
    ),
)


def process(expr):
    return f"sum by (program) ({expr} * on (namespace, job, instance) group_left (program) memq_build_info{{{ALL}}})"


PROCESSES = Row(
    "Processes",
    (
        Graph(
            "Processors",
            "Seconds of a processor a second, by program.",
            (Query(process(f"rate(process_cpu_seconds_total{{{ALL}}}[$__rate_interval])"), "{{program}}"),),
            unit="cores",
        ),
        Graph(
            "Memory",
            "Memory in RAM, by program.",
            (Query(process(f"process_resident_memory_bytes{{{ALL}}}"), "{{program}}"),),
            unit="bytes",
        ),
        Graph(
            "Descriptors",
            "File descriptors that are open, of those that may be, by program.",
            (
                Query(
                    f"max by (program) ((process_open_fds{{{ALL}}} / process_max_fds{{{ALL}}}) * on (namespace, job, instance) group_left (program) memq_build_info{{{ALL}}})",
                    "{{program}}",
                ),
            ),
            unit="percentunit",
            steps=bad_from(0.8, 0.95),
            show_limits=True,
        ),
    ),
)

DASHBOARD = dashboard(
    "memq-fleet",
    "memq / Fleet",
    "All memq servers and their queues: what they hold, how fast it moves, what went wrong, and what is nearly full.",
    (),
    NOW,
    QUEUES,
    TIMES,
    HTTP,
    LIMITS,
    LOG,
    PROCESSES,
)
