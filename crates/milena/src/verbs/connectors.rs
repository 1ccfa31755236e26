//! `milena connectors`: what a running cluster does, asked and told over REST.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use http::Method;
use serde_json::Value;

use super::{
    configs,
    failure::Failure,
    offsets,
    output::{self, Gone, Shown},
    remote::{About, Remote, Worker, segment},
    states::{self, Goal},
};

/// Arguments of `milena connectors`.
#[derive(Args)]
pub(crate) struct Connectors {
    #[command(subcommand)]
    verb: Verb,
}

/// Connectors by name.
#[derive(Args)]
struct Names {
    #[command(flatten)]
    remote: Remote,
    /// The connectors.
    #[arg(required = true, value_name = "NAME")]
    names: Vec<String>,
    /// Wait until it has happened, at most a minute.
    #[arg(long)]
    wait: bool,
}

/// One connector.
#[derive(Args)]
struct One {
    #[command(flatten)]
    remote: Remote,
    /// The connector.
    name: String,
}

#[derive(Subcommand)]
enum Verb {
    /// List all connectors with their states.
    List {
        #[command(flatten)]
        remote: Remote,
    },
    /// Show a connector: type, tasks, configuration.
    Get(One),
    /// Create a connector from a file: JSON or properties, `-` for standard input.
    Create {
        #[command(flatten)]
        remote: Remote,
        /// The file.
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// The state that it begins in.
        #[arg(long, value_enum, ignore_case = true)]
        initial_state: Option<InitialState>,
    },
    /// Delete connectors. Their offsets stay until they are reset.
    Delete {
        #[command(flatten)]
        remote: Remote,
        /// The connectors.
        #[arg(required = true, value_name = "NAME")]
        names: Vec<String>,
    },
    /// Pause connectors: their tasks keep what they hold and process nothing.
    Pause(Names),
    /// Resume paused or stopped connectors.
    Resume(Names),
    /// Stop connectors: their tasks end, and their offsets can be changed.
    Stop(Names),
    /// Restart a connector, its tasks, or one task.
    Restart {
        #[command(flatten)]
        remote: Remote,
        /// The connector.
        name: String,
        /// Its tasks too.
        #[arg(long)]
        include_tasks: bool,
        /// Only what has failed.
        #[arg(long)]
        only_failed: bool,
        /// This task and nothing else.
        #[arg(long, value_name = "NUMBER", conflicts_with_all = ["include_tasks", "only_failed"])]
        task: Option<u32>,
        /// Wait until all of it runs, at most a minute.
        #[arg(long)]
        wait: bool,
    },
    /// Show the states of connectors and tasks, of all when none is named.
    Status {
        #[command(flatten)]
        remote: Remote,
        /// The connectors.
        #[arg(value_name = "NAME")]
        names: Vec<String>,
        /// Go on showing until Ctrl-C.
        #[arg(long)]
        watch: bool,
        /// How often `--watch` looks.
        #[arg(long, value_name = "SECONDS", default_value_t = 2, value_parser = clap::value_parser!(u64).range(1..=3600))]
        interval: u64,
        /// Show failures whole.
        #[arg(long)]
        trace: bool,
    },
    /// Show the tasks of a connector and what each was told.
    Tasks(One),
    /// Show the topics that a connector has used.
    Topics {
        #[command(flatten)]
        one: One,
        /// Forget them.
        #[arg(long)]
        reset: bool,
    },
    /// Show a connector's configuration as a properties file, or change it.
    Config {
        #[command(flatten)]
        one: One,
        /// Replace it by this file, `-` for standard input; creates the connector when there is none.
        #[arg(long, value_name = "FILE", conflicts_with_all = ["set", "unset"])]
        file: Option<PathBuf>,
        /// Change one key; may be repeated.
        #[arg(long, value_name = "KEY=VALUE")]
        set: Vec<String>,
        /// Remove one key; may be repeated.
        #[arg(long, value_name = "KEY")]
        unset: Vec<String>,
    },
    /// Look at or change how far a connector is.
    Offsets {
        #[command(subcommand)]
        verb: offsets::Verb,
    },
    /// Have the worker check a connector file without creating anything.
    Validate {
        #[command(flatten)]
        remote: Remote,
        /// The file, `-` for standard input.
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
}

/// `--initial-state`.
#[derive(Clone, Copy, Debug, ValueEnum)]
#[value(rename_all = "UPPER")]
pub(super) enum InitialState {
    Running,
    Paused,
    Stopped,
}

impl InitialState {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Running => "RUNNING",
            Self::Paused => "PAUSED",
            Self::Stopped => "STOPPED",
        }
    }
}

/// What a verb ends with; a reader who went away is no failure.
pub(super) enum End {
    Failed(Failure),
    Gone,
}

