"""Runs, by their spec, and their steps; and the controller that carries them out."""

from ..grafana import Choice, Column, Graph, Link, Query, Row, Stat, Steps, Table, Timeline, bad_from
from .common import TAIL, dashboard, quantiles, runbook

CONTROLLER = 'namespace=~"$namespace"'
RUN = CONTROLLER + ',spec=~"$spec"'
STEP = RUN + ',step=~"$step"'


def counted(series):
    """How much a counter grew in the time that is shown. One that came up in it counts whole: a run may end before it was scraped at 0."""
    return f"((increase({series}[$__range]) and {series} offset $__range) or {series})"


def runs(result):
    return f'memq_runs_total{{{RUN},result="{result}"}}'


def steps_that(result):
    return f'memq_steps_total{{{STEP},result="{result}"}}'


TOOK = f"memq_run_duration_seconds_bucket{{{RUN}}}"
FAILED_PODS = f"memq_pods_failed_total{{{STEP}}}"


def ended(result):
    return f"sum ({counted(runs(result))}) or vector(0)"


RUNS = Row(
    "Runs",
    (
        Stat(
            "Unfinished",
            "Runs that have not ended.",
            (Query(f"sum (memq_runs{{{RUN}}}) or vector(0)"),),
            steps=Steps("text"),
        ),
        Stat(
            "Succeeded",
            "Runs that succeeded in the time that is shown, about.",
            (Query(ended("succeeded"), instant=True),),
            steps=Steps("text"),
        ),
        Stat(
            "Failed",
            "Runs that failed in the time that is shown, about. `memq ls` names them, `memq why RUN` says why.",
            (Query(ended("failed"), instant=True),),
            steps=Steps("text", ((0.5, "red"),)),
            help=runbook("MemqRunFailed"),
        ),
        Stat(
            "Oldest run",
            "How long the oldest run that has not ended has been running.",
            (Query(f"max (memq_run_age_seconds{{{RUN}}}) or vector(0)"),),
            unit="s",
            steps=Steps("text"),
        ),
        Stat(
            "Items left",
            "Items that the steps which run have not finished.",
            (Query(f'sum (memq_step_items{{{STEP},state="left"}}) or vector(0)'),),
            steps=Steps("text"),
        ),
        Stat(
            "Dead items",
            "Items that the steps which run have given up.",
            (Query(f'sum (memq_step_items{{{STEP},state="dead"}}) or vector(0)'),),
            steps=bad_from(1),
        ),
        Stat(
            "Done by",
            "In how much time the last item may be done, if it does not go worse than it went.",
            (Query(f'max (memq_step_eta_seconds{{{STEP},bound="high"}})'),),
            unit="s",
            steps=Steps("text"),
        ),
        Stat(
            "Held up",
            "Runs that something keeps from going on, or that will not meet their deadline.",
            (Query(f"sum (memq_run_conditions{{{RUN}}}) or vector(0)"),),
            steps=Steps("green", ((1, "red"),)),
            help=runbook("MemqRunHeldUp", "MemqRunWillBeLate"),
        ),
        Graph(
            "Unfinished runs",
            "Runs that have not ended, by where they are.",
            (Query(f"sum by (phase) (memq_runs{{{RUN}}})", "{{phase}}"),),
            stacked=True,
            help=runbook("MemqRunStuck"),
        ),
        Graph(
            "Held up",
            "Runs that are held up, by what: something keeps their pods from starting, no node takes them, or no number of workers that is allowed meets the deadline.",
            (Query(f"sum by (spec, condition) (memq_run_conditions{{{RUN}}})", "{{spec}} {{condition}}"),),
        ),
        Graph(
            "Age",
            "How long the oldest unfinished run of each spec has been running.",
            (Query(f"max by (spec) (memq_run_age_seconds{{{RUN}}})", "{{spec}}"),),
            unit="s",
        ),
        Table.of(
            "By spec",
            "Runs that ended in the time that is shown, about, and how long half of them took at most.",
            ("namespace", "spec"),
            *(
                Column(
                    result.capitalize(),
                    f"sum by (namespace, spec) ({counted(runs(result))})",
                    steps=steps,
                )
                for result, steps in (
                    ("succeeded", None),
                    ("failed", Steps("text", ((0.5, "red"),))),
                    ("cancelled", None),
                )
            ),
            Column(
                "Half took",
                f"histogram_quantile(0.5, sum by (le, namespace, spec) ({counted(TOOK)}))",
                "s",
            ),
            links=(
                Link(
                    "Show this spec alone",
                    "/d/memq-run?var-namespace=${__data.fields.namespace}&var-spec=${__data.fields.spec}&" + TAIL,
                ),
            ),
            height=7,
            width=12,
        ),
        Table.of(
            "Steps",
            "Steps that ended in the time that is shown, about, and pods of theirs that ended without success.",
            ("spec", "step"),
            *(
                Column(
                    result.capitalize(),
                    f"sum by (spec, step) ({counted(steps_that(result))})",
                    steps=steps,
                )
                for result, steps in (
                    ("succeeded", None),
                    ("failed", Steps("text", ((0.5, "red"),))),
                    ("skipped", None),
                )
            ),
            Column(
                "Failed pods",
                f"sum by (spec, step) ({counted(FAILED_PODS)})",
                steps=Steps("text", ((0.5, "yellow"),)),
            ),
            height=7,
            width=12,
        ),
    ),
)

