//! What `boxoffice local` takes up that has many shows, or large ones: from the start until a seat of each was held and shown.

use std::time::Instant;

use reqwest::Client;
use tempfile::TempDir;

use super::{Bench, embedded};
use crate::report::Figure;
use crate::shows::SeatGrid;
use crate::stack::answer;

/// Shows of 2,000 seats.
const SHOWS: u32 = 1_000;
/// Stadiums of 80,000 seats.
const STADIUMS: u32 = 20;

/// See the module.
///
/// # Errors
/// A program that is missing, or a process that does not answer.
pub async fn measure(bench: &Bench) -> anyhow::Result<Vec<Figure>> {
    let shows = (1..=bench.up_to(SHOWS)).map(|number| SeatGrid::new(format!("show-{number}"), 40, 50));
    let (ready, memory) = of(shows.collect()).await?;
    let mut figures = vec![
        Figure::new("local, 1,000 shows of 2,000 seats, ready after", ready, "s").at_most(2.0),
        Figure::new("local, 1,000 shows of 2,000 seats, most memory", memory, "MiB").at_most(400.0),
    ];
    let stadiums =
        (1..=bench.up_to(STADIUMS).max(1)).map(|number| SeatGrid::new(format!("stadium-{number}"), 200, 400));
    let (ready, memory) = of(stadiums.collect()).await?;
    figures.extend([
        Figure::new("local, 20 stadiums of 80,000 seats, ready after", ready, "s"),
        Figure::new("local, 20 stadiums of 80,000 seats, most memory", memory, "MiB").at_most(300.0),
    ]);
    Ok(figures)
}

/// Seconds until it is ready, and the most memory that it had, in MiB.
async fn of(shows: Vec<SeatGrid>) -> anyhow::Result<(f64, f64)> {
    let folder = TempDir::new()?;
    embedded::declare(folder.path(), "redis", &shows)?;
    let begun = Instant::now();
    let (process, addr) = embedded::local(folder.path()).await?;
    let ready = begun.elapsed().as_secs_f64();
    let client = Client::builder().no_proxy().build()?;
    for show in &shows {
        let seat = format!("http://{addr}/seats/{}", show.seat(0));
        let held = answer(client.post(format!("{seat}/hold")).header("x-user-id", "somebody")).await?;
        answer(client.get(format!("{seat}?after={}", held["sequence"]))).await?;
    }
    Ok((ready, process.peak_memory()?))
}
