//! Any text as a path to a field, in both syntaxes.
#![no_main]

use libfuzzer_sys::fuzz_target;
use milena_transforms::field_path::{FieldPath, FieldSyntax};

fuzz_target!(|data: &[u8]| {
    let text = String::from_utf8_lossy(data);
    for syntax in [FieldSyntax::V1, FieldSyntax::V2] {
        if let Ok(path) = FieldPath::new(&text, syntax) {
            assert_eq!(path.steps().is_empty(), text.is_empty() && syntax == FieldSyntax::V2);
        }
    }
});
