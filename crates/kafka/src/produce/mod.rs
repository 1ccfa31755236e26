//! The own data producer, over the wire client.
//!
//! Answers to `org.apache.kafka.clients.producer.KafkaProducer` with its `RecordAccumulator`, `Sender` and
//! `TransactionManager`. Records are written into the open batch of their partition where they are handed over ([`append`]); one
//! task sends batches ([`sender`]), and what it may send and what an answer means is decided on the state alone
//! ([`drain`], [`settle`]). No object is made per record, no lock is held across a wait, and nothing here decides what a
//! failed record means to a task.

mod append;
mod batch;
mod drain;
mod errors;
mod metrics;
mod nodes;
mod partition;
mod partitioner;
mod producer;
mod request;
mod sender;
mod settings;
mod settle;
mod shared;
mod state;
mod topics;
mod transaction;

pub(crate) use producer::NativeProducer;

#[cfg(test)]
mod sim_tests;
