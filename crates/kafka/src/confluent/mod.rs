//! The data plane over the `confluent-kafka` crate: the only place that names it.
//!
//! Property names are Java's and pass through. What the crate lacks is refused by name before anything is
//! sent: SCRAM, OAUTHBEARER and GSSAPI for data, and the classic group protocol (groups are ours).

mod errors;
mod fetcher;
mod lazy_producer;
mod measured;
mod producer;
mod props;

pub(crate) use fetcher::ConfluentFetcher;
pub(crate) use lazy_producer::KnownToWork;
pub(crate) use measured::Measured;
pub(crate) use producer::ConfluentProducer;
