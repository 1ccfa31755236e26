//! The converter itself: which way a message takes.

use bytes::{Bytes, BytesMut};
use milena_api::{ConnectError, RawHeader, RecordConverter};
use milena_data::{Schema, SchemaAndValue, Value};

use super::{
    cache::{MemberCache, ReadCache, WriteCache},
    config::JsonConfig,
    decode, encode,
    fast::FastReader,
    schema_json, schema_read,
    shapes::Shapes,
    tree::{self, Node},
};

const BAD_MESSAGE: &str =
    "Converting byte[] to Kafka Connect data failed due to serialization error: ";
const BAD_ENVELOPE: &str = "JsonConverter with schemas.enable requires \"schema\" and \"payload\" \
                            fields and may not contain additional fields. If you are trying to \
                            deserialize plain JSON data, set schemas.enable=false in your converter \
                            configuration.";
const BAD_SCHEMA_CONTENT: &str =
    "Failed to parse schema in converter config due to serialization error: ";

/// Up to this nesting the slow way uses the caller's stack.
const SHALLOW_NESTING_MAX: usize = 50;
/// Enough stack for Jackson's limit of nesting in any build.
const DEEP_STACK: usize = 64 << 20;

/// How deep the brackets of a text nest at most; those in strings count, too.
fn brackets(bytes: &[u8]) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0);
    for byte in bytes {
        match byte {
            b'{' | b'[' => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

/// Runs what reads a text recursively: Jackson's limit of nesting needs more stack than a worker's thread
/// may have left. Such texts are rare.
fn with_stack<T: Send>(
    text: &[u8],
    failed: &str,
    read: impl FnOnce() -> Result<T, ConnectError> + Send,
) -> Result<T, ConnectError> {
    if brackets(text) <= SHALLOW_NESTING_MAX {
        return read();
    }
    std::thread::scope(|scope| {
        let deep = std::thread::Builder::new()
            .stack_size(DEEP_STACK)
            .spawn_scoped(scope, read);
        deep.ok()
            .and_then(|thread| thread.join().ok())
            .unwrap_or_else(|| Err(ConnectError::data(failed)))
    })
}

/// `org.apache.kafka.connect.json.JsonConverter`.
pub struct JsonConverter {
    config: JsonConfig,
    /// The schema of `schema.content`, under which whole messages are read.
    fixed: Option<Schema>,
    read: ReadCache,
    write: WriteCache,
    members: MemberCache,
    shapes: Shapes,
    /// The last schema that the slow way read, with its tree.
    slow: Option<(Node, Schema)>,
    /// Where a message is written.
    scratch: Vec<u8>,
    /// Where small messages lie that were written one after the other: they are sent together, too.
    chunk: BytesMut,
}

/// Messages of up to a quarter of it share a chunk of memory.
const CHUNK: usize = 16 << 10;
/// More is not kept after a large message.
const SCRATCH_MAX: usize = 64 << 10;

impl JsonConverter {
    /// A converter of the given options.
    ///
    /// # Errors
    /// `schema.content` is no JSON or no schema.
    pub fn new(config: JsonConfig) -> Result<Self, ConnectError> {
        let fixed = match &config.schema_content {
            Some(text) if config.schemas_enable => {
                with_stack(text.as_bytes(), BAD_SCHEMA_CONTENT, || {
                    let node = tree::parse(text.as_bytes())
                        .map_err(|error| error.into_connect(BAD_SCHEMA_CONTENT))?;
                    Ok(schema_read::schema(&node, &config)?)
                })?
            }
            _ => None,
        };
        Ok(Self {
            read: ReadCache::new(config.cache_size),
            write: WriteCache::new(config.cache_size),
            members: MemberCache::new(config.cache_size),
            shapes: Shapes::default(),
            config,
            fixed,
            slow: None,
            scratch: Vec::new(),
            chunk: BytesMut::new(),
        })
    }

    /// Bytes to a value, as [`RecordConverter::to_connect`].
    ///
    /// # Errors
    /// The bytes are no JSON, no envelope, or do not fit the schema.
    pub fn decode(&mut self, bytes: &Bytes) -> Result<SchemaAndValue, ConnectError> {
        let mut decoded = SchemaAndValue::default();
        self.decode_at(bytes, &mut decoded)?;
        Ok(decoded)
    }

    /// Bytes to a value in the place of one that was made before, as [`RecordConverter::to_connect_at`].
    fn decode_at(&mut self, bytes: &Bytes, place: &mut SchemaAndValue) -> Result<(), ConnectError> {
        if self.fixed.is_none() {
            let spare = std::mem::take(&mut place.value);
            let mut reader = FastReader::new(bytes, &self.config, &mut self.shapes, spare);
            let fast = if self.config.schemas_enable {
                reader.envelope(&mut self.read)
            } else {
                reader.plain().map(|value| (None, value))
            };
            if let Ok((schema, value)) = fast {
                place.schema = schema;
                place.value = value;
                return Ok(());
            }
        }
        *place = with_stack(bytes, BAD_MESSAGE, || self.decode_slowly(bytes))?;
        Ok(())
    }

    fn decode_slowly(&mut self, bytes: &[u8]) -> Result<SchemaAndValue, ConnectError> {
        let node = tree::parse(bytes).map_err(|error| error.into_connect(BAD_MESSAGE))?;
        if !self.config.schemas_enable {
            let value = decode::value(None, &node, &self.config)?;
            return Ok(SchemaAndValue::new(None, value));
        }
        if let Some(schema) = &self.fixed {
            let value = decode::value(Some(schema), &node, &self.config)?;
            return Ok(SchemaAndValue::new(Some(schema.clone()), value));
        }
        let (schema, payload) = match &node {
            Node::Object(members) if members.len() == 2 => {
                match (members.get("schema"), members.get("payload")) {
                    (Some(schema), Some(payload)) => (schema, payload),
                    _ => return Err(ConnectError::data(BAD_ENVELOPE)),
                }
            }
            _ => return Err(ConnectError::data(BAD_ENVELOPE)),
        };
        let schema = self.slow_schema(schema)?;
        let value = decode::value(schema.as_ref(), payload, &self.config)?;
        Ok(SchemaAndValue::new(schema, value))
    }

    /// The same schema again must be the same object, also on the slow way.
    fn slow_schema(&mut self, node: &Node) -> Result<Option<Schema>, ConnectError> {
        if let Some((last, schema)) = &self.slow
            && last == node
        {
            return Ok(Some(schema.clone()));
        }
        let schema = schema_read::schema(node, &self.config)?;
        if let Some(schema) = &schema {
            self.slow = Some((node.clone(), schema.clone()));
        }
        Ok(schema)
    }

    /// A value to bytes, as [`RecordConverter::from_connect`].
    ///
    /// # Errors
    /// The value does not fit its schema.
    pub fn encode(
        &mut self,
        schema: Option<&Schema>,
        value: &Value,
    ) -> Result<Option<Bytes>, ConnectError> {
        if schema.is_none() && value.is_null() {
            return Ok(None);
        }
        let mut out = std::mem::take(&mut self.scratch);
        out.clear();
        let pushed = self.push(&mut out, schema, value);
        let message = pushed.map(|()| self.message(&out));
        if out.capacity() <= SCRATCH_MAX {
            self.scratch = out;
        }
        message.map(Some)
    }

    fn push(
        &mut self,
        out: &mut Vec<u8>,
        schema: Option<&Schema>,
        value: &Value,
    ) -> Result<(), ConnectError> {
        if self.config.schemas_enable {
            match schema {
                Some(schema) => self.push_head(out, schema)?,
                None => out.extend_from_slice(b"{\"schema\":null,\"payload\":"),
            }
        }
        let mut with = encode::With {
            config: &self.config,
            members: &mut self.members,
        };
        encode::push(out, schema, value, &mut with)?;
        if self.config.schemas_enable {
            out.push(b'}');
        }
        Ok(())
    }

    /// The bytes by themselves.
    fn message(&mut self, bytes: &[u8]) -> Bytes {
        if bytes.len() > CHUNK / 4 {
            return Bytes::copy_from_slice(bytes);
        }
        if self.chunk.capacity() < bytes.len() {
            self.chunk = BytesMut::with_capacity(CHUNK);
        }
        self.chunk.extend_from_slice(bytes);
        self.chunk.split().freeze()
    }

    fn push_head(&mut self, out: &mut Vec<u8>, schema: &Schema) -> Result<(), ConnectError> {
        if let Some(head) = self.write.get(schema) {
            out.extend_from_slice(&head);
            return Ok(());
        }
        out.extend_from_slice(b"{\"schema\":");
        schema_json::push(out, Some(schema), &self.config)?;
        out.extend_from_slice(b",\"payload\":");
        self.write.insert(schema, Bytes::copy_from_slice(out));
        Ok(())
    }
}

impl RecordConverter for JsonConverter {
    fn to_connect(
        &mut self,
        _topic: &str,
        _headers: &[RawHeader],
        bytes: Option<&Bytes>,
    ) -> Result<SchemaAndValue, ConnectError> {
        match bytes {
            Some(bytes) => self.decode(bytes),
            None => Ok(SchemaAndValue::default()),
        }
    }

    fn to_connect_at(
        &mut self,
        _topic: &str,
        _headers: &[RawHeader],
        bytes: Option<&Bytes>,
        place: &mut SchemaAndValue,
    ) -> Result<(), ConnectError> {
        match bytes {
            Some(bytes) => self.decode_at(bytes, place),
            None => {
                *place = SchemaAndValue::default();
                Ok(())
            }
        }
    }

    fn from_connect(
        &mut self,
        _topic: &str,
        _headers: &mut Vec<RawHeader>,
        schema: Option<&Schema>,
        value: &Value,
    ) -> Result<Option<Bytes>, ConnectError> {
        self.encode(schema, value)
    }
}
