//! Java's character sets by name: decoding with replacement characters, encoding with `?`.

use bytes::Bytes;
use encoding_rs::{EncoderResult, Encoding};
use milena_data::Text;

/// A character set.
#[derive(Clone, Copy)]
pub(crate) enum Charset {
    Utf8,
    Ascii,
    Latin1,
    /// UTF-16: `Any` reads a byte order mark and writes one (big-endian).
    Utf16(Order),
    Utf32(Order),
    /// One of the legacy sets of the web platform.
    Legacy(&'static Encoding),
}

/// The order of the bytes of a unit.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    Any,
    Big,
    Little,
}

impl Charset {
    /// The set of a Java name or alias, in any case.
    pub(crate) fn of_name(name: &str) -> Option<Self> {
        let lower = name.to_ascii_lowercase();
        Some(match lower.as_str() {
            "utf-8" | "utf8" | "unicode-1-1-utf-8" => Self::Utf8,
            "us-ascii" | "ascii" | "iso646-us" | "ansi_x3.4-1968" | "ascii7" | "646" | "cp367"
            | "us" => Self::Ascii,
            "iso-8859-1" | "iso8859-1" | "iso8859_1" | "latin1" | "l1" | "8859_1" | "cp819"
            | "ibm819" | "iso_8859-1" | "iso_8859_1" => Self::Latin1,
            "utf-16" | "utf16" | "utf_16" | "unicode" => Self::Utf16(Order::Any),
            "utf-16be" | "utf_16be" | "unicodebigunmarked" => Self::Utf16(Order::Big),
            "utf-16le" | "utf_16le" | "unicodelittleunmarked" => Self::Utf16(Order::Little),
            "utf-32" | "utf32" | "utf_32" => Self::Utf32(Order::Any),
            "utf-32be" | "utf_32be" => Self::Utf32(Order::Big),
            "utf-32le" | "utf_32le" => Self::Utf32(Order::Little),
            other => {
                let label = other
                    .replace("iso8859_", "iso-8859-")
                    .replace("ms932", "shift_jis");
                let encoding = Encoding::for_label_no_replacement(label.as_bytes())?;
                if encoding.output_encoding() == encoding_rs::UTF_8 {
                    return None;
                }
                Self::Legacy(encoding)
            }
        })
    }

    /// The text of bytes; UTF-8 without malformed input shares them.
    pub(crate) fn decode(self, bytes: &Bytes) -> Text {
        match self {
            Self::Utf8 => match Text::try_from(bytes.clone()) {
                Ok(text) => text,
                Err(_) => utf8_with_replacements(bytes).into(),
            },
            Self::Ascii => bytes
                .iter()
                .map(|b| {
                    if b.is_ascii() {
                        char::from(*b)
                    } else {
                        '\u{fffd}'
                    }
                })
                .collect::<String>()
                .into(),
            Self::Latin1 => bytes
                .iter()
                .map(|b| char::from(*b))
                .collect::<String>()
                .into(),
            Self::Utf16(order) => decode_utf16(order, bytes).into(),
            Self::Utf32(order) => decode_utf32(order, bytes).into(),
            Self::Legacy(encoding) => {
                let (text, _) = encoding.decode_without_bom_handling(bytes);
                text.into_owned().into()
            }
        }
    }

    /// The bytes of a shared text; UTF-8 shares them.
    pub(crate) fn encode_shared(self, text: &Text) -> Bytes {
        match self {
            Self::Utf8 => text.as_bytes().clone(),
            _ => self.encode(text),
        }
    }

    /// The bytes of a text; what the set cannot express becomes `?`.
    pub(crate) fn encode(self, text: &str) -> Bytes {
        match self {
            Self::Utf8 => Bytes::copy_from_slice(text.as_bytes()),
            Self::Ascii => encode_narrow(text, 0x7f),
            Self::Latin1 => encode_narrow(text, 0xff),
            Self::Utf16(order) => {
                let mut out = Vec::with_capacity(text.len() * 2 + 2);
                if order == Order::Any && !text.is_empty() {
                    out.extend_from_slice(&[0xfe, 0xff]);
                }
                for unit in text.encode_utf16() {
                    out.extend_from_slice(&match order {
                        Order::Little => unit.to_le_bytes(),
                        Order::Any | Order::Big => unit.to_be_bytes(),
                    });
                }
                out.into()
            }
            Self::Utf32(order) => {
                let mut out = Vec::with_capacity(text.len() * 4);
                for c in text.chars() {
                    out.extend_from_slice(&match order {
                        Order::Little => u32::from(c).to_le_bytes(),
                        Order::Any | Order::Big => u32::from(c).to_be_bytes(),
                    });
                }
                out.into()
            }
            Self::Legacy(encoding) => encode_legacy(encoding, text),
        }
    }
}

