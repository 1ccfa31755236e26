//! Configurations of connectors on a running worker: created, shown, changed, validated.

use std::{
    fs,
    io::{self, Read},
    path::Path,
};

use http::Method;
use milena_config::Props;
use serde_json::{Map, Value, json};

use super::{
    connectors::{Ended, InitialState, done, path_of},
    failure::{Failure, Kind},
    output::{self, Shown, Table},
    remote::{About, Worker, segment},
};
use crate::properties;

/// The largest file that is read; a worker takes no larger body.
const FILE_MAX: u64 = 16 << 20;

/// The content of a file, or standard input for `-`.
pub(super) fn read_file(path: &Path) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    let read = match path.as_os_str() == "-" {
        true => io::stdin().lock().take(FILE_MAX).read_to_end(&mut bytes),
        false => fs::File::open(path).and_then(|file| file.take(FILE_MAX).read_to_end(&mut bytes)),
    };
    read.map_err(|error| {
        Failure::new(
            Kind::Invalid,
            format!("cannot read {}: {error}", path.display()),
        )
        .remedy("check the path and its permissions")
    })?;
    Ok(bytes)
}

fn connector_file(path: &Path, name: Option<&str>) -> Result<(Props, Option<String>), Failure> {
    let bytes = read_file(path)?;
    properties::connector_of(&bytes, name).map_err(|what| {
        Failure::new(
            Kind::Invalid,
            format!("connector file {}: {what}", path.display()),
        )
        .remedy("write a properties file, or JSON with \"name\" and \"config\"")
    })
}

fn object(props: &Props) -> Value {
    let pairs = props.iter().map(|(key, value)| (key.clone(), json!(value)));
    Value::Object(pairs.collect::<Map<_, _>>())
}

/// `connectors get`.
pub(super) async fn get(worker: &Worker, name: &str, shown: Shown) -> Ended {
    let found = worker
        .get(&path_of(name, ""), About::Connector(name))
        .await?;
    if shown.json {
        return Ok(output::say_json(&found)?);
    }
    let count = found
        .get("tasks")
        .and_then(Value::as_array)
        .map_or(0, Vec::len);
    let kind = found
        .get("type")
        .and_then(Value::as_str)
        .unwrap_or("unknown");
    let mut table = Table::new(&["KEY", "VALUE"]);
    for (key, value) in found
        .get("config")
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
    {
        table.row(&[key, value.as_str().unwrap_or("null")]);
    }
    output::say(&format!(
        "{}: a {} with {count} {}\n",
        output::plain(name),
        output::plain(kind),
        if count == 1 { "task" } else { "tasks" }
    ))?;
    Ok(output::say(&table.render(shown.colours()))?)
}

/// `connectors tasks`.
pub(super) async fn tasks(worker: &Worker, name: &str, shown: Shown) -> Ended {
    let found = worker
        .get(&path_of(name, "/tasks"), About::Connector(name))
        .await?;
    if shown.json {
        return Ok(output::say_json(&found)?);
    }
    let mut table = Table::new(&["TASK", "KEY", "VALUE"]);
    for task in found.as_array().into_iter().flatten() {
        let number = task
            .pointer("/id/task")
            .map(Value::to_string)
            .unwrap_or_default();
        for (key, value) in task
            .get("config")
            .and_then(Value::as_object)
            .into_iter()
            .flatten()
        {
            table.row(&[&number, key, value.as_str().unwrap_or("null")]);
        }
    }
    match table.is_empty() {
        true => output::say("no tasks")?,
        false => output::say(&table.render(shown.colours()))?,
    }
    Ok(())
}

/// `connectors config NAME`.
pub(super) async fn show(worker: &Worker, name: &str, shown: Shown) -> Ended {
    let found = worker
        .get(&path_of(name, "/config"), About::Connector(name))
        .await?;
    if shown.json {
        return Ok(output::say_json(&found)?);
    }
    for (key, value) in found.as_object().into_iter().flatten() {
        let value = value.as_str().unwrap_or_default();
        output::say(&format!("{}={}", escaped(key, true), escaped(value, false)))?;
    }
    Ok(())
}

/// Text as it stands in a properties file.
fn escaped(text: &str, key: bool) -> String {
    let mut out = String::new();
    for (at, c) in text.chars().enumerate() {
        match c {
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            ' ' if key || at == 0 => out.push_str("\\ "),
            '=' | ':' if key => out.extend(['\\', c]),
            '#' | '!' if key && at == 0 => out.extend(['\\', c]),
            c if c.is_ascii() && !c.is_control() => out.push(c),
            c => {
                let mut units = [0; 2];
                for unit in c.encode_utf16(&mut units) {
                    out.push_str(&format!("\\u{unit:04x}"));
                }
            }
        }
    }
    out
}

/// `connectors create`.
pub(super) async fn create(
    worker: &Worker,
    file: &Path,
    initial_state: Option<InitialState>,
    shown: Shown,
) -> Ended {
    let (props, in_file) = connector_file(file, None)?;
    let name = props.get("name").cloned().unwrap_or_default();
    let state = initial_state
        .map(|state| state.name().to_owned())
        .or(in_file);
    let mut body = json!({"name": name, "config": object(&props)});
    if let (Some(state), Value::Object(body)) = (state, &mut body) {
        body.insert("initial_state".to_owned(), state.into());
    }
    let about = About::NewConnector(&name);
    let created = worker
        .ask(Method::POST, "/connectors", Some(&body), about)
        .await;
    let created = by_key(worker, created, &props).await?;
    match shown.json {
        true => Ok(output::say_json(&created)?),
        false => done(shown, &name, "created"),
    }
}

