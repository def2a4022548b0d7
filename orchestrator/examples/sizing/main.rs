//! Runs the real sizing beside KEDA's formulas and fixed numbers in virtual time, and prints one table
//! a scenario: `cargo run --release -p orchestrator --example sizing`.
//!
//! It knows nothing of how pods are sized; it asks [`orchestrator::size`] as a controller would.

#![allow(clippy::print_stdout, reason = "a program for a person at a terminal")]

#[cfg(test)]
mod claims;
mod policy;
mod sim;
mod world;

use std::{num::NonZeroU32, ops::Range, time::Duration};

use comfy_table::{CellAlignment, Table, presets::ASCII_MARKDOWN};
use orchestrator::size::{DEFAULT_PRICE, Rules};

use policy::{MAX, Pods, Policy, Strategy};
use sim::Report;
use world::{SCENARIOS, Scenario};

/// Seeds that each figure is the mean of.
const SEEDS: u64 = 10;

fn main() {
    println!(
        "Means of {SEEDS} seeds; at most {MAX} pods; cost = pod-seconds + {DEFAULT_PRICE} x drain seconds.\n"
    );
    for scenario in &SCENARIOS {
        println!("### {}\n\n{}\n", scenario.name, table(scenario));
    }
}

/// Every policy's row, and the best fixed number in hindsight.
fn table(scenario: &Scenario) -> Table {
    let mut table = Table::new();
    table.load_style(ASCII_MARKDOWN).set_header([
        "policy", "drain s", "pod-s", "pods", "start-up", "peak", "cost", "ETA held",
    ]);
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    for (name, policy) in policies(scenario) {
        table.add_row(row(name, &mean(scenario, policy)));
    }
    let (pods, best) = hindsight(scenario);
    table.add_row(row(&format!("hindsight: fixed {pods}"), &best));
    table
}

fn policies(scenario: &Scenario) -> Vec<(&'static str, Policy)> {
    vec![
        ("memq", Policy::Memq(rules(scenario))),
        (
            "KEDA default, one item",
            Policy::Keda(Strategy::Default, Pods::OneItem),
        ),
        ("KEDA default", Policy::Keda(Strategy::Default, Pods::Drain)),
        ("KEDA custom", Policy::Keda(Strategy::Custom, Pods::Drain)),
        (
            "KEDA accurate",
            Policy::Keda(Strategy::Accurate, Pods::Drain),
        ),
        ("KEDA eager", Policy::Keda(Strategy::Eager, Pods::Drain)),
        ("fixed 5", Policy::Fixed(5)),
        ("fixed 20", Policy::Fixed(20)),
        ("fixed 100", Policy::Fixed(100)),
    ]
}

/// What a user of memq would say: at most as many as all others.
fn rules(scenario: &Scenario) -> Rules {
    Rules {
        min: 0,
        max: MAX,
        concurrency: NonZeroU32::MIN,
        deadline: scenario.deadline.map(Duration::from_secs_f64),
        price: DEFAULT_PRICE,
    }
}

fn mean(scenario: &Scenario, policy: Policy) -> Report {
    mean_of(scenario, policy, 0..SEEDS)
}

fn mean_of(scenario: &Scenario, policy: Policy, seeds: Range<u64>) -> Report {
    let all: Vec<Report> = seeds.map(|seed| sim::run(scenario, policy, seed)).collect();
    Report::mean(&all)
}

/// The fixed number that would have cost the least.
fn hindsight(scenario: &Scenario) -> (u32, Report) {
    let tried = [
        1, 2, 3, 4, 6, 8, 10, 12, 15, 20, 25, 30, 40, 50, 60, 80, 100,
    ];
    tried
        .into_iter()
        .map(|pods| (pods, mean(scenario, Policy::Fixed(pods))))
        .min_by(|(_, one), (_, other)| one.cost().total_cmp(&other.cost()))
        .unwrap_or_default()
}

fn row(name: &str, report: &Report) -> Vec<String> {
    vec![
        name.to_owned(),
        format!("{:.0}", report.drain),
        format!("{:.0}", report.pod_seconds),
        format!("{:.0}", report.pods),
        format!("{:.0} %", report.startup * 100.0),
        format!("{:.0}", report.peak),
        format!("{:.0}", report.cost()),
        report
            .eta
            .map_or_else(String::new, |held| format!("{:.0} %", held * 100.0)),
    ]
}
