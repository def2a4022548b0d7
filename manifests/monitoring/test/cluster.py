"""A cluster of one machine: an API server that is ours, the real controller, and hands that do what Kubernetes does with Jobs.

A pod's container is a process here, with its own command and variables, so that what works on the items of a run is real too.
Knows Jobs and pods as far as the controller makes and reads them; nothing of what runs are for.
"""

import json
import os
import pathlib
import subprocess
import time
import urllib.error
import urllib.request

from process import Program
from served import BOUND, PROGRAMS, until
from steady import Steady

NAMESPACE = "team"
PATHS = {"runs": "/apis/memq.dev/v1alpha1", "jobs": "/apis/batch/v1", "pods": "/api/v1"}
# Where memq lies in an image that is not its own.
INSTALLED = "/memq-program/memq"
# Of an image that cannot be pulled.
MISSING = "missing"
# How long a pod takes to start, in seconds: sizing wants to know, and a time of 0 says nothing.
START = 1.5


class ApiServer:
    """Keeps objects and tells of them. `forbidden` are rights that nobody has, as get:pods/log."""

    def __init__(self, folder, *forbidden):
        self.kubeconfig = pathlib.Path(folder) / "kubeconfig"
        rights = [word for right in forbidden for word in ("--forbid", right)]
        self._process = subprocess.Popen([PROGRAMS / "fake-kube", "--kubeconfig", self.kubeconfig, *rights])
        until("the API server answers", lambda: self.kubeconfig.exists() or self._process.poll() is not None)
        self._url = json.loads(self.kubeconfig.read_text())["clusters"][0]["cluster"]["server"]

    def call(self, method, resource, name="", body=None):
        """The answer; none if the object is gone."""
        url = f"{self._url}{PATHS[resource]}/namespaces/{NAMESPACE}/{resource}/{name}".rstrip("/")
        kind = "application/merge-patch+json" if method == "PATCH" else "application/json"
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(url, data, {"Content-Type": kind}, method=method)
        try:
            with urllib.request.urlopen(request, timeout=BOUND) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as refused:
            with refused:
                if refused.code == 404:
                    return None
            raise

    def stop(self):
        self._process.kill()
        self._process.wait()


class Controller(Program):
    """The real one, for the runs of all the namespace."""

    def __init__(self, api, server):
        super().__init__(
            [PROGRAMS / "memq", "controller", "--server", server.url, "--listen", "127.0.0.1:0"],
            r'controlling server\.address="?([\d.:]+)',
            os.environ | {"KUBECONFIG": str(api.kubeconfig)},
        )


class Pod:
    """One pod of a Job. It starts a while after it was made, if there is its image, and ends with its process."""

    def __init__(self, api, job):
        self._api = api
        self._process = None
        self._made = time.monotonic()
        self._template = job["spec"]["template"]
        self._container = self._template["spec"]["containers"][0]
        self.job = job["metadata"]["uid"]
        self.phase = "Pending"
        name = job["metadata"]["name"]
        meta = {
            "generateName": f"{name}-",
            "labels": self._template["metadata"]["labels"] | {"batch.kubernetes.io/job-name": name},
            "ownerReferences": [{"apiVersion": "batch/v1", "kind": "Job", "name": name, "uid": self.job}],
        }
        made = api.call("POST", "pods", body={"metadata": meta, "spec": self._template["spec"]})
        self._name = made["metadata"]["name"]
        if self._container["image"] == MISSING:
            self._says({"waiting": {"reason": "ImagePullBackOff", "message": f"no image {MISSING}"}})

    def look(self):
        """Whether it has ended."""
        if self.phase == "Pending" and self._container["image"] != MISSING and time.monotonic() - self._made > START:
            self._start()
        elif self.phase == "Running" and self._process.poll() is not None:
            code = self._process.returncode
            self.phase = "Failed" if code else "Succeeded"
            reason = "Error" if code else "Completed"
            times = {"startedAt": self._started, "finishedAt": now()}
            self._says({"terminated": {"exitCode": code, "reason": reason, **times}})
        return self.phase in ("Succeeded", "Failed")

    def _start(self):
        words = [*self._container["command"], *self._container.get("args", [])]
        if words[0] == INSTALLED:
            words[0] = PROGRAMS / "memq"
        # What has no value of its own is the pod's name.
        given = {one["name"]: one.get("value", self._name) for one in self._container["env"]}
        # Pods have an address each, and the processes of one machine one together.
        env = {"PATH": os.environ["PATH"], **given, "MEMQ_HEALTH_LISTEN": "127.0.0.1:0"}
        nothing = subprocess.DEVNULL
        self._process = subprocess.Popen(words, env=env, stdin=nothing, stdout=nothing, stderr=nothing)
        self._started = now()
        self.phase = "Running"
        self._says({"running": {"startedAt": self._started}})

    def _says(self, state):
        ready = self.phase == "Running"
        container = {
            "name": self._container["name"],
            "image": self._container["image"],
            "imageID": "",
            "restartCount": 0,
        }
        status = {
            "phase": self.phase,
            "conditions": [{"type": "Ready", "status": str(ready), "lastTransitionTime": now()}],
            "containerStatuses": [container | {"ready": ready, "state": state}],
        }
        self._api.call("PATCH", "pods", f"{self._name}/status", {"status": status})

    def stop(self):
        if self._process:
            self._process.kill()
            self._process.wait()


class Hands(Steady):
    """Kubernetes' Job controller and its kubelets: as many pods as a Job wants, until one succeeds or fails."""

    pause = 0.2

    def __init__(self, api):
        self._api = api
        self._pods = []
        super().__init__()

    def round(self):
        jobs = {job["metadata"]["uid"]: job for job in self._api.call("GET", "jobs")["items"]}
        for pod in [pod for pod in self._pods if pod.job not in jobs]:
            self._pods.remove(pod)
            pod.stop()
        for uid, job in jobs.items():
            if "conditions" not in job.get("status", {}):
                self._tend(job, [pod for pod in self._pods if pod.job == uid])

    def _tend(self, job, pods):
        ended = [pod for pod in pods if pod.look()]
        active = len(pods) - len(ended)
        failed = sum(pod.phase == "Failed" for pod in ended)
        # None takes the place of one that succeeded: that is how a Job of a pool ends.
        missing = 0 if ended else job["spec"]["parallelism"] - active
        self._pods += [Pod(self._api, job) for _ in range(missing)]
        status = {"active": active + max(missing, 0), "succeeded": len(ended) - failed, "failed": failed}
        if ended and not active:
            verdict = {"type": "Failed", "reason": "BackoffLimitExceeded"} if failed else {"type": "Complete"}
            status["conditions"] = [{"status": "True", **verdict}]
        if status != job.get("status"):
            self._api.call("PATCH", "jobs", f"{job['metadata']['name']}/status", {"status": status})

    def stop(self):
        super().stop()
        for pod in self._pods:
            pod.stop()


def now():
    """The date as Kubernetes writes it."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
