//! Messages for tests, made from the shapes: every array has elements, every field of the version is there.

use crate::{
    shape::{Field, Type},
    table::shape,
};

pub use crate::table::Side;

/// A length within a sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LengthOf {
    /// Elements of an array.
    Array,
    /// Tagged fields of a struct.
    Tags,
    /// A string, bytes, or a tagged field.
    Bytes,
}

/// A message, or one with a lie in it.
#[derive(Debug, Default)]
pub struct Sample {
    /// The body.
    pub body: Vec<u8>,
    /// What each length is of, in order.
    pub lengths: Vec<LengthOf>,
}

/// The body of a message in a version; `None` when the shapes do not hold it. `random` gives the values.
/// With `lie` the length of that number (see [`Sample::lengths`]) is replaced.
pub fn sample(
    side: Side,
    key: i16,
    version: i16,
    random: &mut dyn FnMut() -> u8,
    lie: Option<(usize, u32)>,
) -> Option<Sample> {
    let shape = shape(side, key)?;
    let mut maker = Maker {
        made: Sample::default(),
        version,
        flexible: version >= shape.flexible,
        random,
        lie,
    };
    maker.fields(&shape.fields);
    Some(maker.made)
}

struct Maker<'a> {
    made: Sample,
    version: i16,
    flexible: bool,
    random: &'a mut dyn FnMut() -> u8,
    lie: Option<(usize, u32)>,
}

impl Maker<'_> {
    fn fields(&mut self, fields: &[Field]) {
        let version = self.version;
        let present = || fields.iter().filter(|field| field.is_in(version));
        for field in present().filter(|field| field.tag.is_none()) {
            self.value(&field.of);
        }
        if !self.flexible {
            return;
        }
        let mut tagged: Vec<_> = present()
            .filter_map(|field| Some((field.tag?, &field.of)))
            .collect();
        tagged.sort_by_key(|(tag, _)| *tag);
        // One more that nobody knows.
        let count = u32::try_from(tagged.len()).unwrap_or(0) + 1;
        let count = self.truth(LengthOf::Tags, count);
        self.varint(count);
        for (tag, of) in tagged {
            self.varint(tag);
            // Its size comes before it: it is made aside. The lengths within keep their numbers.
            let place = self.made.lengths.len();
            self.made.lengths.push(LengthOf::Bytes);
            let before = std::mem::take(&mut self.made.body);
            self.value(of);
            let content = std::mem::replace(&mut self.made.body, before);
            let size = u32::try_from(content.len()).unwrap_or(0);
            let size = self
                .lie
                .filter(|(at, _)| *at == place)
                .map_or(size, |(_, lie)| lie);
            self.varint(size);
            self.made.body.extend_from_slice(&content);
        }
        self.varint(10_000);
        let size = self.truth(LengthOf::Bytes, 3);
        self.varint(size);
        self.made.body.extend_from_slice(&[7; 3]);
    }

    fn value(&mut self, of: &Type) {
        match of {
            // One byte may be a boolean; others are no default, which the codec leaves out of tagged fields.
            Type::Fixed(1) => self.made.body.push(1),
            Type::Fixed(size) => {
                for _ in 0..*size {
                    let byte = (self.random)() % 120 + 2;
                    self.made.body.push(byte);
                }
            }
            Type::Text => {
                let length = u32::from((self.random)() % 5) + 1;
                let stated = self.truth(LengthOf::Bytes, length);
                if self.flexible {
                    self.varint(stated.saturating_add(1));
                } else {
                    let stated = u16::try_from(stated).unwrap_or(0x7fff);
                    self.made.body.extend_from_slice(&stated.to_be_bytes());
                }
                for _ in 0..length {
                    let letter = b'a' + (self.random)() % 26;
                    self.made.body.push(letter);
                }
            }
            Type::Blob => {
                let length = u32::from((self.random)() % 5) + 1;
                self.long(LengthOf::Bytes, length);
                for _ in 0..length {
                    let byte = (self.random)();
                    self.made.body.push(byte);
                }
            }
            Type::Array(element) => {
                let count = u32::from((self.random)() % 2) + 1;
                self.long(LengthOf::Array, count);
                for _ in 0..count {
                    self.value(element);
                }
            }
            Type::Struct(fields) => self.fields(fields),
            Type::Optional(fields) => {
                self.made.body.push(1);
                self.fields(fields);
            }
        }
    }

    fn long(&mut self, of: LengthOf, length: u32) {
        let length = self.truth(of, length);
        if self.flexible {
            self.varint(length.saturating_add(1));
        } else {
            self.made.body.extend_from_slice(&length.to_be_bytes());
        }
    }

    /// The length to write.
    fn truth(&mut self, of: LengthOf, length: u32) -> u32 {
        let place = self.made.lengths.len();
        self.made.lengths.push(of);
        match self.lie {
            Some((at, lie)) if at == place => lie,
            _ => length,
        }
    }

    fn varint(&mut self, mut value: u32) {
        while value >= 0x80 {
            self.made.body.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.made.body.push(value as u8);
    }
}
