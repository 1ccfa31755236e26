//! Any text as a literal of `Values`, and as a decimal.
#![no_main]

use libfuzzer_sys::fuzz_target;
use milena_data::{Decimal, values};

fuzz_target!(|data: &[u8]| {
    let text = String::from_utf8_lossy(data);
    if let Some(pair) = values::parse_string(&text) {
        let _ = values::convert_to_string(&pair.value);
    }
    if let Ok(decimal) = Decimal::parse(&text) {
        let _ = (decimal.to_string(), decimal.to_i64_exact(), decimal.long_value());
    }
});
