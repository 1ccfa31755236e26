//! The settings of a producer, under Java's names, with Java's defaults (4.3), and what contradicts itself.
//!
//! Answers to `org.apache.kafka.clients.producer.ProducerConfig`.

use std::time::Duration;

use crate::{
    backoff::Backoff,
    client_props::{Read, config, invalid},
    ports::{ClientProps, KafkaError, KafkaErrorKind},
    records::{Compression, LZ4_DEFAULT},
};

/// With idempotence a broker remembers this many batches of a partition, so no more may be under way.
const IN_FLIGHT_MAX_IDEMPOTENT: u32 = 5;
/// Requests that a connection takes without waiting; Java has no such bound, and nobody has asked for more.
const IN_FLIGHT_MAX: u32 = 32;

/// What a producer needs to know beside the settings of its connections.
#[derive(Clone, Debug)]
pub(super) struct ProduceSettings {
    /// `acks`: -1 is all.
    pub(super) acks: i16,
    /// `batch.size`, in bytes.
    pub(super) batch_size: usize,
    /// `linger.ms`.
    pub(super) linger: Duration,
    /// `buffer.memory`, in bytes.
    pub(super) buffer_memory: usize,
    /// `max.block.ms`.
    pub(super) max_block: Duration,
    /// `max.request.size`, in bytes.
    pub(super) max_request_size: usize,
    /// `compression.type` and its level.
    pub(super) compression: Compression,
    /// `delivery.timeout.ms`.
    pub(super) delivery_timeout: Duration,
    /// `request.timeout.ms`.
    pub(super) request_timeout: Duration,
    /// `retries`.
    pub(super) retries: u32,
    /// `retry.backoff.ms` and `retry.backoff.max.ms`.
    pub(super) backoff: Backoff,
    /// `reconnect.backoff.ms` and `reconnect.backoff.max.ms`.
    pub(super) reconnect: Backoff,
    /// `max.in.flight.requests.per.connection`.
    pub(super) in_flight: u32,
    /// `enable.idempotence`, also by a transactional id.
    pub(super) idempotent: bool,
    /// `transactional.id`.
    pub(super) transactional_id: Option<String>,
    /// `transaction.timeout.ms`.
    pub(super) transaction_timeout: i32,
    /// `metadata.max.age.ms`.
    pub(super) metadata_age: Duration,
    /// `metadata.max.idle.ms`.
    pub(super) metadata_idle: Duration,
    /// `partitioner.ignore.keys`.
    pub(super) ignore_keys: bool,
    /// `partitioner.adaptive.partitioning.enable`.
    pub(super) adaptive: bool,
}

impl ProduceSettings {
    /// Parses the settings.
    ///
    /// # Errors
    /// With Java's words for what is wrong.
    pub(super) fn from_props(props: &ClientProps) -> Result<Self, KafkaError> {
        let read = Read(props);
        let transactional_id = read
            .text("transactional.id")
            .filter(|id| !id.is_empty())
            .map(str::to_owned);
        let acks = read.acks()?;
        let linger = read.millis("linger.ms", 5_u64)?;
        let request_timeout = read.millis("request.timeout.ms", 30_000_u32)?;
        let in_flight = read.number("max.in.flight.requests.per.connection", 5_u32, 1)?;
        let retries = read.number("retries", i32::MAX.unsigned_abs(), 0)?;
        let settings = Self {
            acks: acks.unwrap_or(-1),
            batch_size: bytes(read.number("batch.size", 16_384_u32, 0)?.into()),
            linger,
            buffer_memory: bytes(read.number("buffer.memory", 32_u64 << 20, 0)?),
            max_block: read.millis("max.block.ms", 60_000_u64)?,
            max_request_size: bytes(read.number("max.request.size", 1_u32 << 20, 0)?.into()),
            compression: read.compression()?,
            delivery_timeout: read.delivery_timeout(linger, request_timeout)?,
            request_timeout,
            retries,
            backoff: Backoff::retries(&read)?,
            reconnect: Backoff::reconnects(&read)?,
            in_flight: in_flight.min(IN_FLIGHT_MAX),
            idempotent: read.idempotent(acks, retries, in_flight, transactional_id.is_some())?,
            transactional_id,
            transaction_timeout: read.number("transaction.timeout.ms", 60_000, 0)?,
            metadata_age: read.millis("metadata.max.age.ms", 300_000_u64)?,
            metadata_idle: read.millis("metadata.max.idle.ms", 300_000_u64)?,
            ignore_keys: read.flag("partitioner.ignore.keys", false)?,
            adaptive: read.flag("partitioner.adaptive.partitioning.enable", true)?,
        };
        if read.flag("transaction.two.phase.commit.enable", false)? {
            return Err(config(
                "transaction.two.phase.commit.enable is not offered (KIP-939)".to_owned(),
            ));
        }
        Ok(settings)
    }
}

