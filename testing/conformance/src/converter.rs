//! The suite of converters.

use bytes::Bytes;
use milena_api::ConnectError;
use milena_api::{ConverterInstance, ConverterPlugin, ConverterUse, FromConnect, ToConnect};
use milena_config::Props;
use milena_data::{Schema, SchemaAndValue, Value};

use crate::{Broken, descriptor};

/// Bytes that are nothing in most formats.
const GARBAGE: [&[u8]; 7] = [
    b"",
    b"\0",
    b"\xff\xfe\xfd",
    b"{\"schema\":",
    b"\xc3(",
    b"\0\0\0\0\x01\x02",
    &[0x80; 100],
];

/// Runs a converter on values that survive the way to bytes and back.
pub async fn converter(
    plugin: &dyn ConverterPlugin,
    config: &Props,
    samples: &[SchemaAndValue],
) -> Vec<Broken> {
    let mut broken = Vec::new();
    descriptor(plugin.class(), plugin.version(), &mut broken);
    for usage in [ConverterUse::Key, ConverterUse::Value] {
        let mut made = match plugin.converter(config, usage) {
            Ok(made) => made,
            Err(error) => {
                broken.push(format!("it cannot be made: {error}"));
                return broken;
            }
        };
        match write(&mut made, None, &Value::Null).await {
            Ok(None) => {}
            other => broken.push(format!(
                "null without a schema is {other:?}, not null bytes"
            )),
        }
        match read(&mut made, None).await {
            Ok(pair) if pair.value.is_null() => {}
            other => broken.push(format!("null bytes are {other:?}, not null")),
        }
        for sample in samples {
            let bytes = write(&mut made, sample.schema.as_ref(), &sample.value).await;
            let found = match bytes {
                Ok(bytes) => read(&mut made, bytes.as_ref()).await,
                Err(error) => Err(error),
            };
            match found {
                Ok(found) if found.value == sample.value => {}
                other => broken.push(format!("{:?} comes back as {other:?}", sample.value)),
            }
        }
        for garbage in GARBAGE {
            // An error or an answer, and the converter is as good as before.
            let garbage = Bytes::from_static(garbage);
            let once = read(&mut made, Some(&garbage)).await;
            if once != read(&mut made, Some(&garbage)).await {
                broken.push(format!("{garbage:?} is read in two ways"));
            }
        }
    }
    broken
}

async fn write(
    made: &mut ConverterInstance,
    schema: Option<&Schema>,
    value: &Value,
) -> Result<Option<Bytes>, ConnectError> {
    let mut headers = Vec::new();
    match made {
        ConverterInstance::PerRecord(converter) => {
            converter.from_connect("topic", &mut headers, schema, value)
        }
        ConverterInstance::Batch(converter) => {
            let item = FromConnect {
                topic: "topic",
                headers: &mut headers,
                schema,
                value,
            };
            one(converter.from_connect(vec![item]).await)
        }
    }
}

async fn read(
    made: &mut ConverterInstance,
    bytes: Option<&Bytes>,
) -> Result<SchemaAndValue, ConnectError> {
    match made {
        ConverterInstance::PerRecord(converter) => converter.to_connect("topic", &[], bytes),
        ConverterInstance::Batch(converter) => {
            let item = ToConnect {
                topic: "topic",
                headers: &[],
                bytes,
            };
            one(converter.to_connect(vec![item]).await)
        }
    }
}

fn one<T>(answers: Vec<Result<T, ConnectError>>) -> Result<T, ConnectError> {
    let missing = || Err(ConnectError::connect("no answer"));
    answers.into_iter().next().unwrap_or_else(missing)
}
