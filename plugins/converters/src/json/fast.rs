//! The fast way: well-formed JSON straight into values, without a tree.
//!
//! It gives up ([`GiveUp`]) at whatever is unusual or wrong, without a word: the slow way then reads
//! the message again and finds the error or the meaning. It must never answer differently from it.

use bytes::Bytes;
use milena_data::{
    Decimal, LogicalType, MapValue, Schema, SchemaType, Struct, Text, Value, logical,
};

use super::{
    cache::ReadCache, config::JsonConfig, fast_numbers::Number, scan, schema_read, shapes::Shapes,
    tree,
};

/// Nesting beyond which the slow way is taken, which knows Jackson's limit.
const NESTING_MAX: usize = 100;
/// Longer names of members are left to the slow way, which knows Jackson's limit.
const NAME_LENGTH_MAX: usize = 1000;

/// The message is not for the fast way.
pub(crate) struct GiveUp;

pub(super) type Fast<T> = Result<T, GiveUp>;

/// Reads one message.
pub(crate) struct FastReader<'t> {
    pub(super) bytes: &'t Bytes,
    pub(super) at: usize,
    config: &'t JsonConfig,
    /// What objects without a schema look like.
    pub(super) shapes: &'t mut Shapes,
    /// How many of them have begun.
    pub(super) objects: usize,
    /// The value of an earlier message, whose memory the first object takes.
    pub(super) spare: Value,
}

impl<'t> FastReader<'t> {
    /// A reader of a message, which takes the place of the value of an earlier one.
    pub(crate) fn new(
        bytes: &'t Bytes,
        config: &'t JsonConfig,
        shapes: &'t mut Shapes,
        spare: Value,
    ) -> Self {
        Self {
            bytes,
            at: 0,
            config,
            shapes,
            objects: 0,
            spare,
        }
    }

    /// An envelope whose first member is the schema.
    pub(crate) fn envelope(&mut self, cache: &mut ReadCache) -> Fast<(Option<Schema>, Value)> {
        self.expect(b'{')?;
        self.member(b"\"schema\"")?;
        let schema = self.envelope_schema(cache)?;
        self.expect(b',')?;
        self.member(b"\"payload\"")?;
        let value = match &schema {
            Some(schema) => self.value(schema, 1)?,
            None => self.any(1)?,
        };
        self.expect(b'}')?;
        Ok((schema, value))
    }

    /// A message that is a single value without a schema.
    pub(crate) fn plain(&mut self) -> Fast<Value> {
        let value = self.any(0)?;
        match (&value, self.peek()) {
            (Value::Array(_) | Value::Map(_) | Value::String(_), _)
            | (_, None | Some(b' ' | b'\n' | b'\r' | b'\t')) => Ok(value),
            _ => Err(GiveUp),
        }
    }

    fn envelope_schema(&mut self, cache: &mut ReadCache) -> Fast<Option<Schema>> {
        if let Some((length, schema)) = cache.starting(self.rest()) {
            self.at += length;
            return Ok(Some(schema.clone()));
        }
        let start = self.at;
        if self.peek() == Some(b'n') {
            self.literal(b"null")?;
            return Ok(None);
        }
        // Also checks that the text is well-formed; schemas that are not objects are errors.
        if !matches!(self.any(1)?, Value::Map(_)) {
            return Err(GiveUp);
        }
        let bytes = self.bytes;
        let text = bytes.get(start..self.at).ok_or(GiveUp)?;
        if let Some(schema) = cache.get(text) {
            return Ok(Some(schema));
        }
        let node = tree::parse(text).map_err(|_| GiveUp)?;
        let schema = schema_read::schema(&node, self.config).map_err(|_| GiveUp)?;
        let schema = schema.ok_or(GiveUp)?;
        cache.insert(text, &schema);
        Ok(Some(schema))
    }