fn bytes(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

/// Settings that need more than a number.
impl Read<'_> {
    fn acks(&self) -> Result<Option<i16>, KafkaError> {
        match self.text("acks") {
            None => Ok(None),
            Some("all" | "-1") => Ok(Some(-1)),
            Some("0") => Ok(Some(0)),
            Some("1") => Ok(Some(1)),
            Some(other) => {
                let why = "String must be one of: all, -1, 0, 1";
                Err(invalid("acks", other, why))
            }
        }
    }

    fn level(&self, name: &str, default: i32, least: i32, most: i32) -> Result<i32, KafkaError> {
        let level = self.number(name, default, i32::MIN)?;
        match level == default || (least..=most).contains(&level) {
            true => Ok(level),
            false => {
                let why = format!("Value must be between {least} and {most}, or {default}");
                Err(invalid(name, &level.to_string(), &why))
            }
        }
    }

    fn compression(&self) -> Result<Compression, KafkaError> {
        let gzip = self.level("compression.gzip.level", -1, 1, 9)?;
        let lz4 = self.level("compression.lz4.level", 9, 1, 17)?;
        let zstd = self.level("compression.zstd.level", 3, -131_072, 22)?;
        match self.text("compression.type") {
            None | Some("none") => Ok(Compression::None),
            // What zlib takes by default.
            Some("gzip") => Ok(Compression::Gzip(u32::try_from(gzip).unwrap_or(6))),
            Some("snappy") => Ok(Compression::Snappy),
            Some("lz4") => Ok(Compression::Lz4(u32::try_from(lz4).unwrap_or(LZ4_DEFAULT))),
            Some("zstd") => Ok(Compression::Zstd(zstd)),
            Some(other) => {
                let why = "String must be one of: none, gzip, snappy, lz4, zstd";
                Err(invalid("compression.type", other, why))
            }
        }
    }

    fn delivery_timeout(
        &self,
        linger: Duration,
        request: Duration,
    ) -> Result<Duration, KafkaError> {
        let least = linger.saturating_add(request);
        let set = self.0.contains_key("delivery.timeout.ms");
        let timeout = self.millis("delivery.timeout.ms", 120_000_u32)?;
        match (timeout < least, set) {
            (false, _) => Ok(timeout),
            (true, false) => Ok(least),
            // The one contradiction that Java finds when it makes the producer already.
            (true, true) => Err(KafkaError::new(
                KafkaErrorKind::Config,
                "Failed to construct kafka producer: delivery.timeout.ms should be equal to or larger than linger.ms + \
                 request.timeout.ms",
            )),
        }
    }

    /// Idempotence that nobody asked for gives way to what contradicts it; one that was asked for does not.
    fn idempotent(
        &self,
        acks: Option<i16>,
        retries: u32,
        in_flight: u32,
        transactional: bool,
    ) -> Result<bool, KafkaError> {
        let asked = self.0.contains_key("enable.idempotence");
        let wanted = self.flag("enable.idempotence", true)?;
        if transactional && !wanted {
            return Err(config(
                "Cannot set a transactional.id without also enabling idempotence.".to_owned(),
            ));
        }
        let must = (asked && wanted) || transactional;
        let checks = [
            (
                retries == 0,
                "Must set retries to non-zero when using the idempotent producer.",
            ),
            (
                acks.is_some_and(|acks| acks != -1),
                "Must set acks to all in order to use the idempotent producer. Otherwise we cannot guarantee idempotence.",
            ),
            (
                in_flight > IN_FLIGHT_MAX_IDEMPOTENT,
                "Must set max.in.flight.requests.per.connection to at most 5 to use the idempotent producer.",
            ),
        ];
        for (contradicts, why) in checks {
            // Too many in flight is refused in any case, as Java does since 4.0.
            let of_flight = why.contains("in.flight");
            if wanted && contradicts && (must || of_flight) {
                return Err(config(why.to_owned()));
            }
        }
        Ok(wanted && !checks.iter().any(|(contradicts, _)| *contradicts))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(pairs: &[(&str, &str)]) -> Result<ProduceSettings, KafkaError> {
        let pairs = pairs.iter();
        let props = pairs.map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
        ProduceSettings::from_props(&props.collect())
    }

    #[test]
    fn what_nobody_sets_is_as_in_java() {
        let all = of(&[]).unwrap();
        assert_eq!((all.acks, all.idempotent, all.in_flight), (-1, true, 5));
        assert_eq!(all.linger, Duration::from_millis(5));
        assert_eq!(all.delivery_timeout, Duration::from_secs(120));
        assert_eq!(all.retries, 2_147_483_647);
        assert!(!of(&[("acks", "1")]).unwrap().idempotent);
        assert!(!of(&[("retries", "0")]).unwrap().idempotent);
        let forever = of(&[("max.block.ms", "9223372036854775807")]).unwrap();
        assert!(forever.max_block > Duration::from_secs(1 << 40));
        let late = of(&[("request.timeout.ms", "200000")]).unwrap();
        assert_eq!(late.delivery_timeout, Duration::from_millis(200_005));
    }

    #[test]
    fn contradictions_are_refused_in_the_words_of_java() {
        for (pairs, says) in [
            (
                &[("enable.idempotence", "true"), ("acks", "1")][..],
                "Must set acks to all",
            ),
            (
                &[("max.in.flight.requests.per.connection", "6")],
                "at most 5",
            ),
            (
                &[("delivery.timeout.ms", "1000")],
                "delivery.timeout.ms should be equal to or larger",
            ),
            (
                &[("transactional.id", "t"), ("enable.idempotence", "false")],
                "Cannot set a transactional.id without",
            ),
            (
                &[("acks", "maybe")],
                "Invalid value maybe for configuration acks",
            ),
            (&[("linger.ms", "-1")], "at least 0"),
            (&[("compression.type", "brotli")], "brotli"),
        ] {
            let error = of(pairs).unwrap_err();
            assert!(error.message.contains(says), "{error}");
            assert_eq!(error.kind, KafkaErrorKind::Config);
        }
        let many = ("max.in.flight.requests.per.connection", "6");
        let plain = of(&[("enable.idempotence", "false"), many]).unwrap();
        assert_eq!(plain.in_flight, 6);
    }
}
