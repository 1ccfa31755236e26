//! `milena connectors offsets`: how far a connector is (KIP-875).

use std::path::PathBuf;

use clap::{Args, Subcommand};
use http::Method;
use serde_json::{Value, json};

use super::{
    configs::read_file,
    connectors::{Ended, path_of},
    failure::{Failure, Kind},
    output::{self, Shown, Table},
    remote::{About, Remote},
};

#[derive(Args)]
pub(super) struct One {
    #[command(flatten)]
    remote: Remote,
    /// The connector.
    name: String,
}

#[derive(Subcommand)]
pub(super) enum Verb {
    /// Show the offsets that are committed.
    Get(One),
    /// Change offsets of a stopped connector to those in a JSON file of the form that `get --json` prints.
    Alter {
        #[command(flatten)]
        one: One,
        /// The file, `-` for standard input.
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
    /// Forget the offsets of a stopped connector: it begins anew.
    Reset(One),
}

impl Verb {
    pub(super) fn shown(&self) -> Shown {
        match self {
            Self::Get(one) | Self::Reset(one) | Self::Alter { one, .. } => one.remote.shown,
        }
    }
}

pub(super) async fn run(verb: Verb) -> Ended {
    let shown = verb.shown();
    match verb {
        Verb::Get(one) => {
            let path = path_of(&one.name, "/offsets");
            let found = one
                .remote
                .worker()?
                .get(&path, About::Connector(&one.name))
                .await?;
            match shown.json {
                true => output::say_json(&found)?,
                false => output::say(&render(&found, shown))?,
            }
        }
        Verb::Alter { one, file } => {
            let bytes = read_file(&file)?;
            let body: Value = serde_json::from_slice(&bytes).map_err(|error| {
                Failure::new(
                    Kind::Invalid,
                    format!("{} is no JSON: {error}", file.display()),
                )
                .remedy(r#"write {"offsets": [{"partition": {…}, "offset": {…}}]}"#)
            })?;
            // The list alone is understood too.
            let body = match body {
                Value::Array(list) => json!({"offsets": list}),
                other => other,
            };
            change(&one, Method::PATCH, Some(&body)).await?;
        }
        Verb::Reset(one) => change(&one, Method::DELETE, None).await?,
    }
    Ok(())
}

async fn change(one: &One, method: Method, body: Option<&Value>) -> Ended {
    let path = path_of(&one.name, "/offsets");
    let worker = one.remote.worker()?;
    let answer = worker
        .ask(method, &path, body, About::Offsets(&one.name))
        .await?;
    if one.remote.shown.json {
        return Ok(output::say_json(&answer)?);
    }
    let message = answer.get("message").and_then(Value::as_str);
    Ok(output::say(&output::plain(message.unwrap_or("done")))?)
}

fn render(found: &Value, shown: Shown) -> String {
    let entries = found.get("offsets").and_then(Value::as_array);
    let entries = entries.map(Vec::as_slice).unwrap_or_default();
    let field = |entry: &Value, pointer: &str| match entry.pointer(pointer) {
        Some(Value::String(text)) => text.clone(),
        Some(value) => value.to_string(),
        None => "-".to_owned(),
    };
    let of_sink = |entry: &Value| entry.pointer("/partition/kafka_topic").is_some();
    let mut table;
    if entries.iter().any(of_sink) {
        table = Table::new(&["TOPIC", "PARTITION", "OFFSET"]);
        for entry in entries {
            table.row(&[
                &field(entry, "/partition/kafka_topic"),
                &field(entry, "/partition/kafka_partition"),
                &field(entry, "/offset/kafka_offset"),
            ]);
        }
    } else {
        table = Table::new(&["PARTITION", "OFFSET"]);
        for entry in entries {
            table.row(&[&field(entry, "/partition"), &field(entry, "/offset")]);
        }
    }
    match table.is_empty() {
        true => "no offsets are committed".to_owned(),
        false => table.render(shown.colours()),
    }
}
