//! What runs in a pod: a worker of a queue, or one thing that succeeds or does not.

use super::chance::Chance;
use super::cluster::Pod;
use super::items::Items;

/// How workers and programs behave.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Habits {
    /// One item in so many fails an attempt.
    pub(crate) bad_items: u64,
    /// One turn in so many a worker crashes.
    pub(crate) crashes: u64,
    /// One worker in so many crashes before its first item.
    pub(crate) lemons: u64,
    /// It exits 0 when there is nothing to lease, drained or not.
    pub(crate) leaves_when_empty: bool,
    /// It exits with this as soon as it runs.
    pub(crate) exits: Option<i32>,
    /// It cannot reach the queue server, whoever else can.
    pub(crate) cut_off: bool,
    /// One program in so many fails.
    pub(crate) failures: u64,
    /// Programs never end.
    pub(crate) hangs: bool,
}

/// How long a worker tries to reach its server.
const CUT_OFF_PATIENCE: i64 = 30_000;

/// One turn of a running worker.
pub(crate) fn work(
    name: &str,
    pod: &mut Pod,
    items: &mut Items,
    habits: Habits,
    reachable: bool,
    chance: &mut Chance,
    now: i64,
) {
    if let Some(code) = habits.exits {
        pod.end = Some((code, now));
        return;
    }
    if chance.once_in(habits.crashes) {
        pod.end = Some((137, now));
        return;
    }
    if pod.deleting.is_some() || pod.disrupted {
        pod.end = Some((75, now));
        return;
    }
    if !reachable || habits.cut_off {
        let since = *pod.cut_off_since.get_or_insert(now);
        if now - since >= CUT_OFF_PATIENCE {
            pod.end = Some((69, now));
        }
        return;
    }
    pod.cut_off_since = None;
    if pod.first_ready.is_none() && chance.once_in(habits.lemons) {
        pod.end = Some((1, now));
        return;
    }
    if let Some((item, through)) = pod.item {
        items.renew(item, name, now);
        pod.ready_until = now + 30_000;
        if now >= through {
            items.settle(item, name, !chance.once_in(habits.bad_items));
            pod.item = None;
        }
    }
    if pod.item.is_none() {
        pod.item = items
            .lease(name, now)
            .map(|item| (item, now + chance.between(1_000, 8_000)));
        if pod.item.is_some() {
            pod.first_ready.get_or_insert(now);
            pod.ready_until = now + 30_000;
            pod.idle_since = None;
            return;
        }
        let idle = *pod.idle_since.get_or_insert(now);
        let lingered = now - idle >= 8_000;
        if (items.drained() && lingered) || (habits.leaves_when_empty && items.total > 0) {
            pod.end = Some((0, now));
        }
    }
}

/// One turn of a program.
pub(crate) fn go_on(pod: &mut Pod, habits: Habits, chance: &mut Chance, now: i64) {
    pod.first_ready.get_or_insert(now);
    if pod.disrupted || pod.deleting.is_some() {
        pod.end = Some((143, now));
    } else if !habits.hangs && now >= pod.starts + 6_000 {
        let code = i32::from(chance.once_in(habits.failures));
        pod.end = Some((code, now));
    }
}
