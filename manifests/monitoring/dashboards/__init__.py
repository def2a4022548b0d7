"""The dashboards."""

from . import fleet, queue, runs, workers

ALL = (fleet.DASHBOARD, queue.DASHBOARD, runs.DASHBOARD, workers.DASHBOARD)
