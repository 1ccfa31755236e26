//! `Values.parseString`: the grammar of literals (spec `data.md` 1.7.2).

use super::{
    convert::convert_to,
    temporal,
    tokens::{Tokens, trim},
};
use crate::{
    DataError, Decimal, MapValue, Schema, SchemaAndValue, SchemaBuilder, SchemaType, Value,
};

/// The deepest nesting of arrays and maps that is read; a deeper literal is a STRING, as any literal
/// that cannot be read. Java has no limit of its own and dies of its stack at some depth.
pub const PARSE_NESTING_MAX: usize = 256;

/// Reads a literal: the smallest type that holds it, or a STRING when nothing else fits. `None` is
/// the literal `null`, for which Java returns no pair at all.
#[must_use]
pub fn parse_string(text: &str) -> Option<SchemaAndValue> {
    if text.is_empty() {
        return Some(string(text));
    }
    let mut parser = Parser {
        tokens: Tokens::new(text),
        depth: 0,
    };
    // At top level a failure cannot come out: every text is at least a string.
    parser.value(false).unwrap_or_else(|_| Some(string(text)))
}

fn string(text: &str) -> SchemaAndValue {
    SchemaAndValue::new(Some(Schema::string()), Value::from(text))
}

struct Parser<'t> {
    tokens: Tokens<'t>,
    depth: usize,
}

type Parsed = Result<Option<SchemaAndValue>, DataError>;

impl Parser<'_> {
    fn value(&mut self, embedded: bool) -> Parsed {
        if !self.tokens.has_next() {
            return Ok(None);
        }
        if embedded && self.tokens.consume("\"") {
            return Ok(Some(self.quoted()));
        }
        if self.literal("null", embedded) {
            return Ok(None);
        }
        for (text, value) in [("true", true), ("false", false)] {
            if self.literal(text, embedded) {
                let value = Value::Boolean(value);
                return Ok(Some(SchemaAndValue::new(Some(Schema::boolean()), value)));
            }
        }
        let start = self.tokens.mark();
        if let Some(container) = self.container(start) {
            return Ok(Some(container));
        }
        let token = self.tokens.next();
        if trim(token).is_empty() {
            return Ok(Some(string(token)));
        }
        self.scalar(trim(token), embedded)
    }

    /// An array or map, or nothing when it cannot be read; then the position is as before.
    fn container(&mut self, start: usize) -> Option<SchemaAndValue> {
        let array = self.tokens.consume("[");
        if !array && !self.tokens.consume("{") {
            return None;
        }
        let parsed = if self.depth >= PARSE_NESTING_MAX {
            None
        } else {
            self.depth += 1;
            let parsed = if array { self.array() } else { self.map() };
            self.depth -= 1;
            parsed.ok()
        };
        if parsed.is_none() {
            self.tokens.rewind(start);
        }
        parsed
    }

    /// `null`, `true` or `false`; at top level nothing may follow.
    fn literal(&mut self, text: &str, embedded: bool) -> bool {
        let start = self.tokens.mark();
        if self.tokens.consume(text) && (embedded || !self.tokens.has_next()) {
            return true;
        }
        self.tokens.rewind(start);
        false
    }

    fn quoted(&mut self) -> SchemaAndValue {
        let mut content = String::new();
        while self.tokens.has_next() {
            if self.tokens.consume_exact("\"") {
                break;
            }
            content.push_str(self.tokens.next());
        }
        temporal::parse(&content).unwrap_or_else(|| string(&content))
    }

    fn scalar(&mut self, token: &str, embedded: bool) -> Parsed {
        let digit = token.starts_with(|c: char| c.is_ascii_digit());
        if digit && let Some(found) = self.temporal(token) {
            return Ok(Some(found));
        }
        if (digit || token.starts_with(['+', '-']))
            && let Some(number) = number(token)
        {
            return Ok(Some(number));
        }
        if embedded {
            return Err(DataError::data("Failed to parse embedded value"));
        }
        Ok(Some(string(self.tokens.original())))
    }

    /// A time may be split into five tokens by its colons; then it is tried with the token alone.
    fn temporal(&mut self, token: &str) -> Option<SchemaAndValue> {
        let position = self.tokens.mark();
        if let Some(rest) = self.tokens.next_tokens(4)
            && rest.len() < 100
            && let Some(found) = temporal::parse(&format!("{token}{rest}"))
        {
            return Some(found);
        }
        self.tokens.rewind(position);
        temporal::parse(token)
    }

    fn array(&mut self) -> Result<SchemaAndValue, DataError> {
        let mut items = Vec::new();
        let mut common = Common::default();
        let fail = |text: &str, original: &str| Err(DataError::data(format!("{text}{original}")));
        while self.tokens.has_next() {
            if self.tokens.consume("]") {
                return finish_array(items, common);
            }
            if self.tokens.consume(",") {
                let text = "Unable to parse an empty array element: ";
                return fail(text, self.tokens.original());
            }
            let element = self.value(true)?;
            common.merge(element.as_ref());
            items.push(element.map_or(Value::Null, |pair| pair.value));
            let position = self.tokens.mark();
            if self.tokens.consume("]") {
                self.tokens.rewind(position);
            } else if !self.tokens.consume(",") {
                return fail("Array elements missing ',' delimiter", "");
            }
        }
        fail("Array is missing terminating ']': ", self.tokens.original())
    }

    fn map(&mut self) -> Result<SchemaAndValue, DataError> {
        let mut map = MapValue::new();
        let mut keys = Common::default();
        let mut values = Common::default();
        while self.tokens.has_next() {
            if self.tokens.consume("}") {
                return finish_map(map, keys, values);
            }
            if self.tokens.consume(",") {
                return Err(DataError::data(format!(
                    "Unable to parse a map entry with no key or value: {}",
                    self.tokens.original()
                )));
            }
            let Some(key) = self.value(true)?.filter(|key| !key.value.is_null()) else {
                return Err(DataError::data(format!(
                    "Map entry may not have a null key: {}",
                    self.tokens.original()
                )));
            };
            if !self.tokens.consume(":") {
                return Err(DataError::data(format!(
                    "Map entry is missing ':' at {} in {}",
                    self.tokens.mark(),
                    self.tokens.original()
                )));
            }
            let value = self.value(true)?;
            keys.merge(Some(&key));
            values.merge(value.as_ref());
            map.insert(key.value, value.map_or(Value::Null, |pair| pair.value));
            self.tokens.consume(",");
        }
        Err(DataError::data(format!(
            "Map is missing terminating '}}': {}",
            self.tokens.original()
        )))
    }
}

