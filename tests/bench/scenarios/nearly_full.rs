//! The hall in which a search for many seats has most to do: of 80,000 seats one in two hundred is free, each with nobody's
//! seat beside it. In three fifths of the rows every third has one, and that is never enough together; the last fifth has
//! one in each row, so that a hundred rows one behind the other have a hundred. Then most of those are taken too, and the
//! same request has to be refused.

use super::Bench;
use super::script::{sample, told};
use crate::report::Figure;
use crate::shows::SeatGrid;
use crate::stack::Stack;

const SEATS: u32 = 80_000;
const WIDTH: u32 = 80;
/// Seats asked for, at most as many as a request may.
const QUANTITY: u32 = 100;
/// The most milliseconds that are good enough.
const GOAL: f64 = 5.0;
const SAMPLES: u32 = 400;
/// Seats blocked by one request.
const SEATS_A_BLOCK: usize = 1000;

/// See the module.
///
/// # Errors
/// A program that is missing, or a server that went away.
pub async fn measure(bench: &Bench) -> anyhow::Result<Vec<Figure>> {
    let rows = bench.up_to(SEATS) / WIDTH;
    let quantity = QUANTITY.min(rows / 5);
    let mut stack = Stack::start(&bench.kafka, 1).await?;
    let show = SeatGrid::new("nearly-full", rows, WIDTH);
    stack.put_on_sale(std::slice::from_ref(&show)).await?;
    let keys = (0..show.seats()).filter(|seat| !is_free(rows, seat / WIDTH, seat % WIDTH));
    block(&stack, &show, keys).await?;
    let name = format!("best-available script, {quantity} of {} seats, 99.5 % full", show.seats());
    let samples = bench.up_to(SAMPLES).max(8);
    let found = sample(&stack, &show, samples, |_| quantity).await?;
    let mut figures = told(&format!("{name}, found"), &found, GOAL).to_vec();
    let last = (rows * 4 / 5 + quantity - 1)..rows;
    block(&stack, &show, last.map(|row| row * WIDTH + column(row))).await?;
    let refused = sample(&stack, &show, samples, |_| quantity).await?;
    figures.extend(told(&format!("{name}, refused"), &refused, GOAL));
    Ok(figures)
}

/// Whether a seat is left.
fn is_free(rows: u32, row: u32, place: u32) -> bool {
    let scattered = row < rows * 3 / 5 && row.is_multiple_of(3);
    (scattered || row >= rows * 4 / 5) && place == column(row)
}

/// Where in a row the seat is that is left.
fn column(row: u32) -> u32 {
    row * 37 % WIDTH
}

async fn block(stack: &Stack<'_>, show: &SeatGrid, seats: impl Iterator<Item = u32>) -> anyhow::Result<()> {
    let keys: Vec<String> = seats.map(|seat| show.key(seat)).collect();
    for some in keys.chunks(SEATS_A_BLOCK) {
        stack.block(show, some).await?;
    }
    stack.drained(std::slice::from_ref(show)).await.map(drop)
}
