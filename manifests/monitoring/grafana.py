"""What a dashboard is made of, and how Grafana reads it. Knows nothing of memq.

The form is what Grafana 10 to 12 load as it is: panels of today's kinds, queries to a Prometheus that a variable names.
"""

import dataclasses
from dataclasses import dataclass

# Of Grafana 10.4. Newer ones bring it up to theirs when they load it.
SCHEMA = 39
# Columns of Grafana's grid.
COLUMNS = 24
SOURCE = {"type": "prometheus", "uid": "${datasource}"}


@dataclass(frozen=True)
class Query:
    """An expression of PromQL, and what its series are called."""

    expr: str
    legend: str = ""
    # One value, as of the end of the time that is shown, in place of one for each point.
    instant: bool = False
    # Rows with labels as columns.
    as_table: bool = False

    def json(self, place):
        return {
            "datasource": SOURCE,
            "editorMode": "code",
            "expr": self.expr,
            "format": "table" if self.as_table else "time_series",
            "instant": self.instant,
            "legendFormat": self.legend,
            "range": not self.instant,
            "refId": chr(ord("A") + place),
        }


@dataclass(frozen=True)
class Steps:
    """Colours by value: `base`, and from each limit on another one."""

    base: str = "green"
    limits: tuple = ()

    def json(self):
        first = [{"color": self.base, "value": None}]
        return {"mode": "absolute", "steps": first + [{"color": c, "value": v} for v, c in self.limits]}


def bad_from(warning, critical=None):
    """Yellow from one value on, red from another."""
    red = () if critical is None else ((critical, "red"),)
    return Steps("green", ((warning, "yellow"), *red))


@dataclass(frozen=True)
class Panel:
    """What all kinds of panels have."""

    title: str
    # What it shows and how to read it, in a sentence or two.
    about: str
    queries: tuple
    unit: str = "short"
    steps: Steps = Steps()
    width: int = 8
    height: int = 8
    # Ways out of what is drawn, and of the panel itself.
    links: tuple = ()
    help: tuple = ()

    kind = ""

    def defaults(self):
        out = {"unit": self.unit, "thresholds": self.steps.json()}
        return out | ({"links": [link.json() for link in self.links]} if self.links else {})

    def options(self):
        return {}

    def overrides(self):
        return []

    def transformations(self):
        return []

    def json(self, number, x, y):
        return {
            "datasource": SOURCE,
            "description": self.about,
            "fieldConfig": {"defaults": self.defaults(), "overrides": self.overrides()},
            "gridPos": {"h": self.height, "w": self.width, "x": x, "y": y},
            "id": number,
            "links": [link.json() | {"targetBlank": True} for link in self.help],
            "options": self.options(),
            "targets": [query.json(place) for place, query in enumerate(self.queries)],
            "title": self.title,
            "transformations": self.transformations(),
            "type": self.kind,
        }


@dataclass(frozen=True)
class Graph(Panel):
    """Lines over time."""

    stacked: bool = False
    # Highest value of the axis, where there is one by nature.
    top: float | None = None
    # Draw the limits of `steps` as lines.
    show_limits: bool = False
    kind = "timeseries"

    def defaults(self):
        custom = {
            "drawStyle": "line",
            "fillOpacity": 30 if self.stacked else 8,
            "lineWidth": 1,
            "showPoints": "never",
            "spanNulls": False,
            "stacking": {"group": "A", "mode": "normal" if self.stacked else "none"},
            "thresholdsStyle": {"mode": "dashed" if self.show_limits else "off"},
        }
        top = {} if self.top is None else {"max": self.top}
        return super().defaults() | {"color": {"mode": "palette-classic"}, "custom": custom, "min": 0} | top

    def options(self):
        return {
            "legend": {"calcs": [], "displayMode": "list", "placement": "bottom", "showLegend": True},
            "tooltip": {"mode": "multi", "sort": "desc"},
        }


