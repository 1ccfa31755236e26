//! What Jackson takes a text for: UTF-8, which it reads byte by byte, or UTF-16 and UTF-32, of which it sees characters
//! (`ByteSourceJsonBootstrapper`, `ReaderBasedJsonParser`).

use std::{borrow::Cow, ops::Deref};

/// A text in UTF-8.
#[derive(Clone, Copy)]
pub(super) struct Input<'t> {
    bytes: &'t [u8],
    /// It was UTF-16 or UTF-32.
    pub(super) wide: bool,
}

impl<'t> Input<'t> {
    pub(super) fn new(text: &'t [u8], wide: bool) -> Self {
        Self { bytes: text, wide }
    }
}

impl Deref for Input<'_> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.bytes
    }
}

/// UTF-16 and UTF-32 are told by their zero bytes or a byte order mark.
pub(super) fn as_utf8(bytes: &[u8]) -> Cow<'_, [u8]> {
    let utf32 = |big: bool, rest: &[u8]| -> Cow<'static, [u8]> {
        let text: String = rest
            .chunks(4)
            .map(|unit| {
                let unit = <[u8; 4]>::try_from(unit).unwrap_or([0xff; 4]);
                let number = if big {
                    u32::from_be_bytes(unit)
                } else {
                    u32::from_le_bytes(unit)
                };
                char::from_u32(number).unwrap_or('\u{fffd}')
            })
            .collect();
        Cow::Owned(text.into_bytes())
    };
    let utf16 = |big: bool, rest: &[u8]| -> Cow<'static, [u8]> {
        let units = rest.chunks(2).map(|pair| match <[u8; 2]>::try_from(pair) {
            Ok(pair) if big => u16::from_be_bytes(pair),
            Ok(pair) => u16::from_le_bytes(pair),
            Err(_) => 0xfffd,
        });
        let text: String = char::decode_utf16(units)
            .map(|c| c.unwrap_or('?'))
            .collect();
        Cow::Owned(text.into_bytes())
    };
    match bytes {
        // Marks are looked for in four bytes only.
        [] | [_] => Cow::Borrowed(bytes),
        [0, _] | [0, _, _] => utf16(true, bytes),
        [_, 0] | [_, 0, _] => utf16(false, bytes),
        [_, _] | [_, _, _] => Cow::Borrowed(bytes),
        [0xef, 0xbb, 0xbf, rest @ ..] => Cow::Borrowed(rest),
        [0, 0, 0xfe, 0xff, rest @ ..] => utf32(true, rest),
        [0xff, 0xfe, 0, 0, rest @ ..] => utf32(false, rest),
        [0xfe, 0xff, rest @ ..] => utf16(true, rest),
        [0xff, 0xfe, rest @ ..] => utf16(false, rest),
        [0, 0, 0, _, ..] => utf32(true, bytes),
        [_, 0, 0, 0, ..] => utf32(false, bytes),
        [0, _, ..] => utf16(true, bytes),
        [_, 0, ..] => utf16(false, bytes),
        _ => Cow::Borrowed(bytes),
    }
}
