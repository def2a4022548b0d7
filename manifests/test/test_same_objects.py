"""kustomize and the chart install the same objects, but for what is Helm's: labels, hooks, the name prefix."""

import tempfile
import pathlib
import unittest

import manifests

# Labels that Helm's users expect and kustomize's do not.
HELMS_LABELS = {"helm.sh/chart", "app.kubernetes.io/version", "app.kubernetes.io/managed-by"}
# This one both have, and its value is the release's name.
INSTANCE = "app.kubernetes.io/instance"
KEEP = "helm.sh/resource-policy"
# Lists in which the order means nothing.
SETS_BY_NAME = {"env", "ports"}


def same(value, key=None):
    """The value without what is Helm's, in one form."""
    if isinstance(value, dict):
        out = {k: same(v, k) for k, v in value.items() if k not in HELMS_LABELS and k not in (INSTANCE, KEEP)}
        return {k: v for k, v in out.items() if not (k in ("annotations", "labels") and v == {})}
    if isinstance(value, list):
        out = [same(v) for v in value]
        return sorted(out, key=lambda v: v["name"]) if key in SETS_BY_NAME and all("name" in v for v in out) else out
    return value


def without_prefix(value, prefix):
    """The value with `prefix-memq` called `memq`."""
    if isinstance(value, dict):
        return {k: without_prefix(v, prefix) for k, v in value.items()}
    if isinstance(value, list):
        return [without_prefix(v, prefix) for v in value]
    return value.replace(f"{prefix}-memq", "memq") if isinstance(value, str) else value


def difference(left, right, at=""):
    """The first place where two values differ, and how; None if they are the same."""
    if isinstance(left, dict) and isinstance(right, dict):
        parts = [(key, left.get(key), right.get(key)) for key in sorted({*left, *right})]
    elif isinstance(left, list) and isinstance(right, list) and len(left) == len(right):
        parts = [(str(index), *pair) for index, pair in enumerate(zip(left, right))]
    else:
        return None if left == right else f"{at}: {left!r} by kustomize, {right!r} by Helm"
    return next((found for key, l, r in parts if (found := difference(l, r, f"{at}.{key}"))), None)


class SameObjects(unittest.TestCase):
    def compare(self, kustomize, helm):
        left = {manifests.name(o): same(o) for o in kustomize}
        right = {manifests.name(o): same(o) for o in helm}
        self.assertEqual(len(left), len(kustomize), "two objects of one name")
        self.assertEqual(sorted(left), sorted(right))
        for name, obj in left.items():
            with self.subTest(name):
                self.assertIsNone(difference(obj, right[name]))

    def test_the_base_is_the_charts_defaults(self):
        self.compare(manifests.kustomize("base"), manifests.helm("memq"))

    def test_dev(self):
        self.compare(
            manifests.kustomize("overlays/dev"), manifests.helm("memq", "-f", manifests.CHART / "values-dev.yaml")
        )

    def test_prod(self):
        self.compare(
            manifests.kustomize("overlays/prod"), manifests.helm("memq", "-f", manifests.CHART / "values-prod.yaml")
        )

    def test_a_release_of_another_name_differs_by_its_prefix_alone(self):
        self.compare(
            manifests.kustomize("base"), [without_prefix(o, "other") for o in manifests.helm("other")]
        )

    def test_components_are_the_charts_switches(self):
        with Kustomization(components=["nodes", "all-namespaces", "run-roles"]) as objects:
            self.compare(
                [without_namespace(o) for o in objects],
                manifests.helm(
                    "memq", "--set", "controller.allNamespaces=true,rbac.nodes=true,rbac.runRoles=true"
                ),
            )

    def test_tokens(self):
        named = "auth.tokensSecret=memq-tokens,auth.tokenSecret=memq-admin-token,auth.workerTokenSecret=memq-work-token"
        for resources, values in [("base", "values.yaml"), ("overlays/dev", "values-dev.yaml")]:
            with Kustomization(components=["tokens"], on=resources) as objects:
                self.compare(
                    [without_namespace(o) for o in objects],
                    manifests.helm("memq", "-f", manifests.CHART / values, "--set", named),
                )

    def test_an_image_of_ones_own_is_the_workers_too(self):
        """As docs/kubernetes.md says to do it with kustomize; the chart does it by itself."""
        text = (manifests.ROOT.parent / "docs" / "kubernetes.md").read_text()
        begin = text.index("images:\n- name: memq\n")
        own = text[begin : text.index("```", begin)]
        with Kustomization(more=own) as objects:
            self.compare(
                [without_namespace(o) for o in objects],
                manifests.helm("memq", "--set", "image.repository=registry.example.com/memq,image.tag=0.1.0"),
            )

    def test_the_comparison_sees_a_difference(self):
        left = {"spec": {"replicas": 1, "args": ["a", "b"]}}
        for right, where in [
            ({"spec": {"replicas": 3, "args": ["a", "b"]}}, ".spec.replicas"),
            ({"spec": {"replicas": 1, "args": ["a", "c"]}}, ".spec.args.1"),
            ({"spec": {"replicas": 1, "args": ["a"]}}, ".spec.args"),
            ({"spec": {"replicas": 1}}, ".spec.args"),
        ]:
            self.assertTrue(difference(left, right).startswith(f"{where}: "))
        self.assertIsNone(difference(left, left))


def without_namespace(obj):
    obj["metadata"].pop("namespace", None)
    if obj["kind"] == "RoleBinding":
        for subject in obj["subjects"]:
            subject.pop("namespace", None)
    return obj


class Kustomization:
    """A user's own kustomization on top of the base, or of an overlay."""

    def __init__(self, components=(), more="", on="base"):
        self.components, self.more, self.on = components, more, on

    def __enter__(self):
        # Inside the tree, as kustomize takes no absolute paths.
        self.folder = tempfile.TemporaryDirectory(dir=manifests.ROOT / "overlays", prefix=".test-")
        path = pathlib.Path(self.folder.name)
        components = "".join(f"- ../../components/{c}\n" for c in self.components)
        (path / "kustomization.yaml").write_text(
            f"namespace: memq\nresources: [../../{self.on}]\n"
            + (f"components:\n{components}" if components else "")
            + self.more
        )
        return manifests.kustomize(path)

    def __exit__(self, *_):
        self.folder.cleanup()
