//! Any bytes for every converter; the first byte chooses. What was read is written.
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use milena_api::{ConverterInstance, ConverterUse};
use milena_converters::converters;

fuzz_target!(|data: &[u8]| {
    let Some((first, rest)) = data.split_first() else { return };
    let all = converters();
    let Some(plugin) = all.get(usize::from(*first) % all.len()) else { return };
    let made = plugin.converter(&Default::default(), ConverterUse::Value);
    let Ok(ConverterInstance::PerRecord(mut converter)) = made else { return };
    if let Ok(pair) = converter.to_connect("t", &[], Some(&Bytes::copy_from_slice(rest))) {
        let _ = converter.from_connect("t", &mut Vec::new(), pair.schema.as_ref(), &pair.value);
    }
});
