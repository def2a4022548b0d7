//! A goal beside what was reached.

use crate::args::Goal;

/// The columns.
pub(crate) const HEAD: [&str; 7] = [
    "goal",
    "what",
    "measured",
    "beside",
    "ratio",
    "asked for",
    "reached",
];

/// One line of the table of goals.
#[derive(Debug, Clone)]
pub(crate) struct Line {
    pub(crate) goal: Goal,
    pub(crate) what: String,
    /// The figure with its unit.
    pub(crate) measured: String,
    /// What it is held against: the floor, a peer, another depth.
    pub(crate) beside: String,
    pub(crate) ratio: Option<f64>,
    /// What is asked for.
    pub(crate) asked: String,
    /// `None`: it was not measured, and `measured` says why.
    pub(crate) reached: Option<bool>,
}

impl Line {
    /// A line whose figure is its ratio to something measured beside it.
    pub(crate) fn ratio(
        goal: Goal,
        what: impl Into<String>,
        measured: String,
        beside: String,
        ratio: f64,
        least: f64,
    ) -> Self {
        Self {
            goal,
            what: what.into(),
            measured,
            beside,
            ratio: Some(ratio),
            asked: format!("≥ {least}"),
            reached: Some(ratio >= least),
        }
    }

    /// A line whose figure stands by itself.
    pub(crate) fn figure(
        goal: Goal,
        what: impl Into<String>,
        measured: String,
        asked: impl Into<String>,
        reached: bool,
    ) -> Self {
        Self {
            goal,
            what: what.into(),
            measured,
            beside: "-".into(),
            ratio: None,
            asked: asked.into(),
            reached: Some(reached),
        }
    }

    /// The same with what it is held against.
    pub(crate) fn beside(mut self, beside: impl Into<String>) -> Self {
        self.beside = beside.into();
        self
    }

    /// A line without a figure, and why.
    pub(crate) fn without(goal: Goal, what: impl Into<String>, why: impl Into<String>) -> Self {
        Self {
            goal,
            what: what.into(),
            measured: format!("not measured: {}", why.into()),
            beside: "-".into(),
            ratio: None,
            asked: "-".into(),
            reached: None,
        }
    }

    pub(crate) fn cells(&self) -> Vec<String> {
        // Rounded down: what looks reached is.
        let ratio = self
            .ratio
            .map(|ratio| format!("{:.2}", (ratio * 100.0).floor() / 100.0));
        let reached = match self.reached {
            Some(true) => "yes",
            Some(false) => "**no**",
            None => "-",
        };
        vec![
            format!("{:?}", self.goal),
            self.what.clone(),
            self.measured.clone(),
            self.beside.clone(),
            ratio.unwrap_or_else(|| "-".into()),
            self.asked.clone(),
            reached.into(),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_goal_that_was_not_reached_is_marked() {
        let line =
            |ratio| Line::ratio(Goal::P1, "put", "90 k/s".into(), "floor".into(), ratio, 0.9);
        assert_eq!(line(0.9).cells()[4..], ["0.90", "≥ 0.9", "yes"]);
        assert_eq!(line(0.899).cells()[4..], ["0.89", "≥ 0.9", "**no**"]);
        let without = Line::without(Goal::P7, "recovery", "it keeps nothing");
        assert_eq!(without.cells()[2], "not measured: it keeps nothing");
        assert_eq!(without.cells()[6], "-");
    }
}
