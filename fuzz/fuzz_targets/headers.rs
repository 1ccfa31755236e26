//! Any bytes as a header, for every header converter; the first byte chooses. What was read is written.
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use milena_converters::header_converters;

fuzz_target!(|data: &[u8]| {
    let Some((first, rest)) = data.split_first() else { return };
    let all = header_converters();
    let Some(plugin) = all.get(usize::from(*first) % all.len()) else { return };
    let Ok(mut converter) = plugin.header_converter(&Default::default()) else { return };
    if let Ok(pair) = converter.to_connect("t", "h", Some(&Bytes::copy_from_slice(rest))) {
        let _ = converter.from_connect("t", "h", &pair);
    }
});
