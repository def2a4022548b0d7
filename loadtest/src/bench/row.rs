//! A row of the table: the rounds of one operation, added up.

use std::time::Duration;

use hdrhistogram::Histogram;

use super::rounds::Turn;
use super::sides::Who;
use crate::closed_loop::Round;
use crate::report::{Spread, percent, quantile, thousands};
use crate::talk::Op;

/// The columns.
pub(super) const HEAD: [&str; 9] = [
    "operation",
    "connections",
    "k items/s",
    "p50",
    "p99",
    "floor, k/s",
    "of the floor",
    "server busy",
    "client busy",
];

/// One operation at one number of connections.
pub(crate) struct Row {
    pub(super) who: Who,
    pub(super) op: Op,
    pub(super) batch: usize,
    name: String,
    pub(super) connections: u64,
    rates: Vec<f64>,
    floors: Vec<f64>,
    boths: Vec<f64>,
    latency: Histogram<u64>,
    elapsed: Duration,
    server_cpu: Option<Duration>,
    client_cpu: Option<Duration>,
}

impl Row {
    /// An empty row for rounds like this one.
    pub(super) fn like(turn: &Turn) -> Self {
        Self {
            who: turn.who,
            op: turn.op,
            batch: turn.batch,
            name: turn.name.clone(),
            connections: turn.connections,
            rates: Vec::new(),
            floors: Vec::new(),
            boths: Vec::new(),
            latency: Histogram::new_from(&turn.round.latency),
            elapsed: Duration::ZERO,
            server_cpu: Some(Duration::ZERO),
            client_cpu: Some(Duration::ZERO),
        }
    }

    pub(super) fn add(&mut self, turn: Turn) {
        let Turn {
            who: _,
            op: _,
            batch: _,
            name: _,
            connections: _,
            round,
            server_cpu,
            floor,
            both,
        } = turn;
        self.boths.extend(both);
        self.rates.push(round.rate());
        self.floors.extend(floor.as_ref().map(Round::rate));
        // Both were made with the same bounds, so that nothing can fall outside.
        let _ = self.latency.add(&round.latency);
        self.elapsed += round.elapsed;
        self.server_cpu = self
            .server_cpu
            .zip(server_cpu)
            .map(|(sum, more)| sum + more);
        self.client_cpu = self
            .client_cpu
            .zip(round.client_cpu)
            .map(|(sum, more)| sum + more);
    }

    /// Items a second, the median of the rounds.
    pub(super) fn rate(&self) -> f64 {
        Spread::of(self.rates.iter().copied()).median
    }

    /// The floor's, where it was measured beside it, and the median of the ratios.
    pub(super) fn floor(&self) -> Option<(f64, f64)> {
        let ratios = self.rates.iter().zip(&self.floors).map(|(a, b)| a / b);
        let median = |figures: Vec<f64>| Spread::of(figures).median;
        (!self.floors.is_empty()).then(|| (median(self.floors.clone()), median(ratios.collect())))
    }

    /// Items a second through put and take together.
    pub(super) fn both(&self) -> f64 {
        Spread::of(self.boths.iter().copied()).median
    }

    pub(crate) fn cells(&self) -> Vec<String> {
        let absent = || String::from("-");
        let busy =
            |cpu: Option<Duration>| cpu.map_or_else(absent, |cpu| percent(cpu, self.elapsed));
        let some =
            |figures: &[f64]| (!figures.is_empty()).then(|| Spread::of(figures.iter().copied()));
        let ratios: Vec<f64> = self
            .rates
            .iter()
            .zip(&self.floors)
            .map(|(a, b)| a / b)
            .collect();
        let floor = some(&self.floors).map(|floor| thousands(floor.median));
        let ratio = some(&ratios).map(|ratio| ratio.show(|part| format!("{part:.2}")));
        vec![
            self.name.clone(),
            self.connections.to_string(),
            Spread::of(self.rates.iter().copied()).show(thousands),
            quantile(&self.latency, 0.5),
            quantile(&self.latency, 0.99),
            floor.unwrap_or_else(absent),
            ratio.unwrap_or_else(absent),
            busy(self.server_cpu),
            busy(self.client_cpu),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn turn(items: u64, floor: Option<u64>) -> Turn {
        let mut latency = Histogram::new_with_bounds(1, 1_000_000_000, 3).expect("bounds");
        latency.record(2_000_000).expect("within bounds");
        let second = Duration::from_secs(1);
        let round = |items| Round {
            requests: items,
            items,
            elapsed: second,
            latency: latency.clone(),
            sent: 0,
            heard: 0,
            client_cpu: Some(second / 2),
        };
        Turn {
            who: Who::InMemory,
            op: Op::Put,
            batch: 1,
            both: None,
            name: "put".into(),
            connections: 4,
            round: round(items),
            server_cpu: None,
            floor: floor.map(round),
        }
    }

    #[test]
    fn a_row_compares_each_round_with_the_floor_beside_it() {
        let mut row = Row::like(&turn(1, None));
        for (items, floor) in [(50_000, 100_000), (90_000, 100_000), (60_000, 80_000)] {
            row.add(turn(items, Some(floor)));
        }
        let cells = row.cells();
        assert_eq!(
            cells.iter().map(String::as_str).collect::<Vec<_>>(),
            [
                "put",
                "4",
                "60.0 (50.0–90.0)",
                "2.00 ms",
                "2.00 ms",
                "100",
                "0.75 (0.50–0.90)",
                "-",
                "50 %"
            ]
        );
    }

    #[test]
    fn what_has_no_floor_has_no_ratio() {
        let mut row = Row::like(&turn(1, None));
        row.add(turn(50_000, None));
        assert_eq!(row.cells()[5..7], ["-", "-"]);
    }
}
