//! `VerifiableSourceConnector`: numbered records at a steady pace, each told on standard output when it
//! is given and when it is acknowledged.

use async_trait::async_trait;
use milena_api::{CommittedRecord, ConnectError, SourceTask, SourceTaskContext};
use milena_config::Props;
use milena_data::{Record, Schema, SchemaAndValue, SchemaBuilder, SourceRecord, Struct, Value};

use crate::{
    json_line::{JsonLine, now},
    numbered::{Numbered, not_started},
};

#[derive(Default)]
pub(crate) struct VerifiableSourceTask {
    state: Option<(Numbered, Option<Schema>)>,
}

/// The schema of values with `complete.record.data=true`.
fn complete_schema() -> Result<Schema, ConnectError> {
    SchemaBuilder::structure()
        .field("name", Schema::string())
        .field("task", Schema::int32())
        .field("topic", Schema::string())
        .field("time_ms", Schema::int64())
        .field("seqno", Schema::int64())
        .build()
        .map_err(|error| ConnectError::connect(error.to_string()))
}

fn line(own: &Numbered, seqno: &Value, time: i64) -> JsonLine {
    JsonLine::default()
        .with("task", &Value::Int32(own.id))
        .with("seqno", seqno)
        .with("time_ms", &Value::Int64(time))
        .with("name", &Value::from(own.name.as_str()))
        .with("topic", &Value::String(own.topic.clone()))
}

#[async_trait]
impl SourceTask for VerifiableSourceTask {
    async fn start(
        &mut self,
        context: SourceTaskContext,
        config: Props,
    ) -> Result<(), ConnectError> {
        let own = Numbered::begin(&context, &config, "VerifiableSourceTask").await?;
        let complete = config
            .get("complete.record.data")
            .is_some_and(|text| text.eq_ignore_ascii_case("true"));
        let schema = if complete {
            Some(complete_schema()?)
        } else {
            None
        };
        self.state = Some((own, schema));
        Ok(())
    }

    async fn poll(&mut self) -> Result<Option<Vec<SourceRecord>>, ConnectError> {
        let (own, complete) = self.state.as_mut().ok_or_else(not_started)?;
        own.throttle.wait().await;
        let time = now();
        line(own, &Value::Int64(own.seqno), time).print();
        let value = match complete {
            None => SchemaAndValue::new(Some(Schema::int64()), Value::Int64(own.seqno)),
            Some(schema) => {
                let slots = vec![
                    Value::from(own.name.as_str()),
                    Value::Int32(own.id),
                    Value::String(own.topic.clone()),
                    Value::Int64(time),
                    Value::Int64(own.seqno),
                ];
                let value = Struct::from_slots(schema.clone(), slots).into();
                SchemaAndValue::new(Some(schema.clone()), value)
            }
        };
        let record = SourceRecord {
            record: Record {
                topic: own.topic.clone(),
                key: SchemaAndValue::new(Some(Schema::int32()), Value::Int32(own.id)),
                value,
                ..Record::default()
            },
            source_partition: Some(own.partition.clone()),
            source_offset: Some(own.offset()),
        };
        own.seqno += 1;
        own.throttle.count();
        Ok(Some(vec![record]))
    }

    fn wants_committed_records(&self) -> bool {
        true
    }

    async fn commit_records(&mut self, records: Vec<CommittedRecord>) -> Result<(), ConnectError> {
        let (own, _) = self.state.as_ref().ok_or_else(not_started)?;
        for committed in records {
            line(own, &committed.record.record.value.value, now())
                .with("committed", &Value::Boolean(true))
                .print();
        }
        Ok(())
    }

    async fn stop(&mut self) {
        self.state = None;
    }
}
