"""What is installed keeps our rules, and each rule finds what it forbids."""

import copy
import unittest

import manifests
import policy

GOOD = """
apiVersion: batch/v1
kind: Job
metadata: {name: good, labels: {app.kubernetes.io/name: memq}}
spec:
  backoffLimit: 6
  podFailurePolicy:
    rules:
    - {action: Ignore, onPodConditions: [{type: DisruptionTarget, status: "True"}]}
    - {action: Ignore, onExitCodes: {operator: In, values: [69, 75]}}
    - {action: FailJob, onExitCodes: {operator: In, values: [64, 65, 77, 78]}}
  template:
    spec:
      restartPolicy: Never
      automountServiceAccountToken: false
      securityContext: {runAsNonRoot: true, seccompProfile: {type: RuntimeDefault}}
      containers:
      - name: worker
        image: memq:0.1.0
        resources:
          requests: {cpu: 1, memory: 1Gi, ephemeral-storage: 1Gi}
          limits: {cpu: 1, memory: 1Gi, ephemeral-storage: 1Gi}
        terminationMessagePolicy: FallbackToLogsOnError
        securityContext: {allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: {drop: [ALL]}}
"""


class Installed(unittest.TestCase):
    def test_every_object_keeps_every_rule(self):
        for where, objects in manifests.installed():
            for obj in objects:
                with self.subTest(where=where, object=manifests.name(obj)):
                    self.assertEqual(policy.broken(obj, policy.INSTALLED), [])

    def test_the_server_is_one_and_has_no_budget(self):
        """A budget for one pod would block every drain of its node."""
        for where, objects in manifests.installed():
            budgets = [o for o in objects if o["kind"] == "PodDisruptionBudget"]
            replicas = {o["metadata"]["name"]: o["spec"]["replicas"] for o in objects if o["kind"] == "Deployment"}
            with self.subTest(where):
                self.assertEqual([o["spec"]["replicas"] for o in objects if o["kind"] == "StatefulSet"][1:], [])
                for budget in budgets:
                    self.assertGreaterEqual(replicas[budget["metadata"]["name"]], 2)
                for obj in objects:
                    if obj["kind"] == "StatefulSet":
                        self.assertEqual(obj["spec"]["replicas"], 1)

    def test_a_log_has_room_on_its_volume_and_memory_for_what_it_may_hold(self):
        """The three settings of size, the memory limit and the claim go together."""
        for where, objects in manifests.installed():
            for server in (o for o in objects if o["kind"] == "StatefulSet"):
                with self.subTest(where):
                    pod = server["spec"]["template"]["spec"]["containers"][0]
                    env = {e["name"]: e.get("value") for e in pod["env"]}
                    memory = quantity(pod["resources"]["limits"]["memory"])
                    bodies = int(env.get("MEMQ_BODY_MEMORY") or 4 * int(env.get("MEMQ_MAX_BYTES") or 0))
                    # 150 bytes an item at most, and 140 MiB for ten thousand connections.
                    self.assertGreaterEqual(memory, bodies + 150 * int(env["MEMQ_MAX_ITEMS"]) + 140 * 2**20)
                    for claim in server["spec"].get("volumeClaimTemplates") or []:
                        size = quantity(claim["spec"]["resources"]["requests"]["storage"])
                        self.assertLessEqual(int(env["MEMQ_MAX_DATA_BYTES"]), size * 0.8)

    def test_only_the_controller_has_a_token_and_it_alone_is_bound(self):
        for where, objects in manifests.installed():
            for obj in objects:
                template = manifests.pod_template(obj)
                with self.subTest(where=where, object=manifests.name(obj)):
                    if template and template["spec"]["automountServiceAccountToken"]:
                        self.assertTrue(template["spec"]["serviceAccountName"].endswith("-controller"))
                    for subject in obj.get("subjects") or []:
                        self.assertTrue(subject["name"].endswith("-controller"))


