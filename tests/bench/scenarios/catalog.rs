//! What a command worker takes up that knows two hundred stadiums: each was put on sale by it, and seats of it were asked for by
//! name and as the best available.

use reqwest::Method;
use serde_json::json;

use super::Bench;
use crate::report::Figure;
use crate::shows::SeatGrid;
use crate::stack::{Stack, answer};

/// Stadiums of 80,000 seats.
const STADIUMS: u32 = 200;

/// See the module.
///
/// # Errors
/// A program that is missing, or a server that went away.
pub async fn measure(bench: &Bench) -> anyhow::Result<Vec<Figure>> {
    let mut stack = Stack::start(&bench.kafka, 1).await?;
    let stadiums: Vec<_> = (1..=bench.up_to(STADIUMS))
        .map(|number| SeatGrid::new(format!("stadium-{number}"), 200, 400))
        .collect();
    stack.put_on_sale(&stadiums).await?;
    for stadium in &stadiums {
        let best = stack.buyer(Method::POST, &format!("/events/{}/holds", stadium.id), "somebody")?;
        answer(best.json(&json!({"bestAvailable": {"quantity": 2}}))).await?;
    }
    let memory = stack.worker_memory()?;
    Ok(vec![
        Figure::new("catalog, 200 stadiums of 80,000 seats, most memory of a worker", memory, "MiB")
            .at_most(256.0),
    ])
}
