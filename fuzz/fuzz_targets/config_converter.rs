//! Any configuration of any converter, with a message read under it. The first byte chooses the
//! converter; the rest is lines of `key=value`, a NUL, the message.
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use milena_api::{ConverterInstance, ConverterUse};
use milena_converters::converters;
use milena_fuzz::{halves, props};

fuzz_target!(|data: &[u8]| {
    let Some((first, rest)) = data.split_first() else { return };
    let (config, message) = halves(rest, 0);
    let all = converters();
    let Some(plugin) = all.get(usize::from(*first) % all.len()) else { return };
    let made = plugin.converter(&props(config), ConverterUse::Value);
    if let Ok(ConverterInstance::PerRecord(mut converter)) = made {
        let _ = converter.to_connect("t", &[], Some(&Bytes::copy_from_slice(message)));
    }
});
