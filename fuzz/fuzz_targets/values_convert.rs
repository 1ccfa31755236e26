//! Any text converted to every type of `Values`; the first byte chooses.
#![no_main]

use libfuzzer_sys::fuzz_target;
use milena_data::{Value, values};

fuzz_target!(|data: &[u8]| {
    let Some((first, rest)) = data.split_first() else { return };
    let value = Value::from(String::from_utf8_lossy(rest).into_owned());
    match first % 13 {
        0 => drop(values::convert_to_boolean(None, &value)),
        1 => drop(values::convert_to_byte(None, &value)),
        2 => drop(values::convert_to_short(None, &value)),
        3 => drop(values::convert_to_integer(None, &value)),
        4 => drop(values::convert_to_long(None, &value)),
        5 => drop(values::convert_to_float(None, &value)),
        6 => drop(values::convert_to_double(None, &value)),
        7 => drop(values::convert_to_list(&value)),
        8 => drop(values::convert_to_map(&value)),
        9 => drop(values::convert_to_struct(&value)),
        10 => drop(values::convert_to_decimal(&value, 2)),
        11 => drop(values::convert_to_date(None, &value)),
        _ => drop(values::convert_to_timestamp(None, &value)),
    }
});
