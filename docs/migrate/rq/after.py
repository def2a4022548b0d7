"""The same on memq: an item is data, and the worker knows what to do with it."""

import sys

import memq

URL = None  # MEMQ_SERVER
TASKS = {"thumbnail": lambda name: name.upper()}


def work():
    for item in memq.drain(URL, "thumbs"):
        with item:
            job = item.json()
            item.ack(TASKS[job["task"]](*job["args"]))


if sys.argv[1] == "enqueue":
    jobs = [{"task": "thumbnail", "args": [name]} for name in sys.argv[2:]]
    memq.enqueue(URL, "thumbs", jobs, create=True, seal=True)
else:
    work()
