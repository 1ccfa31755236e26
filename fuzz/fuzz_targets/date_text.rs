//! Any text as a date of the usual patterns; the first byte chooses.
#![no_main]

use libfuzzer_sys::fuzz_target;
use milena_java_text::DateFormat;

const PATTERNS: [&str; 6] = [
    "yyyy-MM-dd'T'HH:mm:ss.SSSXXX",
    "yyyyMMddHHmmss",
    "EEE, d MMM yyyy HH:mm:ss z",
    "YYYY-'W'ww-u",
    "G yy D a h K k",
    "yyyy-MM-dd HH:mm:ss.SSS Z",
];

fuzz_target!(|data: &[u8]| {
    let Some((first, rest)) = data.split_first() else { return };
    let pattern = PATTERNS.get(usize::from(*first) % PATTERNS.len()).copied().unwrap_or("yyyy");
    let Ok(format) = DateFormat::new(pattern, 1_700_000_000_000) else { return };
    if let Some(millis) = format.parse(&String::from_utf8_lossy(rest)) {
        let _ = format.format(millis);
    }
});
