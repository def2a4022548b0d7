"""A Celery task that is acknowledged late and retried. `celery -A before worker` works it off."""

import os
import sys

from celery import Celery

app = Celery("before", broker=os.environ["REDIS_URL"], backend=os.environ["REDIS_URL"])


@app.task(bind=True, acks_late=True, reject_on_worker_lost=True, max_retries=4)
def thumbnail(self, name):
    try:
        if name == "flaky" and self.request.retries == 0:
            raise OSError("try again")
        return name.upper()
    except OSError as error:
        raise self.retry(exc=error, countdown=0.1) from error


if __name__ == "__main__":
    results = [thumbnail.apply_async((name,), priority=0) for name in sys.argv[1:]]
    for result in results:
        print(result.get(timeout=50))
