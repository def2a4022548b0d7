"""Dashboards are made of nothing but fields that Grafana knows, as its own description of them has it.

Grafana drops a field that it does not know in silence; so does the description, which shows what was dropped.
"""

import copy
import json
import unittest

import grafana_foundation_sdk.models.dashboard
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from monitoring import dashboards

# Read by Prometheus's data source and by variables of kind query; the description does not go so far.
BEYOND = {".annotations.list.step", ".annotations.list.titleFormat", ".templating.list.definition"}


def kept(board):
    """A dashboard as it is after Grafana's types have read and written it."""
    read = grafana_foundation_sdk.models.dashboard.Dashboard.from_json(board)
    return json.loads(JSONEncoder().encode(read))


def lost(left, right, at=""):
    """Fields of one that another has not, or has otherwise. Empty ones need not be there."""
    if isinstance(left, dict) and isinstance(right, dict):
        for name, value in left.items():
            if name in right:
                yield from lost(value, right[name], f"{at}.{name}")
            elif value not in (None, False, "", [], {}):
                yield f"{at}.{name}"
    elif isinstance(left, list) and isinstance(right, list) and len(left) == len(right):
        for pair in zip(left, right, strict=True):
            yield from lost(*pair, at)
    elif left != right:
        yield at


class Grafana(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        register_default_plugins()

    def test_every_field_is_known(self):
        for board in dashboards.ALL:
            with self.subTest(board.uid):
                made = board.json()
                self.assertEqual(set(lost(made, kept(made))) - BEYOND, set())

    def test_a_field_that_is_not_known_is_found(self):
        fleet = dashboards.ALL[0].json()
        panels = fleet["panels"]
        graph = next(place for place, panel in enumerate(panels) if panel["type"] == "timeseries")
        for where in [
            lambda board: board,
            lambda board: board["panels"][graph],
            lambda board: board["panels"][graph]["options"]["legend"],
            lambda board: board["panels"][graph]["fieldConfig"]["defaults"]["custom"],
            lambda board: board["panels"][graph]["targets"][0],
            lambda board: board["templating"]["list"][0],
        ]:
            changed = copy.deepcopy(fleet)
            where(changed)["tilte"] = "x"
            self.assertEqual(
                {path.rpartition(".")[2] for path in set(lost(changed, kept(changed))) - BEYOND}, {"tilte"}
            )


if __name__ == "__main__":
    unittest.main()
