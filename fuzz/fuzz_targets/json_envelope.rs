//! Any bytes as an envelope: an answer or an error, and what was read can be written.
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use milena_converters::{JsonConfig, JsonConverter};

fuzz_target!(|data: &[u8]| {
    let Ok(mut converter) = JsonConverter::new(JsonConfig::default()) else { return };
    if let Ok(pair) = converter.decode(&Bytes::copy_from_slice(data)) {
        let _ = converter.encode(pair.schema.as_ref(), &pair.value);
    }
});
