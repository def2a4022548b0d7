"""Every query of every panel and every rule gets data from a real Prometheus that scrapes real programs under load.

Server, worker and controller are the programs that are shipped, and so is what works on the items of the controller's runs. The API server
is ours, and this test plays the parts of Kubernetes beside it: see `cluster`. What takes many minutes does not happen here: pods that no
node takes (CapacityBlocked), a run that hangs in Stopping, a queue that stands still. Their series are there, at 0; when their alerts fire
stands in `cases`.
"""

import math
import tempfile
import time
import unittest
import urllib.request

import monitoring
from cluster import ApiServer, Controller, Hands
from load import QUEUE, Load, Worker
from monitoring import alerts, dashboards
from nightly import SPEC, Nightly
from programs import Prometheus, promtool
from served import BOUND, Server, until

# As Grafana would put them in. Of these, `namespace`, `spec` and `step` stand for "All".
VARIABLES = {
    "$__rate_interval": "10s",
    "$__range": "20s",
    "$namespace": ".*",
    "$queue": QUEUE,
    "$spec": ".*",
    "$step": ".*",
}
# How long is looked back for a graph.
WINDOW = 15
# What happens to items under the load.
EVENTS = "enqueued duplicates leased acked nacked released lease_expired item_expired cancelled dead redriven purged taken".split()
# What happens to runs, and what is known of those that go on.
RUNS = (
    f'memq_runs_total{{spec="{SPEC}",result="succeeded"}} > 0',
    f'memq_runs_total{{spec="{SPEC}",result="failed"}} > 0',
    f'memq_pods_failed_total{{spec="{SPEC}",step="prepare"}} > 0',
    f'memq_step_items{{spec="{SPEC}",step="thumbs",state="dead"}} > 0',
    f'memq_step_eta_seconds{{spec="{SPEC}",step="thumbs",bound="high"}} > 0',
    f'memq_step_binding_cap{{spec="{SPEC}",step="thumbs",cap="max"}} > 0',
    f'memq_run_conditions{{spec="{SPEC}",condition="Blocked"}} > 0',
    f'memq_run_conditions{{spec="{SPEC}",condition="DeadlineInfeasible"}} > 0',
    # It may not read the logs of pods that failed.
    'rate(memq_controller_api_requests_total{status="403"}[10s]) > 0',
)


def filled(expr):
    for name, value in VARIABLES.items():
        expr = expr.replace(name, value)
    return expr