/// UTF-8 with U+FFFD for what is malformed, as many as Java puts: an encoded surrogate counts once.
pub(crate) fn utf8_with_replacements(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len());
    let mut rest = bytes;
    loop {
        let error = match std::str::from_utf8(rest) {
            Ok(text) => {
                out.push_str(text);
                return out;
            }
            Err(error) => error,
        };
        let (valid, bad) = rest.split_at(error.valid_up_to());
        out.push_str(std::str::from_utf8(valid).unwrap_or_default());
        out.push('\u{fffd}');
        let length = match bad {
            [0xed, 0xa0..=0xbf, 0x80..=0xbf, ..] => 3,
            [0xed, 0xa0..=0xbf, ..] => 2,
            _ => error.error_len().unwrap_or(bad.len()),
        };
        rest = bad.get(length..).unwrap_or_default();
    }
}

fn encode_narrow(text: &str, max: u32) -> Bytes {
    text.chars()
        .map(|c| match u8::try_from(u32::from(c)) {
            Ok(byte) if u32::from(byte) <= max => byte,
            _ => b'?',
        })
        .collect::<Vec<u8>>()
        .into()
}

fn encode_legacy(encoding: &'static Encoding, text: &str) -> Bytes {
    let mut encoder = encoding.new_encoder();
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    loop {
        let room = encoder
            .max_buffer_length_from_utf8_without_replacement(rest.len())
            .unwrap_or(rest.len());
        out.reserve(room);
        let (result, read) =
            encoder.encode_from_utf8_to_vec_without_replacement(rest, &mut out, true);
        rest = rest.get(read..).unwrap_or_default();
        match result {
            EncoderResult::Unmappable(_) => out.push(b'?'),
            EncoderResult::InputEmpty => return out.into(),
            EncoderResult::OutputFull => {}
        }
    }
}

fn decode_utf16(order: Order, bytes: &[u8]) -> String {
    let (order, bytes) = match (order, bytes) {
        (Order::Any, [0xff, 0xfe, rest @ ..]) => (Order::Little, rest),
        (Order::Any, [0xfe, 0xff, rest @ ..]) => (Order::Big, rest),
        _ => (order, bytes),
    };
    let mut pairs = bytes.chunks_exact(2);
    let units = pairs.by_ref().map(|pair| {
        let pair = [
            pair.first().copied().unwrap_or(0),
            pair.last().copied().unwrap_or(0),
        ];
        match order {
            Order::Little => u16::from_le_bytes(pair),
            Order::Any | Order::Big => u16::from_be_bytes(pair),
        }
    });
    let mut text: String = char::decode_utf16(units)
        .map(|unit| unit.unwrap_or('\u{fffd}'))
        .collect();
    if !pairs.remainder().is_empty() {
        text.push('\u{fffd}');
    }
    text
}

fn decode_utf32(order: Order, bytes: &[u8]) -> String {
    let (order, bytes) = match (order, bytes) {
        (Order::Any, [0xff, 0xfe, 0, 0, rest @ ..]) => (Order::Little, rest),
        (Order::Any, [0, 0, 0xfe, 0xff, rest @ ..]) => (Order::Big, rest),
        _ => (order, bytes),
    };
    bytes
        .chunks(4)
        .map(|unit| {
            let number = <[u8; 4]>::try_from(unit).ok().map(|unit| match order {
                Order::Little => u32::from_le_bytes(unit),
                Order::Any | Order::Big => u32::from_be_bytes(unit),
            });
            number.and_then(char::from_u32).unwrap_or('\u{fffd}')
        })
        .collect()
}
