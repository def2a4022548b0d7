"""The same on memq: no guess about the end, no visibility timeout to outlive."""

import sys

import memq

URL = None  # MEMQ_SERVER


def enqueue(names):
    memq.enqueue(URL, "thumbs", names, create=True, seal=True)


def work():
    for item in memq.drain(URL, "thumbs"):
        with item:
            print(item.text.upper(), flush=True)


enqueue(sys.argv[2:]) if sys.argv[1] == "enqueue" else work()