@dataclass(frozen=True)
class Stat(Panel):
    """One number, or one for each series, as of now."""

    width: int = 3
    height: int = 4
    # Words in place of numbers: {0: ("running", "green")}.
    words: dict = dataclasses.field(default_factory=dict)
    kind = "stat"

    def defaults(self):
        mappings = {
            str(value): {"color": color, "index": value, "text": text} for value, (text, color) in self.words.items()
        }
        return super().defaults() | {
            "color": {"mode": "thresholds"},
            "mappings": [{"options": mappings, "type": "value"}] if mappings else [],
        }

    def options(self):
        return {
            "colorMode": "value",
            "graphMode": "none" if self.words or self.queries[0].instant else "area",
            "justifyMode": "auto",
            "orientation": "auto",
            "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
            "textMode": "value_and_name" if len(self.queries) > 1 else "auto",
        }


@dataclass(frozen=True)
class Timeline(Panel):
    """A bar for each series, there while the series is."""

    kind = "state-timeline"

    def defaults(self):
        return super().defaults() | {
            "color": {"mode": "palette-classic"},
            "custom": {"fillOpacity": 70, "lineWidth": 0},
        }

    def options(self):
        return {
            "alignValue": "center",
            "legend": {"displayMode": "list", "placement": "bottom", "showLegend": False},
            "mergeValues": True,
            "rowHeight": 0.8,
            "showValue": "never",
            "tooltip": {"mode": "single", "sort": "none"},
        }


@dataclass(frozen=True)
class Column:
    """A query whose value is a column of a table."""

    title: str
    expr: str
    unit: str = "short"
    steps: Steps | None = None

    def overrides(self):
        properties = [{"id": "unit", "value": self.unit}]
        if self.steps:
            properties.append({"id": "thresholds", "value": self.steps.json()})
            properties.append({"id": "custom.cellOptions", "value": {"type": "color-text"}})
        return {"matcher": {"id": "byName", "options": self.title}, "properties": properties}


@dataclass(frozen=True)
class Table(Panel):
    """A row for each combination of `labels`, sorted by the first column of numbers. `links` are those of a row, on its last label."""

    labels: tuple = ()
    columns: tuple = ()
    width: int = COLUMNS
    height: int = 10
    kind = "table"

    @classmethod
    def of(cls, title, about, labels, *columns, **more):
        queries = tuple(Query(column.expr, instant=True, as_table=True) for column in columns)
        return cls(title, about, queries, labels=tuple(labels), columns=columns, **more)

    def defaults(self):
        return {"custom": {"align": "auto", "filterable": True}, "thresholds": self.steps.json(), "unit": self.unit}

    def overrides(self):
        links = {"id": "links", "value": [link.json() for link in self.links]}
        on = {"matcher": {"id": "byName", "options": self.labels[-1]}, "properties": [links]}
        return [column.overrides() for column in self.columns] + ([on] if self.links else [])

    def transformations(self):
        values = {f"Value #{chr(ord('A') + place)}": column.title for place, column in enumerate(self.columns)}
        order = {name: place for place, name in enumerate([*self.labels, *values])}
        return [
            {"id": "merge", "options": {}},
            {
                "id": "organize",
                "options": {"excludeByName": {"Time": True}, "indexByName": order, "renameByName": values},
            },
        ]

    def options(self):
        return {
            "cellHeight": "sm",
            "footer": {"countRows": False, "enablePagination": True, "fields": "", "reducer": ["sum"], "show": False},
            "showHeader": True,
            "sortBy": [{"desc": True, "displayName": self.columns[0].title}],
        }


@dataclass(frozen=True)
class Row:
    """A heading and the panels below it."""

    title: str
    panels: tuple


@dataclass(frozen=True)
class Link:
    """A way out of a panel."""

    title: str
    url: str

    def json(self):
        return {"targetBlank": False, "title": self.title, "url": self.url}


