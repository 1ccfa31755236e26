//! `ShortConverter`, `IntegerConverter`, `LongConverter`, `FloatConverter`, `DoubleConverter`:
//! big-endian bytes (spec `data.md` 2.4).

use bytes::Bytes;
use milena_api::{ConnectError, RawHeader, RecordConverter};
use milena_data::{Schema, SchemaAndValue, Value};

/// `org.apache.kafka.common.errors.SerializationException`.
pub(crate) const SERIALIZATION_EXCEPTION: &str =
    "org.apache.kafka.common.errors.SerializationException";

/// Which of the five it is.
#[derive(Clone, Copy)]
pub(crate) enum NumberKind {
    Short,
    Integer,
    Long,
    Float,
    Double,
}

/// See the module.
pub(crate) struct NumberConverter {
    kind: NumberKind,
    schema: Schema,
}

impl NumberConverter {
    pub(crate) fn new(kind: NumberKind) -> Self {
        let schema = match kind {
            NumberKind::Short => Schema::optional_int16(),
            NumberKind::Integer => Schema::optional_int32(),
            NumberKind::Long => Schema::optional_int64(),
            NumberKind::Float => Schema::optional_float32(),
            NumberKind::Double => Schema::optional_float64(),
        };
        Self { kind, schema }
    }

    fn read(&self, bytes: &[u8]) -> Result<Value, ConnectError> {
        let wrong = |deserializer: &str, size: usize| {
            let text = format!("Size of data received by {deserializer} is not {size}");
            deserialize_error(self.name(), &text)
        };
        let short = || wrong("ShortDeserializer", 2);
        let integer = || wrong("IntegerDeserializer", 4);
        let long = || wrong("LongDeserializer", 8);
        // The float deserializers do not name themselves.
        let float = || wrong("Deserializer", 4);
        let double = || wrong("Deserializer", 8);
        Ok(match self.kind {
            NumberKind::Short => {
                Value::Int16(i16::from_be_bytes(bytes.try_into().map_err(|_| short())?))
            }
            NumberKind::Integer => {
                Value::Int32(i32::from_be_bytes(bytes.try_into().map_err(|_| integer())?))
            }
            NumberKind::Long => {
                Value::Int64(i64::from_be_bytes(bytes.try_into().map_err(|_| long())?))
            }
            NumberKind::Float => {
                Value::Float32(f32::from_be_bytes(bytes.try_into().map_err(|_| float())?))
            }
            NumberKind::Double => {
                Value::Float64(f64::from_be_bytes(bytes.try_into().map_err(|_| double())?))
            }
        })
    }

    fn name(&self) -> &'static str {
        match self.kind {
            NumberKind::Short => "short",
            NumberKind::Integer => "integer",
            NumberKind::Long => "long",
            NumberKind::Float => "float",
            NumberKind::Double => "double",
        }
    }
}

/// `Failed to deserialize <what>: ` with the deserializer's own text as cause.
pub(crate) fn deserialize_error(what: &str, cause: &str) -> ConnectError {
    ConnectError::data(format!("Failed to deserialize {what}: "))
        .caused_by(ConnectError::of(SERIALIZATION_EXCEPTION, cause))
}

/// The short class name that the cast of a wrong class names.
fn wanted(kind: NumberKind) -> &'static str {
    match kind {
        NumberKind::Short => "java.lang.Short",
        NumberKind::Integer => "java.lang.Integer",
        NumberKind::Long => "java.lang.Long",
        NumberKind::Float => "java.lang.Float",
        NumberKind::Double => "java.lang.Double",
    }
}

impl RecordConverter for NumberConverter {
    fn to_connect(
        &mut self,
        _topic: &str,
        _headers: &[RawHeader],
        bytes: Option<&Bytes>,
    ) -> Result<SchemaAndValue, ConnectError> {
        let value = match bytes {
            Some(bytes) => self.read(bytes)?,
            None => Value::Null,
        };
        Ok(SchemaAndValue::new(Some(self.schema.clone()), value))
    }

    fn from_connect(
        &mut self,
        _topic: &str,
        _headers: &mut Vec<RawHeader>,
        _schema: Option<&Schema>,
        value: &Value,
    ) -> Result<Option<Bytes>, ConnectError> {
        Ok(Some(match (self.kind, value) {
            (_, Value::Null) => return Ok(None),
            (NumberKind::Short, Value::Int16(n)) => Bytes::copy_from_slice(&n.to_be_bytes()),
            (NumberKind::Integer, Value::Int32(n)) => Bytes::copy_from_slice(&n.to_be_bytes()),
            (NumberKind::Long, Value::Int64(n)) => Bytes::copy_from_slice(&n.to_be_bytes()),
            (NumberKind::Float, Value::Float32(x)) => Bytes::copy_from_slice(&float_bytes(*x)),
            (NumberKind::Double, Value::Float64(x)) => Bytes::copy_from_slice(&double_bytes(*x)),
            (kind, other) => {
                let class = other.java_class();
                return Err(ConnectError::data(format!(
                    "Failed to serialize to {} (was class {class}): ",
                    self.name()
                ))
                .caused_by(ConnectError::of(
                    "java.lang.ClassCastException",
                    cast_text(other, wanted(kind)),
                )));
            }
        }))
    }
}

/// `Float.floatToRawIntBits`.
fn float_bytes(x: f32) -> [u8; 4] {
    x.to_be_bytes()
}

/// `Double.doubleToLongBits`: all NaN are one.
fn double_bytes(x: f64) -> [u8; 8] {
    if x.is_nan() {
        0x7ff8_0000_0000_0000_u64.to_be_bytes()
    } else {
        x.to_be_bytes()
    }
}

/// Java casts to `Number` first, then to the class itself.
fn cast_text(value: &Value, wanted: &str) -> String {
    let from = value.java_class();
    let number = matches!(
        value,
        Value::Int8(_)
            | Value::Int16(_)
            | Value::Int32(_)
            | Value::Int64(_)
            | Value::Float32(_)
            | Value::Float64(_)
            | Value::Decimal(_)
            | Value::BigInteger(_)
    );
    let to = if number { wanted } else { "java.lang.Number" };
    let base = "module java.base of loader 'bootstrap'";
    if matches!(value, Value::Struct(_)) {
        return format!(
            "class {from} cannot be cast to class {to} ({from} is in unnamed module of loader 'app'; \
             {to} is in {base})"
        );
    }
    format!("class {from} cannot be cast to class {to} ({from} and {to} are in {base})")
}
