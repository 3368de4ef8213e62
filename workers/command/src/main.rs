//! The command worker's process: see [`boxoffice_command`].

use std::process::ExitCode;

use boxoffice_command::args::Args;
use boxoffice_command::run;
use boxoffice_runtime::command_line;

/// A hold is many small allocations on several threads: nearly a quarter of its CPU time went into the system's allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[tokio::main]
async fn main() -> ExitCode {
    match run(command_line::read()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => command_line::failed::<Args>(&error),
    }
}
