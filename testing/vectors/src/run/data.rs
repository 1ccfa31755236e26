//! The areas of the data model.

use anyhow::{Context, anyhow};
use milena_data::{
    LogicalType, Schema, SchemaAndValue, Struct, Value, logical, project, validate_field,
    validate_value, values,
};
use serde_json::Value as Json;

use crate::{
    check::{Outcome, same, show_pair, show_schema, show_value},
    notation,
    vector::Vector,
};

fn input_pair(vector: &Vector) -> anyhow::Result<SchemaAndValue> {
    notation::pair(vector.input("value_schema"), vector.input("value"))
}

fn expected_pair(vector: &Vector) -> anyhow::Result<SchemaAndValue> {
    notation::pair(vector.expected("schema"), vector.expected("value"))
}

/// `Values.parseString`.
pub(super) fn parse_string(vector: &Vector) -> Outcome {
    let found = match vector.input_text("string") {
        Some(text) => values::parse_string(text),
        None => Some(SchemaAndValue::default()),
    };
    let none = vector
        .expect
        .as_ref()
        .is_some_and(|expect| expect.get("result").is_some());
    let expected = if none {
        None
    } else {
        Some(expected_pair(vector)?)
    };
    Ok(same(&expected, &found, |found| {
        found.as_ref().map_or("nothing".to_owned(), show_pair)
    }))
}

/// `Values.convertToString`.
pub(super) fn to_string(vector: &Vector) -> Outcome {
    let input = input_pair(vector)?;
    let found = values::convert_to_string(&input.value)?;
    let expected = vector.expected("string").as_str().map(str::to_owned);
    Ok(same(&expected, &found, |found| format!("{found:?}")))
}

/// `Values.convertToX`.
pub(super) fn convert(vector: &Vector) -> Outcome {
    let input = input_pair(vector)?;
    let (from, value) = (input.schema.as_ref(), &input.value);
    let to = vector.config_text("to").context("no target")?;
    let optional = |value: Option<Value>| value.unwrap_or(Value::Null);
    let found = match to {
        "boolean" => optional(values::convert_to_boolean(from, value)?.map(Value::Boolean)),
        "int8" | "byte" => optional(values::convert_to_byte(from, value)?.map(Value::Int8)),
        "int16" | "short" => optional(values::convert_to_short(from, value)?.map(Value::Int16)),
        "int32" | "integer" | "int" => {
            optional(values::convert_to_integer(from, value)?.map(Value::Int32))
        }
        "int64" | "long" => optional(values::convert_to_long(from, value)?.map(Value::Int64)),
        "float32" | "float" => optional(values::convert_to_float(from, value)?.map(Value::Float32)),
        "float64" | "double" => {
            optional(values::convert_to_double(from, value)?.map(Value::Float64))
        }
        "string" => optional(values::convert_to_string(value)?.map(Value::from)),
        "list" | "array" => Value::Array(values::convert_to_list(value)?),
        "map" => values::convert_to_map(value)?.into(),
        "struct" => values::convert_to_struct(value)?.into(),
        "decimal" => {
            let scale = vector
                .config
                .get("scale")
                .and_then(Json::as_i64)
                .unwrap_or(0);
            let scale = i32::try_from(scale).context("scale")?;
            Value::Decimal(values::convert_to_decimal(value, scale)?)
        }
        "date" => Value::Instant(values::convert_to_date(from, value)?),
        "time" => Value::Instant(values::convert_to_time(from, value)?),
        "timestamp" => Value::Instant(values::convert_to_timestamp(from, value)?),
        other => return Err(anyhow!("unknown target {other}").into()),
    };
    // The expected value carries tags; without one it is of the type that was asked for.
    let kind = milena_data::SchemaType::from_lower_name(to).filter(|kind| kind.is_primitive());
    let schema = kind.map(|kind| Schema::primitive(kind, true));
    let expected = notation::value(schema.as_ref(), vector.expected("value"))?;
    Ok(same(&expected, &found, show_value))
}

/// `Values.inferSchema`.
pub(super) fn infer_schema(vector: &Vector) -> Outcome {
    let value = notation::value(None, vector.input("value"))?;
    let found = values::infer_schema(&value)?;
    let expected = notation::schema(vector.expected("schema"))?;
    Ok(same(&expected, &found, |found| {
        found.as_ref().map_or("no schema".to_owned(), show_schema)
    }))
}

/// `ConnectSchema.validateValue`.
pub(super) fn validate(vector: &Vector) -> Outcome {
    let input = input_pair(vector)?;
    let schema = input.schema.context("no schema")?;
    match vector.config_text("field") {
        Some(field) => validate_field(field, &schema, &input.value)?,
        None => validate_value(&schema, &input.value)?,
    }
    Ok(None)
}

/// `Struct.put`, `validate` and the text form.
pub(super) fn struct_validate(vector: &Vector) -> Outcome {
    let schema = notation::schema(vector.input("value_schema"))?.context("no schema")?;
    let mut found = Struct::new(schema.clone())?;
    for (name, json) in vector.input("value").as_object().into_iter().flatten() {
        let field = schema.field(name);
        let value = notation::value(field.map(milena_data::Field::schema), json)?;
        found.put(name, value)?;
    }
    found.validate()?;
    let expected = vector.expected("string").as_str().map(str::to_owned);
    Ok(expected.and_then(|expected| same(&expected, &found.to_string(), String::clone)))
}

/// `X.fromLogical`.
pub(super) fn logical_from(vector: &Vector) -> Outcome {
    let input = input_pair(vector)?;
    let schema = input.schema.context("no schema")?;
    let found = logical::from_logical(&schema, &input.value)?;
    let plain = Schema::primitive(schema.kind(), true);
    let expected = notation::value(Some(&plain), vector.expected("value"))?;
    Ok(same(&expected, &found, show_value))
}

/// `X.toLogical`.
pub(super) fn logical_to(vector: &Vector) -> Outcome {
    let input = input_pair(vector)?;
    let schema = input.schema.context("no schema")?;
    let found = match (schema.logical(), &input.value) {
        (Some(LogicalType::Date | LogicalType::Time), Value::Int64(n)) => {
            let narrowed = Value::Int32(i32::try_from(*n).context("not an int")?);
            logical::to_logical(&schema, &narrowed)?
        }
        (_, value) => logical::to_logical(&schema, value)?,
    };
    let expected = notation::value(Some(&schema), vector.expected("value"))?;
    Ok(same(&expected, &found, show_value))
}

/// `SchemaProjector.project`.
pub(super) fn projector(vector: &Vector) -> Outcome {
    let source = notation::schema(vector.input("source_schema"))?.context("no source schema")?;
    let target = notation::schema(vector.input("target_schema"))?.context("no target schema")?;
    let value = notation::value(Some(&source), vector.input("value"))?;
    let found = project(&source, &value, &target)?;
    let expected = notation::value(Some(&target), vector.expected("value"))?;
    Ok(same(&expected, &found, show_value))
}
