//! Any date pattern formats any instant, and reads any text. The first eight bytes are the instant, then
//! come the pattern, a NUL, the text.
#![no_main]

use libfuzzer_sys::fuzz_target;
use milena_fuzz::halves;
use milena_java_text::DateFormat;

fuzz_target!(|data: &[u8]| {
    let Some((instant, rest)) = data.split_first_chunk::<8>() else { return };
    let (pattern, text) = halves(rest, 0);
    let Ok(format) = DateFormat::new(&String::from_utf8_lossy(pattern), 1_700_000_000_000) else { return };
    let shown = format.format(i64::from_le_bytes(*instant));
    let _ = format.parse(&shown);
    let _ = format.parse(&String::from_utf8_lossy(text));
});
