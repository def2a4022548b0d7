"""When alerts about runs and the controller fire."""

from .common import Case, Fires, series

CONTROLLER = 'namespace="batch",job="memq-controller"'
SPEC = CONTROLLER + ',spec="nightly"'
AT_CONTROLLER = {"namespace": "batch", "job": "memq-controller"}
AT_SPEC = {"namespace": "batch", "spec": "nightly"}


def requests(good, bad, status):
    name = "memq_controller_api_requests_total"
    return series(name, CONTROLLER, good, method="GET", status="2xx") | series(
        name, CONTROLLER, bad, method="GET", status=status
    )


CASES = (
    Fires(
        "MemqControllerWithoutLeader",
        "two stand by, and none leads",
        series("memq_controller_leader", CONTROLLER, "0+0x20", pod="a")
        | series("memq_controller_leader", CONTROLLER, "0+0x20", pod="b"),
        0,
        AT_CONTROLLER,
        "no controller works: memq-controller in namespace batch",
        "None holds the lease, or none is there. Runs do not go on: no workers are started, added or replaced. Workers that run go on.",
    ),
    Fires(
        "MemqControllerWithoutLeader",
        "the only one goes away",
        series("memq_controller_leader", CONTROLLER, "1+0x10 stale"),
        11,
        AT_CONTROLLER,
        "no controller works: memq-controller in namespace batch",
        "None holds the lease, or none is there. Runs do not go on: no workers are started, added or replaced. Workers that run go on.",
    ),
    Case(
        "MemqControllerWithoutLeader",
        "the other one takes over after two minutes",
        series("memq_controller_leader", CONTROLLER, "1+0x5 stale", pod="a")
        | series("memq_controller_leader", CONTROLLER, "0+0x7 1+0x20", pod="b"),
        12,
    ),
    Case(
        "MemqControllerWithoutLeader",
        "one leads and one stands by",
        series("memq_controller_leader", CONTROLLER, "1+0x20", pod="a")
        | series("memq_controller_leader", CONTROLLER, "0+0x20", pod="b"),
        15,
    ),
    Fires(
        "MemqControllerFailing",
        "it lacks a right",
        requests("0+7x60", "0+1x60", "403"),
        1,
        AT_CONTROLLER,
        "the API server refuses the controller memq-controller in namespace batch",
        "12.5% of its requests fail: it lacks a right, is throttled, or the API server is out of reach. Runs stand still or react late.",
    ),
    Case(
        "MemqControllerFailing", "two requests in twenty-five get no answer", requests("0+23x60", "0+2x60", "error"), 30
    ),
    Case("MemqControllerFailing", "others wrote first, which is everyday", requests("0+5x60", "0+5x60", "409"), 30),
    Fires(
        "MemqRunFailed",
        "the first failure of a spec",
        series("memq_runs_total", SPEC, "_x5 0+0x4 1+0x30", result="failed"),
        10,
        AT_SPEC,
        "a run of nightly (controller in namespace batch) failed",
        "A run of this spec failed within the last quarter of an hour. `memq ls` names it, `memq why RUN` says why.",
    ),
    Fires(
        "MemqRunFailed",
        "the first run of a spec fails between two scrapes",
        series("memq_runs_total", SPEC, "_x10 1+0x30", result="failed"),
        10,
        AT_SPEC,
        "a run of nightly (controller in namespace batch) failed",
        "A run of this spec failed within the last quarter of an hour. `memq ls` names it, `memq why RUN` says why.",
    ),
    Fires(
        "MemqRunFailed",
        "a further one",
        series("memq_runs_total", SPEC, "3+0x30 4+0x30", result="failed"),
        31,
        AT_SPEC,
        "a run of nightly (controller in namespace batch) failed",
        "A run of this spec failed within the last quarter of an hour. `memq ls` names it, `memq why RUN` says why.",
    ),
    Case(
        "MemqRunFailed",
        "the last one failed an hour ago",
        series("memq_runs_total", SPEC, "_x10 1+0x90", result="failed"),
        75,
    ),
    Case(
        "MemqRunFailed",
        "some failed long ago, and Prometheus was away for ten minutes",
        series("memq_runs_total", SPEC, "3+0x30 _x10 3+0x60", result="failed"),
        50,
    ),
    Case(
        "MemqRunFailed",
        "runs succeed",
        series("memq_runs_total", SPEC, "0+1x60", result="succeeded")
        | series("memq_runs_total", SPEC, "0+0x60", result="failed"),
        30,
    ),
    Fires(
        "MemqRunHeldUp",
        "no node takes its pods",
        series("memq_run_conditions", SPEC, "1+0x30", condition="CapacityBlocked"),
        0,
        AT_SPEC | {"condition": "CapacityBlocked"},
        "a run of nightly (controller in namespace batch) is held up",
        "CapacityBlocked: its pods do not start. `memq why RUN` says what is in their way.",
    ),
    Case(
        "MemqRunHeldUp",
        "a node came after ten minutes",
        series("memq_run_conditions", SPEC, "1+0x10 0+0x30", condition="CapacityBlocked"),
        20,
    ),
    Fires(
        "MemqRunStuck",
        "it was cancelled, and does not end",
        series("memq_runs", SPEC, "1+0x60", phase="stopping"),
        0,
        AT_SPEC | {"phase": "stopping"},
        "a run of nightly (controller in namespace batch) stays stopping",
        "It should have begun, or ended, within moments. `memq why RUN` says what it waits for.",
    ),
    Case(
        "MemqRunStuck",
        "it took twenty minutes to stop",
        series("memq_runs", SPEC, "1+0x20 0+0x60", phase="stopping"),
        35,
    ),
    Case("MemqRunStuck", "it runs for hours, as it should", series("memq_runs", SPEC, "1+0x200", phase="running"), 180),
    Fires(
        "MemqRunWillBeLate",
        "not even all workers would do",
        series("memq_run_conditions", SPEC, "1+0x30", condition="DeadlineInfeasible"),
        0,
        AT_SPEC,
        "a run of nightly (controller in namespace batch) will miss its deadline",
        "No number of workers that it may have is enough. `memq show RUN` tells the cap that binds.",
    ),
    Case(
        "MemqRunWillBeLate",
        "it was late for five minutes",
        series("memq_run_conditions", SPEC, "1+0x5 0+0x30", condition="DeadlineInfeasible"),
        15,
    ),
)
