//! Any configuration of any predicate, asked about one record. The first byte chooses the predicate;
//! the rest is lines of `key=value`.
#![no_main]

use libfuzzer_sys::fuzz_target;
use milena_fuzz::{props, record};
use milena_predicates::predicates;

fuzz_target!(|data: &[u8]| {
    let Some((first, rest)) = data.split_first() else { return };
    let all = predicates();
    let Some(plugin) = all.get(usize::from(*first) % all.len()) else { return };
    if let Ok(mut predicate) = plugin.predicate(&props(rest)) {
        let _ = predicate.test(&record(true));
    }
});
