"""What is generated and committed is what would be generated now."""

import re
import tomllib
import unittest

import manifests


class Committed(unittest.TestCase):
    def test_install_yaml_is_the_base_rendered(self):
        now = manifests.HEADER + manifests.kustomize_text(manifests.ROOT / "base")
        self.assertTrue(manifests.INSTALL.read_text() == now, "run `cargo xtask manifests` and commit")

    def test_the_chart_has_the_same_crd(self):
        same = manifests.CHART_CRD.read_text() == manifests.CRD.read_text()
        self.assertTrue(same, "run `cargo xtask manifests` and commit")

    def test_all_versions_are_the_workspaces(self):
        """The image's tag in manifests and examples, and the chart's versions, follow Cargo.toml."""
        cargo = tomllib.loads((manifests.ROOT.parent / "Cargo.toml").read_text())
        version = cargo["workspace"]["package"]["version"]
        chart = manifests.of_file(manifests.CHART / "Chart.yaml")[0]
        self.assertEqual((chart["version"], chart["appVersion"]), (version, version))
        for path in sorted(manifests.ROOT.rglob("*.yaml")):
            for tag in re.findall(r"\bmemq:(\d+\.\d+\.\d+)", path.read_text()):
                self.assertEqual(tag, version, path)
