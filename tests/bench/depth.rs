//! Whether the relay keeps up: how many domain events wait in the outbox while a load lasts.

use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};

use crate::load::count;
use crate::shows::SeatGrid;
use crate::stack::Stack;

/// How often it is looked at.
const EVERY: Duration = Duration::from_millis(100);

/// Depths at equal intervals.
#[derive(Debug, Clone, Default)]
pub struct Depths(Vec<u64>);

impl Depths {
    /// Runs `load` and looks at the outbox of `shows` meanwhile.
    pub async fn during<T>(
        stack: &Stack<'_>,
        shows: &[SeatGrid],
        load: impl Future<Output = anyhow::Result<T>>,
    ) -> anyhow::Result<(T, Self)> {
        let mut depths = Self::default();
        let watching = async {
            let mut look = interval(EVERY);
            look.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                look.tick().await;
                match stack.depth(shows).await {
                    Ok(depth) => depths.0.push(depth),
                    Err(error) => return error,
                }
            }
        };
        let outcome = tokio::select! {
            outcome = load => outcome?,
            error = watching => return Err(error),
        };
        Ok((outcome, depths))
    }

    /// Mean of the first fifth.
    pub fn at_start(&self) -> f64 {
        let all = self.under_load();
        mean(&all[..fifth(all)])
    }

    /// Mean of the last fifth.
    pub fn at_end(&self) -> f64 {
        let all = self.under_load();
        mean(&all[all.len() - fifth(all)..])
    }

    /// Without the very beginning, where nothing waits yet.
    fn under_load(&self) -> &[u64] {
        self.0.get(1..).unwrap_or_default()
    }

    /// The most that waited.
    pub fn most(&self) -> f64 {
        count(self.0.iter().copied().max().unwrap_or_default())
    }

    /// By how much it grew from its start to its end; 0 where it shrank.
    pub fn growth(&self) -> f64 {
        (self.at_end() - self.at_start()).max(0.0)
    }
}

fn fifth(depths: &[u64]) -> usize {
    depths.len().div_ceil(5)
}

fn mean(depths: &[u64]) -> f64 {
    if depths.is_empty() { 0.0 } else { count(depths.iter().sum()) / count(depths.len() as u64) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(one: f64, other: f64) -> bool {
        (one - other).abs() < 1e-9
    }

    #[test]
    fn a_steady_outbox_does_not_grow() {
        let depths = Depths([0].into_iter().chain([100, 300].repeat(10)).collect());
        assert!(
            close(depths.at_start(), 200.0) && close(depths.growth(), 0.0) && close(depths.most(), 300.0)
        );
    }

    #[test]
    fn growth_is_from_the_first_fifth_to_the_last() {
        let depths = Depths((0..=10).map(|n| n * 10).collect());
        assert!(
            close(depths.at_start(), 15.0) && close(depths.at_end(), 95.0) && close(depths.growth(), 80.0)
        );
        assert!(close(Depths(vec![100, 50, 0]).growth(), 0.0) && close(Depths(vec![]).growth(), 0.0));
    }
}
