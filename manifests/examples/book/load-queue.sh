#!/usr/bin/env bash
# Makes the queue `keygen` and puts a hundred items into it, by curl and kuard's API.
#
#   kubectl port-forward rs/queue 8080:8080 &
#   ./load-queue.sh                            # or: ./load-queue.sh http://queue:8080 50
set -euo pipefail
server=${1:-http://localhost:8080}
items=${2:-100}

curl -fsS -X PUT "$server/memq/server/queues/keygen"
for ((i = 0; i < items; i++)); do
  curl -fsS -X POST "$server/memq/server/queues/keygen/enqueue" -d "work-item-$i" >/dev/null
done
curl -fsS "$server/memq/server/stats"