class Live(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory(prefix="memq-prometheus-")
        cls.addClassCleanup(folder.cleanup)
        # Its storage is as small as may be.
        cls.server, full = Server(), Server("--max-data-bytes", str(64 << 20))
        cls.addClassCleanup(cls.server.stop)
        cls.addClassCleanup(full.stop)
        load = Load(cls.server, full)
        cls.addClassCleanup(load.stop)
        cls.worker = Worker(cls.server)
        cls.addClassCleanup(cls.worker.stop)
        api = ApiServer(folder.name, "get:pods/log")
        cls.addClassCleanup(api.stop)
        cls.controller = Controller(api, cls.server)
        cls.addClassCleanup(cls.controller.stop)
        hands, nightly = Hands(api), Nightly(api)
        cls.addClassCleanup(hands.stop)
        cls.addClassCleanup(nightly.stop)
        targets = {
            "memq": [(cls.server.address, {"namespace": "batch"}), (full.address, {"namespace": "full"})],
            "memq-worker": [(cls.worker.address, {"namespace": "batch", "spec": SPEC, "step": "thumbs"})],
            "memq-controller": [(cls.controller.address, {"namespace": "batch"})],
        }
        cls.prometheus = Prometheus(folder.name, monitoring.ROOT / "monitoring" / "alerts.yaml", targets)
        cls.addClassCleanup(cls.prometheus.stop)

        def missing():
            for playing in (load, hands, nightly):
                playing.check()
            events = cls.prometheus.labels(f'increase(memq_queue_events_total{{queue="{QUEUE}"}}[10s]) > 0', "event")
            # A rate takes two scrapes, and a busy machine is late with them.
            scraped = cls.prometheus.labels("sum_over_time(up[10s]) >= 4", "instance")
            unseen = [expr for expr in RUNS if not cls.prometheus.values(expr)]
            return sorted(set(EVENTS) - events) + sorted(cls.prometheus.targets - scraped) + unseen

        try:
            until("everything happens to items and runs, and all programs are scraped", lambda: not missing())
        except AssertionError as late:
            raise AssertionError(f"{late}: {missing()}") from None
        cls.end = time.time()

    def empty(self, expr):
        """Whether a query has no value that is a number."""
        return not any(map(math.isfinite, self.prometheus.values(filled(expr))))

    def test_every_panel_has_data(self):
        for board in dashboards.ALL:
            for row in board.rows:
                for panel in row.panels:
                    for query in panel.queries:
                        with self.subTest(board=board.uid, panel=panel.title, query=query.expr):
                            expr = filled(query.expr)
                            if query.instant:
                                values = self.prometheus.values(expr)
                            else:
                                values = self.prometheus.values_since(expr, self.end - WINDOW, self.end)
                            self.assertTrue(any(map(math.isfinite, values)), "no data")

    def test_every_rule_has_data_to_go_by(self):
        for rule in alerts.RULES:
            for condition in rule.conditions:
                with self.subTest(rule=rule.name, value=condition.value):
                    self.assertFalse(self.empty(condition.value), "no data")

    def test_prometheus_can_judge_every_rule(self):
        def rules():
            return [rule for group in self.prometheus.ask("rules")["groups"] for rule in group["rules"]]

        until("all rules were judged", lambda: all(rule["health"] != "unknown" for rule in rules()))
        self.assertEqual({rule["name"] for rule in rules()}, {rule.name for rule in alerts.RULES})
        for rule in rules():
            with self.subTest(rule["name"]):
                self.assertEqual((rule["health"], rule.get("lastError", "")), ("ok", ""))

    def test_the_full_server_is_about_to_be_reported(self):
        """From the load to an alert: the only one of the critical ones that it brings about."""

        def critical():
            alerts = self.prometheus.ask("alerts")["alerts"]
            return {
                (alert["labels"]["alertname"], alert["labels"]["namespace"])
                for alert in alerts
                if alert["labels"]["severity"] == "critical"
            }

        until("it is noticed", lambda: critical() == {("MemqServerFull", "full")})

    def test_runs_that_go_wrong_are_noticed(self):
        """From a run's own trouble to an alert that waits until it has held for long enough, or that fires at once."""

        def noticed():
            alerts = self.prometheus.ask("alerts")["alerts"]
            return {
                (alert["labels"]["alertname"], alert["state"])
                for alert in alerts
                if alert["labels"].get("spec") == SPEC
            }

        wanted = {("MemqRunFailed", "firing"), ("MemqRunHeldUp", "pending"), ("MemqRunWillBeLate", "pending")}
        until("they are noticed", lambda: noticed() == wanted)

    def test_every_variable_has_values(self):
        for board in dashboards.ALL:
            for choice in board.choices:
                found = self.prometheus.ask(f"label/{choice.name}/values", **{"match[]": filled(choice.series)})
                wanted = {"namespace": "batch", "queue": QUEUE, "spec": SPEC, "step": "thumbs"}[choice.name]
                with self.subTest(board=board.uid, variable=choice.name):
                    self.assertIn(wanted, found)

    def test_promtool_finds_nothing_wrong_with_what_is_scraped(self):
        for address in (self.server.address, self.worker.address, self.controller.address):
            with urllib.request.urlopen(f"http://{address}/metrics", timeout=BOUND) as answer:
                content, said = promtool("check", "metrics", text=answer.read().decode())
            with self.subTest(said=said):
                self.assertTrue(content and not said.strip(), said)

    def test_an_empty_query_is_found(self):
        self.assertTrue(self.empty('memq_queue_items{queue="none"}'))
        self.assertTrue(self.empty("sum(memq_queue_items) / 0 * 0"))
        with self.assertRaises(AssertionError):
            self.empty("sum(memq_queue_items")


if __name__ == "__main__":
    unittest.main()
