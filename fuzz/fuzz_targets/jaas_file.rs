//! Any text as a JAAS login configuration: it is refused with a line, or its options cannot be printed.
#![no_main]

use libfuzzer_sys::fuzz_target;
use milena_rest::JaasFile;

fuzz_target!(|data: &[u8]| {
    let text = String::from_utf8_lossy(data);
    match JaasFile::parse(&text) {
        Ok(file) => {
            if let Some(modules) = file.section("KafkaConnect") {
                assert!(modules.iter().all(|module| !module.class.is_empty() || text.contains("\"\"") || text.contains("''")));
            }
        }
        Err(error) => assert!(error.line <= text.lines().count() + 1),
    }
});
