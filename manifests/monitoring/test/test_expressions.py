"""What a panel shows where the load of `test_live` does not go, as promtool reckons it."""

import json
import pathlib
import tempfile
import unittest

from monitoring.dashboards import queue
from programs import promtool

QUEUE = 'namespace="batch",job="memq",queue="thumbs"'
VARIABLES = {"$namespace": ".*", "$queue": "thumbs", "$__rate_interval": "2m"}


class TimeLeft(unittest.TestCase):
    def shows(self, value, backlog, acked):
        """After ten minutes; `None` is no value."""
        expr = queue.TIME_LEFT
        for name, text in VARIABLES.items():
            expr = expr.replace(name, text)
        test = {
            "interval": "15s",
            "input_series": [
                {"series": f"memq_queue_backlog_items{{{QUEUE}}}", "values": backlog},
                {"series": f'memq_queue_events_total{{{QUEUE},event="acked"}}', "values": acked},
            ],
            "promql_expr_test": [
                {
                    "expr": expr,
                    "eval_time": "10m",
                    "exp_samples": [] if value is None else [{"labels": "{}", "value": value}],
                }
            ],
        }
        with tempfile.TemporaryDirectory(prefix="memq-expressions-") as folder:
            path = pathlib.Path(folder) / "case.json"
            path.write_text(json.dumps({"evaluation_interval": "15s", "tests": [test]}))
            content, said = promtool("test", "rules", path)
        self.assertTrue(content, said)

    def test_a_queue_that_moves_has_the_time_of_its_speed(self):
        self.shows(250, "500+0x60", "0+30x60")

    def test_a_queue_that_is_stuck_has_none(self):
        self.shows(None, "500+0x60", "100+0x60")

    def test_an_empty_queue_has_nothing_left(self):
        self.shows(0, "0+0x60", "100+0x60")


if __name__ == "__main__":
    unittest.main()
