"""Alert rules fire when they should and not a moment sooner, as promtool judges them."""

import dataclasses
import json
import pathlib
import re
import tempfile
import unittest

import cases
import monitoring
from cases import Fires
from monitoring import alerts
from programs import promtool

RULES = monitoring.ROOT / "monitoring" / "alerts.yaml"
RUNBOOKS = monitoring.ROOT.parent / "docs" / "runbooks"


def minutes(time):
    return float(time[:-1]) / {"s": 60, "m": 1}[time[-1]]


def as_promtool(case):
    """A case in promtool's form. Severity and runbook are the rule's own; the words stand in the case."""
    rule = next(rule for rule in alerts.RULES if rule.name == case.rule)
    expected = {case.at: []}
    if isinstance(case, Fires):
        words = {"summary": case.summary, "description": case.description, "runbook_url": rule.runbook}
        alert = {"exp_labels": case.labels | {"severity": rule.severity}, "exp_annotations": words}
        held = minutes(rule.held)
        expected = {case.at + held - 1: [], case.at + held + 1: [alert]}
    return {
        "interval": "1m",
        "input_series": [{"series": name, "values": values} for name, values in case.series.items()],
        "alert_rule_test": [
            {"eval_time": f"{at:.0f}m", "alertname": case.rule, "exp_alerts": alerts} for at, alerts in expected.items()
        ],
    }


class Rules(unittest.TestCase):
    def test_promtool_finds_nothing_to_complain_about(self):
        content, said = promtool("check", "rules", RULES)
        self.assertTrue(content, said)
        self.assertIn(f"{len(alerts.RULES)} rules found", said)

    def test_each_has_a_case_in_which_it_fires_and_one_in_which_it_does_not(self):
        for rule in alerts.RULES:
            fires = [isinstance(case, Fires) for case in cases.CASES if case.rule == rule.name]
            with self.subTest(rule.name):
                self.assertEqual({True, False}, set(fires))

    def test_every_case(self):
        with tempfile.TemporaryDirectory(prefix="memq-rules-") as folder:
            # One file for all: each start of promtool reads the rules anew.
            text = {
                "rule_files": [str(RULES)],
                "evaluation_interval": "1m",
                "tests": [as_promtool(case) for case in cases.CASES],
            }
            path = pathlib.Path(folder) / "cases.json"
            path.write_text(json.dumps(text))
            content, said = promtool("test", "rules", path)
            if content:
                return
            for number, case in enumerate(cases.CASES):
                path.write_text(json.dumps(text | {"tests": [as_promtool(case)]}))
                with self.subTest(rule=case.rule, story=case.story, number=number):
                    content, said = promtool("test", "rules", path)
                    self.assertTrue(content, said)

    def test_a_warning_stays_while_the_server_is_replaced(self):
        fires = next(case for case in cases.CASES if case.rule == "MemqQueueWithoutWorkers")
        # It fires from the twentieth minute on; there is no server in three minutes after the thirtieth, and after the fiftieth.
        values = "0+0x4 5+0x25 stale _x2 5+0x16 stale _x20"
        series = {name: values if 'state="ready"' in name else others for name, others in fires.series.items()}
        self.assertIn(values, series.values())
        text = as_promtool(dataclasses.replace(fires, series=series))
        alert = text["alert_rule_test"][-1]["exp_alerts"]
        text["alert_rule_test"] = [
            {"eval_time": f"{at}m", "alertname": fires.rule, "exp_alerts": alert if there else []}
            for at, there in ((19, False), (21, True), (32, True), (34, True), (52, True), (56, False))
        ]
        with tempfile.TemporaryDirectory(prefix="memq-rules-") as folder:
            path = pathlib.Path(folder) / "case.json"
            path.write_text(json.dumps({"rule_files": [str(RULES)], "evaluation_interval": "1m", "tests": [text]}))
            content, said = promtool("test", "rules", path)
        self.assertTrue(content, said)

    def test_the_cases_can_fail(self):
        fires = next(case for case in cases.CASES if isinstance(case, Fires))
        text = {"rule_files": [str(RULES)], "evaluation_interval": "1m", "tests": [as_promtool(fires)]}
        text["tests"][0]["alert_rule_test"][-1]["exp_alerts"] = []
        with tempfile.TemporaryDirectory(prefix="memq-rules-") as folder:
            path = pathlib.Path(folder) / "case.json"
            path.write_text(json.dumps(text))
            content, _ = promtool("test", "rules", path)
        self.assertFalse(content)

    def test_each_says_what_an_operator_needs(self):
        for rule in alerts.RULES:
            with self.subTest(rule.name):
                self.assertIn(rule.severity, ("critical", "warning"))
                self.assertTrue(rule.summary[0].islower() and not rule.summary.endswith("."), rule.summary)
                self.assertTrue(rule.description.endswith("."), rule.description)
                self.assertTrue(rule.runbook.endswith(f"/{rule.name}.md"))

    def test_each_has_a_runbook_and_no_runbook_is_without_a_rule(self):
        named = {rule.name for rule in alerts.RULES}
        self.assertEqual(named, {path.stem for path in RUNBOOKS.glob("*.md")} - {"README"})
        for rule in alerts.RULES:
            text = (RUNBOOKS / f"{rule.name}.md").read_text()
            with self.subTest(rule.name):
                self.assertEqual(
                    re.findall(r"^#+ .*", text, re.M),
                    [
                        f"# {rule.name}",
                        "## What it means",
                        "## How to see it",
                        "## What to do",
                        "## When it is harmless",
                    ],
                )
        listed = re.findall(r"\[(\w+)\]\((\w+)\.md\)", (RUNBOOKS / "README.md").read_text())
        self.assertEqual([(rule.name, rule.name) for rule in alerts.RULES], listed)


if __name__ == "__main__":
    unittest.main()
