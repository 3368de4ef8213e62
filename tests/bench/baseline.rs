//! The baseline: the same service as a competent engineer writes it on Node (Express, ioredis, kafkajs with a producer
//! that batches), measured once on another machine, and scaled to this one.
//!
//! A machine's speed is what `redis-benchmark` reaches with a script of fifteen lines and no pipelining, which was
//! measured beside the baseline: 27,000 a second. Where it reaches twice that, a request costs half as much CPU time and
//! twice as many are served:
//!
//! - cost here = recorded cost * (recorded yardstick / measured yardstick)
//! - rate here = recorded rate * (measured yardstick / recorded yardstick)
//!
//! Where Redis got faster and the rest of the machine did not, the first of the two asks too much: the recorded cost
//! itself is told as well.

/// Holds a second.
const RATE: f64 = 2885.0;
/// CPU seconds of its process for a thousand holds, on the machine that it was recorded on.
pub const CPU: f64 = 0.27;
/// Scripts a second that `redis-benchmark` reached beside it.
const YARDSTICK: f64 = 27_000.0;

/// CPU seconds that a thousand holds would cost the baseline here, where `redis-benchmark` reaches `yardstick`.
pub fn cpu(yardstick: f64) -> f64 {
    CPU * YARDSTICK / yardstick
}

/// Holds a second that it would serve here.
pub fn rate(yardstick: f64) -> f64 {
    RATE * yardstick / YARDSTICK
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn on_the_recorded_machine_it_is_what_was_recorded() {
        assert!((cpu(YARDSTICK) - CPU).abs() < 1e-9);
        assert!((rate(YARDSTICK) - RATE).abs() < 1e-9);
    }

    #[test]
    fn twice_as_fast_a_machine_serves_twice_as_many_for_half_the_cost() {
        assert!((cpu(2.0 * YARDSTICK) - CPU / 2.0).abs() < 1e-9);
        assert!((rate(2.0 * YARDSTICK) - RATE * 2.0).abs() < 1e-9);
    }
}
