"""Dashboards and alert rules: where they are made, and all the files they become.

`cargo xtask manifests` writes those files; a test fails until they are committed.
"""

import json
import pathlib

from . import alerts, dashboards
from .rules import as_file, as_object
from .words import RUNBOOKS as RUNBOOKS

ROOT = pathlib.Path(__file__).resolve().parent.parent
COMPONENT = ROOT / "components" / "monitoring"
CHART = ROOT / "chart" / "memq" / "files"


def files():
    """Path and text of everything that is generated."""
    out = {COMPONENT / "prometheusrule.yaml": as_object(alerts.GROUPS)}
    # For whoever has neither the operator nor Kubernetes, and for the chart, which reads nothing outside of itself.
    for path in (ROOT / "monitoring" / "alerts.yaml", CHART / "alerts.yaml"):
        out[path] = as_file(alerts.GROUPS)
    for dashboard in dashboards.ALL:
        text = json.dumps(dashboard.json(), indent=1, sort_keys=True, ensure_ascii=False) + "\n"
        for folder in (COMPONENT, CHART):
            out[folder / "dashboards" / f"{dashboard.uid}.json"] = text
    return out


def write():
    """Writes them, and takes away dashboards that are no more."""
    wanted = files()
    for folder in (COMPONENT, CHART):
        (folder / "dashboards").mkdir(parents=True, exist_ok=True)
        for path in (folder / "dashboards").glob("*.json"):
            if path not in wanted:
                path.unlink()
    for path, text in wanted.items():
        path.write_text(text)
