//! `SchemaSourceConnector`: a given number of structs, of one version of a schema or of two in turn.

use std::time::Duration;

use async_trait::async_trait;
use milena_api::{ConnectError, SourceTask, SourceTaskContext};
use milena_config::Props;
use milena_data::{Record, Schema, SchemaAndValue, SchemaBuilder, SourceRecord, Struct, Value};

use crate::{
    mock::not_a_number,
    numbered::{Numbered, not_started, number},
};

const CLASS: &str = "SchemaSourceTask";
/// How long a poll takes once all records are given.
const IDLE: Duration = Duration::from_millis(500);

#[derive(Default)]
pub(crate) struct SchemaSourceTask {
    state: Option<State>,
}

struct State {
    own: Numbered,
    /// How many records this start gives, and how many it has given.
    wanted: i64,
    given: i64,
    partitions: i32,
    first: Schema,
    /// The second version, every other record.
    second: Option<Schema>,
}

fn schema(version: i32) -> Result<Schema, ConnectError> {
    let mut builder = SchemaBuilder::structure()
        .name("record")
        .version(version)
        .field("boolean", Schema::boolean())
        .field("int", Schema::int32())
        .field("long", Schema::int64())
        .field("float", Schema::float32())
        .field("double", Schema::float64())
        .field("partitioning", Schema::int32());
    let failed = |error: milena_data::SchemaBuilderError| ConnectError::connect(error.to_string());
    if version > 1 {
        let text = SchemaBuilder::new(milena_data::SchemaType::String);
        let text = text.default_value(Value::from("abc")).build();
        builder = builder.field("string", text.map_err(failed)?);
    }
    builder
        .field("id", Schema::int32())
        .field("seqno", Schema::int64())
        .build()
        .map_err(failed)
}

#[async_trait]
impl SourceTask for SchemaSourceTask {
    async fn start(
        &mut self,
        context: SourceTaskContext,
        config: Props,
    ) -> Result<(), ConnectError> {
        let invalid = |cause: ConnectError| {
            ConnectError::connect(format!("Invalid {CLASS} configuration")).caused_by(cause)
        };
        let wanted = number(&config, "num.messages").map_err(invalid)?;
        let partitions = match config.get("partition.count") {
            None => 1,
            Some(text) => text.parse().map_err(|_| invalid(not_a_number(text)))?,
        };
        let twice = config
            .get("multiple.schema")
            .is_some_and(|text| text.eq_ignore_ascii_case("true"));
        self.state = Some(State {
            own: Numbered::begin(&context, &config, CLASS).await?,
            wanted,
            given: 0,
            partitions,
            first: schema(1)?,
            second: if twice { Some(schema(2)?) } else { None },
        });
        Ok(())
    }

    async fn poll(&mut self) -> Result<Option<Vec<SourceRecord>>, ConnectError> {
        let state = self.state.as_mut().ok_or_else(not_started)?;
        if state.given >= state.wanted {
            tokio::time::sleep(IDLE).await;
            return Ok(None);
        }
        state.own.throttle.wait().await;
        let own = &mut state.own;
        let partition = own.seqno.checked_rem(i64::from(state.partitions));
        let partition = partition
            .and_then(|number| i32::try_from(number).ok())
            .ok_or_else(|| ConnectError::of("java.lang.ArithmeticException", "/ by zero"))?;
        let mut slots = vec![
            Value::Boolean(true),
            Value::Int32(12),
            Value::Int64(12),
            Value::Float32(12.2),
            Value::Float64(12.2),
            Value::Int32(partition),
        ];
        let schema = match &state.second {
            Some(second) if state.given % 2 != 0 => {
                slots.push(Value::from("def"));
                second
            }
            _ => &state.first,
        };
        slots.extend([Value::Int32(own.id), Value::Int64(own.seqno)]);
        let value = Struct::from_slots(schema.clone(), slots).into();
        let record = SourceRecord {
            record: Record {
                topic: own.topic.clone(),
                partition: Some(partition),
                key: SchemaAndValue::new(Some(Schema::string()), Value::from("key")),
                value: SchemaAndValue::new(Some(schema.clone()), value),
                ..Record::default()
            },
            source_partition: Some(own.partition.clone()),
            source_offset: Some(own.offset()),
        };
        own.seqno += 1;
        own.throttle.count();
        state.given += 1;
        Ok(Some(vec![record]))
    }

    async fn stop(&mut self) {
        self.state = None;
    }
}
