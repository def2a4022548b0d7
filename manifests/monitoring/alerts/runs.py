"""What is wrong with runs, and with the controller that carries them out."""

from ..rules import Condition, Group, Rule

CONTROLLER = ("namespace", "job")
BY = "by (namespace, job)"
SPEC = ("namespace", "spec")
BY_SPEC = "by (namespace, spec)"
AT = "{{ $labels.job }}{{ with $labels.namespace }} in namespace {{ . }}{{ end }}"
OF = "{{ $labels.spec }}{{ with $labels.namespace }} (controller in namespace {{ . }}){{ end }}"

LEADS = f"max {BY} (memq_controller_leader)"
FAILED = 'memq_runs_total{result="failed"}'

GROUP = Group(
    "memq-runs",
    (
        Rule(
            "MemqControllerWithoutLeader",
            "critical",
            CONTROLLER,
            (Condition(f"max {BY} (last_over_time(memq_controller_leader[1d]))", f"unless ({LEADS} == 1)"),),
            "5m",
            f"no controller works: {AT}",
            "None holds the lease, or none is there. Runs do not go on: no workers are started, added or replaced. Workers that run go on.",
        ),
        Rule(
            "MemqControllerFailing",
            "warning",
            CONTROLLER,
            (
                Condition(
                    f'sum {BY} (rate(memq_controller_api_requests_total{{status=~"401|403|429|5xx|error"}}[10m])) / sum {BY} (rate(memq_controller_api_requests_total[10m]))',
                    "> 0.1",
                ),
            ),
            "15m",
            f"the API server refuses the controller {AT}",
            "{{ $value | humanizePercentage }} of its requests fail: it lacks a right, is throttled, or the API server is out of reach. Runs stand still or react late.",
        ),
        Rule(
            "MemqRunFailed",
            "warning",
            SPEC,
            (
                Condition(
                    # The first run of a spec may fail before its series was scraped at 0, and has nothing to increase from
                    # then. What was there within the hour before is none of these, were some scrapes missed or not.
                    f"sum {BY_SPEC} (increase({FAILED}[15m]))",
                    f"> 0.5\nor\nsum {BY_SPEC} ({FAILED} > 0 unless last_over_time({FAILED}[1h] offset 15m))",
                ),
            ),
            "0s",
            f"a run of {OF} failed",
            "A run of this spec failed within the last quarter of an hour. `memq ls` names it, `memq why RUN` says why.",
        ),
        Rule(
            "MemqRunHeldUp",
            "warning",
            (*SPEC, "condition"),
            (
                Condition(
                    'sum by (namespace, spec, condition) (memq_run_conditions{condition=~"Blocked|CapacityBlocked"})',
                    "> 0",
                ),
            ),
            "15m",
            f"a run of {OF} is held up",
            "{{ $labels.condition }}: its pods do not start. `memq why RUN` says what is in their way.",
        ),
        Rule(
            "MemqRunStuck",
            "warning",
            (*SPEC, "phase"),
            (Condition('sum by (namespace, spec, phase) (memq_runs{phase=~"pending|stopping"})', "> 0"),),
            "30m",
            f"a run of {OF} stays {{{{ $labels.phase }}}}",
            "It should have begun, or ended, within moments. `memq why RUN` says what it waits for.",
        ),
        Rule(
            "MemqRunWillBeLate",
            "warning",
            SPEC,
            (Condition(f'sum {BY_SPEC} (memq_run_conditions{{condition="DeadlineInfeasible"}})', "> 0"),),
            "10m",
            f"a run of {OF} will miss its deadline",
            "No number of workers that it may have is enough. `memq show RUN` tells the cap that binds.",
        ),
    ),
)
