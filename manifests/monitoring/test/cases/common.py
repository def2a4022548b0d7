"""What cases are made of, and how series are written down."""

from dataclasses import dataclass

# Of series of a server, as Prometheus adds them.
SERVER = 'namespace="batch",job="memq"'


@dataclass(frozen=True)
class Case:
    """Series by their values a minute, in promtool's way of writing them, and what they lead to: nothing `at` a minute, or an alert."""

    rule: str
    story: str
    series: dict
    at: int


@dataclass(frozen=True)
class Fires(Case):
    """What is wrong is so since the minute `at`: no alert before it has held for as long as the rule says, and then this one."""

    labels: dict
    summary: str
    description: str


def series(name, where, values, **labels):
    more = "".join(f',{label}="{value}"' for label, value in labels.items())
    return {f"{name}{{{where}{more}}}": values}
