"""The same on memq: `empty()` is the end of the loop, and leases are given back and renewed by themselves."""

import sys

import memq

URL = None  # MEMQ_SERVER


def enqueue(names):
    memq.enqueue(URL, "job2", names, create=True, seal=True)


def work():
    for item in memq.drain(URL, "job2"):
        with item:
            item.ack(item.text.upper())


enqueue(sys.argv[2:]) if sys.argv[1] == "enqueue" else work()
