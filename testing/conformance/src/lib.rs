//! What a source, a sink, a converter and a transform must do, as suites that a plugin runs against itself
//! in a test: each gives the list of promises that the plugin broke, which must be empty.
//!
//! The promises are those of the doc comments of `milena-api`; the suites know no plugin.

mod converter;
mod sink;
mod source;
mod transform;

pub use converter::converter;
pub use sink::sink;
pub use source::source;
pub use transform::transform;

/// A promise that a plugin broke, in words.
pub type Broken = String;

/// What the descriptor of any plugin must be.
fn descriptor(class: &str, version: &str, broken: &mut Vec<Broken>) {
    if !class.contains('.') || class.trim() != class {
        broken.push(format!("the class {class:?} is no full Java class name"));
    }
    if version.is_empty() {
        broken.push(format!("{class} has no version"));
    }
}
