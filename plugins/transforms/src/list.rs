//! The explicit list of all transforms, in alphabetical order.

use std::sync::Arc;

use milena_api::TransformPlugin;

use crate::{
    cast, drop_headers, extract_field, filter, flatten, header_from, hoist_field, insert_field,
    insert_header, mask_field,
    plugin::{both_sides, whole_record},
    regex_router, replace_field, set_schema_metadata, timestamp_converter, timestamp_router,
    value_to_key,
};

/// The version that the registry reports: that of the Apache Kafka these transforms are equal to.
pub const VERSION: &str = "4.3.1";

/// All transforms, in alphabetical order of their classes.
#[must_use]
pub fn transforms() -> Vec<Arc<dyn TransformPlugin>> {
    let mut all = Vec::new();
    all.extend(both_sides("Cast", cast::config_def, cast::make));
    all.extend(whole_record(
        "DropHeaders",
        drop_headers::config_def,
        drop_headers::make,
    ));
    all.extend(both_sides(
        "ExtractField",
        extract_field::config_def,
        extract_field::make,
    ));
    all.extend(whole_record("Filter", filter::config_def, filter::make));
    all.extend(both_sides("Flatten", flatten::config_def, flatten::make));
    all.extend(both_sides(
        "HeaderFrom",
        header_from::config_def,
        header_from::make,
    ));
    all.extend(both_sides(
        "HoistField",
        hoist_field::config_def,
        hoist_field::make,
    ));
    all.extend(both_sides(
        "InsertField",
        insert_field::config_def,
        insert_field::make,
    ));
    all.extend(whole_record(
        "InsertHeader",
        insert_header::config_def,
        insert_header::make,
    ));
    all.extend(both_sides(
        "MaskField",
        mask_field::config_def,
        mask_field::make,
    ));
    all.extend(whole_record(
        "RegexRouter",
        regex_router::config_def,
        regex_router::make,
    ));
    all.extend(both_sides(
        "ReplaceField",
        replace_field::config_def,
        replace_field::make,
    ));
    all.extend(both_sides(
        "SetSchemaMetadata",
        set_schema_metadata::config_def,
        set_schema_metadata::make,
    ));
    all.extend(both_sides(
        "TimestampConverter",
        timestamp_converter::config_def,
        timestamp_converter::make,
    ));
    all.extend(whole_record(
        "TimestampRouter",
        timestamp_router::config_def,
        timestamp_router::make,
    ));
    all.extend(whole_record(
        "ValueToKey",
        value_to_key::config_def,
        value_to_key::make,
    ));
    all
}
