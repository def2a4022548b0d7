"""What is wrong with a server as a whole."""

from ..rules import Condition, Group, Rule
from ..words import storage

# Prometheus's `job` says which server of a namespace; an address or a pod changes with each start.
SERVER = ("namespace", "job")
BY = "by (namespace, job)"
# Where a server is, in a sentence. There may be no namespace outside of Kubernetes.
AT = "{{ $labels.job }}{{ with $labels.namespace }} in namespace {{ . }}{{ end }}"


GROUP = Group(
    "memq-server",
    (
        Rule(
            "MemqServerDown",
            "critical",
            SERVER,
            # Whoever was there in the last day: no name of a job is needed, and a new pod has another address.
            (Condition(f"max {BY} (last_over_time(memq_ready[1d]))", f"unless max {BY} (memq_ready)"),),
            "3m",
            f"memq server {AT} is gone",
            "It was scraped within the last day and is no longer. Nothing can be enqueued, leased or settled while it is down; what it acknowledged is on its disk.",
        ),
        Rule(
            "MemqServerNotReady",
            "critical",
            SERVER,
            (Condition(f"max {BY} (memq_ready)", "== 0"),),
            "5m",
            f"memq server {AT} is not ready",
            "It answers but serves nothing: it still reads its log, waits for a restore, or does not end. Ten million items take seconds to read.",
        ),
        Rule(
            "MemqServerFull",
            "critical",
            SERVER,
            (
                Condition(
                    f'sum {BY} (increase(memq_limits_hit_total{{limit=~"storage_full|max_items|max_bytes"}}[5m]))',
                    "> 0",
                ),
            ),
            "5m",
            f"memq server {AT} is full and refuses items",
            'About {{ $value | printf "%.0f" }} calls were refused in five minutes because the storage, --max-items or --max-bytes is full. What is there is worked off all the same.',
        ),
        Rule(
            "MemqServerNearlyFull",
            "warning",
            SERVER,
            (
                Condition(
                    f"max {BY} (\n"
                    f"  {storage()}\n"
                    '  or label_replace(memq_held_items / memq_max_held_items, "of", "items", "", "")\n'
                    '  or label_replace(memq_held_bytes / memq_max_held_bytes, "of", "bytes", "", "")\n'
                    ")",
                    "> 0.8",
                ),
            ),
            "15m",
            f"memq server {AT} is {{{{ $value | humanizePercentage }}}} full",
            "At 100 % it refuses new items. The fullest of three is told: the storage, --max-items and --max-bytes.",
        ),
        Rule(
            "MemqServerRefuses",
            "warning",
            (*SERVER, "limit"),
            (
                Condition(
                    'sum by (namespace, job, limit) (increase(memq_limits_hit_total{limit=~"queue_full|max_queues|waiters|connections|overloaded|unauthenticated|forbidden"}[10m]))',
                    "> 30",
                ),
            ),
            "15m",
            f"memq server {AT} refuses calls: {{{{ $labels.limit }}}}",
            'About {{ $value | printf "%.0f" }} calls were refused in ten minutes by the limit {{ $labels.limit }}, and it goes on.',
        ),
        Rule(
            "MemqServerErrors",
            "warning",
            SERVER,
            (
                Condition(
                    f'sum {BY} (rate(memq_http_request_duration_seconds_count{{status="5xx"}}[10m])) / sum {BY} (rate(memq_http_request_duration_seconds_count[10m]))',
                    "> 0.05",
                ),
            ),
            "10m",
            f"memq server {AT} fails {{{{ $value | humanizePercentage }}}} of the calls",
            "These calls were answered with 5xx: the server is full, is overloaded, or has a mistake.",
        ),
        Rule(
            "MemqStorageSlow",
            "warning",
            SERVER,
            (
                Condition(
                    "histogram_quantile(0.99, sum by (le, namespace, job) (rate(memq_log_sync_duration_seconds_bucket[10m])))",
                    "> 0.5",
                ),
            ),
            "15m",
            f"the storage of memq server {AT} is slow",
            "One sync in a hundred takes more than {{ $value | humanizeDuration }}. Every answer waits for one.",
        ),
    ),
)
