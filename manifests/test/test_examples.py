"""The examples can be applied as they are: complete, safe, and cleaned up by their label."""

import re
import subprocess
import unittest

import jsonschema
import yaml

import manifests
import policy

# As the book has them: restartPolicy and failures are what they are about.
AS_IN_THE_BOOK = "examples/book/"
# A worker that is to be seen restarting in its pod; a Job that is not one of workers.
NOT_WORKERS = {"Job/stuck", "CronJob/nightly-keygen"}


class Examples(unittest.TestCase):
    def test_there_are_examples(self):
        self.assertGreater(len(manifests.example_files()), 10)

    def test_each_keeps_the_rules(self):
        for path, obj in manifests.examples():
            with self.subTest(path=path, object=manifests.name(obj)):
                self.assertEqual(policy.broken(obj, policy.EVERYWHERE), [])

    def test_jobs_of_workers_outlive_lost_pods(self):
        for path, obj in manifests.examples():
            with self.subTest(path=path, object=manifests.name(obj)):
                if not path.startswith(AS_IN_THE_BOOK) and manifests.name(obj) not in NOT_WORKERS:
                    self.assertEqual(policy.broken(obj, (policy.jobs,)), [])

    def test_each_begins_with_what_it_shows(self):
        for path in manifests.example_files():
            with self.subTest(path.name):
                self.assertTrue(path.read_text().startswith("# "))

    def test_each_has_the_label_that_cleans_it_up(self):
        for path, obj in manifests.examples():
            with self.subTest(path=path, object=manifests.name(obj)):
                labels = obj["metadata"].get("labels") or {}
                wanted = "chapter" if path.startswith(AS_IN_THE_BOOK) else "example"
                self.assertIn(wanted, labels)
                template = manifests.pod_template(obj)
                if template:
                    self.assertEqual(template["metadata"]["labels"].get(wanted), labels[wanted])

    def test_our_image_is_not_pulled_where_it_is_loaded(self):
        for path, obj in manifests.examples():
            with self.subTest(path=path, object=manifests.name(obj)):
                template = manifests.pod_template(obj)
                for container in manifests.containers(template) if template else ():
                    self.assertEqual(container.get("imagePullPolicy"), "IfNotPresent")

    def test_a_client_of_the_installed_server_gets_through_its_network_policy(self):
        for path, obj in manifests.examples():
            with self.subTest(path=path, object=manifests.name(obj)):
                template = manifests.pod_template(obj)
                text = str(template)
                if template and "http://memq:8080" in text:
                    self.assertEqual(template["metadata"]["labels"].get("memq.dev/client"), "true")

    def test_what_an_object_refers_to_is_beside_it(self):
        """ConfigMaps, service accounts and the targets of autoscalers are in the same file."""
        for path in manifests.example_files():
            objects = manifests.of_file(path)
            there = {manifests.name(o) for o in objects}
            for obj in objects:
                template = manifests.pod_template(obj)
                wanted = []
                if template:
                    spec = template["spec"]
                    wanted += [f"ConfigMap/{v['configMap']['name']}" for v in spec.get("volumes") or [] if "configMap" in v]
                    wanted += [f"ServiceAccount/{spec['serviceAccountName']}"] if "serviceAccountName" in spec else []
                if obj["kind"] == "HorizontalPodAutoscaler":
                    target = obj["spec"]["scaleTargetRef"]
                    wanted += [f"{target['kind']}/{target['name']}"]
                for name in wanted:
                    with self.subTest(path=path.name, object=manifests.name(obj)):
                        self.assertIn(name, there)

    def test_every_run_fits_the_crd(self):
        """Those in ConfigMaps here, and the specs that the command line's examples are."""
        runs = [
            (path, yaml.safe_load(text))
            for path, obj in manifests.examples()
            if obj["kind"] == "ConfigMap"
            for text in obj["data"].values()
            if "kind: Run" in text
        ]
        specs = sorted((manifests.ROOT.parent / "examples").glob("*/run.yaml"))
        runs += [(path.as_posix(), run) for path in specs for run in manifests.of_file(path)]
        self.assertGreater(len(runs), 1)
        crd = manifests.of_file(manifests.CRD)[0]
        schema = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
        for path, run in runs:
            with self.subTest(path):
                self.assertEqual((run["apiVersion"], run["kind"]), ("memq.dev/v1alpha1", "Run"))
                jsonschema.Draft202012Validator(schema).validate(run)

    def test_the_metric_of_the_adapter_is_one_of_ours(self):
        rule = yaml.safe_load((manifests.ROOT / "examples/autoscaling/prometheus-adapter-values.yaml").read_text())
        rule = rule["rules"]["external"][0]
        series = re.match(r"\w+", rule["seriesQuery"]).group()
        self.assertIn(f"| `{series}` |", (manifests.ROOT.parent / "docs/metrics.md").read_text())
        hpa = next(o for _, o in manifests.examples() if o["kind"] == "HorizontalPodAutoscaler")
        self.assertEqual(hpa["spec"]["metrics"][0]["external"]["metric"]["name"], rule["name"]["as"])

    def test_scripts_are_whole(self):
        for script in sorted((manifests.ROOT / "examples").rglob("*.sh")):
            with self.subTest(script.name):
                self.assertTrue(script.stat().st_mode & 0o100, "is not executable")
                subprocess.run(["bash", "-n", script], check=True)