PROGRESS = Row(
    "Progress of steps",
    (
        Graph(
            "Items",
            "Items of the steps that run.",
            (Query(f"sum by (state) (memq_step_items{{{STEP}}})", "{{state}}"),),
            stacked=True,
        ),
        Graph(
            "Finished",
            "Of all items of each step, those that are done or dead.",
            (
                Query(
                    f'sum by (spec, step) (memq_step_items{{{STEP},state!="left"}}) / sum by (spec, step) (memq_step_items{{{STEP}}})',
                    "{{spec}} {{step}}",
                ),
            ),
            unit="percentunit",
            top=1,
        ),
        Graph(
            "Time left",
            "In how much time all items may be done: if all goes well (low), and if it does not go worse than it went (high).",
            (Query(f"max by (spec, step, bound) (memq_step_eta_seconds{{{STEP}}})", "{{spec}} {{step}} {{bound}}"),),
            unit="s",
        ),
    ),
)

SIZING = Row(
    "Workers and how their number came about",
    (
        Graph(
            "Workers",
            "Wanted, and as pods that run, that wait for a node, and that have an item.",
            (Query(f"sum by (state) (memq_step_workers{{{STEP}}})", "{{state}}"),),
            width=12,
        ),
        Timeline(
            "What decided their number",
            "The term of the sizing that binds, while it does. docs/sizing.md says what each means.",
            (Query(f"sum by (spec, step, cap) (memq_step_binding_cap{{{STEP}}}) > 0", "{{spec}} {{step}} {{cap}}"),),
            width=12,
        ),
        Graph(
            "Terms",
            "The number of workers that each term comes to; the lowest of the caps wins. `target` is all of them, before the pace of change.",
            (Query(f"max by (spec, step, term) (memq_step_sizing_workers{{{STEP}}})", "{{spec}} {{step}} {{term}}"),),
            width=12,
        ),
        Graph(
            "What they reckon with",
            "Time of an item, that of all but one in twenty, start-up of a pod, the work that is left, and the time before the deadline.",
            (Query(f"max by (spec, step, term) (memq_step_sizing_seconds{{{STEP}}})", "{{spec}} {{step}} {{term}}"),),
            unit="s",
            width=12,
        ),
    ),
)

CONTROLLERS = Row(
    "Controller",
    (
        Stat(
            "Leaders",
            "Controllers that hold the lease and work. One in each namespace that has controllers.",
            (Query(f"sum (memq_controller_leader{{{CONTROLLER}}})"),),
            steps=Steps("red", ((1, "green"),)),
            height=8,
            help=runbook("MemqControllerWithoutLeader"),
        ),
        Stat(
            "Looks after",
            "Runs the controllers look after.",
            (Query(f"sum (memq_controller_runs{{{CONTROLLER}}})"),),
            steps=Steps("text"),
            height=8,
        ),
        Graph(
            "Looks",
            "Times a second that a run was looked at and planned.",
            (Query(f"sum (rate(memq_controller_looks_total{{{CONTROLLER}}}[$__rate_interval]))", "looks"),),
            unit="cps",
            width=9,
        ),
        Graph(
            "Time of a look",
            "How long it took to look at a run, plan, write its status and act.",
            quantiles("memq_controller_look_duration_seconds", CONTROLLER),
            unit="s",
            width=9,
        ),
        Graph(
            "Errors",
            "Things a second that failed and are tried again, by what.",
            (
                Query(
                    f"sum by (what) (rate(memq_controller_errors_total{{{CONTROLLER}}}[$__rate_interval]))", "{{what}}"
                ),
            ),
            unit="cps",
            width=12,
        ),
        Graph(
            "Requests to the API server",
            "Requests a second by their answer; `error` is none at all.",
            (
                Query(
                    f"sum by (status) (rate(memq_controller_api_requests_total{{{CONTROLLER}}}[$__rate_interval]))",
                    "{{status}}",
                ),
            ),
            unit="reqps",
            width=12,
            stacked=True,
            help=runbook("MemqControllerFailing"),
        ),
    ),
)

DASHBOARD = dashboard(
    "memq-run",
    "memq / Run",
    "Runs by their spec and step: progress, how many workers and why, results; and the controller that carries them out.",
    (
        Choice(
            "spec",
            "Spec",
            '{__name__=~"memq_runs|memq_runs_total",namespace=~"$namespace"}',
            "What runs are called but for the letters that generateName adds.",
        ),
        Choice(
            "step", "Step", '{__name__=~"memq_step_workers|memq_steps_total",namespace=~"$namespace",spec=~"$spec"}'
        ),
    ),
    RUNS,
    PROGRESS,
    SIZING,
    CONTROLLERS,
)
