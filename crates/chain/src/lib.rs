//! The chain of a connector as a list of stages: converters, header converter, transforms with their
//! predicates. It can be run on given records without a running connector; the engine runs the same
//! chain. Retries, tolerance and dead letters are the caller's: a failure names its stage and class.
//!
//! Answers to `TransformationChain`, `TransformationStage` and the transform part of `ConnectorConfig`
//! (spec `data.md` 4.1, 5.2). It knows no Kafka client and never sleeps or logs.

mod chain;
mod converters;
mod observer;
mod plugins;
mod settings;
mod stage;
mod transforms;

pub use chain::Chain;
pub use converters::{Converters, Encoded, RawRecord};
pub use observer::{Observer, Raw, Seen};
pub use plugins::Plugins;
pub use settings::{PredicateSettings, StepSettings, step_settings, under_prefix};
pub use stage::{Stage, StageFailure};
pub use transforms::TransformChain;
