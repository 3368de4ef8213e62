//! The command line.

pub mod values;

use std::net::IpAddr;
use std::path::PathBuf;

use boxoffice_domain::{Area, CorrelationId, HoldId, ReservationId, SeatId, SeatingEventId, UserId};
use boxoffice_operator::reservation_service::names::OPERATOR_NAMESPACE;
use boxoffice_runtime::address;
use boxoffice_runtime::settings::service_name;
use clap::builder::{OsStringValueParser, TypedValueParser};
use clap::{Args as ArgGroup, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

use values::{Begin, ConsumerSetting, Named, area, consumer, folder, host};

/// Sells reserved seats: on this machine with no server at all, or on the cluster where the operator runs.
///
/// Two resources say what is sold: a ReservationService (which workers run) and a SeatingEvent (what is on sale). The
/// same files that `kubectl apply` takes run here by `boxoffice local`.
#[derive(Debug, Parser)]
#[command(name = "boxoffice", version, after_help = EXAMPLES)]
pub struct Args {
    /// What to log, on standard error: a level, or directives such as `info,boxoffice_command=debug`.
    #[arg(long, global = true, env = "BOXOFFICE_LOG", default_value = "warn")]
    pub log: String,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

const EXAMPLES: &str = "Examples:
  boxoffice local -f examples/                      everything in one process on port 8080
  boxoffice lint -f examples/                       what is wrong with the files, if anything
  boxoffice plan -f examples/ > plan.yaml           what the operator would create
  boxoffice hold arena-night.A-7-7 --user alice
  boxoffice hold arena-night --best 4
  boxoffice reserve arena-night.A-7-7 --user alice
  boxoffice events tail arena-night --from earliest
  boxoffice trace my-first-sale

Exit codes: 0 done, 1 refused or failed, 2 wrong usage.
Installed as kubectl-boxoffice it is `kubectl boxoffice`.";

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Runs a ReservationService and its SeatingEvents in this process, with no server
    ///
    /// Commands, queries and every declared consumer on one port, with the code that runs in a cluster on an embedded
    /// store. The files are watched: a change that is sound takes effect at once. Ctrl-C drains and ends it.
    #[command(after_help = LOCAL_EXAMPLES)]
    Local(Local),
    /// Prints what the operator would create, as YAML
    ///
    /// By the very functions that the operator uses, in a stable order: two plans differ where the resources mean
    /// something different. Topics, consumer groups and inventories are comments.
    Plan(Plan),
    /// Checks files by the rules of the two kinds, without a cluster; exit code 1 with every finding
    Lint(Files),
    /// Domain events
    #[command(subcommand)]
    Events(Events),
    /// Holds seats for a while: named ones, units of areas, or the best that there are, all or none
    ///
    /// Prints the whole hold: its seats with their prices, what they cost together, and until when it holds. Somebody's own
    /// hold gets more seats by --add, and lasts no longer for it. With --staff the box office holds for a buyer, in one step
    /// and outside window, pause, limit and gap rule; seats that are blocked too with --blocked.
    #[command(after_help = HOLD_EXAMPLES)]
    Hold(Hold),
    /// Lets a hold last longer, up to what the SeatingEvent allows
    #[command(after_help = EXTEND_EXAMPLES)]
    Extend(Extend),
    /// Reserves what is held: a seat, or all seats of a hold
    ///
    /// One seat becomes a reservation of its own, and the hold keeps the others. With --staff anybody's hold is sold at the
    /// counter: it is never charged.
    #[command(after_help = RESERVE_EXAMPLES)]
    Reserve(Reserve),
    /// Gives back a seat, a hold or a reservation
    ///
    /// Prints what was released and what is left. With --staff anybody's hold is taken back.
    #[command(after_help = RELEASE_EXAMPLES)]
    Release(Release),
    /// Cancels a reservation, with every seat that it has
    ///
    /// Buyers cancel their own, as long as the SeatingEvent says. With --staff anybody's is cancelled, also after that.
    #[command(after_help = CANCEL_EXAMPLES)]
    Cancel(Cancel),
    /// Takes seats that nobody has off sale, by the admin API
    #[command(after_help = BLOCK_EXAMPLES)]
    Block(Block),
    /// Puts blocked seats back on sale, by the admin API
    Unblock(Unblock),
    /// Shows the newest snapshot of a SeatingEvent, by the admin API
    ///
    /// A snapshot is what the log says of a SeatingEvent up to an offset: recovery goes on from it, so that nobody reads a
    /// long log from its first record. The owner of a partition writes them to the topic <topic>.snapshots: when 50,000
    /// records of the partition are published since the last time, and when sales of one of its SeatingEvents are closed
    /// for good. What happened since is not in it: `boxoffice events tail` shows that. With --json it is printed whole,
    /// user ids included. `boxoffice local` keeps none.
    #[command(after_help = SNAPSHOT_EXAMPLES)]
    Snapshot(Kept),
    /// Shows what a SeatingEvent that is over came to, by the admin API
    ///
    /// Seats sold by price category, revenue, reservations, and a hash of it all: what was told to the topic
    /// <topic>.archive 50 hours after its sales and its cancellations were closed. With --json it is printed whole, user ids
    /// included. One that was put on again is told anew when it is over again.
    #[command(after_help = ARCHIVE_EXAMPLES)]
    Archive(Kept),
    /// Shows what came of a request: its domain events as a tree, each below what caused it
    ///
    /// A request and all that follows from it are one chain, also in other services: the event that a hold or a reservation
    /// wrote, the payment that this set off, the cancellation that came of that. The chain's id is the header x-correlation-id
    /// of the request, or the one that was made for it: every answer has it as correlationId. A line tells when it happened,
    /// its type, what it is about, its number within the SeatingEvent and whom it names. Operators see all of it, by the query
    /// worker's admin API; with --user or --token it is what that user sees: the events that name the user. What happened
    /// a moment ago may not be in it yet, and `retention.traceDays` says how long it is kept.
    #[command(after_help = TRACE_EXAMPLES)]
    Trace(Trace),
    /// Serves the operators' page of a ReservationService in a cluster, on this machine alone
    ///
    /// Sales, orders and payments as they happen, and what the box office does by clicking seats. Requests go through the API
    /// server to a pod of each worker that is ready, with your own rights: you need to read the Secret of the admin token and
    /// to forward ports. The address that is printed works once; the browser that opened it stays in until Ctrl-C.
    #[command(after_help = OPS_EXAMPLES)]
    Ops(Ops),
    /// Prints what a shell needs to complete this command
    ///
    /// For bash: `source <(boxoffice completions bash)`.
    Completions {
        /// The shell.
        shell: Shell,
    },
}

const LOCAL_EXAMPLES: &str = "Examples:
  boxoffice local -f examples/
  boxoffice local -f shows/ -f service.yaml --data-dir .boxoffice --port 9000
  boxoffice local -f examples/ --consumer notification-service.url=http://127.0.0.1:8090/events";

const HOLD_EXAMPLES: &str = "Examples:
  boxoffice hold arena-night.A-7-7 arena-night.A-7-8
  boxoffice hold arena-night --best 4 --price-category gold
  boxoffice hold arena-night --area FLOOR=2
  boxoffice hold arena-night.A-7-7 --area FLOOR=2
  boxoffice hold arena-night.A-7-8 --add arena-night.6f1e0d9a-5c3b-4b8e-9a55-0c2d4f6a8b10
  boxoffice hold arena-night.A-1-1 --staff --user alice --blocked";

const RESERVE_EXAMPLES: &str = "Examples:
  boxoffice reserve arena-night.A-7-7
  boxoffice reserve arena-night.6f1e0d9a-5c3b-4b8e-9a55-0c2d4f6a8b10 --staff";

const RELEASE_EXAMPLES: &str = "Examples:
  boxoffice release arena-night.A-7-7
  boxoffice release arena-night.6f1e0d9a-5c3b-4b8e-9a55-0c2d4f6a8b10 --staff --note 'no show'";

const CANCEL_EXAMPLES: &str = "Examples:
  boxoffice cancel arena-night.0d1c2b3a-4f5e-4d6c-8b7a-112233445566
  boxoffice cancel arena-night.0d1c2b3a-4f5e-4d6c-8b7a-112233445566 --staff --note rebooked";

const EXTEND_EXAMPLES: &str = "Examples:
  boxoffice extend arena-night.6f1e0d9a-5c3b-4b8e-9a55-0c2d4f6a8b10
  boxoffice extend arena-night.6f1e0d9a-5c3b-4b8e-9a55-0c2d4f6a8b10 --seconds 60";

const BLOCK_EXAMPLES: &str = "Examples:
  boxoffice block arena-night.A-7-7 arena-night.A-7-8 --reason camera
  boxoffice block arena-night.A-7-7 --reason camera --service tickets/main";

const SNAPSHOT_EXAMPLES: &str = "Examples:
  boxoffice snapshot arena-night --service tickets/main
  boxoffice snapshot arena-night --service tickets/main --json > arena-night.json
  boxoffice snapshot arena-night --admin-url http://127.0.0.1:8082 --admin-token TOKEN";

const ARCHIVE_EXAMPLES: &str = "Examples:
  boxoffice archive arena-night --service tickets/main
  boxoffice archive arena-night --service tickets/main --json > arena-night.json
  boxoffice archive arena-night --admin-url http://127.0.0.1:8082 --admin-token TOKEN";

const TRACE_EXAMPLES: &str = "Examples:
  boxoffice trace my-first-sale
  boxoffice trace my-first-sale --user alice
  boxoffice trace 0d1c2b3a-4f5e-4d6c-8b7a-112233445566 --service tickets/main
  boxoffice trace my-first-sale --query-url http://127.0.0.1:8082 --admin-token TOKEN";

const OPS_EXAMPLES: &str = "Examples:
  boxoffice ops --service tickets/main
  boxoffice ops --service tickets/main --port 8090";

/// Where the resources are.
#[derive(Debug, ArgGroup)]
pub struct Files {
    /// A file or folder with resources, as kubectl takes it; may be given several times. `-` is standard input.
    #[arg(short = 'f', long = "filename", value_name = "FILE|DIR", required = true)]
    pub files: Vec<PathBuf>,
    /// The namespace of resources that name none.
    #[arg(short, long, default_value = "default")]
    pub namespace: String,
}

/// Arguments of `local`.
#[derive(Debug, ArgGroup)]
pub struct Local {
    /// Where the resources are.
    #[command(flatten)]
    pub files: Files,
    /// Keeps everything in this folder, across restarts and crashes. Without it everything is gone at the end.
    #[arg(long, value_name = "DIR", env = "BOXOFFICE_DATA_DIR")]
    #[arg(value_parser = OsStringValueParser::new().try_map(folder))]
    pub data_dir: Option<PathBuf>,
    /// The one port; 0 takes a free one.
    #[arg(long, default_value_t = 8080)]
    pub port: u16,
    /// The address to listen on. On any but a loopback address /admin is served only with --admin-token.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1")]
    pub listen: IpAddr,
    /// Another name by which it is reached, such as this machine's. May be given several times. Requests that name a host
    /// which is neither one of these nor this machine's address are refused, and so are those of pages of other sites.
    #[arg(long = "host", value_name = "NAME", value_parser = host)]
    pub hosts: Vec<String>,
    /// The ReservationService to run, as namespace/name, where the files declare several.
    #[arg(long, value_name = "NAMESPACE/NAME", value_parser = service_name)]
    pub service: Option<String>,
    /// The issuer's key, where auth.jwt names a Secret: a public key as PEM, or a shared secret.
    #[arg(long, value_name = "FILE")]
    pub jwt_key: Option<PathBuf>,
    /// Another address or another secret for a consumer that calls somebody: NAME.url=ADDRESS or NAME.secret=TEXT. There are
    /// no Secrets here: where a consumer names one and none is given, a key is made and printed.
    #[arg(long = "consumer", value_name = "NAME.url=ADDRESS", value_parser = consumer)]
    pub consumers: Vec<ConsumerSetting>,
    /// Bearer token that /admin asks for. Without it /admin is open on a loopback address.
    #[arg(long, env = "BOXOFFICE_ADMIN_TOKEN", hide_env_values = true)]
    pub admin_token: Option<String>,
}

/// Arguments of `plan`.
#[derive(Debug, ArgGroup)]
pub struct Plan {
    /// Where the resources are.
    #[command(flatten)]
    pub files: Files,
    /// How to write it.
    #[arg(short, long, default_value = "yaml")]
    pub output: Output,
    /// The image of services that name none: the operator's own default unless it was installed with another one.
    #[arg(long, default_value = concat!("boxoffice/workers:", env!("CARGO_PKG_VERSION")))]
    pub image: String,
    /// The namespace in which the operator runs: its pods alone reach the workers' admin ports.
    #[arg(long, value_name = "NAMESPACE", default_value = OPERATOR_NAMESPACE)]
    pub operator_namespace: String,
}

/// How to write a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// Documents as kubectl reads them, with comments
    Yaml,
    /// One object, for programs
    Json,
}

