"""A worker as in the Kubernetes docs' "Fine Parallel Processing Using a Work Queue", with its queue in short.

A lease is a key that expires beside a list of items in work. Nothing takes an item whose lease expired back to the
main list, so a worker that dies leaves `empty()` false for ever, and the Job never ends.
"""

import hashlib
import os
import sys

import redis

r = redis.Redis.from_url(os.environ["REDIS_URL"], decode_responses=True)


class WorkQueue:
    def __init__(self, name):
        self.main, self.processing, self.leases = name, f"{name}:processing", f"{name}:leased_by_session:"

    def lease(self, lease_secs, timeout):
        item = r.blmove(self.main, self.processing, timeout, "RIGHT", "LEFT")
        if item is not None:
            r.setex(self.leases + hashlib.sha224(item.encode()).hexdigest(), lease_secs, "me")
        return item

    def complete(self, item):
        r.lrem(self.processing, 0, item)
        r.delete(self.leases + hashlib.sha224(item.encode()).hexdigest())

    def empty(self):
        return r.llen(self.main) == 0 and r.llen(self.processing) == 0


def enqueue(names):
    r.lpush("job2", *names)


def work():
    queue = WorkQueue("job2")
    while not queue.empty():
        item = queue.lease(lease_secs=10, timeout=2)
        if item is not None:
            r.rpush("job2:done", item.upper())
            queue.complete(item)
    print("Queue empty, exiting")


enqueue(sys.argv[2:]) if sys.argv[1] == "enqueue" else work()
