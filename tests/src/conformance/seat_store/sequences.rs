//! Many generated sequences of commands, several at a time, each by [`super::equality`]; and the smallest one that shows a
//! difference, where there is one.

use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::sync::{Once, OnceLock};

use proptest::test_runner::{Config, TestCaseError, TestError, TestRunner};
use tokio::runtime::Runtime;

use super::equality::does_what_decide_says;
use super::generate::{GeneratedStep, steps};
use super::stage::{Fixture, must};

/// Sequences that run at the same time.
const LANES: u32 = 8;
/// What their threads are called.
const LANE: &str = "sequences";
/// Environment: how many sequences are run, for more than the usual.
const CASES: &str = "BOXOFFICE_GENERATED_CASES";

/// Runs `cases` generated sequences of commands on the store and on the specification side by side, several sequences at
/// a time on fixtures of their own. One that fails is made as small as it gets before it is told.
pub fn generated_commands_do_what_decide_says<F: Fixture, Fresh: Future<Output = F>>(
    fresh: impl Fn() -> Fresh + Sync,
    cases: u32,
) {
    let runtime = must(tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build());
    let (cases, failed) = (cases.div_ceil(LANES), OnceLock::new());
    keep_lanes_quiet();
    let told = std::thread::scope(|scope| {
        let run = |lane| {
            let on = runtime.block_on(fresh());
            Lane { on, runtime: &runtime, number: lane, failed: &failed }.run(cases)
        };
        let start = |lane| {
            let named = std::thread::Builder::new().name(LANE.to_owned());
            must(named.spawn_scoped(scope, move || run(lane)))
        };
        let lanes: Vec<_> = (0..LANES).map(start).collect();
        lanes.into_iter().map(|lane| must(lane.join())).collect::<Vec<_>>()
    });
    if let Some(lane) = failed.get() {
        panic!("{}", told[*lane as usize]);
    }
}

/// How many sequences a test runs: `usual`, or what the environment says.
pub fn cases_or(usual: u32) -> u32 {
    std::env::var(CASES).map_or(usual, |cases| must(cases.parse()))
}

/// Runs one sequence after the other.
struct Lane<'a, F> {
    on: F,
    runtime: &'a Runtime,
    number: u32,
    /// The first lane that met a difference.
    failed: &'a OnceLock<u32>,
}

impl<F: Fixture> Lane<'_, F> {
    /// What went wrong, if anything did. Once another lane has failed there is nothing more to find out.
    fn run(&self, cases: u32) -> String {
        let mut runner = TestRunner::new(Config { cases, failure_persistence: None, ..Config::default() });
        let tested = runner.run(&steps(), |steps| {
            if self.failed.get().is_some_and(|first| *first != self.number) {
                return Ok(());
            }
            self.try_out(&steps).map_err(|difference| {
                self.failed.get_or_init(|| self.number);
                TestCaseError::fail(difference)
            })
        });
        match tested {
            Ok(()) => String::new(),
            Err(TestError::Abort(why)) => why.to_string(),
            Err(TestError::Fail(why, steps)) => self.tell(why.to_string(), steps),
        }
    }

    fn try_out(&self, steps: &[GeneratedStep]) -> Result<(), String> {
        let run = AssertUnwindSafe(|| self.runtime.block_on(does_what_decide_says(&self.on, steps)));
        std::panic::catch_unwind(run).map_err(|panic| message(&*panic))
    }

    /// Leaves out every step without which it still fails: while wishes are made simpler, some come to mean nothing.
    fn tell(&self, mut why: String, mut steps: Vec<GeneratedStep>) -> String {
        let mut place = 0;
        while place < steps.len() {
            let mut fewer = steps.clone();
            fewer.remove(place);
            match self.try_out(&fewer) {
                Err(still) => (why, steps, place) = (still, fewer, 0),
                Ok(()) => place += 1,
            }
        }
        let steps: Vec<_> = steps.iter().map(|step| format!("{step:?}")).collect();
        format!("{why}\nafter these steps, the fewest that do it:\n{}", steps.join("\n"))
    }
}

/// What lanes find is told once, at the end, not for every attempt to make it smaller.
fn keep_lanes_quiet() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let usual = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            if std::thread::current().name() != Some(LANE) {
                usual(panic);
            }
        }));
    });
}

fn message(panic: &(dyn Any + Send)) -> String {
    panic.downcast_ref::<String>().cloned().unwrap_or_else(|| "a panic without words".into())
}