/// Which ReservationService.
#[derive(Debug, Clone, ArgGroup)]
pub struct Target {
    /// Base URL of the command worker, or of `boxoffice local`.
    #[arg(long, value_name = "URL", env = "BOXOFFICE_COMMAND_URL", default_value = "http://127.0.0.1:8080")]
    #[arg(value_parser = address::base)]
    pub command_url: String,
    /// A ReservationService of the cluster that the kubeconfig names, as namespace/name, in place of a URL.
    #[arg(long, value_name = "NAMESPACE/NAME", value_parser = service_name)]
    pub service: Option<String>,
}

/// Who acts, and where.
#[derive(Debug, ArgGroup)]
pub struct Buyer {
    /// Which ReservationService.
    #[command(flatten)]
    pub target: Target,
    /// Who acts: the header x-user-id.
    #[arg(short, long, env = "BOXOFFICE_USER", default_value = "me", value_parser = str::parse::<UserId>)]
    pub user: UserId,
    /// Who acts, where the service knows its users by tokens: sent as Authorization: Bearer, in place of x-user-id.
    #[arg(long, env = "BOXOFFICE_TOKEN", hide_env_values = true)]
    pub token: Option<String>,
}

/// Arguments of `hold`.
#[derive(Debug, ArgGroup)]
pub struct Hold {
    /// Seats, such as arena-night.A-7-7; or the SeatingEvent, where --best or --area say the rest.
    #[arg(required = true, value_name = "SEAT|EVENT", value_parser = str::parse::<Named>)]
    pub what: Vec<Named>,
    /// So many of the best seats that are available, adjacent ones where there are.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100), conflicts_with = "areas")]
    pub best: Option<u32>,
    /// The best of this section alone.
    #[arg(long, value_name = "SECTION", requires = "best")]
    pub section: Option<String>,
    /// The best of this price category alone.
    #[arg(long, value_name = "NAME", requires = "best")]
    pub price_category: Option<String>,
    /// Units of a general-admission area, whichever are free. May be given several times, and beside seats.
    #[arg(long = "area", value_name = "AREA=N", value_parser = area)]
    pub areas: Vec<Area>,
    /// Adds them to this hold, which keeps its deadline.
    #[arg(long, value_name = "HOLD", conflicts_with = "staff")]
    pub add: Option<HoldId>,
    /// Blocked seats may be among them: they are blocked again when the hold ends unsold.
    #[arg(long, requires = "staff")]
    pub blocked: bool,
    /// Who and where.
    #[command(flatten)]
    pub buyer: Buyer,
    /// Whether as the box office.
    #[command(flatten)]
    pub staff: Staff,
}

