//! What the operator is told on its command line or by its environment.

use std::net::SocketAddr;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use jiff::SignedDuration;

use crate::admin::{POD_URL_TEMPLATE, URL_TEMPLATE};
use crate::reservation_service::names::OPERATOR_NAMESPACE;
use crate::watch::scope::Scope;

/// Turns `ReservationService` and `SeatingEvent` resources into running sales.
#[derive(Debug, Parser)]
#[command(name = "boxoffice-operator", version)]
pub struct Cli {
    /// What to do; `run` when left out.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// Options of `run`.
    #[command(flatten)]
    pub run: RunArgs,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the controllers.
    Run,
    /// Print both custom resource definitions as YAML.
    Crd,
}

/// Options of `run`.
#[derive(Debug, Args)]
pub struct RunArgs {
    /// Image of the workers of services that name none; each service keeps the first it was given.
    #[arg(long, global = true, env = "BOXOFFICE_WORKERS_IMAGE", default_value = concat!("boxoffice/workers:", env!("CARGO_PKG_VERSION")))]
    pub workers_image: String,
    /// Where command workers answer admin calls; `{service}` and `{namespace}` stand for the names.
    #[arg(long, global = true, env = "BOXOFFICE_ADMIN_URL_TEMPLATE", default_value = URL_TEMPLATE)]
    pub admin_url_template: String,
    /// Where one pod answers; `{address}` (an IPv6 one in brackets) and `{port}` stand for what is asked, `{service}` and
    /// `{namespace}` for whose it is.
    #[arg(long, global = true, env = "BOXOFFICE_POD_URL_TEMPLATE", default_value = POD_URL_TEMPLATE)]
    pub pod_url_template: String,
    /// How long sales go on that no SeatingEvent claims, unless the service was created after them: `10m`, `90s`.
    #[arg(long, global = true, env = "BOXOFFICE_UNCLAIMED_SALES_AFTER", default_value = "10m", value_parser = duration)]
    pub unclaimed_sales_after: Duration,
    /// Namespaces to work in, with commas between them; left out: all. Then it needs no right beyond these.
    #[arg(
        long,
        global = true,
        env = "BOXOFFICE_WATCH_NAMESPACES",
        default_value = "",
        hide_default_value = true
    )]
    pub watch_namespaces: Scope,
    /// Namespace of the Lease that elects the leader; with its name it names the installation.
    #[arg(long, global = true, env = "BOXOFFICE_NAMESPACE", default_value = OPERATOR_NAMESPACE)]
    pub namespace: String,
    /// Address of /healthz, /readyz and /metrics.
    #[arg(long, global = true, env = "BOXOFFICE_METRICS_ADDR", default_value = "[::]:9090")]
    pub metrics_addr: SocketAddr,
    /// How often objects are looked at that nothing woke, in seconds.
    #[arg(long, global = true, env = "BOXOFFICE_RESYNC_SECONDS", default_value_t = 300, value_parser = clap::value_parser!(u64).range(1..))]
    pub resync_seconds: u64,
    /// What to log, such as `info` or `info,kube=debug`.
    #[arg(long, global = true, env = "BOXOFFICE_LOG", default_value = "info")]
    pub log: String,
}

fn duration(text: &str) -> Result<Duration, String> {
    let parsed = text.parse::<SignedDuration>().ok().and_then(|parsed| Duration::try_from(parsed).ok());
    parsed.ok_or_else(|| "write a time that is not negative, such as 10m or 90s".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn times_are_written_with_their_unit() {
        assert_eq!(duration("10m"), Ok(Duration::from_mins(10)));
        assert_eq!(duration("90s"), Ok(Duration::from_secs(90)));
        for wrong in ["10", "-1s", "soon"] {
            assert!(duration(wrong).unwrap_err().contains("such as 10m"), "{wrong}");
        }
        let cli = Cli::parse_from(["boxoffice-operator"]);
        assert_eq!(cli.run.unclaimed_sales_after, Duration::from_mins(10));
    }

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn namespaces_are_named_or_all() {
        let scope = |arguments: &[&str]| Cli::try_parse_from(arguments).map(|cli| cli.run.watch_namespaces);
        assert_eq!(scope(&["boxoffice-operator"]).unwrap(), Scope::Cluster);
        let two = scope(&["boxoffice-operator", "run", "--watch-namespaces", "a,b"]).unwrap();
        assert_eq!(two, "b,a".parse().unwrap());
        let refused = scope(&["boxoffice-operator", "--watch-namespaces", "A"]).unwrap_err().to_string();
        assert!(refused.contains("no name of a namespace"), "{refused}");
    }

    #[test]
    fn runs_by_default_with_the_workers_of_its_own_version() {
        let cli = Cli::parse_from(["boxoffice-operator"]);
        assert!(cli.command.is_none());
        assert!(cli.run.workers_image.ends_with(env!("CARGO_PKG_VERSION")));
    }
}
