//! Nesting up to 200,000 deep, of any brackets around any bytes, read as an envelope and as plain JSON:
//! two bytes say how deep, one byte the form, the rest is what stands inside.
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use milena_converters::{JsonConfig, JsonConverter};

const FORMS: [(&str, &str); 5] =
    [("[", "]"), ("{\"a\":", "}"), ("[[0],", "]"), ("{\"a\":[", "]}"), ("{\"type\":\"array\",\"items\":", "}")];

fuzz_target!(|data: &[u8]| {
    let Some(([low, high, form], rest)) = data.split_first_chunk::<3>() else { return };
    // Shallow ones as often as deep ones: the limit is at 1,000.
    let depth = usize::from(u16::from_le_bytes([*low, *high])) * if form & 0x80 == 0 { 1 } else { 3 };
    let depth = if form & 0x40 == 0 { depth % 1100 } else { depth };
    let (open, close) = FORMS.get(usize::from(form & 7) % FORMS.len()).copied().unwrap_or(("[", "]"));
    let mut text = Vec::new();
    let envelope = form & 0x20 != 0;
    if envelope {
        text.extend_from_slice(b"{\"schema\":null,\"payload\":");
    }
    text.extend_from_slice(open.repeat(depth).as_bytes());
    text.extend_from_slice(rest);
    if form & 0x10 == 0 {
        text.extend_from_slice(close.repeat(depth).as_bytes());
    }
    if envelope {
        text.push(b'}');
    }
    let text = Bytes::from(text);
    for schemas_enable in [true, false] {
        let config = JsonConfig { schemas_enable, ..JsonConfig::default() };
        let Ok(mut converter) = JsonConverter::new(config) else { return };
        if let Ok(pair) = converter.decode(&text) {
            let _ = converter.encode(pair.schema.as_ref(), &pair.value);
        }
    }
});
