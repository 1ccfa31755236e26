//! What each area means.

mod converters;
mod data;
mod errors;
mod metrics;
mod records;

use anyhow::anyhow;

use crate::{
    check::{Fault, Outcome},
    vector::Vector,
};

/// The families of areas that come with the converters of a schema registry.
pub const NOT_OFFERED: [&str; 5] = [
    "avro",
    "json_schema",
    "protobuf",
    "subject_name",
    "wire_format",
];

/// Runs one vector.
pub(crate) fn run(vector: &Vector) -> Outcome {
    match vector.area.as_str() {
        "values.parse_string" => data::parse_string(vector),
        "values.to_string" => data::to_string(vector),
        "values.convert" => data::convert(vector),
        "values.infer_schema" => data::infer_schema(vector),
        "schema.validate" => data::validate(vector),
        "struct.validate" => data::struct_validate(vector),
        "logical.from" => data::logical_from(vector),
        "logical.to" => data::logical_to(vector),
        "schema_projector" => data::projector(vector),
        "converter.to_connect" => converters::to_connect(vector),
        "converter.from_connect" => converters::from_connect(vector),
        "header_converter.to_connect" => converters::header_to_connect(vector),
        "header_converter.from_connect" => converters::header_from_connect(vector),
        "transform" => records::transform(vector),
        "transform_chain" => records::chain(vector),
        "predicate" => records::predicate(vector),
        "field_path" => records::field_path(vector),
        "errors.retry" => errors::retry(vector),
        "errors.tolerance" => errors::tolerance(vector),
        "errors.dlq_headers" => errors::dlq_headers(vector),
        "errors.log_message" => errors::log_message(vector),
        "errors.config" => errors::config(vector),
        "metrics.mbean" => metrics::mbean(vector),
        other => Err(Fault::Broken(anyhow!("unknown area {other}"))),
    }
}
