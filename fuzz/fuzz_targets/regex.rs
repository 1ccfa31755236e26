//! Any Java regular expression on any text: an answer in bounded time. The pattern, a NUL, the
//! replacement, a NUL, the text.
#![no_main]

use libfuzzer_sys::fuzz_target;
use milena_fuzz::halves;
use milena_java_text::JavaRegex;

fuzz_target!(|data: &[u8]| {
    let (pattern, rest) = halves(data, 0);
    let (replacement, text) = halves(rest, 0);
    let Ok(regex) = JavaRegex::new(&String::from_utf8_lossy(pattern)) else { return };
    let text = String::from_utf8_lossy(text);
    let _ = regex.matches(&text);
    if let Ok(Some(found)) = regex.find(&text) {
        assert!(text.get(found).is_some(), "a match lies on characters");
    }
    let _ = regex.replace_first(&text, &String::from_utf8_lossy(replacement));
});
