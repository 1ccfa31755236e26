//! Any text as a number of Java: what is read is what the standard library reads, where it can.
#![no_main]

use libfuzzer_sys::fuzz_target;
use milena_java_text::float::{parse_double, parse_float};

fuzz_target!(|data: &[u8]| {
    let text = String::from_utf8_lossy(data);
    let plain = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit() || b"+-.eE".contains(&b));
    let (double, float) = (parse_double(&text), parse_float(&text));
    if plain && let Ok(expected) = text.parse::<f64>() {
        assert_eq!(double.map(f64::to_bits), Some(expected.to_bits()));
    }
    if plain && let Ok(expected) = text.parse::<f32>() {
        assert_eq!(float.map(f32::to_bits), Some(expected.to_bits()));
    }
});
