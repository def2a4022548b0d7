#!/bin/sh
# kuard's own API, which memq-server speaks too: a dequeue is delivery and acknowledgement in one.
set -eu
api=$MEMQ_SERVER/memq/server/queues
curl -sS -o /dev/null -X PUT "$api/thumbs"
for name in "$@"; do curl -sS -o /dev/null -X POST -d "$name" "$api/thumbs/enqueue"; done
while message=$(curl -sS -X POST "$api/thumbs/dequeue") && [ -n "$message" ]; do
  printf '%s\n' "$message" | sed 's/.*"body":"\([^"]*\)".*/\1/' | tr a-z A-Z
  # Whoever dies here takes the item along.
done