/// `connectors config NAME --file FILE`.
pub(super) async fn replace(worker: &Worker, name: &str, file: &Path, shown: Shown) -> Ended {
    let (props, _) = connector_file(file, Some(name))?;
    let path = path_of(name, "/config");
    let answer = worker
        .ask(
            Method::PUT,
            &path,
            Some(&object(&props)),
            About::Connector(name),
        )
        .await;
    let answer = by_key(worker, answer, &props).await?;
    match shown.json {
        true => Ok(output::say_json(&answer)?),
        false => done(shown, name, "has the configuration of the file"),
    }
}

/// `connectors config NAME --set … --unset …` (KIP-477).
pub(super) async fn patch(
    worker: &Worker,
    name: &str,
    set: &[String],
    unset: &[String],
    shown: Shown,
) -> Ended {
    let mut patch = Map::new();
    for pair in set {
        let Some((key, value)) = pair.split_once('=') else {
            let what = format!("--set {pair:?} has no `=`");
            return Err(Failure::new(Kind::Invalid, what)
                .remedy("write KEY=VALUE")
                .into());
        };
        patch.insert(key.to_owned(), json!(value));
    }
    patch.extend(unset.iter().map(|key| (key.clone(), Value::Null)));
    let path = path_of(name, "/config");
    // Asked for first, so that errors can be told by key.
    let now = worker.get(&path, About::Connector(name)).await?;
    let mut wanted: Props = now
        .as_object()
        .into_iter()
        .flatten()
        .filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())))
        .collect();
    for (key, value) in &patch {
        match value.as_str() {
            Some(value) => wanted.insert(key.clone(), value.to_owned()),
            None => wanted.remove(key),
        };
    }
    let body = Value::Object(patch);
    let answer = worker
        .ask(Method::PATCH, &path, Some(&body), About::Connector(name))
        .await;
    let answer = by_key(worker, answer, &wanted).await?;
    match shown.json {
        true => Ok(output::say_json(&answer)?),
        false => done(shown, name, "changed"),
    }
}

/// A refused configuration is validated once more, so that its errors are told by key.
async fn by_key(
    worker: &Worker,
    answer: Result<Value, Failure>,
    props: &Props,
) -> Result<Value, Failure> {
    match answer {
        Err(failure) if failure.kind == Kind::Invalid => {
            let errors = match errors(worker, props).await {
                Ok((_, errors)) if !errors.is_empty() => errors,
                _ => return Err(failure),
            };
            let name = props.get("name").map(String::as_str).unwrap_or_default();
            Err(invalid(name, errors).status(400))
        }
        other => other,
    }
}

fn invalid(name: &str, errors: Vec<(String, String)>) -> Failure {
    let count = errors.len();
    let noun = if count == 1 { "error" } else { "errors" };
    let what = format!("the configuration of connector {name:?} has {count} {noun}");
    Failure::new(Kind::Invalid, what)
        .remedy("change these keys")
        .details(errors)
}

async fn errors(worker: &Worker, props: &Props) -> Result<(Value, Vec<(String, String)>), Failure> {
    let class = props
        .get("connector.class")
        .map(String::as_str)
        .unwrap_or_default();
    if class.is_empty() {
        let error =
            "Missing required configuration \"connector.class\" which has no default value.";
        return Ok((
            Value::Null,
            vec![("connector.class".to_owned(), error.to_owned())],
        ));
    }
    let path = format!("/connector-plugins/{}/config/validate", segment(class));
    let found = worker
        .ask(Method::PUT, &path, Some(&object(props)), About::Plugin)
        .await?;
    let mut errors = Vec::new();
    for config in found
        .get("configs")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
    {
        let key = config
            .pointer("/value/name")
            .and_then(Value::as_str)
            .unwrap_or_default();
        let texts = config.pointer("/value/errors").and_then(Value::as_array);
        for text in texts.into_iter().flatten().filter_map(Value::as_str) {
            errors.push((key.to_owned(), text.to_owned()));
        }
    }
    Ok((found, errors))
}

/// `connectors validate`.
pub(super) async fn validate(worker: &Worker, file: &Path, shown: Shown) -> Ended {
    let (props, _) = connector_file(file, None)?;
    let name = props.get("name").cloned().unwrap_or_default();
    let (found, errors) = errors(worker, &props).await?;
    if shown.json && !found.is_null() {
        output::say_json(&found)?;
    }
    if !errors.is_empty() {
        return Err(invalid(&name, errors).into());
    }
    match shown.json {
        true => Ok(()),
        false => Ok(output::say(&format!(
            "{}: no errors",
            output::plain(&name)
        ))?),
    }
}

#[cfg(test)]
mod tests {
    use milena_config::{Charset, parse_properties};

    use super::escaped;

    #[test]
    fn what_is_printed_can_be_read_again() {
        for (key, value) in [
            ("a b=c:#", " x\\ é\u{1f600}=y\n\u{1b}"),
            ("!k", ""),
            ("k", "a b "),
        ] {
            let line = format!("{}={}", escaped(key, true), escaped(value, false));
            let read = parse_properties(line.as_bytes(), Charset::Latin1).unwrap();
            assert_eq!(read.get(key).map(String::as_str), Some(value), "{line}");
        }
    }
}
