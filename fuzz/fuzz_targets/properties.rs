//! Any bytes as a Java property file, in both charsets: bounded, and what was read is read again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use milena_config::{Charset, parse_properties};

fuzz_target!(|data: &[u8]| {
    for charset in [Charset::Latin1, Charset::Utf8] {
        let Ok(props) = parse_properties(data, charset) else {
            continue;
        };
        // Written with every character escaped, the entries come back as they are.
        let escaped = |text: &str| -> String {
            text.encode_utf16().map(|unit| format!("\\u{unit:04x}")).collect()
        };
        let lines: String = props
            .iter()
            .map(|(key, value)| format!("{}={}\n", escaped(key), escaped(value)))
            .collect();
        if lines.len() < 1 << 19 {
            let again = parse_properties(lines.as_bytes(), Charset::Latin1);
            assert_eq!(again.as_ref(), Ok(&props));
        }
    }
});
