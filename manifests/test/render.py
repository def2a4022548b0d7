"""Writes what is generated: install.yaml, and the chart's copy of the CRD."""

import manifests


def main():
    manifests.INSTALL.write_text(manifests.HEADER + manifests.kustomize_text(manifests.ROOT / "base"))
    manifests.CHART_CRD.write_text(manifests.CRD.read_text())


if __name__ == "__main__":
    main()
