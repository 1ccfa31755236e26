//! The command line.

use std::{ffi::OsString, net::SocketAddr, path::PathBuf, process::ExitCode};

use clap::{Args, Parser, Subcommand, error::ErrorKind};

use crate::{
    exit::{Exit, USAGE},
    logging::{self, LogFormat},
    modes, quickstart,
    verbs::{completions, config_check, connectors, plugins},
};

/// The whole command line.
#[derive(Parser)]
#[command(
    name = "milena",
    version,
    about = "Kafka Connect as one native program",
    long_about = "Kafka Connect as one native program: same REST API, same configuration, same internal \
                  topics and group protocol as the Java worker.",
    after_help = "Exit codes are listed in docs/exit-codes.md."
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    command: Command,

    /// How log lines look on standard error.
    #[arg(long, global = true, value_enum, default_value_t = LogFormat::Text)]
    log_format: LogFormat,

    /// What is logged: a level, or directives such as `info,milena_runtime=debug`.
    #[arg(
        long,
        global = true,
        value_name = "FILTER",
        env = "MILENA_LOG",
        hide_env = true
    )]
    log: Option<String>,
}

#[derive(Subcommand)]
enum Command {
    /// Start an embedded broker, a worker and a running file pipeline, and show its progress.
    Quickstart(Quickstart),
    /// Start an embedded broker and a worker, without the demo.
    Dev(Dev),
    /// Start the embedded broker alone. For development; production data belongs on Apache Kafka.
    Broker(Broker),
    /// Run a worker of a cluster, with the property file of Kafka's connect-distributed.sh.
    Distributed(Distributed),
    /// Run a worker of its own, with the property files of Kafka's connect-standalone.sh.
    Standalone(Standalone),
    /// Ask and tell the connectors of a running cluster, over the REST API of any of its workers.
    Connectors(connectors::Connectors),
    /// List the plugins of this binary or of a worker, and describe their keys.
    Plugins(plugins::Plugins),
    /// Check configuration files before a worker sees them.
    Config(config_check::Config),
    /// Print the completions of a shell, for its start-up file.
    Completions(completions::Completions),
}

impl Command {
    /// Whether the terminal belongs to what the command itself shows, so that only warnings are logged.
    fn is_quiet(&self) -> bool {
        !matches!(
            self,
            Self::Dev(_) | Self::Broker(_) | Self::Distributed(_) | Self::Standalone(_)
        )
    }
}

/// Where the quickstart writes unless it is told otherwise.
pub(crate) const QUICKSTART_DIR: &str = "milena-quickstart";

/// Options of `milena quickstart`.
#[derive(Args)]
pub(crate) struct Quickstart {
    /// Where everything is written: data/, input.txt, output.txt, orders.db, orders-copy.db.
    #[arg(long, default_value = QUICKSTART_DIR, env = "MILENA_QUICKSTART_DIR")]
    pub(crate) dir: PathBuf,
    /// Follow this file instead of a generated one.
    #[arg(long, value_name = "FILE")]
    pub(crate) input: Option<PathBuf>,
    /// Print the orders in both databases and end; for a second terminal.
    #[arg(long)]
    pub(crate) show: bool,
    /// Lines per second that the generator appends.
    #[arg(long, default_value_t = 20, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(crate) rate: u32,
    /// The broker's port; a free one is taken when it is in use.
    #[arg(long, default_value_t = 9092, value_name = "PORT")]
    pub(crate) broker_port: u16,
    /// The REST port; a free one is taken when it is in use.
    #[arg(long, default_value_t = 8083, value_name = "PORT")]
    pub(crate) rest_port: u16,
    /// Print one JSON object per line instead of the display.
    #[arg(long)]
    pub(crate) json: bool,
    /// Stop cleanly after this many seconds.
    #[arg(long, value_name = "SECONDS")]
    pub(crate) stop_after: Option<u64>,
}

/// Options of `milena dev`.
#[derive(Args)]
pub(crate) struct Dev {
    /// Where the broker keeps its data.
    #[arg(long, default_value = "milena-dev")]
    pub(crate) dir: PathBuf,
    /// The broker's port on loopback; a free one is taken when it is in use.
    #[arg(long, default_value_t = 9092, value_name = "PORT")]
    pub(crate) broker_port: u16,
    /// The REST port on loopback; a free one is taken when it is in use.
    #[arg(long, default_value_t = 8083, value_name = "PORT")]
    pub(crate) rest_port: u16,
}

/// Options of `milena broker`.
#[derive(Args)]
pub(crate) struct Broker {
    /// The address to listen on; 127.0.0.1:9092 if the file names no listeners.
    #[arg(long, value_name = "HOST:PORT")]
    pub(crate) listen: Option<SocketAddr>,
    /// Where the broker keeps its data.
    #[arg(long, value_name = "DIR", required_unless_present = "config")]
    pub(crate) data: Option<PathBuf>,
    /// Listeners, TLS, SASL and limits under the names of Kafka's server.properties (docs/broker.md).
    #[arg(long, value_name = "SERVER.PROPERTIES")]
    pub(crate) config: Option<PathBuf>,
}

/// Arguments of `milena distributed`.
#[derive(Args)]
pub(crate) struct Distributed {
    /// The worker's property file.
    #[arg(value_name = "WORKER.PROPERTIES")]
    pub(crate) worker: PathBuf,
}

/// Arguments of `milena standalone`.
#[derive(Args)]
pub(crate) struct Standalone {
    /// The worker's property file.
    #[arg(value_name = "WORKER.PROPERTIES")]
    pub(crate) worker: PathBuf,
    /// Connector files, properties or JSON.
    #[arg(value_name = "CONNECTOR")]
    pub(crate) connectors: Vec<PathBuf>,
}

/// Parses the command line and runs the command to its end.
pub(crate) fn run(args: impl Iterator<Item = OsString>) -> Result<ExitCode, Exit> {
    let cli = match Cli::try_parse_from(args) {
        Ok(cli) => cli,
        Err(error) => {
            let informed = matches!(
                error.kind(),
                ErrorKind::DisplayHelp | ErrorKind::DisplayVersion
            );
            // Nobody is left to be told when the terminal is gone.
            let _ = error.print();
            return Ok(if informed {
                ExitCode::SUCCESS
            } else {
                ExitCode::from(USAGE)
            });
        }
    };
    let quiet = cli.command.is_quiet();
    logging::start(cli.log_format, cli.log.as_deref(), quiet)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Exit::cannot_start(format!("cannot start the runtime: {error}")))?;
    let outcome = match cli.command {
        Command::Quickstart(options) => runtime.block_on(Box::pin(quickstart::run(options))),
        Command::Dev(options) => runtime.block_on(Box::pin(modes::dev(options))),
        Command::Broker(options) => runtime.block_on(Box::pin(modes::broker(options))),
        Command::Distributed(options) => runtime.block_on(Box::pin(modes::distributed(options))),
        Command::Standalone(options) => runtime.block_on(Box::pin(modes::standalone(options))),
        Command::Connectors(options) => runtime
            .block_on(Box::pin(connectors::run(options)))
            .map_err(Exit::Verb),
        Command::Plugins(options) => runtime
            .block_on(Box::pin(plugins::run(options)))
            .map_err(Exit::Verb),
        Command::Config(options) => runtime
            .block_on(Box::pin(config_check::run(options)))
            .map_err(Exit::Verb),
        Command::Completions(options) => completions::run(&options).map_err(Exit::Verb),
    };
    // A plugin that blocks a thread must not hold the process: the clean stop was done above.
    runtime.shutdown_background();
    outcome.map(|()| ExitCode::SUCCESS)
}
