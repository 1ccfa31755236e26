//! The JSON form of a schema to a schema (spec `data.md` 2.1.3).

use milena_data::{DataError, Schema, SchemaBuilder, SchemaBuilderError, SchemaType};

use super::{config::JsonConfig, decode, tree::Node};

/// `asConnectSchema`: JSON null is no schema.
pub(crate) fn schema(node: &Node, config: &JsonConfig) -> Result<Option<Schema>, DataError> {
    if matches!(node, Node::Null) {
        return Ok(None);
    }
    let Some(kind) = node.get("type").and_then(Node::text) else {
        return Err(DataError::data("Schema must contain 'type' field"));
    };
    let builder = match &**kind {
        "boolean" => SchemaBuilder::new(SchemaType::Boolean),
        "int8" => SchemaBuilder::new(SchemaType::Int8),
        "int16" => SchemaBuilder::new(SchemaType::Int16),
        "int32" => SchemaBuilder::new(SchemaType::Int32),
        "int64" => SchemaBuilder::new(SchemaType::Int64),
        "float" => SchemaBuilder::new(SchemaType::Float32),
        "double" => SchemaBuilder::new(SchemaType::Float64),
        "bytes" => SchemaBuilder::new(SchemaType::Bytes),
        "string" => SchemaBuilder::new(SchemaType::String),
        "array" => match node.get("items") {
            None | Some(Node::Null) => {
                return Err(DataError::data(
                    "Array schema did not specify the element type",
                ));
            }
            Some(items) => SchemaBuilder::array_of(schema(items, config)?),
        },
        "map" => map(node, config)?,
        "struct" => structure(node, config)?,
        other => return Err(DataError::data(format!("Unknown schema type: {other}"))),
    };
    Ok(Some(common(builder, node, config)?.build()?))
}

fn map(node: &Node, config: &JsonConfig) -> Result<SchemaBuilder, DataError> {
    let part = |member: &str, what: &str| {
        node.get(member)
            .ok_or_else(|| DataError::data(format!("Map schema did not specify the {what} type")))
    };
    let keys = part("keys", "key")?;
    let values = part("values", "value")?;
    let keys = schema(keys, config)?;
    let values = schema(values, config)?;
    let required = |schema: Option<Schema>, what: &str| {
        schema.ok_or_else(|| SchemaBuilderError::new(format!("{what} cannot be null.")))
    };
    Ok(SchemaBuilder::map(
        required(keys, "keySchema")?,
        required(values, "valueSchema")?,
    ))
}

fn structure(node: &Node, config: &JsonConfig) -> Result<SchemaBuilder, DataError> {
    let Some(Node::Array(fields)) = node.get("fields") else {
        return Err(DataError::data(
            "Struct schema's \"fields\" argument is not an array.",
        ));
    };
    let mut builder = SchemaBuilder::structure();
    for field in fields {
        let Some(name) = field.get("field").and_then(Node::text) else {
            return Err(DataError::data(
                "Struct schema's field name not specified properly",
            ));
        };
        let Some(inner) = schema(field, config)? else {
            return Err(DataError::data("Schema must contain 'type' field"));
        };
        builder = checked(builder.field(name.clone(), inner))?;
    }
    Ok(builder)
}

/// Java throws at the call that breaks a rule, not at the end.
fn checked(builder: SchemaBuilder) -> Result<SchemaBuilder, DataError> {
    match builder.error() {
        Some(error) => Err(error.clone().into()),
        None => Ok(builder),
    }
}

fn common(
    builder: SchemaBuilder,
    node: &Node,
    config: &JsonConfig,
) -> Result<SchemaBuilder, DataError> {
    let mut builder =
        builder.set_optional(matches!(node.get("optional"), Some(Node::Boolean(true))));
    if let Some(name) = node.get("name").and_then(Node::text) {
        builder = builder.name(name.clone());
    }
    match node.get("version") {
        Some(Node::Integer(version)) => builder = builder.version(low_int(*version)),
        Some(Node::BigInteger(version)) => {
            builder = builder.version(low_int(milena_data::low_bits(version)));
        }
        _ => {}
    }
    if let Some(doc) = node.get("doc").and_then(Node::text) {
        builder = builder.doc(doc.clone());
    }
    if let Some(Node::Object(parameters)) = node.get("parameters") {
        for (key, value) in parameters {
            let Some(value) = value.text() else {
                return Err(DataError::data(
                    "Schema parameters must have string values.",
                ));
            };
            builder = builder.parameter(key.clone(), value.clone());
        }
    }
    if let Some(default) = node.get("default") {
        let so_far = builder.clone().build()?;
        let value = decode::value(Some(&so_far), default, config)?;
        builder = checked(builder.default_value(value))?;
    }
    Ok(builder)
}

/// `JsonNode.intValue()`.
#[expect(
    clippy::cast_possible_truncation,
    reason = "Java's narrowing cast is the behaviour"
)]
fn low_int(number: i64) -> i32 {
    number as i32
}
