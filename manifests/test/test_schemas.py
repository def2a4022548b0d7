"""Every object fits the schema of the oldest Kubernetes that is served and of the newest that is known.

Kinds that Kubernetes does not bring are listed here, and nothing else may be without a schema. The pods and Jobs
inside of them are held to the schema all the same.
"""

import functools
import unittest

import kubernetes_validate
import kubernetes_validate.utils

import manifests

# All definitions of a version are one file of megabytes, which is read anew for each object otherwise.
kubernetes_validate.utils.schema_contents = functools.cache(kubernetes_validate.utils.schema_contents)

OLDEST = "1.33"
NEWEST = kubernetes_validate.latest_version()
# Whose schemas are not Kubernetes's own.
FOREIGN = {
    ("memq.dev/v1alpha1", "Run"),
    ("apiextensions.k8s.io/v1", "CustomResourceDefinition"),
    ("monitoring.coreos.com/v1", "PodMonitor"),
    ("monitoring.coreos.com/v1", "PrometheusRule"),
    ("monitoring.coreos.com/v1", "ServiceMonitor"),
    ("keda.sh/v1alpha1", "ScaledJob"),
}


def wrong(obj, version):
    """What is wrong with an object; None if nothing is."""
    inner = obj
    if (obj["apiVersion"], obj["kind"]) in FOREIGN:
        job = manifests.job_spec(obj)
        if job is None:
            return None
        inner = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "inner"}, "spec": job}
    try:
        kubernetes_validate.validate(inner, version, strict=True)
    except kubernetes_validate.ValidationError as error:
        return f"{'.'.join(map(str, error.path))}: {error.message}"
    except kubernetes_validate.SchemaNotFoundError as error:
        return error.message
    return None


class Schemas(unittest.TestCase):
    def check(self, where, objects):
        self.assertTrue(objects, f"{where} has no objects")
        for obj in objects:
            for version in (OLDEST, NEWEST):
                with self.subTest(where=where, object=manifests.name(obj), kubernetes=version):
                    self.assertIsNone(wrong(obj, version))

    def test_every_object_that_is_installed(self):
        for where, objects in manifests.installed():
            self.check(where, objects)

    def test_every_example(self):
        for path in manifests.example_files():
            self.check(path.name, manifests.of_file(path))

    def test_every_object_of_a_run(self):
        paths = sorted((manifests.ROOT / "rendered").glob("*.yaml"))
        self.assertTrue(paths)
        for path in paths:
            self.check(path.name, manifests.of_file(path))

    def test_the_crd_has_one_version_that_is_stored(self):
        crd = manifests.of_file(manifests.CRD)[0]
        self.assertEqual(crd["metadata"]["name"], "runs.memq.dev")
        stored = [v["name"] for v in crd["spec"]["versions"] if v["storage"]]
        self.assertEqual(stored, ["v1alpha1"])

    def test_mistakes_are_found(self):
        job = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "x"}}
        pod = {"containers": [{"name": "x", "image": "x"}], "restartPolicy": "Never"}
        cases = {
            "a number that is a text": {**job, "spec": {"parallelism": "5", "template": {"spec": pod}}},
            "an unknown field": {**job, "spec": {"paralelism": 5, "template": {"spec": pod}}},
            "an old version": {**job, "apiVersion": "extensions/v1beta1", "spec": {"template": {"spec": pod}}},
            "inside of a foreign kind": {
                "apiVersion": "keda.sh/v1alpha1",
                "kind": "ScaledJob",
                "metadata": {"name": "x"},
                "spec": {"jobTargetRef": {"template": {"spec": {**pod, "restart": "Never"}}}},
            },
        }
        for what, obj in cases.items():
            with self.subTest(what):
                self.assertIsNotNone(wrong(obj, NEWEST))
