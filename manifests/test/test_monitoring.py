"""Dashboards, alert rules and what is scraped: the same by kustomize and by Helm, and fit for what they are about."""

import json
import re
import unittest

import manifests
import monitoring
import test_same_objects
from monitoring import dashboards
from test_same_objects import Kustomization, without_namespace

# A name of a metric of ours in a query; those of a histogram's parts are the histogram's.
OURS = re.compile(r"\b(memq_\w+?|process_\w+?)(?:_bucket|_sum|_count)?(?=[{\[ )]|$)")
DOCS = manifests.ROOT.parent / "docs"
ALL_ON = "serviceMonitor.enabled=true,prometheusRule.enabled=true,dashboards.enabled=true"


def catalog():
    """Names of all metrics that docs/metrics.md tells of."""
    return set(re.findall(r"^\| `(\w+)` \|", (DOCS / "metrics.md").read_text(), re.M))


def of(objects, kind):
    return [o for o in objects if o["kind"] == kind]


class Generated(unittest.TestCase):
    def test_what_is_committed_is_what_would_be_generated_now(self):
        for path, text in monitoring.files().items():
            with self.subTest(path):
                self.assertTrue(path.exists() and path.read_text() == text, "run `cargo xtask manifests` and commit")

    def test_no_dashboard_is_left_over(self):
        for folder in (monitoring.COMPONENT, monitoring.CHART):
            found = set((folder / "dashboards").glob("*"))
            self.assertLessEqual(found, set(monitoring.files()))

    def test_plain_rules_are_the_operators(self):
        plain = manifests.of_file(manifests.ROOT / "monitoring" / "alerts.yaml")[0]
        operators = manifests.of_file(monitoring.COMPONENT / "prometheusrule.yaml")[0]
        self.assertEqual(plain, operators["spec"])


class Installed(unittest.TestCase):
    compare = test_same_objects.SameObjects.compare

    def test_the_component_is_the_charts_switches(self):
        with Kustomization(components=["monitoring"]) as objects:
            self.compare([without_namespace(o) for o in objects], manifests.helm("memq", "--set", ALL_ON))

    def test_workers_of_all_namespaces_are_scraped_where_runs_of_all_are_carried_out(self):
        with Kustomization(components=["monitoring", "all-namespaces"]) as objects:
            self.compare(
                [without_namespace(o) for o in objects],
                manifests.helm("memq", "--set", f"{ALL_ON},controller.allNamespaces=true"),
            )
            self.assertEqual(of(objects, "PodMonitor")[0]["spec"]["namespaceSelector"], {"any": True})

    def test_the_patches_that_the_docs_show_are_the_charts_values(self):
        """Labels for the operator, and a token for a server that wants one."""
        blocks = re.findall(r"^```yaml\n(patches:.*?)^```", (DOCS / "monitoring.md").read_text(), re.M | re.S)
        labels = (
            "serviceMonitor.labels.release=kube-prometheus-stack,prometheusRule.labels.release=kube-prometheus-stack"
        )
        values = [labels, "auth.metricsTokenSecret=memq-metrics-token"]
        self.assertEqual(len(blocks), len(values))
        for block, value in zip(blocks, values, strict=True):
            with self.subTest(value), Kustomization(components=["monitoring"], more=block) as objects:
                helm = manifests.helm("memq", "--set", f"{ALL_ON},{value}")
                self.compare([without_namespace(o) for o in objects], helm)

    def test_all_is_off_by_default(self):
        shipped = {o["kind"] for o in manifests.helm("memq")}
        self.assertTrue(shipped.isdisjoint({"PodMonitor", "ServiceMonitor", "PrometheusRule", "ConfigMap"}))

    def test_prometheus_is_let_in_wherever_it_scrapes(self):
        objects = manifests.helm("memq", "--set", ALL_ON)
        prometheus = {"app.kubernetes.io/name": "prometheus"}
        open_to_it = {}
        for policy in of(objects, "NetworkPolicy"):
            for rule in policy["spec"].get("ingress") or []:
                peers = [peer.get("podSelector", {}).get("matchLabels") for peer in rule["from"]]
                if prometheus in peers:
                    part = policy["spec"]["podSelector"]["matchLabels"]["app.kubernetes.io/component"]
                    open_to_it[part] = [port["port"] for port in rule["ports"]]
        scraped = {}
        for monitor in of(objects, "ServiceMonitor") + of(objects, "PodMonitor"):
            part = monitor["spec"]["selector"]["matchLabels"]["app.kubernetes.io/component"]
            scraped[part] = [
                e["port"] for e in monitor["spec"].get("endpoints") or monitor["spec"]["podMetricsEndpoints"]
            ]
        self.assertEqual(scraped, open_to_it)
        self.assertEqual(sorted(scraped), ["controller", "server", "worker"])

    def test_worker_pods_of_runs_are_those_that_are_scraped(self):
        monitor = of(manifests.helm("memq", "--set", ALL_ON), "PodMonitor")[0]["spec"]
        found = 0
        for path in (manifests.ROOT / "rendered").glob("*.yaml"):
            for job in of(manifests.of_file(path), "Job"):
                pod = job["spec"]["template"]
                if pod["metadata"]["labels"]["app.kubernetes.io/component"] != "worker":
                    continue
                ports = [p["name"] for c in manifests.containers(pod) for p in c.get("ports") or []]
                self.assertLessEqual(monitor["selector"]["matchLabels"].items(), pod["metadata"]["labels"].items())
                self.assertLessEqual({"memq.dev/run", "memq.dev/step"}, set(pod["metadata"]["labels"]))
                found += monitor["podMetricsEndpoints"][0]["port"] in ports
        self.assertGreater(found, 0)

    def test_a_spec_is_called_as_the_controller_calls_it(self):
        rule = of(manifests.helm("memq", "--set", ALL_ON), "PodMonitor")[0]["spec"]["podMetricsEndpoints"][0][
            "relabelings"
        ][0]
        for run, spec in [
            ("keygen-x7k2p", "keygen"),
            ("nightly", "nightly"),
            ("a-b-c", "a-b-c"),
            ("load-ababa", "load-ababa"),
        ]:
            with self.subTest(run):
                self.assertEqual(re.fullmatch(rule["regex"], run)[1], spec)

    def test_runbooks_are_where_the_chart_is_told(self):
        objects = manifests.helm("memq", "--set", f"{ALL_ON},runbookUrl=https://wiki.example.com/memq")
        text = json.dumps(of(objects, "PrometheusRule") + of(objects, "ConfigMap"))
        self.assertNotIn("https://memq.dev/", text)
        rules = [rule for group in of(objects, "PrometheusRule")[0]["spec"]["groups"] for rule in group["rules"]]
        for rule in rules:
            self.assertEqual(rule["annotations"]["runbook_url"], f"https://wiki.example.com/memq/{rule['alert']}.md")

    def test_each_dashboard_is_a_config_map_that_grafanas_sidecar_takes(self):
        maps = of(manifests.helm("memq", "--set", ALL_ON), "ConfigMap")
        found = [(name, json.loads(text)["uid"]) for m in maps for name, text in m["data"].items()]
        self.assertEqual(sorted(found), [(f"{d.uid}.json", d.uid) for d in sorted(dashboards.ALL, key=lambda d: d.uid)])
        for config in maps:
            self.assertEqual(config["metadata"]["labels"]["grafana_dashboard"], "1")
            self.assertLess(len(json.dumps(config)), 1 << 20, "the API server takes no larger object")