/// The common schema of elements, merged from left to right; nulls do not count.
#[derive(Default)]
struct Common {
    schema: Option<Schema>,
    mixed: bool,
}

impl Common {
    fn merge(&mut self, latest: Option<&SchemaAndValue>) {
        let Some(latest) = latest.and_then(|pair| pair.schema.as_ref()) else {
            return;
        };
        if self.mixed {
            return;
        }
        let Some(previous) = &self.schema else {
            self.schema = Some(latest.clone());
            return;
        };
        let (old, new) = (previous.kind(), latest.kind());
        if old == new {
            self.schema = Some(latest.clone());
        } else if old.is_number() && new.is_number() {
            if new > old {
                self.schema = Some(latest.clone());
            }
        } else {
            self.schema = None;
            self.mixed = true;
        }
    }
}

fn built(builder: SchemaBuilder, value: Value) -> Result<SchemaAndValue, DataError> {
    Ok(SchemaAndValue::new(Some(builder.build()?), value))
}

fn finish_array(mut items: Vec<Value>, common: Common) -> Result<SchemaAndValue, DataError> {
    if let Some(schema) = &common.schema {
        for item in &mut items {
            align(schema, item)?;
        }
    }
    built(SchemaBuilder::array_of(common.schema), Value::Array(items))
}

fn finish_map(map: MapValue, keys: Common, values: Common) -> Result<SchemaAndValue, DataError> {
    let aligned = match &keys.schema {
        Some(key_schema) => {
            let mut out = MapValue::with_capacity(map.len());
            for (mut key, mut value) in map {
                align(key_schema, &mut key)?;
                if let Some(value_schema) = &values.schema {
                    align(value_schema, &mut value)?;
                }
                out.insert(key, value);
            }
            out
        }
        None => map,
    };
    // With mixed keys Java drops the schema of the values, too.
    let values = keys.schema.as_ref().and(values.schema);
    built(SchemaBuilder::map_of(keys.schema, values), aligned.into())
}

fn align(schema: &Schema, value: &mut Value) -> Result<(), DataError> {
    let fits = match (schema.kind(), &*value, schema.logical()) {
        (SchemaType::Array, Value::Array(_), _)
        | (SchemaType::Map, Value::Map(_), _)
        | (SchemaType::String, Value::String(_), _)
        | (SchemaType::Boolean, Value::Boolean(_), _) => true,
        (kind, value, None) => crate::validate::class_fits_type(kind, value),
        _ => false,
    };
    if !fits {
        *value = convert_to(schema, None, value)?;
    }
    Ok(())
}

/// `BigDecimal` text to the smallest type that holds it.
fn number(token: &str) -> Option<SchemaAndValue> {
    let decimal = Decimal::parse(token).ok()?;
    let pair = |schema: Schema, value: Value| Some(SchemaAndValue::new(Some(schema), value));
    if let Some(whole) = decimal.to_i64_exact() {
        return if let Ok(n) = i8::try_from(whole) {
            pair(Schema::int8(), Value::Int8(n))
        } else if let Ok(n) = i16::try_from(whole) {
            pair(Schema::int16(), Value::Int16(n))
        } else if let Ok(n) = i32::try_from(whole) {
            pair(Schema::int32(), Value::Int32(n))
        } else {
            pair(Schema::int64(), Value::Int64(whole))
        };
    }
    if decimal.scale() != 0 {
        let float = decimal.float_value();
        if float.is_finite() {
            return pair(Schema::float32(), Value::Float32(float));
        }
        let double = decimal.double_value();
        if double.is_finite() {
            return pair(Schema::float64(), Value::Float64(double));
        }
    }
    pair(Schema::decimal(decimal.scale()), Value::Decimal(decimal))
}