/// The box office in place of the buyer.
#[derive(Debug, ArgGroup)]
pub struct Staff {
    /// As the box office, by the admin API; --user is the buyer.
    #[arg(long)]
    pub staff: bool,
    /// Base URL of a command worker's admin API (port 8082) in a cluster.
    #[arg(long, value_name = "URL", requires = "staff", conflicts_with_all = ["command_url", "service"])]
    #[arg(value_parser = address::base)]
    pub admin_url: Option<String>,
    /// Bearer token of the admin API.
    #[arg(long, env = "BOXOFFICE_ADMIN_TOKEN", hide_env_values = true)]
    pub admin_token: Option<String>,
}

/// Arguments of `extend`.
#[derive(Debug, ArgGroup)]
pub struct Extend {
    /// The id of a hold.
    #[arg(value_name = "HOLD")]
    pub hold: HoldId,
    /// By how many seconds. Left out: as long as a new hold lasts.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub seconds: Option<u32>,
    /// Who and where.
    #[command(flatten)]
    pub buyer: Buyer,
}

/// Arguments of `reserve`.
#[derive(Debug, ArgGroup)]
pub struct Reserve {
    /// A held seat, or the id of a hold.
    #[arg(value_name = "SEAT|HOLD")]
    pub seat_or_claim: String,
    /// Who and where.
    #[command(flatten)]
    pub buyer: Buyer,
    /// Whether as the box office.
    #[command(flatten)]
    pub staff: Staff,
}

