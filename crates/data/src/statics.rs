//! The schemas everybody needs, made once and shared: `Schema.INT8_SCHEMA` and its kin, and the
//! schemas of the logical types.

use std::sync::{Arc, LazyLock};

use indexmap::IndexMap;

use crate::{
    LogicalType, Schema, SchemaType, Text,
    schema::{Parts, SchemaParts},
};

fn plain(kind: SchemaType, optional: bool, logical: Option<LogicalType>) -> SchemaParts {
    SchemaParts {
        kind,
        optional,
        default: None,
        name: logical.map(|logical| Text::from_static(logical.schema_name())),
        version: logical.map(|_| 1),
        doc: None,
        parameters: None,
        fields: IndexMap::new(),
        key_schema: None,
        value_schema: None,
        logical,
    }
}

fn shared(parts: SchemaParts) -> Schema {
    Schema(Parts::Shared(Arc::new(parts)))
}

static PRIMITIVES: LazyLock<Vec<[SchemaParts; 2]>> = LazyLock::new(|| {
    SchemaType::ALL
        .into_iter()
        .map(|kind| [plain(kind, false, None), plain(kind, true, None)])
        .collect()
});

macro_rules! shared {
    ($($(#[$doc:meta])* $name:ident, $optional:ident: $kind:ident;)*) => {
        impl Schema {
            $($(#[$doc])*
            #[must_use]
            pub fn $name() -> Self { Self::primitive(SchemaType::$kind, false) }
            /// The optional variant, shared.
            #[must_use]
            pub fn $optional() -> Self { Self::primitive(SchemaType::$kind, true) })*
        }
    };
}

shared! {
    /// `INT8_SCHEMA`, shared.
    int8, optional_int8: Int8;
    /// `INT16_SCHEMA`, shared.
    int16, optional_int16: Int16;
    /// `INT32_SCHEMA`, shared.
    int32, optional_int32: Int32;
    /// `INT64_SCHEMA`, shared.
    int64, optional_int64: Int64;
    /// `FLOAT32_SCHEMA`, shared.
    float32, optional_float32: Float32;
    /// `FLOAT64_SCHEMA`, shared.
    float64, optional_float64: Float64;
    /// `BOOLEAN_SCHEMA`, shared.
    boolean, optional_boolean: Boolean;
    /// `STRING_SCHEMA`, shared.
    string, optional_string: String;
    /// `BYTES_SCHEMA`, shared.
    bytes, optional_bytes: Bytes;
}

static DATE: LazyLock<SchemaParts> =
    LazyLock::new(|| plain(SchemaType::Int32, false, Some(LogicalType::Date)));
static TIME: LazyLock<SchemaParts> =
    LazyLock::new(|| plain(SchemaType::Int32, false, Some(LogicalType::Time)));
static TIMESTAMP: LazyLock<SchemaParts> =
    LazyLock::new(|| plain(SchemaType::Int64, false, Some(LogicalType::Timestamp)));

impl Schema {
    /// The shared schema of a primitive type without any further part. For ARRAY, MAP and STRUCT it
    /// is a bare schema without elements or fields.
    #[must_use]
    pub fn primitive(kind: SchemaType, optional: bool) -> Self {
        let index = SchemaType::ALL.iter().position(|k| *k == kind);
        let pair = index.and_then(|index| PRIMITIVES.get(index));
        match pair {
            Some([_, nullable]) if optional => Self(Parts::Static(nullable)),
            Some([required, _]) => Self(Parts::Static(required)),
            None => shared(plain(kind, optional, None)),
        }
    }

    /// `Date.SCHEMA`: INT32, days since the epoch.
    #[must_use]
    pub fn date() -> Self {
        Self(Parts::Static(&DATE))
    }

    /// `Time.SCHEMA`: INT32, milliseconds since midnight.
    #[must_use]
    pub fn time() -> Self {
        Self(Parts::Static(&TIME))
    }

    /// `Timestamp.SCHEMA`: INT64, milliseconds since the epoch.
    #[must_use]
    pub fn timestamp() -> Self {
        Self(Parts::Static(&TIMESTAMP))
    }

    /// `Decimal.schema(scale)`: BYTES with parameter `scale`.
    #[must_use]
    pub fn decimal(scale: i32) -> Self {
        let mut parts = plain(SchemaType::Bytes, false, Some(LogicalType::Decimal));
        let parameters = [(Text::from_static("scale"), Text::from(scale.to_string()))];
        parts.parameters = Some(IndexMap::from_iter(parameters));
        shared(parts)
    }
}
