"""A work queue on a Redis list: LMOVE to a list of what is being worked on, LREM when it is done."""

import os
import sys

import redis

r = redis.Redis.from_url(os.environ["REDIS_URL"], decode_responses=True)


def enqueue(names):
    r.rpush("thumbs", *names)


def work():
    while name := r.lmove("thumbs", "thumbs:busy", "LEFT", "RIGHT"):
        r.rpush("thumbs:done", name.upper())
        r.lrem("thumbs:busy", 1, name)
    # Whoever died left its name in thumbs:busy, and nobody looks there.


enqueue(sys.argv[2:]) if sys.argv[1] == "enqueue" else work()
