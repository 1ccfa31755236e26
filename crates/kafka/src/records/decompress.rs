//! Records of a batch as they were before they were compressed. Bytes of a broker are not trusted: what they announce is
//! never reserved, and what they grow to is bounded. Answers to Java's `Compression` and its input streams.

use std::io::Read;

use bytes::Bytes;

/// The most bytes that one batch may decompress to: far beyond any batch that is meant, far below all memory.
const DECOMPRESSED_MAX: usize = 512 * 1024 * 1024;
/// In front of the blocks that Java's snappy writes: a magic and two versions.
const XERIAL: &[u8] = b"\x82SNAPPY\0";
/// The length of that header.
const XERIAL_BYTES: usize = 16;
/// Snappy makes at most 64 bytes of three.
const SNAPPY_GROWTH_MAX: usize = 24;

/// The bytes behind those of a compression's code (0 none, 1 gzip, 2 snappy, 3 lz4, 4 zstd).
pub(crate) fn decompress(code: i16, bytes: &Bytes) -> Result<Bytes, String> {
    let failed = |error: std::io::Error| error.to_string();
    match code {
        0 => Ok(bytes.clone()),
        1 => read(flate2::bufread::MultiGzDecoder::new(&**bytes)),
        2 => snappy(bytes),
        3 => read(lz4::Decoder::new(&**bytes).map_err(failed)?),
        4 => read(zstd::stream::read::Decoder::with_buffer(&**bytes).map_err(failed)?),
        _ => Err(format!("unknown compression type {code}")),
    }
}

fn read(source: impl Read) -> Result<Bytes, String> {
    let mut out = Vec::new();
    let limit = DECOMPRESSED_MAX as u64 + 1;
    let read = source.take(limit).read_to_end(&mut out);
    read.map_err(|error| error.to_string())?;
    fits(out.len())?;
    Ok(out.into())
}

fn fits(length: usize) -> Result<(), String> {
    match length > DECOMPRESSED_MAX {
        true => Err(format!(
            "a batch decompresses to more than {DECOMPRESSED_MAX} bytes"
        )),
        false => Ok(()),
    }
}

fn snappy(bytes: &[u8]) -> Result<Bytes, String> {
    let mut out = Vec::new();
    if !bytes.starts_with(XERIAL) {
        block(bytes, &mut out)?;
        return Ok(out.into());
    }
    let mut rest = bytes.get(XERIAL_BYTES..).ok_or("torn snappy header")?;
    while let Some((length, after)) = rest.split_first_chunk::<4>() {
        let length = u32::from_be_bytes(*length) as usize;
        let (one, after) = after.split_at_checked(length).ok_or("torn snappy block")?;
        block(one, &mut out)?;
        rest = after;
    }
    match rest.is_empty() {
        true => Ok(out.into()),
        false => Err("torn snappy block".to_owned()),
    }
}

fn block(bytes: &[u8], out: &mut Vec<u8>) -> Result<(), String> {
    let failed = |error: snap::Error| error.to_string();
    let length = snap::raw::decompress_len(bytes).map_err(failed)?;
    if length > bytes.len().saturating_mul(SNAPPY_GROWTH_MAX) {
        return Err("a snappy block announces more than it can hold".to_owned());
    }
    let begin = out.len();
    fits(begin.saturating_add(length))?;
    out.resize(begin + length, 0);
    let room = out.get_mut(begin..).unwrap_or_default();
    let written = snap::raw::Decoder::new().decompress(bytes, room);
    written.map(drop).map_err(failed)
}
