//! Queues as tables for people.

use std::time::Duration;

use comfy_table::{CellAlignment, Table, presets};
use queue_api::{Counts, Handling, Queue, Totals};

use super::settings;
use crate::view::{human, per_second, trimmed};

/// In one word what a queue is doing.
fn state(queue: &Queue) -> &'static str {
    match queue {
        q if q.paused => "paused",
        q if q.drained => "drained",
        q if q.sealed => "sealed",
        q if q.empty => "empty",
        _ => "open",
    }
}

/// A row each.
pub(super) fn list(queues: &[Queue]) -> String {
    if queues.is_empty() {
        return "no queues".into();
    }
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header([
        "QUEUE", "STATE", "READY", "LEASED", "DELAYED", "DONE", "DEAD", "RATE", "LEFT", "OLDEST",
    ]);
    for queue in queues {
        let counts = queue.counts;
        let time = |ms: Option<u64>| ms.map_or("-".into(), |ms| human(Duration::from_millis(ms)));
        table.add_row([
            queue.name.to_string(),
            state(queue).to_owned(),
            counts.ready.to_string(),
            counts.leased.to_string(),
            counts.delayed.to_string(),
            counts.done.to_string(),
            counts.dead.to_string(),
            per_second(queue.rate_per_s),
            time(queue.eta_ms),
            time(queue.oldest_ready_ms),
        ]);
    }
    for column in table.column_iter_mut().skip(2) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    trimmed(&table)
}

/// All that is known of one.
pub(super) fn details(queue: &Queue) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    let sections = [
        ("counts", counts(queue.counts)),
        ("totals", totals(queue.totals)),
        ("settings", settings::told(&queue.settings)),
    ];
    for (title, rows) in sections {
        for (index, (name, value)) in rows.into_iter().enumerate() {
            let title = if index == 0 { title } else { "" };
            table.add_row([title.to_owned(), name.to_owned(), value]);
        }
    }
    let mut text = list(std::slice::from_ref(queue));
    let words = handling(queue.handling).into_iter().chain(limits(queue));
    for (index, words) in words.enumerate() {
        text += if index == 0 { "\n\n" } else { "\n" };
        text += &words;
    }
    format!("{text}\n\n{}", trimmed(&table))
}

/// Named figures, in the order in which they are told.
type Rows = Vec<(&'static str, String)>;

fn counts(counts: Counts) -> Rows {
    let Counts {
        ready,
        leased,
        delayed,
        dead,
        done,
    } = counts;
    let all = [
        ("ready", ready),
        ("leased", leased),
        ("delayed", delayed),
        ("dead", dead),
        ("done", done),
    ];
    all.map(told).into()
}

fn totals(totals: Totals) -> Rows {
    let Totals {
        enqueued,
        duplicates,
        leased,
        acked,
        nacked,
        released,
        lease_expired,
        item_expired,
        cancelled,
        dead,
        redriven,
        purged,
        taken,
    } = totals;
    let all = [
        ("enqueued", enqueued),
        ("duplicates", duplicates),
        ("leased", leased),
        ("acked", acked),
        ("nacked", nacked),
        ("released", released),
        ("lease_expired", lease_expired),
        ("item_expired", item_expired),
        ("cancelled", cancelled),
        ("dead", dead),
        ("redriven", redriven),
        ("purged", purged),
        ("taken", taken),
    ];
    all.map(told).into()
}

fn told((name, figure): (&'static str, u64)) -> (&'static str, String) {
    (name, figure.to_string())
}

/// How long items took, once some were measured.
fn handling(handling: Handling) -> Option<String> {
    let mean = Duration::try_from_secs_f64(handling.mean_ms? / 1000.0).ok()?;
    let most = Duration::from_millis(handling.p95_ms?);
    Some(format!(
        "items took {} on average, 95% within {}",
        human(mean),
        human(most)
    ))
}

/// What holds its items back, where something does.
fn limits(queue: &Queue) -> Option<String> {
    let settings = &queue.settings;
    let leased = queue.counts.leased;
    let mut words = Vec::new();
    if let Some(most) = settings.max_leased {
        let reached = if leased >= most {
            ", which is reached"
        } else {
            ""
        };
        words.push(format!("{leased} of {most} leased at once{reached}"));
    }
    if let Some(most) = settings.max_leased_per_group {
        words.push(format!("{most} of a group"));
    }
    if let Some(rate) = settings.rate_per_s {
        words.push(format!("{} leases a second", rate));
    }
    (!words.is_empty()).then(|| format!("limits: {}", words.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_queue_is_shown_with_how_long_its_items_took() {
        let mut taken = Handling::default();
        assert_eq!(handling(taken), None);
        taken.mean_ms = Some(1234.56);
        taken.p95_ms = Some(61_000);
        let text = handling(taken).expect("it was measured");
        assert_eq!(text, "items took 1.2s on average, 95% within 1m01s");
    }
}
