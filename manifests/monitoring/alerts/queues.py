"""What is wrong with a queue. `_other`, the sum of the less busy ones, is left out: no queue can be made with that name."""

from ..rules import Condition, Group, Rule

QUEUE = ("namespace", "queue")
BY = "by (namespace, queue)"
AT = "{{ $labels.queue }}{{ with $labels.namespace }} in namespace {{ . }}{{ end }}"


def items(state):
    return f'sum {BY} (memq_queue_items{{state="{state}",queue!="_other"}})'


def events(names, time):
    return f'sum {BY} (increase(memq_queue_events_total{{event=~"{names}",queue!="_other"}}[{time}]))'


NOT_PAUSED = Condition(f'max {BY} (memq_queue_is{{flag="paused",queue!="_other"}})', "== 0")
PARKED = f'sum {BY} (memq_queue_parked_calls{{queue!="_other"}})'
# How attempts end, but for the few items that are found to be poison: `dead` counts those that ran out of attempts as well.
ENDED = "acked|nacked|lease_expired"

GROUP = Group(
    "memq-queues",
    (
        Rule(
            "MemqQueueWithoutWorkers",
            "warning",
            QUEUE,
            (
                # Not by an item's age: one that was delayed, or is redriven, is old the moment it is ready.
                Condition(items("ready"), "> 0"),
                Condition(f"{items('leased')} + {PARKED}", "== 0"),
                Condition(events("leased|taken", "10m"), "== 0"),
                NOT_PAUSED,
            ),
            "15m",
            f"nobody works on queue {AT}",
            "It has {{ $value | humanize }} ready items, and has had some for a quarter of an hour; no worker has an item of it or waits for one.",
        ),
        Rule(
            "MemqQueueStalled",
            "warning",
            QUEUE,
            (
                Condition(f'sum {BY} (memq_queue_backlog_items{{queue!="_other"}})', "> 0"),
                Condition(f"{items('leased')} + {PARKED}", "> 0"),
                Condition(events(f"{ENDED}|dead|released|taken", "10m"), "== 0"),
                NOT_PAUSED,
            ),
            # That long, and not an item's age, for a queue that has just been filled: items that are redriven are old at once.
            "90m",
            f"queue {AT} does not move",
            "It has workers and {{ $value | humanize }} items to work on, and none of them has ended for an hour and a half.",
        ),
        Rule(
            "MemqDeadItemsGrow",
            "warning",
            QUEUE,
            (
                Condition(events("dead", "30m"), "> 5"),
                Condition(f"{events('dead', '30m')} / {events('acked|dead', '30m')}", "> 0.05"),
            ),
            "5m",
            f"queue {AT} gives up items",
            'About {{ $value | printf "%.0f" }} items died in half an hour, more than one in twenty of those that ended.',
        ),
        Rule(
            "MemqRetryStorm",
            "warning",
            QUEUE,
            (
                Condition(events("nacked", "15m"), "> 20"),
                Condition(f"{events('nacked', '15m')} / {events(ENDED, '15m')}", "> 0.5"),
            ),
            "15m",
            f"most attempts on queue {AT} fail",
            'About {{ $value | printf "%.0f" }} attempts failed in a quarter of an hour, more than half of all.',
        ),
        Rule(
            "MemqLeasesExpire",
            "warning",
            QUEUE,
            (
                Condition(events("lease_expired", "30m"), "> 5"),
                Condition(f"{events('lease_expired', '30m')} / {events(ENDED, '30m')}", "> 0.05"),
            ),
            "5m",
            f"workers of queue {AT} are lost",
            'About {{ $value | printf "%.0f" }} leases ran out in half an hour, more than one in twenty: workers die, hang, or cannot reach the server. The items are done again.',
        ),
    ),
)
