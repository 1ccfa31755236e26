//! Schemas: shared by pointer, compared by pointer first (spec `data.md` 1.1).

use std::{
    fmt,
    hash::{Hash, Hasher},
    ops::Deref,
    sync::Arc,
};

use indexmap::IndexMap;

use crate::{Text, Value};

/// The Connect schema types (`Schema.Type`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the names are the field's own")]
pub enum SchemaType {
    Int8,
    Int16,
    Int32,
    Int64,
    Float32,
    Float64,
    Boolean,
    String,
    Bytes,
    Array,
    Map,
    Struct,
}

impl SchemaType {
    /// All types, in the order of `Schema.Type`.
    pub const ALL: [Self; 12] = [
        Self::Int8,
        Self::Int16,
        Self::Int32,
        Self::Int64,
        Self::Float32,
        Self::Float64,
        Self::Boolean,
        Self::String,
        Self::Bytes,
        Self::Array,
        Self::Map,
        Self::Struct,
    ];

    /// The name of the enum constant, as in messages (`INT32`).
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Int8 => "INT8",
            Self::Int16 => "INT16",
            Self::Int32 => "INT32",
            Self::Int64 => "INT64",
            Self::Float32 => "FLOAT32",
            Self::Float64 => "FLOAT64",
            Self::Boolean => "BOOLEAN",
            Self::String => "STRING",
            Self::Bytes => "BYTES",
            Self::Array => "ARRAY",
            Self::Map => "MAP",
            Self::Struct => "STRUCT",
        }
    }

    /// `Type.getName()`: the lower-case name (`int32`).
    #[must_use]
    pub fn lower_name(self) -> &'static str {
        match self {
            Self::Int8 => "int8",
            Self::Int16 => "int16",
            Self::Int32 => "int32",
            Self::Int64 => "int64",
            Self::Float32 => "float32",
            Self::Float64 => "float64",
            Self::Boolean => "boolean",
            Self::String => "string",
            Self::Bytes => "bytes",
            Self::Array => "array",
            Self::Map => "map",
            Self::Struct => "struct",
        }
    }

    /// The type of a [`Self::lower_name`].
    #[must_use]
    pub fn from_lower_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.lower_name() == name)
    }

    /// Every type except ARRAY, MAP and STRUCT.
    #[must_use]
    pub fn is_primitive(self) -> bool {
        !matches!(self, Self::Array | Self::Map | Self::Struct)
    }

    /// The six numeric types.
    #[must_use]
    pub fn is_number(self) -> bool {
        self <= Self::Float64
    }
}

impl fmt::Display for SchemaType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A schema; cloning shares it. Equality is structural over all parts, after a pointer check.
#[derive(Clone, Debug)]
pub struct Schema(pub(crate) Parts);

/// The parts of a schema. Those that everybody uses live as long as the process: every record names one or two, and to count
/// its holders on the threads of all tasks would cost more than most of what is done to the record.
#[derive(Clone)]
pub(crate) enum Parts {
    Static(&'static SchemaParts),
    Shared(Arc<SchemaParts>),
}

impl Deref for Parts {
    type Target = SchemaParts;

    fn deref(&self) -> &SchemaParts {
        match self {
            Self::Static(parts) => parts,
            Self::Shared(parts) => parts,
        }
    }
}

impl fmt::Debug for Parts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

/// One thread counts holders while another reads, for every record: the counter, which lies before it, must not be on the same
/// line of the processors' caches, nor on the one beside it, which they fetch with it.
#[derive(Clone, Debug, PartialEq)]
#[repr(align(128))]
pub(crate) struct SchemaParts {
    pub(crate) kind: SchemaType,
    pub(crate) optional: bool,
    pub(crate) default: Option<Value>,
    pub(crate) name: Option<Text>,
    pub(crate) version: Option<i32>,
    pub(crate) doc: Option<Text>,
    pub(crate) parameters: Option<IndexMap<Text, Text>>,
    pub(crate) fields: IndexMap<Text, Field>,
    pub(crate) key_schema: Option<Schema>,
    pub(crate) value_schema: Option<Schema>,
    /// Derived from type and name; read for every value.
    pub(crate) logical: Option<LogicalType>,
}

/// The four logical types of Connect itself, told by the schema's name alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names are the field's own")]
pub enum LogicalType {
    Decimal,
    Date,
    Time,
    Timestamp,
}

impl LogicalType {
    /// The schema name that marks the type.
    #[must_use]
    pub fn schema_name(self) -> &'static str {
        match self {
            Self::Decimal => "org.apache.kafka.connect.data.Decimal",
            Self::Date => "org.apache.kafka.connect.data.Date",
            Self::Time => "org.apache.kafka.connect.data.Time",
            Self::Timestamp => "org.apache.kafka.connect.data.Timestamp",
        }
    }