class Dashboards(unittest.TestCase):
    def test_uids_stay(self):
        """Bookmarks and links of others have them."""
        self.assertEqual([d.uid for d in dashboards.ALL], ["memq-fleet", "memq-queue", "memq-run", "memq-workers"])

    def test_each_panel_says_what_it_shows_in_which_unit_and_fits_the_grid(self):
        for board in dashboards.ALL:
            panels = board.json()["panels"]
            self.assertEqual(len({p["id"] for p in panels}), len(panels))
            taken = set()
            for panel in panels:
                at = panel["gridPos"]
                cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
                with self.subTest(board=board.uid, panel=panel["title"]):
                    self.assertLessEqual(at["x"] + at["w"], 24)
                    self.assertTrue(taken.isdisjoint(cells), "over another one")
                    if panel["type"] != "row":
                        self.assertRegex(panel["description"], r"^[A-Z`].*\.$")
                        self.assertTrue(panel["fieldConfig"]["defaults"]["unit"])
                taken |= cells

    def test_each_query_asks_for_metrics_that_are_there_in_the_namespace_that_is_chosen(self):
        known = catalog()
        self.assertGreater(len(known), 60)
        for board in dashboards.ALL:
            for title, expr in board.queries():
                with self.subTest(board=board.uid, panel=title):
                    named = {found[1] for found in OURS.finditer(expr)}
                    self.assertTrue(named or "ALERTS" in expr, expr)
                    self.assertLessEqual(named, known)
                    self.assertEqual(expr.count("{"), expr.count('namespace=~"$namespace"'), expr)

    def test_each_alert_asks_for_metrics_that_are_there(self):
        known = catalog()
        for rule in monitoring.alerts.RULES:
            with self.subTest(rule.name):
                self.assertLessEqual({found[1] for found in OURS.finditer(rule.expr)}, known)

    def test_variables_that_are_used_are_there_and_the_other_way_round(self):
        for board in dashboards.ALL:
            made = {v["name"] for v in board.json()["templating"]["list"]}
            text = json.dumps(board.json())
            used = set(re.findall(r"\$\{?(?!__)([a-z]+)\b", text))
            with self.subTest(board.uid):
                self.assertEqual(used, made)

    def test_each_alert_is_explained_from_a_panel(self):
        text = json.dumps([board.json() for board in dashboards.ALL])
        linked = set(re.findall(rf"{monitoring.RUNBOOKS}/(Memq\w+)\.md", text))
        self.assertEqual(linked, {rule.name for rule in monitoring.alerts.RULES})

    def test_links_lead_to_dashboards_of_ours_and_set_variables_that_these_have(self):
        boards = {board.uid: {v["name"] for v in board.json()["templating"]["list"]} for board in dashboards.ALL}
        found = 0
        for board in dashboards.ALL:
            for link in re.findall(r'"url": "(/d/[^"]*)"', json.dumps(board.json())):
                uid, _, query = link.removeprefix("/d/").partition("?")
                with self.subTest(link):
                    self.assertIn(uid, boards)
                    self.assertLessEqual(set(re.findall(r"var-(\w+)=", query)), boards[uid])
                found += 1
        self.assertGreater(found, 0)
