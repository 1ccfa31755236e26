//! Walks a message along its shape without allocating. It must never accept a length that the bytes which
//! are left cannot cover, and must read lengths just as the codec reads them.

use crate::{
    decode::DecodeError,
    shape::{Field, Shape, Type},
};

/// Walks the body of a message in a version; what follows it is not looked at.
pub(crate) fn walk(
    shape: &Shape,
    version: i16,
    body: &[u8],
    elements_max: usize,
) -> Result<(), DecodeError> {
    let mut walker = Walker {
        rest: body,
        version,
        flexible: version >= shape.flexible,
        elements_left: elements_max,
    };
    walker.fields(&shape.fields)
}

struct Walker<'a> {
    rest: &'a [u8],
    version: i16,
    flexible: bool,
    /// Elements take memory beyond their bytes: this bounds it for the whole message.
    elements_left: usize,
}

impl Walker<'_> {
    fn fields(&mut self, fields: &[Field]) -> Result<(), DecodeError> {
        let version = self.version;
        let present = || fields.iter().filter(|field| field.is_in(version));
        for field in present().filter(|field| field.tag.is_none()) {
            self.value(&field.of)?;
        }
        if !self.flexible {
            return Ok(());
        }
        let count = self.unsigned()?;
        self.elements(count)?;
        for _ in 0..count {
            let tag = self.varint()?;
            let size = self.unsigned()?;
            match present().find(|field| field.tag == Some(tag)) {
                Some(field) => {
                    // The codec does not look at the size: it must be the one it will find.
                    let before = self.rest.len();
                    self.value(&field.of)?;
                    if before - self.rest.len() != size {
                        return Err(DecodeError::TagSize(tag));
                    }
                }
                None => self.skip(size)?,
            }
        }
        Ok(())
    }

    fn value(&mut self, of: &Type) -> Result<(), DecodeError> {
        match of {
            Type::Fixed(size) => self.skip(*size),
            Type::Text if !self.flexible => {
                let length = i16::from_be_bytes(self.take()?);
                self.skip(usize::try_from(length).unwrap_or(0))
            }
            Type::Blob | Type::Text => {
                let length = self.length()?;
                self.skip(length)
            }
            Type::Array(element) => {
                let count = self.length()?;
                self.elements(count)?;
                if let Type::Fixed(size) = **element {
                    return self.skip(count.saturating_mul(size));
                }
                for _ in 0..count {
                    self.value(element)?;
                }
                Ok(())
            }
            Type::Struct(fields) => self.fields(fields),
            Type::Optional(fields) => match self.take()? {
                [1] => self.fields(fields),
                _ => Ok(()),
            },
        }
    }

    /// So many elements, of at least one byte each, are to come.
    fn elements(&mut self, count: usize) -> Result<(), DecodeError> {
        let left = self.rest.len();
        if count > left {
            return Err(DecodeError::Length { count, left });
        }
        let budget = self.elements_left.checked_sub(count);
        self.elements_left = budget.ok_or(DecodeError::TooManyElements)?;
        Ok(())
    }

    /// The length of bytes or of an array, or of a string in its compact form; null is nothing.
    fn length(&mut self) -> Result<usize, DecodeError> {
        if self.flexible {
            return Ok(self.unsigned()?.saturating_sub(1));
        }
        Ok(usize::try_from(i32::from_be_bytes(self.take()?)).unwrap_or(0))
    }

    fn unsigned(&mut self) -> Result<usize, DecodeError> {
        self.varint()
            .map(|value| usize::try_from(value).unwrap_or(usize::MAX))
    }

    /// An unsigned varint; the codec takes a fifth byte for the last one, whatever it says.
    fn varint(&mut self) -> Result<u32, DecodeError> {
        let mut value = 0;
        for place in 0..5 {
            let [byte] = self.take()?;
            value |= u32::from(byte & 0x7f) << (place * 7);
            if byte < 0x80 {
                break;
            }
        }
        Ok(value)
    }

    fn take<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let Some((bytes, rest)) = self.rest.split_first_chunk() else {
            let left = self.rest.len();
            return Err(DecodeError::Length { count: N, left });
        };
        self.rest = rest;
        Ok(*bytes)
    }

    fn skip(&mut self, count: usize) -> Result<(), DecodeError> {
        let left = self.rest.len();
        let rest = self.rest.get(count..);
        self.rest = rest.ok_or(DecodeError::Length { count, left })?;
        Ok(())
    }
}