/// Arguments of `release`.
#[derive(Debug, ArgGroup)]
pub struct Release {
    /// A seat, or the id of a hold or of a reservation.
    #[arg(value_name = "SEAT|HOLD|RESERVATION")]
    pub seat_or_claim: String,
    /// Why, for those who read the domain events later.
    #[arg(long, value_name = "TEXT", requires = "staff")]
    pub note: Option<String>,
    /// Who and where.
    #[command(flatten)]
    pub buyer: Buyer,
    /// Whether as the box office.
    #[command(flatten)]
    pub staff: Staff,
}

/// Arguments of `cancel`.
#[derive(Debug, ArgGroup)]
pub struct Cancel {
    /// The id of a reservation.
    #[arg(value_name = "RESERVATION")]
    pub reservation: ReservationId,
    /// Why, for those who read the domain events later.
    #[arg(long, value_name = "TEXT", requires = "staff")]
    pub note: Option<String>,
    /// Who and where.
    #[command(flatten)]
    pub buyer: Buyer,
    /// Whether as the box office.
    #[command(flatten)]
    pub staff: Staff,
}

/// Which admin API, and what it asks for.
#[derive(Debug, ArgGroup)]
pub struct Admin {
    /// Which ReservationService.
    #[command(flatten)]
    pub target: Target,
    /// Base URL of a command worker's admin API (port 8082) in a cluster.
    #[arg(long, value_name = "URL", conflicts_with_all = ["command_url", "service"])]
    #[arg(value_parser = address::base)]
    pub admin_url: Option<String>,
    /// Bearer token of the admin API.
    #[arg(long, env = "BOXOFFICE_ADMIN_TOKEN", hide_env_values = true)]
    pub admin_token: Option<String>,
}

