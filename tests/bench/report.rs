//! Figures: a table for people and `bench.jsonl`, a line a figure, for tools.

use std::fmt::Write;
use std::path::Path;

use anyhow::Context;
use serde::Serialize;

/// A figure. `goal` is the least acceptable ratio, or value where there is no yardstick; the greatest with `at_most`.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Figure {
    /// What was measured.
    pub name: String,
    /// How much it is.
    pub value: f64,
    /// Of what.
    pub unit: &'static str,
    /// What it is compared with, measured in the same run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub yardstick: Option<String>,
    /// `value` by the yardstick's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ratio: Option<f64>,
    /// What would be good enough.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub goal: Option<f64>,
    /// Whether less is better.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub at_most: bool,
}

impl Figure {
    /// A figure without a goal.
    pub fn new(name: impl Into<String>, value: f64, unit: &'static str) -> Self {
        Self { name: name.into(), value, unit, ..Self::default() }
    }

    /// Compared with another one.
    #[must_use]
    pub fn by(self, yardstick: &Self) -> Self {
        Self { yardstick: Some(yardstick.name.clone()), ratio: Some(self.value / yardstick.value), ..self }
    }

    /// The least that is good enough.
    #[must_use]
    pub fn at_least(self, goal: f64) -> Self {
        Self { goal: Some(goal), ..self }
    }

    /// The most that is good enough.
    #[must_use]
    pub fn at_most(self, goal: f64) -> Self {
        Self { goal: Some(goal), at_most: true, ..self }
    }

    /// Whether its goal is reached; `None` where it has none.
    fn good(&self) -> Option<bool> {
        let (goal, reached) = (self.goal?, self.ratio.unwrap_or(self.value));
        Some(if self.at_most { reached <= goal } else { reached >= goal })
    }
}

/// Prints the table.
#[expect(clippy::print_stdout, reason = "the table is the answer")]
pub fn print(figures: &[Figure]) {
    println!("\n{:62} {:>12} {:10} {:>7}  goal", "figure", "value", "unit", "ratio");
    for figure in figures {
        let ratio = figure.ratio.map(|ratio| format!("{ratio:.2}")).unwrap_or_default();
        let goal = figure.goal.map(|goal| {
            let bound = if figure.at_most { "at most" } else { "at least" };
            let verdict = if figure.good() == Some(true) { "PASSED" } else { "MISSED" };
            format!("{bound} {goal}: {verdict}")
        });
        println!(
            "{:62} {:12.3} {:10} {ratio:>7}  {}",
            figure.name,
            figure.value,
            figure.unit,
            goal.unwrap_or_default()
        );
    }
}

/// Writes the lines.
///
/// # Errors
/// A file that cannot be written.
pub fn write(figures: &[Figure], file: &Path) -> anyhow::Result<()> {
    let mut lines = String::new();
    for figure in figures {
        writeln!(lines, "{}", serde_json::to_string(figure)?)?;
    }
    std::fs::write(file, lines).with_context(|| format!("writing {}", file.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_goal_is_about_the_ratio_where_there_is_one() {
        let yardstick = Figure::new("constant answer", 50_000.0, "1/s");
        let figure = Figure::new("holds", 20_000.0, "1/s").by(&yardstick).at_least(0.4);
        assert_eq!((figure.ratio, figure.good()), (Some(0.4), Some(true)));
        assert_eq!(Figure::new("ready", 1.5, "s").at_most(1.0).good(), Some(false));
        assert_eq!(yardstick.good(), None);
    }
}
