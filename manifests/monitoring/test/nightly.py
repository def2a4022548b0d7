"""Runs of one spec, in all states that a run can be in: two that go on for good, and again and again some that end."""

import itertools

from cluster import MISSING
from steady import Steady

SPEC = "nightly"
# One item of ten cannot be done.
WORK = 'sleep 0.2; case "$MEMQ_ITEM" in *7) exit 65;; esac'


def run(items, prepare="exit 0", image="some:1", workers=1):
    steps = [
        {"name": "prepare", "image": image, "command": ["sh", "-c", prepare]},
        {
            "name": "thumbs",
            "after": ["prepare"],
            "items": {"count": items, "format": "photo-%d"},
            "image": image,
            "command": ["sh", "-c", WORK],
            "workers": workers,
        },
    ]
    meta = {"generateName": f"{SPEC}-"}
    return {"apiVersion": "memq.dev/v1alpha1", "kind": "Run", "metadata": meta, "spec": {"steps": steps}}


# What two workers cannot do in ten minutes, whatever else sizing would say.
LONG = run(100_000, workers={"min": 1, "max": 2, "deadline": "10m"})
STUCK = run(1, image=MISSING)
GOOD = run(3)
BAD = run(1, prepare="echo no photos >&2; exit 1")


class Nightly(Steady):
    """Somebody who makes such runs in a cluster."""

    pause = 2.0

    def __init__(self, api):
        self._api = api
        self._specs = itertools.chain((LONG, STUCK), itertools.cycle((GOOD, BAD)))
        super().__init__()

    def round(self):
        self._api.call("POST", "runs", body=next(self._specs))
