"""What schemathesis must not ask as it stands, and what no schema can say of requests.

Only values that are valid are changed, so that an invalid one is still refused.
"""

import re

import schemathesis

LONGEST_MS = 300_000
SHORT_MS = 10
ITEM = re.compile("[0-9a-f]{32}")
TEN_YEARS_S = 10 * 365 * 24 * 3600
USUAL_BODY_BYTES = 1024 * 1024


def shortened(wait):
    """A call that parks for minutes would be all that is tried."""
    try:
        number = int(wait)
    except (TypeError, ValueError):
        return wait
    return min(number, SHORT_MS) if number <= LONGEST_MS else wait


def whole(value):
    """JSON Schema takes 1.0 for an integer, and the server does not."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, dict):
        return {name: whole(part) for name, part in value.items()}
    if isinstance(value, list):
        return [whole(part) for part in value]
    return value


def agree(settings):
    """Settings that belong together, of which a schema can say nothing where they may be null."""
    rate, burst = settings.get("rate_per_s"), settings.get("burst")
    if rate is None:
        settings.pop("burst", None)
    elif burst is None or type(burst) is int and burst > rate * TEN_YEARS_S:
        # Left out, the burst that the queue has already may be too much for this rate.
        settings["burst"] = None
    body_bytes = settings.get("max_body_bytes")
    if type(body_bytes) is int and 0 < body_bytes < USUAL_BODY_BYTES:
        # A later enqueue cannot know that its queue takes no more than this.
        settings["max_body_bytes"] = USUAL_BODY_BYTES
    backoff = settings.get("backoff")
    if isinstance(backoff, dict):
        least, most = backoff.get("min_ms", 1_000), backoff.get("max_ms", 300_000)
        if type(least) is int and type(most) is int and least > most:
            backoff["min_ms"], backoff["max_ms"] = most, least


def is_true(value):
    return str(value).lower() == "true"


@schemathesis.hook
def before_call(context, case, kwargs):
    query, body = case.query, case.body
    if isinstance(body, dict):
        body = case.body = whole(body)
        if type(body.get("wait_ms")) is int:
            body["wait_ms"] = shortened(body["wait_ms"])
        if case.meta.generation.mode.is_positive:
            agree(body)
            if case.operation.label == "PUT /v1/runs/{run}":
                # The report names its run, and so does the path.
                body["run"] = case.path_parameters["run"]
    if not isinstance(query, dict):
        return
    if "wait_ms" in query:
        query["wait_ms"] = shortened(query["wait_ms"])
    if is_true(query.get("follow")):
        # It goes on until the queue is drained.
        query["follow"] = "false"
    if is_true(query.get("raw")) and isinstance(body, dict) and type(body.get("max")) is int:
        # With `raw` there is one item, which the body's schema cannot know.
        body["max"] = 1 if 0 <= body["max"] <= 1_000 else body["max"]
    if is_true(query.get("lines")) or case.media_type == "application/x-ndjson":
        # It would be the key of every line.
        query.pop("key", None)
    if case.operation.label == "GET /v1/queues/{queue}/items":
        # An item of another queue is no place to go on from.
        if ITEM.fullmatch(str(query.get("after"))):
            del query["after"]
    if case.meta.generation.mode.is_positive and "ids" in query:
        # Taken for the ids of items, which answers are full of.
        if str(query["ids"]).lower() not in ("true", "false"):
            del query["ids"]
