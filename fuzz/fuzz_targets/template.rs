//! Any text with variables: what nobody answers stays as it is, and what is put in is not looked at again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use milena_config::{replace_variables, variables};

fuzz_target!(|data: &[u8]| {
    let text = String::from_utf8_lossy(data);
    assert_eq!(replace_variables(&text, |_| None), text);
    let mut asked = Vec::new();
    let replaced = replace_variables(&text, |variable| {
        asked.push(variable.clone());
        Some("${a:b}".to_owned())
    });
    assert_eq!(asked, variables(&text));
    if asked.is_empty() {
        assert_eq!(replaced, text);
    }
});