impl From<Failure> for End {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

impl From<Gone> for End {
    fn from(_: Gone) -> Self {
        Self::Gone
    }
}

/// How a verb ends.
pub(super) type Ended = Result<(), End>;

/// The path of a connector.
pub(super) fn path_of(name: &str, rest: &str) -> String {
    format!("/connectors/{}{rest}", segment(name))
}

/// Runs a verb to its end.
pub(crate) async fn run(options: Connectors) -> Result<(), Failure> {
    let json = options.verb.shown().json;
    match dispatch(options.verb).await {
        Ok(()) | Err(End::Gone) => Ok(()),
        Err(End::Failed(failure)) => Err(failure.in_json(json)),
    }
}

impl Verb {
    fn shown(&self) -> Shown {
        match self {
            Self::List { remote }
            | Self::Create { remote, .. }
            | Self::Delete { remote, .. }
            | Self::Restart { remote, .. }
            | Self::Status { remote, .. }
            | Self::Validate { remote, .. } => remote.shown,
            Self::Get(one)
            | Self::Tasks(one)
            | Self::Topics { one, .. }
            | Self::Config { one, .. } => one.remote.shown,
            Self::Pause(names) | Self::Resume(names) | Self::Stop(names) => names.remote.shown,
            Self::Offsets { verb } => verb.shown(),
        }
    }
}

async fn dispatch(verb: Verb) -> Ended {
    match verb {
        Verb::List { remote } => states::list(&remote.worker()?, remote.shown).await,
        Verb::Get(one) => configs::get(&one.remote.worker()?, &one.name, one.remote.shown).await,
        Verb::Create {
            remote,
            file,
            initial_state,
        } => configs::create(&remote.worker()?, &file, initial_state, remote.shown).await,
        Verb::Delete { remote, names } => {
            let worker = remote.worker()?;
            for name in &names {
                let about = About::Connector(name);
                worker
                    .ask(Method::DELETE, &path_of(name, ""), None, about)
                    .await?;
                done(remote.shown, name, "deleted")?;
            }
            Ok(())
        }
        Verb::Pause(names) => target(names, "pause", Goal::Paused).await,
        Verb::Resume(names) => target(names, "resume", Goal::Running).await,
        Verb::Stop(names) => target(names, "stop", Goal::Stopped).await,
        Verb::Restart {
            remote,
            name,
            include_tasks,
            only_failed,
            task,
            wait,
        } => {
            let worker = remote.worker()?;
            match task {
                Some(task) => {
                    let path = path_of(&name, &format!("/tasks/{task}/restart"));
                    worker
                        .ask(Method::POST, &path, None, About::Task(&name))
                        .await?;
                }
                None => {
                    let query =
                        format!("/restart?includeTasks={include_tasks}&onlyFailed={only_failed}");
                    let path = path_of(&name, &query);
                    worker
                        .ask(Method::POST, &path, None, About::Connector(&name))
                        .await?;
                }
            }
            if wait {
                states::until(&worker, &name, Goal::Running).await?;
            }
            done(
                remote.shown,
                &name,
                if wait { "runs" } else { "is told to restart" },
            )
        }
        Verb::Status {
            remote,
            names,
            watch,
            interval,
            trace,
        } => {
            let look = states::Look {
                names,
                trace,
                shown: remote.shown,
            };
            let worker = remote.worker()?;
            match watch {
                true => {
                    look.watch(&worker, std::time::Duration::from_secs(interval))
                        .await
                }
                false => look.once(&worker).await,
            }
        }
        Verb::Tasks(one) => {
            configs::tasks(&one.remote.worker()?, &one.name, one.remote.shown).await
        }
        Verb::Topics { one, reset } => topics(&one, reset).await,
        Verb::Config {
            one,
            file,
            set,
            unset,
        } => {
            let worker = one.remote.worker()?;
            let shown = one.remote.shown;
            if let Some(file) = file {
                return configs::replace(&worker, &one.name, &file, shown).await;
            }
            if set.is_empty() && unset.is_empty() {
                return configs::show(&worker, &one.name, shown).await;
            }
            configs::patch(&worker, &one.name, &set, &unset, shown).await
        }
        Verb::Offsets { verb } => offsets::run(verb).await,
        Verb::Validate { remote, file } => {
            configs::validate(&remote.worker()?, &file, remote.shown).await
        }
    }
}

/// Says that something was done, as a line or as JSON.
pub(super) fn done(shown: Shown, name: &str, what: &str) -> Ended {
    match shown.json {
        true => output::say_json(&serde_json::json!({"connector": name, "done": what}))?,
        false => output::say(&format!("{} {what}", output::plain(name)))?,
    }
    Ok(())
}

async fn target(names: Names, verb: &str, goal: Goal) -> Ended {
    let worker = names.remote.worker()?;
    for name in &names.names {
        let path = path_of(name, &format!("/{verb}"));
        worker
            .ask(Method::PUT, &path, None, About::Connector(name))
            .await?;
    }
    for name in &names.names {
        if names.wait {
            states::until(&worker, name, goal).await?;
        }
        let told = format!("is told to {verb}");
        done(
            names.remote.shown,
            name,
            if names.wait { goal.reached() } else { &told },
        )?;
    }
    Ok(())
}

async fn topics(one: &One, reset: bool) -> Ended {
    let worker: Worker = one.remote.worker()?;
    let about = About::Connector(&one.name);
    if reset {
        let path = path_of(&one.name, "/topics/reset");
        worker.ask(Method::PUT, &path, None, about).await?;
        return done(one.remote.shown, &one.name, "has its topics forgotten");
    }
    let found = worker.get(&path_of(&one.name, "/topics"), about).await?;
    if one.remote.shown.json {
        return Ok(output::say_json(&found)?);
    }
    let topics = found.get(&one.name).and_then(|entry| entry.get("topics"));
    for topic in topics.and_then(Value::as_array).into_iter().flatten() {
        output::say(&output::plain(topic.as_str().unwrap_or_default()))?;
    }
    Ok(())
}
