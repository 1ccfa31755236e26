//! Runs golden vectors of the data plane: one JSON object per line, each an input and what the Java
//! classes make of it. No vector is special-cased; any file of the format can be run.

mod check;
mod notation;
pub mod parity;
mod plugins;
mod report;
mod run;
mod vector;

pub use report::{AreaReport, Report, run_text};
pub use run::NOT_OFFERED;
