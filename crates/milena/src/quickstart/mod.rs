//! `milena quickstart`: a broker, a worker and a running pipeline, with its progress on the screen.

mod generator;
mod orders;
mod pipeline;
mod progress;

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::Duration,
};

use tokio_util::sync::CancellationToken;

use crate::{cli, exit::Exit, modes, signals::Signals, worker};
use generator::Generator;
use orders::Orders;
use pipeline::Pipeline;
use progress::Progress;

/// How often the progress is shown.
const SHOW_EVERY: Duration = Duration::from_secs(1);

/// Runs until it is told to stop.
pub(crate) async fn run(options: cli::Quickstart) -> Result<(), Exit> {
    if options.show {
        return show(&options.dir);
    }
    let mut signals = Signals::take()?;
    let dir = prepare(&options.dir)?;
    let input = match &options.input {
        Some(input) => existing(input)?,
        None => dir.join("input.txt"),
    };
    let orders = Orders::new(&dir);
    orders.prepare().map_err(|error| {
        Exit::cannot_start(format!(
            "cannot make the table of orders in {}: {error}; choose another --dir",
            orders.source().display()
        ))
    })?;
    let broker = modes::embedded(&dir.join("data"), options.broker_port).await?;
    let generating = CancellationToken::new();
    if options.input.is_none() {
        let unwritable = |error: io::Error| {
            Exit::cannot_start(format!(
                "cannot write {}: {error}; choose another --dir",
                input.display()
            ))
        };
        let generator = Generator::open(&input).map_err(unwritable)?;
        tokio::spawn(generator.run(options.rate, generating.clone()));
    }
    let props = worker::embedded_props("milena-quickstart", &broker.bootstrap());
    let worker = worker::start_distributed(worker::with_listener(props, options.rest_port)).await?;
    let pipeline = Pipeline {
        input,
        output: dir.join("output.txt"),
    };
    pipeline
        .create(&worker.url(), &broker.bootstrap())
        .await
        .map_err(Exit::failed)?;
    pipeline::create(&worker.url(), orders.connectors())
        .await
        .map_err(Exit::failed)?;
    tokio::spawn(Orders::sell(orders.source(), generating.clone()));
    let mut progress = Progress::new(&worker, &broker, &pipeline, orders, options.json);
    progress.banner();
    let stop_at = options
        .stop_after
        .map(|seconds| tokio::time::Instant::now() + Duration::from_secs(seconds));
    let mut ticks = tokio::time::interval(SHOW_EVERY);
    let outcome = loop {
        let timed = async {
            match stop_at {
                Some(at) => tokio::time::sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            ended = worker.until(&mut signals) => break ended,
            () = timed => break Ok(()),
            _ = ticks.tick() => progress.show().await,
        }
    };
    signals.end_at_once();
    generating.cancel();
    worker.stop().await;
    broker.shutdown().await;
    progress.farewell();
    outcome
}

/// Prints the orders of both databases.
fn show(dir: &Path) -> Result<(), Exit> {
    let text = Orders::new(dir).show().map_err(|error| {
        Exit::failed(format!(
            "no orders in {}: {error}; start `milena quickstart` there first, or name its directory with --dir",
            dir.display()
        ))
    })?;
    // Nobody looks when standard output is gone.
    let _gone = io::Write::write_all(&mut io::stdout().lock(), text.as_bytes());
    Ok(())
}

/// The directory for everything, as an absolute path.
fn prepare(dir: &Path) -> Result<PathBuf, Exit> {
    let made = fs::create_dir_all(dir).and_then(|()| fs::canonicalize(dir));
    made.map_err(|error| {
        Exit::cannot_start(format!(
            "cannot write to {}: {error}; choose another --dir",
            dir.display()
        ))
    })
}

fn existing(input: &Path) -> Result<PathBuf, Exit> {
    fs::canonicalize(input).map_err(|error| {
        Exit::cannot_start(format!(
            "cannot read the input file {}: {error}; check --input",
            input.display()
        ))
    })
}
