//! Any bytes in any character set; the first byte chooses.
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use milena_api::RecordConverter;
use milena_converters::StringConverter;

const SETS: [&str; 6] = ["UTF-8", "UTF-16", "UTF-32", "ISO-8859-1", "Shift_JIS", "windows-1252"];

fuzz_target!(|data: &[u8]| {
    let Some((first, rest)) = data.split_first() else { return };
    let set = SETS.get(usize::from(*first) % SETS.len()).copied().unwrap_or("UTF-8");
    let props = [("converter.encoding".to_owned(), set.to_owned()), ("converter.type".to_owned(), "value".to_owned())];
    let Ok(mut converter) = StringConverter::configured(&props.into()) else { return };
    if let Ok(pair) = converter.to_connect("t", &[], Some(&Bytes::copy_from_slice(rest))) {
        let _ = converter.from_connect("t", &mut Vec::new(), None, &pair.value);
    }
});
