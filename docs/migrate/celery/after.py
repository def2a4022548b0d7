"""The same on memq: late acknowledgement is how it works, and retries are the queue's."""

import sys

import memq

URL = None  # MEMQ_SERVER


def thumbnail(item):
    if item.text == "flaky" and item.attempt == 1:
        raise OSError("try again")
    return item.text.upper()


def work():
    for item in memq.drain(URL, "thumbs"):
        with item:
            item.ack(thumbnail(item))


if sys.argv[1] == "enqueue":
    memq.enqueue(URL, "thumbs", sys.argv[2:], create=True, priority=0, seal=True)
else:
    work()
