"""What our dashboards have in common."""

from ..grafana import Choice, Dashboard, Link, Query
from ..words import RUNBOOKS

NAMESPACE = Choice("namespace", "Namespace", "memq_build_info", "Where the program that was scraped runs.")
# Opens a dashboard of ours at the same time and with the same data source.
TAIL = "${datasource:queryparam}&${__url_time_range}"


def runbook(*names):
    """A panel's way to what is to be done."""
    return tuple(Link(f"Runbook {name}", f"{RUNBOOKS}/{name}.md") for name in names)


def dashboard(uid, title, about, choices, *rows):
    return Dashboard(
        uid=uid,
        title=title,
        about=about,
        tag="memq",
        choices=(NAMESPACE, *choices),
        rows=rows,
        help=Link("Runbooks", f"{RUNBOOKS}/README.md"),
        marks=Query(
            'ALERTS{alertname=~"Memq.+",alertstate="firing",namespace=~"$namespace"}', "{{alertname}} {{queue}}{{spec}}"
        ),
    )


def quantiles(family, where, by=(), of=(0.5, 0.95, 0.99)):
    """Queries for quantiles of a histogram, as many as are asked for."""
    labels = ", ".join(("le", *by))
    name = "".join(f" {{{{{label}}}}}" for label in by)
    return tuple(
        Query(
            f"histogram_quantile({q}, sum by ({labels}) (rate({family}_bucket{{{where}}}[$__rate_interval])))",
            f"p{q * 100:.0f}{name}",
        )
        for q in of
    )