/// Arguments of `block`.
#[derive(Debug, ArgGroup)]
pub struct Block {
    /// Seats of one SeatingEvent, such as arena-night.A-7-7.
    #[arg(required = true, value_name = "SEAT")]
    pub seats: Vec<SeatId>,
    /// Why, for whoever looks at the plan.
    #[arg(long, value_name = "TEXT")]
    pub reason: String,
    /// Where.
    #[command(flatten)]
    pub admin: Admin,
}

/// Arguments of `unblock`.
#[derive(Debug, ArgGroup)]
pub struct Unblock {
    /// Seats of one SeatingEvent, such as arena-night.A-7-7.
    #[arg(required = true, value_name = "SEAT")]
    pub seats: Vec<SeatId>,
    /// Where.
    #[command(flatten)]
    pub admin: Admin,
}

/// Arguments of `snapshot` and `archive`: what is kept of a SeatingEvent.
#[derive(Debug, ArgGroup)]
pub struct Kept {
    /// The SeatingEvent.
    pub event: SeatingEventId,
    /// Print all of it, as JSON.
    #[arg(long)]
    pub json: bool,
    /// Where.
    #[command(flatten)]
    pub admin: Admin,
}

/// Arguments of `trace`.
#[derive(Debug, ArgGroup)]
pub struct Trace {
    /// The chain: the correlationId of an answer, or the x-correlation-id that was sent.
    #[arg(value_name = "ID", value_parser = str::parse::<CorrelationId>)]
    pub id: CorrelationId,
    /// Print the answer as JSON.
    #[arg(long)]
    pub json: bool,
    /// Base URL of the query worker (its port 8082; 8081 with --user), or of `boxoffice local`. Left out: --command-url.
    #[arg(long, value_name = "URL", env = "BOXOFFICE_QUERY_URL", value_parser = address::base)]
    pub query_url: Option<String>,
    /// Base URL of `boxoffice local`, which answers queries at the same address as commands.
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8080", conflicts_with = "service")]
    #[arg(value_parser = address::base)]
    pub command_url: String,
    /// A ReservationService of the cluster that the kubeconfig names, as namespace/name, in place of a URL.
    #[arg(long, value_name = "NAMESPACE/NAME", value_parser = service_name)]
    pub service: Option<String>,
    /// As this user: the header x-user-id. Left out: as an operator.
    #[arg(short, long, value_parser = str::parse::<UserId>)]
    pub user: Option<UserId>,
    /// As a user, where the service knows its users by tokens: sent as Authorization: Bearer.
    #[arg(long, conflicts_with = "user")]
    pub token: Option<String>,
    /// Bearer token of the admin API.
    #[arg(long, env = "BOXOFFICE_ADMIN_TOKEN", hide_env_values = true)]
    pub admin_token: Option<String>,
}

