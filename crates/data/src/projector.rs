//! `SchemaProjector`: a value of a writer's schema under a reader's schema (spec `data.md` 1.8).

use crate::{
    DataError, Field, MapValue, Schema, SchemaType, Struct, Value, decimal::low_bits,
    error::SCHEMA_PROJECTOR_EXCEPTION,
};

fn fail(message: impl Into<String>) -> DataError {
    DataError::of(SCHEMA_PROJECTOR_EXCEPTION, message)
}

/// The value, written under `source`, as it reads under `target`.
///
/// # Errors
/// The schemas are not compatible, with Java's text (`SchemaProjectorException`).
pub fn project(source: &Schema, value: &Value, target: &Schema) -> Result<Value, DataError> {
    check_compatible(source, target)?;
    if source.is_optional() && !target.is_optional() {
        let Some(default) = target.default_value() else {
            return Err(fail(
                "Writer schema is optional, however, target schema does not provide a default value.",
            ));
        };
        if value.is_null() {
            return Ok(default.clone());
        }
        return project_required(source, value, target);
    }
    if value.is_null() {
        return Ok(Value::Null);
    }
    project_required(source, value, target)
}

fn check_compatible(source: &Schema, target: &Schema) -> Result<(), DataError> {
    let (from, to) = (source.kind(), target.kind());
    // The numeric types stand in the order of promotion.
    let promotable = from.is_number() && to.is_number() && from < to;
    if from != to && !promotable {
        return Err(fail(format!(
            "Schema type mismatch. source type: {from} and target type: {to}"
        )));
    }
    if source.name() != target.name() {
        return Err(fail(format!(
            "Schema name mismatch. source name: {} and target name: {}",
            source.name().unwrap_or("null"),
            target.name().unwrap_or("null")
        )));
    }
    if source.parameters() != target.parameters() {
        return Err(fail(format!(
            "Schema parameters not equal. source parameters: {} and target parameters: {}",
            parameters_text(source),
            parameters_text(target)
        )));
    }
    Ok(())
}

fn parameters_text(schema: &Schema) -> String {
    schema.parameters().map_or_else(
        || "null".to_owned(),
        |parameters| {
            let pairs: Vec<String> = parameters.iter().map(|(k, v)| format!("{k}={v}")).collect();
            format!("{{{}}}", pairs.join(", "))
        },
    )
}

fn project_required(source: &Schema, value: &Value, target: &Schema) -> Result<Value, DataError> {
    match (target.kind(), value) {
        (SchemaType::Struct, Value::Struct(inner)) => {
            Ok(project_struct(source, inner, target)?.into())
        }
        (SchemaType::Array, Value::Array(items)) => {
            let (Some(from), Some(to)) = (source.value_schema(), target.value_schema()) else {
                return Err(fail("the element schemas of the arrays are missing"));
            };
            let items: Result<Vec<_>, _> =
                items.iter().map(|item| project(from, item, to)).collect();
            Ok(Value::Array(items?))
        }
        (SchemaType::Map, Value::Map(map)) => project_map(source, map, target),
        _ => Ok(project_primitive(source, value, target)),
    }
}

fn project_struct(source: &Schema, inner: &Struct, target: &Schema) -> Result<Struct, DataError> {
    let mut slots = Vec::with_capacity(target.fields().len());
    for field in target.fields().values() {
        let value = match source.field(field.name()) {
            Some(from) => project_field(from, inner, field)?,
            None if field.schema().is_optional() => Value::Null,
            None => field.schema().default_value().cloned().ok_or_else(|| {
                fail(format!(
                    "Required field `{}` is missing from source schema: {source}",
                    field.name()
                ))
            })?,
        };
        slots.push(value);
    }
    Ok(Struct::from_slots(target.clone(), slots))
}

fn project_field(from: &Field, inner: &Struct, to: &Field) -> Result<Value, DataError> {
    project(from.schema(), inner.get_at(from.index()), to.schema())
        .map_err(|cause| fail(format!("Error projecting {}", to.name())).caused_by(cause))
}

fn project_map(source: &Schema, map: &MapValue, target: &Schema) -> Result<Value, DataError> {
    let (Some(from_key), Some(to_key), Some(from_value), Some(to_value)) = (
        source.key_schema(),
        target.key_schema(),
        source.value_schema(),
        target.value_schema(),
    ) else {
        return Err(fail("the key or value schemas of the maps are missing"));
    };
    let mut out = MapValue::with_capacity(map.len());
    for (key, value) in map {
        out.insert(
            project(from_key, key, to_key)?,
            project(from_value, value, to_value)?,
        );
    }
    Ok(out.into())
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    reason = "Java's numeric casts are the behaviour"
)]
fn project_primitive(source: &Schema, value: &Value, target: &Schema) -> Value {
    if source.kind() == target.kind() {
        return value.clone();
    }
    let (whole, real) = match value {
        Value::Float32(x) => (*x as i64, f64::from(*x)),
        Value::Float64(x) => (*x as i64, *x),
        Value::Decimal(decimal) => (decimal.long_value(), decimal.double_value()),
        Value::BigInteger(n) => (low_bits(n), low_bits(n) as f64),
        other => match other.as_i64() {
            Some(n) => (n, n as f64),
            None => return value.clone(),
        },
    };
    match target.kind() {
        SchemaType::Int8 => Value::Int8(whole as i8),
        SchemaType::Int16 => Value::Int16(whole as i16),
        SchemaType::Int32 => Value::Int32(whole as i32),
        SchemaType::Int64 => Value::Int64(whole),
        SchemaType::Float32 => match value.as_i64() {
            Some(n) => Value::Float32(n as f32),
            None => Value::Float32(real as f32),
        },
        SchemaType::Float64 => Value::Float64(real),
        _ => value.clone(),
    }
}
