//! `milena config check`: worker and connector files are checked as a worker checks them, without a network
//! and without starting anything.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use clap::{Args, Subcommand, ValueEnum};
use milena_config::{
    ConfigDef, ConfigError, DistributedConfig, Props, StandaloneConfig, WorkerConfig,
    worker::{ExactlyOnceSource, distributed_def, standalone_def},
};
use milena_rest_model::PluginPort;
use milena_validation::{ConnectorValidator, WorkerView};
use serde_json::{Value, json};

use super::{
    failure::{Failure, Kind},
    output::{self, Shown},
};
use crate::{plugins, properties};

/// Arguments of `milena config`.
#[derive(Args)]
pub(crate) struct Config {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Check worker and connector files with the messages that a worker would give.
    Check {
        #[command(flatten)]
        shown: Shown,
        /// What the files are; told from their keys when not given.
        #[arg(long = "as", value_enum, value_name = "KIND")]
        kind: Option<FileKind>,
        /// Worker properties, connector properties or connector JSON. Connectors are checked against the first
        /// worker file among them.
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum FileKind {
    Distributed,
    Standalone,
    Connector,
}

impl FileKind {
    fn name(self) -> &'static str {
        match self {
            Self::Distributed => "distributed worker",
            Self::Standalone => "standalone worker",
            Self::Connector => "connector",
        }
    }
}

/// What was found in a file.
struct Report {
    file: String,
    kind: FileKind,
    /// By key; the key is empty where the whole file is meant.
    errors: Vec<(String, String)>,
    warnings: Vec<(String, String)>,
}

/// A validator that needs no worker.
pub(super) fn offline(view: Option<WorkerView>) -> Result<ConnectorValidator, Failure> {
    let json = "org.apache.kafka.connect.json.JsonConverter";
    let simple = "org.apache.kafka.connect.storage.SimpleHeaderConverter";
    let view = view.unwrap_or_else(|| WorkerView {
        converters: [json, json, simple].map(str::to_owned),
        override_policy: "All".to_owned(),
        group_id: None,
        exactly_once: false,
        providers: Vec::new(),
        originals: Props::new(),
    });
    ConnectorValidator::new(Arc::new(plugins::registry()), view)
        .map_err(|error| Failure::new(Kind::Invalid, error.to_java_string()))
}

/// Runs it to its end.
pub(crate) async fn run(options: Config) -> Result<(), Failure> {
    let Verb::Check { shown, kind, files } = options.verb;
    check(kind, &files, shown)
        .await
        .map_err(|failure| failure.in_json(shown.json))
}

async fn check(kind: Option<FileKind>, files: &[PathBuf], shown: Shown) -> Result<(), Failure> {
    let mut reports = Vec::new();
    let (mut connectors, mut view) = (Vec::new(), None);
    for path in files {
        let file = path.display().to_string();
        match read(path, kind) {
            Ok((FileKind::Connector, props)) => connectors.push((reports.len(), props)),
            Ok((kind, props)) => {
                let (report, found) = worker(file, kind, &props);
                view = view.or(found);
                reports.push(report);
                continue;
            }
            Err((kind, what)) => {
                let errors = vec![(String::new(), what)];
                reports.push(Report {
                    file,
                    kind,
                    errors,
                    warnings: Vec::new(),
                });
                continue;
            }
        }
        let kind = FileKind::Connector;
        reports.push(Report {
            file,
            kind,
            errors: Vec::new(),
            warnings: Vec::new(),
        });
    }
    let validator = offline(view)?;
    for (at, props) in connectors {
        let raw = props
            .iter()
            .map(|(key, value)| (key.clone(), Some(value.clone())));
        let errors = match validator.validate(&raw.collect()).await {
            Ok(found) => {
                let values = found.configs.into_iter().filter_map(|config| config.value);
                values
                    .flat_map(|value| {
                        let name = value.name;
                        value
                            .errors
                            .into_iter()
                            .map(move |error| (name.clone(), error))
                    })
                    .collect()
            }
            Err(error) => vec![("connector.class".to_owned(), error.to_string())],
        };
        if let Some(report) = reports.get_mut(at) {
            report.errors = errors;
        }
    }
    show(&reports, shown);
    let invalid: Vec<&Report> = reports
        .iter()
        .filter(|report| !report.errors.is_empty())
        .collect();
    match invalid.as_slice() {
        [] => Ok(()),
        [one] => Err(
            Failure::new(Kind::Invalid, format!("{} is invalid", one.file))
                .remedy("change the keys that are named"),
        ),
        several => Err(Failure::new(
            Kind::Invalid,
            format!("{} of {} files are invalid", several.len(), files.len()),
        )
        .remedy("change the keys that are named")),
    }
}

/// A file's kind and content.
fn read(path: &Path, kind: Option<FileKind>) -> Result<(FileKind, Props), (FileKind, String)> {
    let guess = kind.unwrap_or(FileKind::Connector);
    let bytes = std::fs::read(path)
        .map_err(|error| (guess, format!("cannot be read: {error}; check the path")))?;
    let json = bytes.trim_ascii_start().starts_with(b"{");
    if json {
        let read = properties::connector_of(&bytes, None);
        let (props, _) = read.map_err(|what| (FileKind::Connector, what))?;
        return Ok((FileKind::Connector, props));
    }
    let props = milena_config::read_properties(path).map_err(|error| (guess, error.to_string()))?;
    Ok((kind.unwrap_or_else(|| kind_of(&props)), props))
}

/// A file is what its keys say.
fn kind_of(props: &Props) -> FileKind {
    let has = |key: &str| props.contains_key(key);
    if has("connector.class") {
        return FileKind::Connector;
    }
    if has("offset.storage.file.filename") {
        return FileKind::Standalone;
    }
    if has("group.id") || has("config.storage.topic") || has("bootstrap.servers") {
        return FileKind::Distributed;
    }
    FileKind::Connector
}

fn worker(file: String, kind: FileKind, props: &Props) -> (Report, Option<WorkerView>) {
    let (def, parsed) = match kind {
        FileKind::Standalone => (standalone_def(), standalone(props)),
        _ => (distributed_def(), distributed(props)),
    };
    let mut errors = key_errors(&def, props);
    let mut warnings = Vec::new();
    let view = match parsed {
        Ok((config, unknown, view)) => {
            errors.extend(unknown_plugins(&config));
            if errors.is_empty()
                && let Err(failure) = offline(Some(view.clone()))
            {
                errors.push((String::new(), failure.message().to_owned()));
            }
            let note =
                "not a setting of the worker: it has an effect only where a Kafka client knows it";
            warnings.extend(unknown.into_iter().map(|key| (key, note.to_owned())));
            Some(view)
        }
        Err(error) => {
            if !errors.iter().any(|(_, text)| *text == error.message) {
                errors.push((String::new(), error.message));
            }
            None
        }
    };
    (
        Report {
            file,
            kind,
            errors,
            warnings,
        },
        view,
    )
}

type Parsed = (WorkerConfig, Vec<String>, WorkerView);

fn distributed(props: &Props) -> Result<Parsed, ConfigError> {
    let config = DistributedConfig::parse(props)?;
    let exactly_once = config.exactly_once == ExactlyOnceSource::Enabled;
    let view = WorkerView::new(&config.worker).in_group(&config.group_id, exactly_once);
    Ok((config.worker, config.unknown, view))
}

fn standalone(props: &Props) -> Result<Parsed, ConfigError> {
    let config = StandaloneConfig::parse(props)?;
    let view = WorkerView::new(&config.worker);
    Ok((config.worker, config.unknown, view))
}

/// All errors at once, where a worker that starts tells the first.
fn key_errors(def: &ConfigDef, props: &Props) -> Vec<(String, String)> {
    let reports = def.validate_all(props).into_iter();
    reports
        .flat_map(|report| {
            let name = report.name;
            report
                .errors
                .into_iter()
                .map(move |error| (name.clone(), error))
        })
        .collect()
}

/// Converters of the worker that nobody has.
fn unknown_plugins(worker: &WorkerConfig) -> Vec<(String, String)> {
    let registry = plugins::registry();
    let unknown = |key: &str, error: Option<String>| Some((key.to_owned(), error?));
    let found = [
        unknown(
            "key.converter",
            registry
                .converter(&worker.key_converter.class)
                .err()
                .map(|e| e.to_string()),
        ),
        unknown(
            "value.converter",
            registry
                .converter(&worker.value_converter.class)
                .err()
                .map(|e| e.to_string()),
        ),
        unknown(
            "header.converter",
            registry
                .header_converter(&worker.header_converter.class)
                .err()
                .map(|e| e.to_string()),
        ),
    ];
    found.into_iter().flatten().collect()
}

fn show(reports: &[Report], shown: Shown) {
    if shown.json {
        let entries = |list: &[(String, String)]| -> Vec<Value> {
            let key = |key: &str| (!key.is_empty()).then(|| key.to_owned());
            list.iter()
                .map(|(name, text)| json!({"key": key(name), "message": text}))
                .collect()
        };
        let one = |report: &Report| {
            json!({
                "file": report.file,
                "kind": report.kind.name(),
                "valid": report.errors.is_empty(),
                "errors": entries(&report.errors),
                "warnings": entries(&report.warnings),
            })
        };
        let _ = output::say_json(&Value::Array(reports.iter().map(one).collect()));
        return;
    }
    let mut table = output::Table::new(&["FILE", "KIND", "RESULT"]);
    for report in reports {
        let result = match report.errors.len() {
            0 => "ok".to_owned(),
            1 => "1 error".to_owned(),
            count => format!("{count} errors"),
        };
        table.row(&[&report.file, report.kind.name(), &result]);
    }
    let mut text = table.render(shown.colours());
    for report in reports
        .iter()
        .filter(|r| r.errors.len() + r.warnings.len() > 0)
    {
        text.push_str(&format!("\n{}\n", output::plain(&report.file)));
        let lines = report.errors.iter().map(|entry| ("error", entry));
        for (what, (key, message)) in lines.chain(report.warnings.iter().map(|w| ("warning", w))) {
            let key = if key.is_empty() {
                String::new()
            } else {
                format!(" {key}:")
            };
            text.push_str(&output::plain(&format!("  {what}{key} {message}\n")));
        }
    }
    let _ = output::say(&text);
}
