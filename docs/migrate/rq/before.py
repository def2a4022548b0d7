"""Jobs of RQ: a function by its name and its arguments. `rq worker --burst thumbs` works them off."""

import os
import sys

from redis import Redis
from rq import Queue, Retry


def thumbnail(name):
    return name.upper()


if __name__ == "__main__":
    queue = Queue("thumbs", connection=Redis.from_url(os.environ["REDIS_URL"]))
    for name in sys.argv[1:]:
        queue.enqueue("before.thumbnail", name, retry=Retry(max=4, interval=1), job_timeout=30)