class RulesFind(unittest.TestCase):
    """Each change breaks the rule it is about, and no other."""

    def check(self, rule, change):
        job = manifests.objects(GOOD)[0]
        changed = copy.deepcopy(job)
        change(changed, changed["spec"]["template"]["spec"], changed["spec"]["template"]["spec"]["containers"][0])
        rules = (*policy.INSTALLED, policy.jobs)
        self.assertEqual({name for name, _ in policy.broken(changed, rules)}, {rule} if rule else set())

    def test_a_good_job(self):
        self.check(None, lambda job, pod, container: None)

    def test_what_is_forbidden(self):
        def put(where, **fields):
            return where.update(fields)

        cases = [
            ("restricted", lambda job, pod, c: put(pod["securityContext"], runAsNonRoot=False)),
            ("restricted", lambda job, pod, c: pod["securityContext"].pop("seccompProfile")),
            ("restricted", lambda job, pod, c: put(pod, hostNetwork=True)),
            ("restricted", lambda job, pod, c: put(pod, volumes=[{"name": "x", "hostPath": {"path": "/"}}])),
            ("restricted", lambda job, pod, c: put(c["securityContext"], allowPrivilegeEscalation=True)),
            ("restricted", lambda job, pod, c: c["securityContext"].pop("readOnlyRootFilesystem")),
            ("restricted", lambda job, pod, c: put(c["securityContext"], capabilities={"drop": ["ALL"], "add": ["X"]})),
            ("restricted", lambda job, pod, c: put(c, ports=[{"containerPort": 1, "hostPort": 1}])),
            ("user_is_the_images", lambda job, pod, c: put(pod["securityContext"], runAsUser=1)),
            ("resources", lambda job, pod, c: c["resources"]["limits"].pop("ephemeral-storage")),
            ("resources", lambda job, pod, c: c.pop("resources")),
            ("last_words", lambda job, pod, c: c.pop("terminationMessagePolicy")),
            ("token", lambda job, pod, c: pod.pop("automountServiceAccountToken")),
            ("no_namespace", lambda job, pod, c: put(job["metadata"], namespace="default")),
            ("recommended_labels", lambda job, pod, c: job["metadata"].pop("labels")),
            ("jobs", lambda job, pod, c: put(pod, restartPolicy="OnFailure")),
            ("jobs", lambda job, pod, c: job["spec"].pop("podFailurePolicy")),
            ("jobs", lambda job, pod, c: job["spec"]["podFailurePolicy"]["rules"].pop(0)),
            ("jobs", lambda job, pod, c: job["spec"]["podFailurePolicy"]["rules"].pop(1)),
            ("jobs", lambda job, pod, c: job["spec"].pop("backoffLimit")),
        ]
        for number, (rule, change) in enumerate(cases):
            with self.subTest(rule=rule, number=number):
                self.check(rule, change)

    def test_rights_that_reach_too_far(self):
        good = {"apiGroups": ["batch"], "resources": ["jobs"], "verbs": ["get"]}
        bad = [
            {**good, "verbs": ["*"]},
            {**good, "resources": ["*/status"]},
            {**good, "apiGroups": ["*"]},
            {**good, "verbs": ["escalate"]},
            {**good, "resources": ["secrets"]},
            {**good, "resources": ["pods/exec"]},
        ]
        for rule in [good, *bad]:
            with self.subTest(rule):
                role = {"kind": "Role", "metadata": {"name": "x"}, "rules": [rule]}
                self.assertEqual(bool(list(policy.rights(role))), rule is not good)

    def test_a_server_without_probes(self):
        obj = manifests.objects(GOOD)[0]
        obj["kind"] = "Deployment"
        self.assertEqual(len(list(policy.probes(obj))), 2)
        obj["spec"]["template"]["spec"]["containers"][0]["livenessProbe"] = {"httpGet": {"path": "/readyz"}}
        self.assertEqual(len(list(policy.probes(obj))), 2)

    def test_an_account_and_a_secret(self):
        account = {"kind": "ServiceAccount", "metadata": {"name": "x"}}
        self.assertTrue(list(policy.token(account)))
        self.assertTrue(list(policy.no_secrets({"kind": "Secret", "metadata": {"name": "x"}})))


def quantity(text):
    """Bytes of a Kubernetes quantity such as 8Gi."""
    units = {"Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40}
    return int(text[:-2]) * units[text[-2:]]
