//! The plugin API of Milena: the traits a connector, converter, transform, predicate, config provider
//! or override policy implements, and nothing else. The doc comments are the contract: who calls what,
//! when, in which order, and what each error means.
//!
//! Every trait is batch-wise where work is done (`poll` gives a batch, `put` takes one), cancellable at
//! each await, and called under a deadline by the runtime. A plugin that lives in another process (a JVM
//! host, WASM) implements the same traits: nothing here hands out a reference into the worker.
//!
//! Answers to `connect/api` of Apache Kafka. Nothing here knows a Kafka client, the runtime or HTTP.

mod connector;
mod converter;
mod error;
mod offsets;
mod plugin;
mod policy;
mod provider;
mod sink;
mod source;
mod transform;

pub use connector::{
    Connector, ConnectorContext, ConnectorRequest, SinkConnector, SourceConnector,
};
pub use converter::{
    BatchConverter, ConverterConfig, ConverterInstance, ConverterUse, FromConnect, HeaderConverter,
    RawHeader, RecordConverter, ToConnect,
};
pub use error::{ConnectError, ErrorKind};
pub use offsets::{ConnectorOffset, ExactlyOnceSupport, TopicPartition, TransactionBoundaries};
pub use plugin::{
    ConnectorInstance, ConnectorPlugin, ConverterPlugin, HeaderConverterPlugin, PluginInfo,
    PolicyPlugin, PredicatePlugin, ProviderPlugin, TaskInstance, TransformPlugin,
};
pub use policy::{ClientKind, OverridePolicy, OverrideRequest};
pub use provider::{ConfigProvider, ProvidedConfig};
pub use sink::{
    ErrantRecordReporter, PartitionOffsets, ReportTicket, SinkTask, SinkTaskContext,
    SinkTaskRequest,
};
pub use source::{
    CommittedRecord, OffsetReader, SourceTask, SourceTaskContext, TransactionContext,
};
pub use transform::{BatchTransform, Predicate, RecordTransform, TransformInstance};
