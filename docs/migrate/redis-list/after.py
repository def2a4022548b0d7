"""The same on memq: who dies gives the item back, and the end is the server's word."""

import sys

import memq

URL = None  # MEMQ_SERVER


def enqueue(names):
    memq.enqueue(URL, "thumbs", names, create=True, seal=True)


def work():
    for item in memq.drain(URL, "thumbs"):
        with item:
            item.ack(item.text.upper())


enqueue(sys.argv[2:]) if sys.argv[1] == "enqueue" else work()
