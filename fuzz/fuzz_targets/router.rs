//! Any text as the target of a request: decoded, routed, its parameters read.
#![no_main]

use libfuzzer_sys::fuzz_target;
use milena_rest::allowed_methods;

fuzz_target!(|data: &[u8]| {
    let text = String::from_utf8_lossy(data);
    if let Some(methods) = allowed_methods(&text) {
        assert!(methods.ends_with("OPTIONS"));
    }
});
