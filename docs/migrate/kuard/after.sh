#!/bin/sh
# The queue, filled by whoever still speaks kuard's API, worked off with leases: nothing is lost with a worker.
set -eu
api=$MEMQ_SERVER/memq/server/queues
curl -sS -o /dev/null -X PUT "$api/thumbs"
for name in "$@"; do curl -sS -o /dev/null -X POST -d "$name" "$api/thumbs/enqueue"; done
curl -sS -o /dev/null -X POST "$MEMQ_SERVER/v1/queues/thumbs/seal"
exec memq-worker --queue thumbs --until drained -- tr a-z A-Z
