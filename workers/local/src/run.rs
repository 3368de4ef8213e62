//! From the command line to whoever carries it out.

use std::io::{Write, stdout};
use std::path::Path;

use boxoffice_operator::reservation_service::unsupported::Environment;
use boxoffice_runtime::clock;
use boxoffice_runtime::http::AdminToken;
use boxoffice_runtime::identity::key_text::KeyText;
use clap::CommandFactory;

use crate::args::{Args, Command, Events, Files, Local, Output, Plan};
use crate::failure::Failure;
use crate::resources::{Loaded, Resources, load};
use crate::terminal::{archive, block, buy, snapshot, tail, trace};
use crate::{lint, local, ops, plan, tell};

/// Carries a command out.
///
/// # Errors
/// What the person who typed it reads; the exit code is 1.
pub async fn run(Args { log: _, command }: Args) -> Result<(), Failure> {
    match command {
        Command::Local(local) => run_local(local).await,
        Command::Plan(plan) => run_plan(&plan),
        Command::Lint(files) => run_lint(&files),
        Command::Events(Events::Tail(tail)) => tail::tail(tail).await,
        Command::Hold(hold) => buy::hold(hold).await,
        Command::Extend(extend) => buy::extend(extend).await,
        Command::Reserve(reserve) => buy::reserve(reserve).await,
        Command::Release(release) => buy::release(release).await,
        Command::Cancel(cancel) => buy::cancel(cancel).await,
        Command::Block(block) => block::block(block).await,
        Command::Unblock(unblock) => block::unblock(unblock).await,
        Command::Snapshot(snapshot) => snapshot::show(snapshot).await,
        Command::Archive(archive) => archive::show(archive).await,
        Command::Trace(trace) => trace::show(trace).await,
        Command::Ops(ops) => ops::run(&ops.service, ops.port).await,
        Command::Completions { shell } => {
            // Written at once: the generator takes a pipe that is closed for a fault of its own.
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Args::command(), "boxoffice", &mut script);
            Ok(stdout().write_all(&script)?)
        }
    }
}

async fn run_local(local: Local) -> Result<(), Failure> {
    let Local { files: Files { files, namespace }, data_dir, port, listen, service, .. } = local;
    let Local { admin_token, jwt_key, consumers, hosts, .. } = local;
    let jwt_key = jwt_key.map(|file| key_in(&file)).transpose()?;
    let admin_token = admin_token.map(AdminToken::new).transpose();
    let admin_token = admin_token.map_err(|error| Failure::Refused(error.to_string()))?;
    let local = local::Local {
        files,
        namespace,
        service,
        data_dir,
        listen,
        port,
        hosts,
        admin_token,
        jwt_key,
        consumers,
    };
    local.run().await
}

fn key_in(file: &Path) -> Result<KeyText, Failure> {
    let text = std::fs::read_to_string(file);
    text.map(KeyText::from)
        .map_err(|error| Failure::Refused(format!("--jwt-key {}: {error}", file.display())))
}

fn run_plan(Plan { files, output, image, operator_namespace }: &Plan) -> Result<(), Failure> {
    let plan = plan::plan(&sound(files)?.resources, image, operator_namespace)?;
    let text = match output {
        Output::Yaml => plan.to_yaml()?,
        Output::Json => plan.to_json()?,
    };
    Ok(stdout().write_all(text.as_bytes())?)
}

fn run_lint(files: &Files) -> Result<(), Failure> {
    let Resources { services, events } = sound(files)?.resources;
    let (services, events) = (services.len(), events.len());
    Ok(writeln!(stdout(), "sound: ReservationServices {services}, SeatingEvents {events}")?)
}

/// What files declare, with nothing to find fault with.
fn sound(Files { files, namespace }: &Files) -> Result<Loaded, Failure> {
    let loaded = load(files, namespace)?;
    tell::notes(&loaded.skipped);
    tell::warnings(&lint::warnings(&loaded, clock::now()));
    match lint::lint(&loaded, Environment::Cluster) {
        findings if findings.is_empty() => Ok(loaded),
        findings => Err(Failure::Findings(findings)),
    }
}
