//! Any text as a decimal: every way to look at it is bounded.
#![no_main]

use libfuzzer_sys::fuzz_target;
use milena_data::Decimal;

fuzz_target!(|data: &[u8]| {
    let text = String::from_utf8_lossy(data);
    let Ok(decimal) = Decimal::parse(&text) else { return };
    let again = Decimal::parse(&decimal.to_string());
    assert_eq!(again.ok().as_ref(), Some(&decimal), "a decimal reads as it is written");
    let _ = (decimal.to_plain_string(), decimal.to_engineering_string());
    let _ = (decimal.to_i64_exact(), decimal.long_value(), decimal.double_value(), decimal.float_value());
});
