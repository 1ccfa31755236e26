//! Any bytes as plain JSON: what was read is written, and reads as the same again.
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use milena_converters::{JsonConfig, JsonConverter};

fuzz_target!(|data: &[u8]| {
    let config = JsonConfig { schemas_enable: false, ..JsonConfig::default() };
    let Ok(mut converter) = JsonConverter::new(config) else { return };
    let Ok(pair) = converter.decode(&Bytes::copy_from_slice(data)) else { return };
    if let Ok(Some(bytes)) = converter.encode(None, &pair.value) {
        let _ = converter.decode(&bytes);
    }
});
