"""The rules that what we ship keeps, each a function from an object to what is wrong with it.

They know objects and nothing of where these come from.
"""

import manifests

# Resources that each container asks for and is bounded by.
RESOURCES = ("cpu", "memory", "ephemeral-storage")
# Volumes that the restricted profile allows and we use.
VOLUMES = {"configMap", "downwardAPI", "emptyDir", "persistentVolumeClaim", "projected", "secret"}
# Verbs that let a role give itself more than it has.
ESCALATING = {"bind", "escalate", "impersonate"}


def restricted(obj):
    """Pod Security Standards, profile restricted, and what we ask for on top: a read-only root."""
    template = manifests.pod_template(obj)
    if template is None:
        return
    spec = template["spec"]
    pod = spec.get("securityContext") or {}
    if pod.get("runAsNonRoot") is not True:
        yield "runAsNonRoot is not set"
    if (pod.get("seccompProfile") or {}).get("type") != "RuntimeDefault":
        yield "seccompProfile is not RuntimeDefault"
    for field in ("hostNetwork", "hostPID", "hostIPC", "hostUsers"):
        if spec.get(field):
            yield f"{field} is set"
    for volume in spec.get("volumes") or []:
        for kind in set(volume) - {"name"} - VOLUMES:
            yield f"volume {volume['name']} is a {kind}"
    for container in manifests.containers(template):
        name, own = container["name"], container.get("securityContext") or {}
        if own.get("allowPrivilegeEscalation") is not False:
            yield f"{name} may escalate its privileges"
        if own.get("readOnlyRootFilesystem") is not True:
            yield f"{name} may write to its root"
        if (own.get("capabilities") or {}) != {"drop": ["ALL"]}:
            yield f"{name} does not drop all capabilities, or adds some"
        if own.get("privileged") or own.get("procMount"):
            yield f"{name} is privileged"
        for port in container.get("ports") or []:
            if "hostPort" in port:
                yield f"{name} takes a port of the node"


def user_is_the_images(obj):
    """Our own image has its user; a number in the manifest is refused where the cluster gives one (OpenShift)."""
    template = manifests.pod_template(obj)
    if template is None:
        return
    ours = all(is_ours(c["image"]) for c in manifests.containers(template))
    pod = template["spec"].get("securityContext") or {}
    if ours and ("runAsUser" in pod or "runAsGroup" in pod):
        yield "names a user although the image has one"


def is_ours(image):
    return image.split("/")[-1].split("@")[0].split(":")[0] == "memq"


def resources(obj):
    """Each container asks for, and is bounded by, processor, memory and disk."""
    template = manifests.pod_template(obj)
    for container in manifests.containers(template) if template else ():
        given = container.get("resources") or {}
        for part in ("requests", "limits"):
            for resource in RESOURCES:
                if resource not in (given.get(part) or {}):
                    yield f"{container['name']} has no {resource} in {part}"


def last_words(obj):
    """What a failing container printed last is its termination message."""
    template = manifests.pod_template(obj)
    for container in manifests.containers(template) if template else ():
        if container.get("terminationMessagePolicy") != "FallbackToLogsOnError":
            yield f"{container['name']} has no terminationMessagePolicy FallbackToLogsOnError"


def token(obj):
    """Nobody has a token of the API server without saying so, and an account gives none away."""
    if obj["kind"] == "ServiceAccount" and obj.get("automountServiceAccountToken") is not False:
        yield "gives its token to every pod"
    template = manifests.pod_template(obj)
    if template and "automountServiceAccountToken" not in template["spec"]:
        yield "does not say whether it has a token"


def probes(obj):
    """What serves is probed; liveness asks for the process alone."""
    if obj["kind"] not in ("Deployment", "StatefulSet", "ReplicaSet"):
        return
    for container in obj["spec"]["template"]["spec"]["containers"]:
        for probe in ("livenessProbe", "readinessProbe"):
            if probe not in container:
                yield f"{container['name']} has no {probe}"
        path = ((container.get("livenessProbe") or {}).get("httpGet") or {}).get("path")
        if path and path not in ("/healthz", "/healthy"):
            yield f"{container['name']}: liveness asks {path}, which may look at others"


def rights(obj):
    """No wildcards, no way to more, and no Secrets."""
    if obj["kind"] not in ("Role", "ClusterRole"):
        return
    for rule in obj["rules"]:
        for field in ("apiGroups", "resources", "verbs"):
            if any("*" in word for word in rule.get(field) or []):
                yield f"a wildcard in {field}: {rule}"
        if ESCALATING & set(rule["verbs"]):
            yield f"may give itself more: {rule}"
        if "secrets" in rule["resources"] or any(r.startswith("pods/exec") for r in rule["resources"]):
            yield f"reaches too far: {rule}"
        if "nonResourceURLs" in rule:
            yield f"names paths: {rule}"


def no_secrets(obj):
    """Nothing secret is shipped."""
    if obj["kind"] == "Secret":
        yield "is a Secret"


def recommended_labels(obj):
    """What is installed says what it is."""
    labels = obj["metadata"].get("labels") or {}
    if obj["kind"] != "CustomResourceDefinition" and labels.get("app.kubernetes.io/name") != "memq":
        yield "has no label app.kubernetes.io/name: memq"


def no_namespace(obj):
    """The user says where it goes; only a cluster-wide binding must name a namespace."""
    if "namespace" in obj["metadata"]:
        yield "names a namespace"


def jobs(obj):
    """A Job of workers tells a worker's exits from an item's failures, and outlives lost pods."""
    spec = manifests.job_spec(obj)
    if spec is None:
        return
    pod = spec["template"]["spec"]
    if pod.get("restartPolicy") != "Never":
        yield "restartPolicy is not Never"
    if "podFailurePolicy" not in spec:
        yield "has no podFailurePolicy"
        return
    rules = spec["podFailurePolicy"]["rules"]
    if not any(
        r["action"] == "Ignore" and any(c["type"] == "DisruptionTarget" for c in r.get("onPodConditions") or [])
        for r in rules
    ):
        yield "counts a pod that was evicted as failed"
    exits = {}
    for rule in rules:
        for code in (rule.get("onExitCodes") or {}).get("values") or []:
            exits[code] = rule["action"]
    wanted = {69: "Ignore", 75: "Ignore", 64: "FailJob", 65: "FailJob", 77: "FailJob", 78: "FailJob"}
    if exits != wanted:
        yield f"exit codes are {exits} and not {wanted}"
    if "backoffLimit" not in spec:
        yield "has no backoffLimit"


EVERYWHERE = (restricted, user_is_the_images, resources, last_words, token, probes, rights, no_secrets, no_namespace)
INSTALLED = (*EVERYWHERE, recommended_labels)


def broken(obj, rules):
    """What an object breaks, as rule and complaint."""
    return [(rule.__name__, what) for rule in rules for what in rule(obj)]
