"""The alert rules. Each has a runbook of its name in docs/runbooks, and cases in manifests/monitoring/test/cases."""

from . import queues, runs, server

GROUPS = (server.GROUP, queues.GROUP, runs.GROUP)
RULES = tuple(rule for group in GROUPS for rule in group.rules)
