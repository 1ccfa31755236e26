//! `milena plugins`: what this binary, or a worker, can run.

use clap::{Args, Subcommand};
use milena_rest_model::{HerderError, PluginPort};
use serde::Serialize;
use serde_json::Value;

use super::{
    config_check,
    failure::{Failure, Kind},
    output::{self, Shown, Table},
    remote::{About, Remote, segment},
};

/// Arguments of `milena plugins`.
#[derive(Args)]
pub(crate) struct Plugins {
    #[command(subcommand)]
    verb: Verb,
}

/// Whose plugins.
#[derive(Args)]
struct Whose {
    #[command(flatten)]
    remote: Remote,
    /// Ask the worker of `--url` or MILENA_URL instead of this binary.
    #[arg(long)]
    worker: bool,
}

#[derive(Subcommand)]
enum Verb {
    /// List connectors, converters, transforms and predicates.
    List {
        #[command(flatten)]
        whose: Whose,
        /// Only of this type: source, sink, transformation, predicate, converter, header_converter.
        #[arg(long = "type", value_name = "TYPE")]
        kind: Option<String>,
    },
    /// Show the keys of a plugin: type, default, meaning.
    Describe {
        #[command(flatten)]
        whose: Whose,
        /// A class name or alias.
        plugin: String,
    },
}

/// Runs it to its end.
pub(crate) async fn run(options: Plugins) -> Result<(), Failure> {
    let (Verb::List { whose, .. } | Verb::Describe { whose, .. }) = &options.verb;
    let json = whose.remote.shown.json;
    let ended = match &options.verb {
        Verb::List { whose, kind } => list(whose, kind.as_deref()).await,
        Verb::Describe { whose, plugin } => describe(whose, plugin).await,
    };
    ended.map_err(|failure| failure.in_json(json))
}

fn value(body: &impl Serialize) -> Result<Value, Failure> {
    serde_json::to_value(body).map_err(|error| Failure::new(Kind::Failed, error.to_string()))
}

fn refused(error: &HerderError) -> Failure {
    Failure::new(Kind::NotFound, error.to_string()).remedy("see `milena plugins list`")
}

async fn list(whose: &Whose, kind: Option<&str>) -> Result<(), Failure> {
    let shown = whose.remote.shown;
    let mut all = match whose.worker {
        true => {
            let worker = whose.remote.worker()?;
            worker
                .get("/connector-plugins?connectorsOnly=false", About::Worker)
                .await?
        }
        false => value(&config_check::offline(None)?.plugins(false))?,
    };
    let text = |entry: &Value, field: &str| {
        entry
            .get(field)
            .and_then(Value::as_str)
            .unwrap_or("-")
            .to_owned()
    };
    if let (Some(kind), Some(entries)) = (kind, all.as_array_mut()) {
        entries.retain(|entry| text(entry, "type") == kind);
    }
    if shown.json {
        let _ = output::say_json(&all);
        return Ok(());
    }
    let mut table = Table::new(&["TYPE", "CLASS", "VERSION"]);
    for entry in all.as_array().into_iter().flatten() {
        table.row(&[
            &text(entry, "type"),
            &text(entry, "class"),
            &text(entry, "version"),
        ]);
    }
    let _ = match table.is_empty() {
        true => output::say("no such plugins"),
        false => output::say(&table.render(shown.colours())),
    };
    Ok(())
}

async fn describe(whose: &Whose, plugin: &str) -> Result<(), Failure> {
    let keys = match whose.worker {
        true => {
            let path = format!("/connector-plugins/{}/config", segment(plugin));
            whose.remote.worker()?.get(&path, About::Plugin).await?
        }
        false => {
            let found = config_check::offline(None)?.plugin_config(plugin, None);
            value(&found.map_err(|error| refused(&error))?)?
        }
    };
    if whose.remote.shown.json {
        let _ = output::say_json(&keys);
        return Ok(());
    }
    let _ = output::say(&keys_of(&keys, whose.remote.shown));
    Ok(())
}

fn keys_of(keys: &Value, shown: Shown) -> String {
    let mut table = Table::new(&["KEY", "TYPE", "DEFAULT", "IMPORTANCE", "MEANING"]);
    for key in keys.as_array().into_iter().flatten() {
        let text = |field: &str| key.get(field).and_then(Value::as_str);
        let default = match (
            key.get("required").and_then(Value::as_bool),
            text("default_value"),
        ) {
            (Some(true), None) => "(required)".to_owned(),
            (_, None) => "(none)".to_owned(),
            (_, Some("")) => "\"\"".to_owned(),
            (_, Some(default)) => default.to_owned(),
        };
        table.row(&[
            text("name").unwrap_or_default(),
            &text("type").unwrap_or_default().to_lowercase(),
            &default,
            &text("importance").unwrap_or_default().to_lowercase(),
            text("documentation").unwrap_or_default(),
        ]);
    }
    match table.is_empty() {
        true => "it has no keys".to_owned(),
        false => table.render(shown.colours()),
    }
}
