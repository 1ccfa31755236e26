//! Any bytes as the schema of an envelope, and as `schema.content`. The schema, a NUL, the payload.
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use milena_converters::{JsonConfig, JsonConverter};
use milena_fuzz::halves;

fuzz_target!(|data: &[u8]| {
    let (schema, payload) = halves(data, 0);
    let mut text = b"{\"schema\":".to_vec();
    text.extend_from_slice(schema);
    text.extend_from_slice(b",\"payload\":");
    text.extend_from_slice(payload);
    text.push(b'}');
    if let Ok(mut converter) = JsonConverter::new(JsonConfig::default())
        && let Ok(pair) = converter.decode(&Bytes::from(text))
        && let Ok(Some(bytes)) = converter.encode(pair.schema.as_ref(), &pair.value)
    {
        let again = converter.decode(&bytes).expect("what was written can be read");
        assert_eq!(again.schema, pair.schema, "the same schema");
    }
    let content = String::from_utf8_lossy(schema).into_owned();
    let config = JsonConfig { schema_content: Some(content), ..JsonConfig::default() };
    if let Ok(mut converter) = JsonConverter::new(config) {
        let _ = converter.decode(&Bytes::copy_from_slice(payload));
    }
});