    /// The logical type of a schema name.
    #[must_use]
    pub fn of_name(name: &str) -> Option<Self> {
        let short = name.strip_prefix("org.apache.kafka.connect.data.")?;
        match short {
            "Decimal" => Some(Self::Decimal),
            "Date" => Some(Self::Date),
            "Time" => Some(Self::Time),
            "Timestamp" => Some(Self::Timestamp),
            _ => None,
        }
    }
}

/// A field of a struct schema: name, index from 0, schema.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Field {
    pub(crate) name: Text,
    pub(crate) index: usize,
    pub(crate) schema: Schema,
}

impl Field {
    /// The field's name.
    #[must_use]
    pub fn name(&self) -> &Text {
        &self.name
    }
    /// The field's position, from 0.
    #[must_use]
    pub fn index(&self) -> usize {
        self.index
    }
    /// The field's schema.
    #[must_use]
    pub fn schema(&self) -> &Schema {
        &self.schema
    }
}

/// A value with its schema; `(None, Null)` is Java's `SchemaAndValue.NULL`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct SchemaAndValue {
    /// The schema, absent for schemaless data.
    pub schema: Option<Schema>,
    /// The value.
    pub value: Value,
}

impl SchemaAndValue {
    /// A value with or without a schema.
    #[must_use]
    pub fn new(schema: Option<Schema>, value: Value) -> Self {
        Self { schema, value }
    }
}

impl Schema {
    /// The type.
    #[must_use]
    pub fn kind(&self) -> SchemaType {
        self.0.kind
    }
    /// Whether null is allowed.
    #[must_use]
    pub fn is_optional(&self) -> bool {
        self.0.optional
    }
    /// The default value.
    #[must_use]
    pub fn default_value(&self) -> Option<&Value> {
        self.0.default.as_ref()
    }
    /// The schema's name; the discriminator of logical types.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.0.name.as_deref()
    }
    /// The schema's name, shared.
    #[must_use]
    pub fn name_text(&self) -> Option<&Text> {
        self.0.name.as_ref()
    }
    /// The version.
    #[must_use]
    pub fn version(&self) -> Option<i32> {
        self.0.version
    }
    /// The documentation.
    #[must_use]
    pub fn doc(&self) -> Option<&str> {
        self.0.doc.as_deref()
    }
    /// The parameters in insertion order.
    #[must_use]
    pub fn parameters(&self) -> Option<&IndexMap<Text, Text>> {
        self.0.parameters.as_ref()
    }
    /// The fields of a struct schema by name, in order; empty for other types.
    #[must_use]
    pub fn fields(&self) -> &IndexMap<Text, Field> {
        &self.0.fields
    }
    /// The field of a name.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&Field> {
        self.0.fields.get(name)
    }
    /// The field at an index.
    #[must_use]
    pub fn field_at(&self, index: usize) -> Option<&Field> {
        self.0.fields.get_index(index).map(|(_, field)| field)
    }
    /// The key schema of a map.
    #[must_use]
    pub fn key_schema(&self) -> Option<&Schema> {
        self.0.key_schema.as_ref()
    }
    /// The value schema of a map, the element schema of an array.
    #[must_use]
    pub fn value_schema(&self) -> Option<&Schema> {
        self.0.value_schema.as_ref()
    }
    /// The logical type that the name stands for, whatever the base type is.
    #[must_use]
    pub fn logical(&self) -> Option<LogicalType> {
        self.0.logical
    }
    /// Whether both are the same shared object.
    #[must_use]
    pub fn same(&self, other: &Self) -> bool {
        std::ptr::eq(&raw const *self.0, &raw const *other.0)
    }
    /// A number that is the same for the same shared object, for caches by pointer. It is only
    /// meaningful while the schema is kept alive.
    #[must_use]
    pub fn address(&self) -> usize {
        (&raw const *self.0).addr()
    }
}

impl PartialEq for Schema {
    fn eq(&self, other: &Self) -> bool {
        self.same(other) || *self.0 == *other.0
    }
}

impl Eq for Schema {}

impl Hash for Schema {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let parts = &self.0;
        parts.kind.hash(state);
        parts.optional.hash(state);
        parts.name.hash(state);
        parts.version.hash(state);
        for field in parts.fields.values() {
            field.hash(state);
        }
        parts.key_schema.hash(state);
        parts.value_schema.hash(state);
    }
}

impl fmt::Display for Schema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => write!(f, "Schema{{{name}:{}}}", self.kind()),
            None => write!(f, "Schema{{{}}}", self.kind()),
        }
    }
}