@dataclass(frozen=True)
class Choice:
    """A variable whose values are those of a label."""

    name: str
    label: str
    # The series that carry it.
    series: str
    about: str = ""
    # Several at once, and all of them, also where no series has the label.
    several: bool = True

    def json(self):
        query = f"label_values({self.series}, {self.name})"
        everything = {"selected": True, "text": ["All"], "value": ["$__all"]}
        return {
            "allValue": ".*" if self.several else None,
            "current": everything if self.several else {},
            "datasource": SOURCE,
            "definition": query,
            "description": self.about,
            "hide": 0,
            "includeAll": self.several,
            "label": self.label,
            "multi": self.several,
            "name": self.name,
            "options": [],
            "query": {"query": query, "refId": f"variable-{self.name}"},
            # Whenever the time that is shown changes.
            "refresh": 2,
            "regex": "",
            "skipUrlSync": False,
            "sort": 1,
            "type": "query",
        }


@dataclass(frozen=True)
class Dashboard:
    """A page of rows. Its `uid` never changes: links and bookmarks have it."""

    uid: str
    title: str
    about: str
    tag: str
    choices: tuple
    rows: tuple
    # Where its link for help leads.
    help: Link
    # Series that are drawn as marks over all graphs while they are there, and what a mark says.
    marks: Query

    def queries(self):
        """Every query of every panel, with the panel's title."""
        return [(panel.title, query.expr) for row in self.rows for panel in row.panels for query in panel.queries]

    def json(self):
        return {
            "annotations": {"list": [self._marks()]},
            "description": self.about,
            "editable": True,
            "fiscalYearStartMonth": 0,
            # A cross over all graphs at once.
            "graphTooltip": 1,
            "id": None,
            "links": [self._others(), self._help()],
            "panels": self._panels(),
            "refresh": "30s",
            "schemaVersion": SCHEMA,
            "tags": [self.tag],
            "templating": {"list": [_SOURCES, *(choice.json() for choice in self.choices)]},
            "time": {"from": "now-3h", "to": "now"},
            "timepicker": {},
            "timezone": "browser",
            "title": self.title,
            "uid": self.uid,
            "version": 1,
            "weekStart": "",
        }

    def _marks(self):
        return {
            "datasource": SOURCE,
            "enable": True,
            "expr": self.marks.expr,
            "iconColor": "red",
            "name": "Alerts",
            "step": "60s",
            "titleFormat": self.marks.legend,
        }

    def _others(self):
        return {
            "asDropdown": False,
            "icon": "external link",
            "includeVars": True,
            "keepTime": True,
            "tags": [self.tag],
            "targetBlank": False,
            "title": "",
            "tooltip": "",
            "type": "dashboards",
            "url": "",
        }

    def _help(self):
        return self._others() | {
            "icon": "doc",
            "includeVars": False,
            "keepTime": False,
            "tags": [],
            "targetBlank": True,
            "title": self.help.title,
            "type": "link",
            "url": self.help.url,
        }

    def _panels(self):
        """From left to right, as many side by side as fit, rows from top to bottom."""
        out, y = [], 0
        for row in self.rows:
            head = {
                "collapsed": False,
                "gridPos": {"h": 1, "w": COLUMNS, "x": 0, "y": y},
                "id": len(out) + 1,
                "panels": [],
                "title": row.title,
                "type": "row",
            }
            out.append(head)
            panels, y = self._flow(row.panels, y + 1, len(out) + 1)
            out += panels
        return out

    @staticmethod
    def _flow(panels, y, number):
        out, x, tallest = [], 0, 0
        for panel in panels:
            if x + panel.width > COLUMNS:
                x, y, tallest = 0, y + tallest, 0
            out.append(panel.json(number + len(out), x, y))
            x, tallest = x + panel.width, max(tallest, panel.height)
        return out, y + tallest


_SOURCES = {
    "current": {},
    "hide": 0,
    "includeAll": False,
    "label": "Data source",
    "multi": False,
    "name": "datasource",
    "options": [],
    "query": "prometheus",
    "refresh": 1,
    "regex": "",
    "skipUrlSync": False,
    "type": "datasource",
}
