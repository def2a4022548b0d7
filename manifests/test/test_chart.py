"""What the chart alone has: values that are checked, a test, notes, objects that are off by default."""

import unittest

import manifests


def kinds(objects):
    return {o["kind"] for o in objects}


class Values(unittest.TestCase):
    def test_a_mistake_in_the_values_is_refused_by_name(self):
        for setting, named in [
            ("server.storage=paper", "storage"),
            ("server.maxDataBytes=1", "maxDataBytes"),
            ("image.pullPolicy=Sometimes", "pullPolicy"),
            ("image.digest=latest", "digest"),
            ("persistence.accessMode=ReadWriteMany", "accessMode"),
            ("controler.replicas=2", "controler"),
            ("controller.replica=2", "replica"),
            ("persistence.size=ten", "size"),
        ]:
            with self.subTest(setting):
                with self.assertRaises(RuntimeError) as refused:
                    manifests.helm("memq", "--set", setting)
                self.assertIn(named, str(refused.exception))

    def test_large_numbers_stay_whole(self):
        objects = manifests.helm("memq", "--set", "server.maxDataBytes=109951162777600")
        server = next(o for o in objects if o["kind"] == "StatefulSet")
        env = server["spec"]["template"]["spec"]["containers"][0]["env"]
        self.assertIn({"name": "MEMQ_MAX_DATA_BYTES", "value": "109951162777600"}, env)

    def test_a_digest_goes_before_a_tag_and_workers_get_the_same_image(self):
        digest = "sha256:" + "a" * 64
        objects = manifests.helm("memq", "--set", f"image.repository=r.example.com/x/memq,image.tag=v9,image.digest={digest}")
        pod = next(o for o in objects if o["kind"] == "Deployment")["spec"]["template"]["spec"]["containers"][0]
        self.assertEqual(pod["image"], f"r.example.com/x/memq@{digest}")
        self.assertIn({"name": "MEMQ_IMAGE", "value": pod["image"]}, pod["env"])

    def test_fs_group_can_be_left_to_the_cluster(self):
        objects = manifests.helm("memq", "--set", "server.fsGroup=null")
        server = next(o for o in objects if o["kind"] == "StatefulSet")
        self.assertNotIn("fsGroup", server["spec"]["template"]["spec"]["securityContext"])


class Tokens(unittest.TestCase):
    ALL = "auth.tokensSecret=tokens,auth.tokenSecret=mine,auth.workerTokenSecret=workers,auth.metricsTokenSecret=scrape"

    def test_a_server_that_asks_for_tokens_has_a_controller_that_has_one(self):
        with self.assertRaisesRegex(RuntimeError, "name the controller's Secret in auth.tokenSecret"):
            manifests.helm("memq", "--set", "auth.tokensSecret=tokens")
        self.assertTrue(manifests.helm("memq", "--set", "auth.tokensSecret=tokens,controller.enabled=false"))

    def test_each_has_its_own_secret_and_no_other(self):
        objects = manifests.helm_with_hooks("memq", "--set", self.ALL)
        mounted = {
            manifests.name(o): sorted(v["secret"]["secretName"] for v in pod["spec"].get("volumes", []) if "secret" in v)
            for o in objects
            if (pod := manifests.pod_template(o))
        }
        wanted = {"StatefulSet/memq-server": ["tokens"], "Deployment/memq-controller": ["mine"], "Pod/memq-test": ["mine"]}
        self.assertEqual(mounted, wanted)

    def test_a_server_in_memory_has_them_too(self):
        server = next(
            o
            for o in manifests.helm("memq", "--set", self.ALL + ",server.storage=memory")
            if o["kind"] == "StatefulSet"
        )
        pod = server["spec"]["template"]["spec"]
        self.assertEqual([v["name"] for v in pod["volumes"]], ["tokens"])
        self.assertEqual([m["name"] for m in pod["containers"][0]["volumeMounts"]], ["tokens"])

    def test_prometheus_shows_a_token_to_the_server_alone(self):
        objects = manifests.helm("memq", "--set", self.ALL + ",serviceMonitor.enabled=true")
        shown = {
            o["metadata"]["name"]: o["spec"]["endpoints"][0].get("authorization")
            for o in objects
            if o["kind"] == "ServiceMonitor"
        }
        token = {"type": "Bearer", "credentials": {"name": "scrape", "key": "token"}}
        self.assertEqual(shown, {"memq-server": token, "memq-controller": None})

    def test_nothing_of_it_is_there_by_default(self):
        for text in ("MEMQ_TOKEN", "secrets/memq", "WORKER_TOKEN"):
            self.assertNotIn(text, manifests.helm_text("memq"))


class Objects(unittest.TestCase):
    def test_helm_finds_nothing_to_complain_about(self):
        manifests.run("MEMQ_HELM", "lint", "--strict", "--quiet", manifests.CHART)

    def test_what_is_off_by_default(self):
        shipped = kinds(manifests.helm("memq"))
        for kind in ("ServiceMonitor", "PrometheusRule", "ClusterRole", "PodDisruptionBudget"):
            self.assertNotIn(kind, shipped)

    def test_each_switch_takes_its_objects_away(self):
        for setting, kind in [
            ("crds.install=false", "CustomResourceDefinition"),
            ("networkPolicy.enabled=false", "NetworkPolicy"),
            ("controller.enabled=false", "Deployment"),
            ("controller.enabled=false", "Role"),
        ]:
            with self.subTest(setting):
                self.assertNotIn(kind, kinds(manifests.helm("memq", "--set", setting)))

    def test_the_crd_outlives_the_release(self):
        crd = next(o for o in manifests.helm("memq") if o["kind"] == "CustomResourceDefinition")
        self.assertEqual(crd["metadata"]["annotations"]["helm.sh/resource-policy"], "keep")

    def test_the_chart_has_a_test(self):
        hooks = [o for o in manifests.helm_with_hooks("memq") if manifests.is_hook(o)]
        self.assertEqual([o["metadata"]["annotations"]["helm.sh/hook"] for o in hooks], ["test"])
        self.assertEqual(hooks[0]["metadata"]["labels"]["memq.dev/client"], "true")

    def test_service_monitors_select_services_that_are_there(self):
        objects = manifests.helm("memq", "--set", "serviceMonitor.enabled=true")
        services = [o for o in objects if o["kind"] == "Service"]
        monitors = [o for o in objects if o["kind"] == "ServiceMonitor"]
        self.assertEqual(len(monitors), 2)
        for monitor in monitors:
            wanted = monitor["spec"]["selector"]["matchLabels"].items()
            ports = [
                p["name"] for s in services if wanted <= s["metadata"]["labels"].items() for p in s["spec"]["ports"]
            ]
            self.assertEqual(ports, [monitor["spec"]["endpoints"][0]["port"]])