    pub(super) fn rest(&self) -> &'t [u8] {
        self.bytes.get(self.at..).unwrap_or_default()
    }

    pub(super) fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    pub(super) fn skip_space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\n' | b'\r' | b'\t')) {
            self.at += 1;
        }
    }

    /// The next byte that is no white space, consumed.
    pub(super) fn take(&mut self) -> Fast<u8> {
        self.skip_space();
        let byte = self.peek().ok_or(GiveUp)?;
        self.at += 1;
        Ok(byte)
    }

    pub(super) fn expect(&mut self, byte: u8) -> Fast<()> {
        if self.take()? == byte {
            Ok(())
        } else {
            Err(GiveUp)
        }
    }

    /// A quoted name and its colon, then white space.
    fn member(&mut self, quoted: &[u8]) -> Fast<()> {
        self.skip_space();
        self.literal(quoted)?;
        self.expect(b':')?;
        self.skip_space();
        Ok(())
    }

    fn literal(&mut self, word: &[u8]) -> Fast<()> {
        if !self.rest().starts_with(word) {
            return Err(GiveUp);
        }
        self.at += word.len();
        Ok(())
    }

    /// A word like `true`: what follows must end it.
    fn word(&mut self, word: &[u8]) -> Fast<()> {
        self.literal(word)?;
        match self.peek() {
            None | Some(b',' | b'}' | b']' | b' ' | b'\n' | b'\r' | b'\t') => Ok(()),
            Some(_) => Err(GiveUp),
        }
    }

    /// A value without a schema.
    pub(super) fn any(&mut self, depth: usize) -> Fast<Value> {
        if depth > NESTING_MAX {
            return Err(GiveUp);
        }
        self.skip_space();
        match self.peek() {
            Some(b'"') => Ok(Value::String(self.string()?)),
            Some(b'{') => self.any_object(depth + 1),
            Some(b'[') => {
                self.at += 1;
                self.array(|reader| reader.any(depth + 1))
            }
            Some(b't') => self.word(b"true").map(|()| Value::Boolean(true)),
            Some(b'f') => self.word(b"false").map(|()| Value::Boolean(false)),
            Some(b'n') => self.word(b"null").map(|()| Value::Null),
            Some(_) => Ok(match self.number()? {
                Number::Integer(n) => Value::Int64(n),
                Number::Real(real) => Value::Float64(real.double()?),
            }),
            None => Err(GiveUp),
        }
    }

    /// The members of an object; the function reads a name, its colon and its value.
    fn object(&mut self, mut member: impl FnMut(&mut Self) -> Fast<()>) -> Fast<()> {
        self.expect(b'{')?;
        self.skip_space();
        if self.peek() == Some(b'}') {
            self.at += 1;
            return Ok(());
        }
        loop {
            self.skip_space();
            member(self)?;
            match self.take()? {
                b',' => {}
                b'}' => return Ok(()),
                _ => return Err(GiveUp),
            }
        }
    }

    /// The elements of an array after its bracket.
    fn array(&mut self, mut element: impl FnMut(&mut Self) -> Fast<Value>) -> Fast<Value> {
        let mut items = Vec::new();
        self.skip_space();
        if self.peek() == Some(b']') {
            self.at += 1;
            return Ok(Value::Array(items));
        }
        loop {
            items.push(element(self)?);
            match self.take()? {
                b',' => {}
                b']' => return Ok(Value::Array(items)),
                _ => return Err(GiveUp),
            }
        }
    }

    /// A member's name and its colon.
    pub(super) fn name(&mut self) -> Fast<Text> {
        let name = self.string()?;
        if name.len() > NAME_LENGTH_MAX {
            return Err(GiveUp);
        }
        self.expect(b':')?;
        Ok(name)
    }

    /// A value under a schema.
    fn value(&mut self, schema: &Schema, depth: usize) -> Fast<Value> {
        self.value_for(schema, depth, |value| value)
    }

    /// As [`Self::value`], for who puts it where it belongs: a value is made there, and not moved.
    #[inline]
    fn value_for<R>(
        &mut self,
        schema: &Schema,
        depth: usize,
        put: impl FnOnce(Value) -> R,
    ) -> Fast<R> {
        self.skip_space();
        let first = self.peek().ok_or(GiveUp)?;
        if first == b'n' {
            self.word(b"null")?;
            return self.null(schema).map(put);
        }
        if let Some(logical) = schema.logical() {
            return self.logical(logical, schema, first, put);
        }
        Ok(match (schema.kind(), first) {
            (SchemaType::String, b'"') => put(Value::String(self.string()?)),
            (SchemaType::Int64, _) => put(Value::Int64(self.integer()?)),
            (SchemaType::Int32, _) => put(Value::Int32(self.narrow()?)),
            (SchemaType::Struct, b'{') => put(self.structure(schema, depth + 1)?),
            (SchemaType::Float64, _) => put(Value::Float64(self.double()?)),
            (SchemaType::Float32, _) => put(self.float()?),
            (SchemaType::Boolean, b't') => {
                self.word(b"true")?;
                put(Value::Boolean(true))
            }
            (SchemaType::Boolean, b'f') => {
                self.word(b"false")?;
                put(Value::Boolean(false))
            }
            (SchemaType::Int8, _) => put(Value::Int8(
                i8::try_from(self.integer()?).map_err(|_| GiveUp)?,
            )),
            (SchemaType::Int16, _) => put(Value::Int16(
                i16::try_from(self.integer()?).map_err(|_| GiveUp)?,
            )),
            (SchemaType::Bytes, b'"') => {
                let text = self.string()?;
                let bytes = scan::base64(&text).map_err(|_| GiveUp)?;
                put(Value::Bytes(bytes.into()))
            }
            (SchemaType::Array, b'[') if depth < NESTING_MAX => {
                let element = schema.value_schema().ok_or(GiveUp)?;
                self.at += 1;
                put(self.array(|reader| reader.value(element, depth + 1))?)
            }
            (SchemaType::Map, b'{') if depth < NESTING_MAX => put(self.map(schema, depth + 1)?),
            _ => return Err(GiveUp),
        })
    }

    /// What a null stands for, unless it is an error.
    fn null(&self, schema: &Schema) -> Fast<Value> {
        match schema.default_value() {
            Some(default) if self.config.replace_null_with_default => Ok(default.clone()),
            _ if schema.is_optional() => Ok(Value::Null),
            _ => Err(GiveUp),
        }
    }

    fn structure(&mut self, schema: &Schema, depth: usize) -> Fast<Value> {
        if depth > NESTING_MAX {
            return Err(GiveUp);
        }
        let fields = schema.fields();
        let mut place = match std::mem::take(&mut self.spare) {
            Value::Struct(place) => Some(place),
            _ => None,
        };
        let mut slots = match &mut place {
            Some(place) => place.take_slots(),
            None => Vec::new(),
        };
        slots.clear();
        slots.reserve_exact(fields.len());
        let mut expected = 0;
        let mut filled = 0;
        self.object(|reader| {
            let index = reader.field(schema, expected)?;
            let Some((index, field)) = index.and_then(|at| Some((at, schema.field_at(at)?))) else {
                reader.any(depth)?;
                return Ok(());
            };
            expected = index + 1;
            if index >= slots.len() {
                // Nearly always the next one.
                if index > slots.len() {
                    slots.resize(index, Value::Null);
                }
                slots.push(Value::Null);
                let slot = slots.last_mut().ok_or(GiveUp)?;
                // What was there is null: there is nothing to drop, nor to look for that.
                reader.value_for(field.schema(), depth, |value| {
                    std::mem::forget(std::mem::replace(slot, value));
                })?;
                filled += usize::from(!slot.is_null());
                return Ok(());
            }
            let value = reader.value(field.schema(), depth)?;
            if let Some(slot) = slots.get_mut(index) {
                filled += usize::from(slot.is_null() && !value.is_null());
                *slot = value;
            }
            Ok(())
        })?;
        slots.resize(fields.len(), Value::Null);
        if filled < slots.len() {
            for (slot, field) in slots.iter_mut().zip(fields.values()) {
                if slot.is_null() {
                    *slot = self.null(field.schema())?;
                }
            }
        }
        Ok(match place {
            Some(mut place) => {
                place.set_slots(schema, slots);
                Value::Struct(place)
            }
            None => Struct::from_slots(schema.clone(), slots).into(),
        })
    }

    /// The index of the field that the next member names; members mostly come in the order of the
    /// schema.
    fn field(&mut self, schema: &Schema, expected: usize) -> Fast<Option<usize>> {
        if let Some(field) = schema.field_at(expected) {
            let name = field.name().as_bytes();
            let rest = self.rest();
            if rest.first() == Some(&b'"')
                && rest.get(1..=name.len()) == Some(name)
                && rest.get(name.len() + 1) == Some(&b'"')
                && !name.contains(&b'\\')
            {
                self.at += name.len() + 2;
                self.expect(b':')?;
                return Ok(Some(expected));
            }
        }
        let name = self.name()?;
        Ok(schema.fields().get_index_of(&name))
    }

    fn map(&mut self, schema: &Schema, depth: usize) -> Fast<Value> {
        let (Some(keys), Some(values)) = (schema.key_schema(), schema.value_schema()) else {
            return Err(GiveUp);
        };
        if keys.kind() != SchemaType::String {
            return Err(GiveUp);
        }
        let mut map = MapValue::new();
        self.object(|reader| {
            let name = reader.name()?;
            let value = reader.value(values, depth)?;
            map.insert(name, value);
            Ok(())
        })?;
        Ok(map.into())
    }

    #[inline]
    fn logical<R>(
        &mut self,
        logical: LogicalType,
        schema: &Schema,
        first: u8,
        put: impl FnOnce(Value) -> R,
    ) -> Fast<R> {
        Ok(match logical {
            LogicalType::Decimal if first == b'"' => {
                put(Value::Decimal(self.decimal_of_bytes(schema)?))
            }
            LogicalType::Decimal => put(Value::Decimal(match self.number()? {
                Number::Integer(n) => Decimal::small(n, 0),
                Number::Real(real) => Decimal::parse(real.text()?).map_err(|_| GiveUp)?,
            })),
            LogicalType::Timestamp => put(Value::Instant(self.integer()?)),
            LogicalType::Date => {
                let days = logical::date_to_logical(schema, self.narrow()?);
                put(Value::Instant(days.map_err(|_| GiveUp)?))
            }
            LogicalType::Time => {
                let millis = logical::time_to_logical(schema, self.narrow()?);
                put(Value::Instant(millis.map_err(|_| GiveUp)?))
            }
        })
    }

    fn decimal_of_bytes(&mut self, schema: &Schema) -> Fast<Decimal> {
        let mut place = [0; 12];
        let body = self.rest().get(1..).unwrap_or_default();
        let length = scan::read_plain(body);
        let short = match (body.get(..length), body.get(length)) {
            (Some(text), Some(b'"')) => scan::base64_short(text, &mut place),
            _ => None,
        };
        let long;
        let bytes = match short {
            Some(bytes) => {
                self.at += length + 2;
                bytes
            }
            None => {
                long = scan::base64(&self.string()?).map_err(|_| GiveUp)?;
                &long
            }
        };
        logical::decimal_to_logical(schema, bytes).map_err(|_| GiveUp)
    }

    /// A string; without escapes it shares the bytes of the message.
    fn string(&mut self) -> Fast<Text> {
        let rest = self.rest();
        if rest.first() != Some(&b'"') {
            return Err(GiveUp);
        }
        let start = self.at + 1;
        let body = rest.get(1..).unwrap_or_default();
        let length = scan::read_plain(body);
        match body.get(length) {
            Some(b'"') => {
                self.at = start + length + 1;
                let slice = self.bytes.slice(start..start + length);
                Text::try_from(slice).map_err(|_| GiveUp)
            }
            Some(b'\\') => self.escaped(start, length),
            _ => Err(GiveUp),
        }
    }

    /// The rest of a string that has an escape after `length` plain bytes.
    fn escaped(&mut self, start: usize, length: usize) -> Fast<Text> {
        let bytes: &'t [u8] = self.bytes;
        let mut out = Vec::with_capacity(length + 32);
        out.extend_from_slice(bytes.get(start..start + length).ok_or(GiveUp)?);
        self.at = start + length;
        loop {
            let byte = self.peek().ok_or(GiveUp)?;
            self.at += 1;
            match byte {
                b'"' => return String::from_utf8(out).map(Text::from).map_err(|_| GiveUp),
                b'\\' => {
                    let escape = self.peek().ok_or(GiveUp)?;
                    self.at += 1;
                    out.push(match escape {
                        b'"' | b'\\' | b'/' => escape,
                        b'b' => 8,
                        b'f' => 12,
                        b'n' => b'\n',
                        b'r' => b'\r',
                        b't' => b'\t',
                        b'u' => {
                            let c = self.unicode()?;
                            out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
                            continue;
                        }
                        _ => return Err(GiveUp),
                    });
                }
                0..=31 => return Err(GiveUp),
                _ => out.push(byte),
            }
        }
    }

    fn unicode(&mut self) -> Fast<char> {
        let high = self.hex()?;
        if !(0xd800..0xe000).contains(&high) {
            return char::from_u32(high).ok_or(GiveUp);
        }
        self.literal(b"\\u")?;
        let low = self.hex()?;
        if high >= 0xdc00 || !(0xdc00..0xe000).contains(&low) {
            return Err(GiveUp);
        }
        char::from_u32(0x1_0000 + ((high - 0xd800) << 10) + (low - 0xdc00)).ok_or(GiveUp)
    }

    fn hex(&mut self) -> Fast<u32> {
        let digits = self.rest().get(..4).ok_or(GiveUp)?;
        let mut unit = 0;
        for digit in digits {
            unit = unit << 4 | char::from(*digit).to_digit(16).ok_or(GiveUp)?;
        }
        self.at += 4;
        Ok(unit)
    }
}
