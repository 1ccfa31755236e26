//! Kafka's non-compact primitives: big-endian numbers, 16-bit strings, 32-bit arrays and byte runs.

use thiserror::Error;

/// Bytes that are not what their version says.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ReadError {
    /// The bytes end inside a field.
    #[error("the bytes end inside the field \"{field}\"")]
    Short {
        /// The field.
        field: &'static str,
    },
    /// A length or number is out of its range.
    #[error("the field \"{field}\" has the value {value}, which is out of range")]
    OutOfRange {
        /// The field.
        field: &'static str,
        /// What stands there.
        value: i64,
    },
    /// A string is not UTF-8.
    #[error("the field \"{field}\" is not UTF-8")]
    NotText {
        /// The field.
        field: &'static str,
    },
}

/// Reads primitives from the front of a slice.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// Reads from the beginning of `bytes`.
    #[must_use]
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// Whether nothing is left.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// How many bytes are left.
    #[must_use]
    pub const fn left(&self) -> usize {
        self.rest.len()
    }

    fn fixed<const N: usize>(&mut self, field: &'static str) -> Result<[u8; N], ReadError> {
        let (head, rest) = self
            .rest
            .split_first_chunk::<N>()
            .ok_or(ReadError::Short { field })?;
        self.rest = rest;
        Ok(*head)
    }

    fn run(&mut self, length: usize, field: &'static str) -> Result<&'a [u8], ReadError> {
        let (head, rest) = self
            .rest
            .split_at_checked(length)
            .ok_or(ReadError::Short { field })?;
        self.rest = rest;
        Ok(head)
    }

    /// A 16-bit number.
    ///
    /// # Errors
    /// The bytes end too soon.
    pub fn int16(&mut self, field: &'static str) -> Result<i16, ReadError> {
        self.fixed(field).map(i16::from_be_bytes)
    }

    /// A 32-bit number.
    ///
    /// # Errors
    /// The bytes end too soon.
    pub fn int32(&mut self, field: &'static str) -> Result<i32, ReadError> {
        self.fixed(field).map(i32::from_be_bytes)
    }

    /// A 64-bit number.
    ///
    /// # Errors
    /// The bytes end too soon.
    pub fn int64(&mut self, field: &'static str) -> Result<i64, ReadError> {
        self.fixed(field).map(i64::from_be_bytes)
    }

    /// A string that may be null.
    ///
    /// # Errors
    /// The bytes end too soon, the length is below -1, or the text is not UTF-8.
    pub fn nullable_string(&mut self, field: &'static str) -> Result<Option<&'a str>, ReadError> {
        let length = self.int16(field)?;
        if length == -1 {
            return Ok(None);
        }
        let length = usize::try_from(length).map_err(|_| ReadError::OutOfRange {
            field,
            value: length.into(),
        })?;
        let text = std::str::from_utf8(self.run(length, field)?);
        text.map(Some).map_err(|_| ReadError::NotText { field })
    }

    /// A string.
    ///
    /// # Errors
    /// As [`Self::nullable_string`]; null is out of range.
    pub fn string(&mut self, field: &'static str) -> Result<&'a str, ReadError> {
        self.nullable_string(field)?
            .ok_or(ReadError::OutOfRange { field, value: -1 })
    }

    /// A run of bytes that may be null.
    ///
    /// # Errors
    /// The bytes end too soon or the length is below -1.
    pub fn nullable_bytes(&mut self, field: &'static str) -> Result<Option<&'a [u8]>, ReadError> {
        let length = self.int32(field)?;
        if length == -1 {
            return Ok(None);
        }
        let length = usize::try_from(length).map_err(|_| ReadError::OutOfRange {
            field,
            value: length.into(),
        })?;
        self.run(length, field).map(Some)
    }

    /// The number of elements of an array; `None` for a null array. Never trust it for an allocation.
    ///
    /// # Errors
    /// The bytes end too soon, or the count is below -1 or above the number of bytes left.
    pub fn count(&mut self, field: &'static str) -> Result<Option<usize>, ReadError> {
        let count = self.int32(field)?;
        if count == -1 {
            return Ok(None);
        }
        match usize::try_from(count) {
            // No element is shorter than a byte: a larger count is a lie.
            Ok(n) if n <= self.left() => Ok(Some(n)),
            _ => Err(ReadError::OutOfRange {
                field,
                value: count.into(),
            }),
        }
    }
}

/// Writes primitives to the end of a buffer. Lengths that do not fit their field are cut at the field's maximum,
/// as the callers' values (names, addresses) are bounded far below.
#[derive(Clone, Debug, Default)]
pub struct Writer {
    bytes: Vec<u8>,
}

impl Writer {
    /// An empty buffer.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// What was written.
    #[must_use]
    pub fn finish(self) -> Vec<u8> {
        self.bytes
    }

    /// A 16-bit number.
    pub fn int16(&mut self, value: i16) {
        self.bytes.extend_from_slice(&value.to_be_bytes());
    }

    /// A 32-bit number.
    pub fn int32(&mut self, value: i32) {
        self.bytes.extend_from_slice(&value.to_be_bytes());
    }

    /// A 64-bit number.
    pub fn int64(&mut self, value: i64) {
        self.bytes.extend_from_slice(&value.to_be_bytes());
    }

    /// A string.
    pub fn string(&mut self, value: &str) {
        let mut end = value.len().min(usize::from(i16::MAX.unsigned_abs()));
        while !value.is_char_boundary(end) {
            end -= 1;
        }
        self.int16(i16::try_from(end).unwrap_or(i16::MAX));
        self.bytes
            .extend_from_slice(value.as_bytes().get(..end).unwrap_or_default());
    }

    /// A string that may be null.
    pub fn nullable_string(&mut self, value: Option<&str>) {
        match value {
            Some(text) => self.string(text),
            None => self.int16(-1),
        }
    }

    /// A run of bytes that may be null.
    pub fn nullable_bytes(&mut self, value: Option<&[u8]>) {
        match value {
            Some(bytes) => {
                self.count(bytes.len());
                self.bytes.extend_from_slice(bytes);
            }
            None => self.int32(-1),
        }
    }

    /// The number of elements of an array.
    pub fn count(&mut self, elements: usize) {
        self.int32(i32::try_from(elements).unwrap_or(i32::MAX));
    }
}
