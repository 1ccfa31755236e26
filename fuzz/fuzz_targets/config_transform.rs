//! Any configuration of any transform, applied to one record. The first byte chooses the transform;
//! the rest is lines of `key=value`.
#![no_main]

use libfuzzer_sys::fuzz_target;
use milena_api::TransformInstance;
use milena_fuzz::{props, record};
use milena_transforms::transforms;

fuzz_target!(|data: &[u8]| {
    let Some((first, rest)) = data.split_first() else { return };
    let all = transforms();
    let Some(plugin) = all.get(usize::from(*first) % all.len()) else { return };
    let Ok(TransformInstance::PerRecord(mut transform)) = plugin.transform(&props(rest)) else { return };
    for schemas in [true, false] {
        let _ = transform.apply(record(schemas));
    }
});
