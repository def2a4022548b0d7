"""Writes what is generated: install.yaml, the chart's copy of the CRD, dashboards and alert rules."""

import manifests
import monitoring


def main():
    manifests.INSTALL.write_text(manifests.HEADER + manifests.kustomize_text(manifests.ROOT / "base"))
    manifests.CHART_CRD.write_text(manifests.CRD.read_text())
    monitoring.write()


if __name__ == "__main__":
    main()