/// Arguments of `ops`.
#[derive(Debug, ArgGroup)]
pub struct Ops {
    /// A ReservationService of the cluster that the kubeconfig names, as namespace/name.
    #[arg(long, value_name = "NAMESPACE/NAME", value_parser = service_name)]
    pub service: String,
    /// The port, on a loopback address; 0 takes a free one.
    #[arg(long, default_value_t = 0)]
    pub port: u16,
}

/// What to do with domain events.
#[derive(Debug, Subcommand)]
pub enum Events {
    /// Prints domain events as they happen, one JSON document a line
    Tail(Tail),
}

/// Arguments of `events tail`.
#[derive(Debug, ArgGroup)]
pub struct Tail {
    /// Only those of this SeatingEvent.
    pub event: Option<SeatingEventId>,
    /// Where to begin.
    #[arg(long, default_value = "latest")]
    pub from: Begin,
    /// End where the log ends now, rather than wait for what comes.
    #[arg(long)]
    pub no_follow: bool,
    /// Where.
    #[command(flatten)]
    pub admin: Admin,
    /// Base URL of `boxoffice local`, which answers queries at the same address as commands.
    #[arg(long, value_name = "URL", conflicts_with_all = ["service", "admin_url"])]
    #[arg(value_parser = address::base)]
    pub query_url: Option<String>,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Args::command().debug_assert();
    }

    #[test]
    fn what_leads_nowhere_is_wrong_usage_in_our_words() {
        for (line, told) in [
            ("hold arena.A-1-1 --command-url localhost:8080", "write http://host:port"),
            ("trace x --query-url tickets.example.com", "write http://host:port"),
            ("block arena.A-1-1 --reason x --admin-url ftp://x", "write http://host:port"),
            ("ops --service main", "expected namespace/name"),
            ("hold arena.A-1-1 --service a/b/c", "expected namespace/name"),
            ("hold arena.A-1-1 --area FLOOR=0", "such as FLOOR=2"),
            ("hold arena.A-1-1 --best 0", "0 is not in 1..=100"),
            ("lint", "--filename"),
            ("local -f x --host http://x", "expected a name alone"),
            ("local -f x --host x:8080", "expected a name alone"),
            ("local -f x --data-dir=", "leave it out"),
        ] {
            let error =
                Args::try_parse_from(std::iter::once("boxoffice").chain(line.split(' '))).unwrap_err();
            assert!(error.to_string().contains(told), "{line}: {error}");
            assert_eq!(error.exit_code(), 2, "{line}");
        }
    }
}
