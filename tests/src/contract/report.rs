//! How each check went, told at once: a check that hangs shows by its absence.

/// Counts outcomes and prints a line each.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Report {
    passed: u32,
    failed: u32,
}

impl Report {
    /// Takes the outcome of the check `name`.
    pub fn take(&mut self, name: &str, outcome: anyhow::Result<()>) {
        match outcome {
            Ok(()) => {
                self.passed += 1;
                println!("ok {name}");
            }
            Err(why) => {
                self.failed += 1;
                println!("FAILED {name}: {why:#}");
            }
        }
    }

    /// Takes in the outcomes of another one.
    pub fn add(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
    }

    /// Prints the last line; whether every check passed.
    pub fn close(self) -> bool {
        let Self { passed, failed } = self;
        println!("{passed} passed, {failed} failed");
        failed == 0
    }
}
