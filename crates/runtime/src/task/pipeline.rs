//! The way of a record through a task: the connector's chain under the error policy
//! (spec `data.md` 5.2, 5.3).

use std::sync::Arc;

use milena_api::{
    ConnectError, ConverterPlugin, HeaderConverterPlugin, PredicatePlugin, TransformPlugin,
};
use milena_chain::{Chain, Encoded, Plugins, RawRecord};
use milena_config::Props;
use milena_core::failure::Stage;
use milena_data::{Record, SourceRecord};
use milena_registry::Registry;
use tokio::time::Instant;

use super::failing::{ErrorPolicy, StageFailure};

/// The registry as a chain looks plugins up.
struct Shelves<'a>(&'a Registry);

impl Plugins for Shelves<'_> {
    fn transform(&self, name: &str) -> Option<Arc<dyn TransformPlugin>> {
        self.0.transform(name).ok().cloned()
    }
    fn predicate(&self, name: &str) -> Option<Arc<dyn PredicatePlugin>> {
        self.0.predicate(name).ok().cloned()
    }
    fn converter(&self, name: &str) -> Option<Arc<dyn ConverterPlugin>> {
        self.0.converter(name).ok().cloned()
    }
    fn header_converter(&self, name: &str) -> Option<Arc<dyn HeaderConverterPlugin>> {
        self.0.header_converter(name).ok().cloned()
    }
}

/// What a chain makes of a source record: in one place for all records of a task, for it is large.
#[derive(Default)]
pub(super) struct Made {
    /// The record, when there are transforms.
    pub(super) changed: Option<Record>,
    /// The bytes.
    pub(super) encoded: Encoded,
}

/// The chain of one task. What fails and may be tried again is tried again where it failed: the stages
/// before it have done their work (Java: `RetryWithToleranceOperator` runs each of them by itself).
pub(super) struct Pipeline {
    chain: Chain,
    /// Nothing of it waits, nor tries again.
    at_once: bool,
}

impl Pipeline {
    /// Builds the chain of a connector; a converter that it does not name is the worker's, with the
    /// worker's settings.
    pub(super) fn new(
        registry: &Registry,
        connector: &Props,
        worker: &Props,
        policy: &ErrorPolicy,
    ) -> Result<Self, ConnectError> {
        let mut chain = Chain::new(&Shelves(registry), connector, worker)?;
        chain.transforms().keep_for_retries(policy.retries());
        let at_once = chain.works_at_once() && !policy.retries();
        Ok(Self { chain, at_once })
    }

    /// Transforms and converts a source record; `false`: filtered, or skipped by tolerance. A record that no transform
    /// touches is not copied.
    pub(super) async fn encode(
        &mut self,
        source: &SourceRecord,
        made: &mut Made,
        policy: &ErrorPolicy,
    ) -> Result<bool, ConnectError> {
        let mut attempts = Attempts::new(policy);
        made.changed = None;
        made.encoded = Encoded::default();
        let mut failure = None;
        if !self.chain.transforms().is_empty() {
            let given = source.record.clone();
            match self.transform(0, given, &mut attempts).await {
                Ok(Some(record)) => made.changed = Some(record),
                Ok(None) => return Ok(false),
                Err(error) => failure = Some(error),
            }
        }
        if failure.is_none() {
            let record = made.changed.as_ref().unwrap_or(&source.record);
            let mut first = milena_chain::Stage::HeaderConverter;
            loop {
                attempts.begin();
                match self
                    .chain
                    .encode_from(first, record, &mut made.encoded)
                    .await
                {
                    Ok(()) => return Ok(true),
                    Err(error) if attempts.again(&error).await => first = error.stage,
                    Err(error) => {
                        failure = Some(error);
                        break;
                    }
                }
            }
        }
        match failure {
            Some(failure) => skipped(failure, source, policy),
            None => Ok(false),
        }
    }

    /// As [`Self::encode`], when nothing of it waits.
    pub(super) fn encode_at_once(
        &mut self,
        source: &SourceRecord,
        made: &mut Made,
        policy: &ErrorPolicy,
    ) -> Option<Result<bool, ConnectError>> {
        if !self.at_once {
            return None;
        }
        made.changed = None;
        made.encoded = Encoded::default();
        let mut record = &source.record;
        if !self.chain.transforms().is_empty() {
            let changed = made.changed.insert(source.record.clone());
            match self.chain.transforms().change(changed) {
                Ok(true) => record = changed,
                Ok(false) => return Some(Ok(false)),
                Err(failure) => return Some(skipped(failure, source, policy)),
            }
        }
        Some(match self.chain.encode_at_once(record, &mut made.encoded) {
            Ok(()) => Ok(true),
            Err(failure) => skipped(failure, source, policy),
        })
    }

    /// Whether nothing of it waits, nor tries again.
    pub(super) fn works_at_once(&self) -> bool {
        self.at_once
    }

    /// As [`Self::decode`], when nothing of it waits. Key and value of the record may be those of an earlier one.
    pub(super) fn decode_at_once(
        &mut self,
        record: &mut Record,
        raw: RawRecord<'_>,
    ) -> Option<Result<bool, StageFailure>> {
        if !self.at_once {
            return None;
        }
        let decoded = self.chain.decode_at_once(record, raw);
        let changed = decoded.and_then(|()| self.chain.transforms().change(record));
        Some(changed.map_err(failed))
    }

    /// Converts a consumed record (its key and value not yet set) and transforms it, in its place: records are large, and
    /// moving them costs more than most of what is done to them. `false`: filtered.
    pub(super) async fn decode(
        &mut self,
        record: &mut Record,
        raw: RawRecord<'_>,
        policy: &ErrorPolicy,
    ) -> Result<bool, StageFailure> {
        let mut attempts = Attempts::new(policy);
        let mut first = milena_chain::Stage::KeyConverter;
        loop {
            attempts.begin();
            match self.chain.decode_from(first, record, raw).await {
                Ok(()) => break,
                Err(failure) if attempts.again(&failure).await => first = failure.stage,
                Err(failure) => return Err(failed(failure)),
            }
        }
        if self.chain.transforms().is_empty() {
            return Ok(true);
        }
        let given = std::mem::take(record);
        let transformed = self.transform(0, given, &mut attempts).await;
        match transformed.map_err(failed)? {
            Some(made) => {
                *record = made;
                Ok(true)
            }
            None => Ok(false),
        }
    }

    async fn transform(
        &mut self,
        mut first: usize,
        mut record: Record,
        attempts: &mut Attempts<'_>,
    ) -> Result<Option<Record>, milena_chain::StageFailure> {
        loop {
            attempts.begin();
            let transforms = self.chain.transforms();
            let outcome = if transforms.is_per_record() {
                transforms.apply_from(first, record)
            } else {
                let mut outcomes = transforms.apply_batch_from(first, vec![record]).await;
                outcomes.pop().unwrap_or(Ok(None))
            };
            let mut failure = match outcome {
                Ok(outcome) => return Ok(outcome),
                Err(failure) => failure,
            };
            match failure.given.take() {
                Some(given) if attempts.again(&failure).await => {
                    (first, record) = (failure.step, *given);
                }
                _ => return Err(failure),
            }
        }
    }
}

/// The attempts at one record. Each stage has its own count and time, as in Java.
struct Attempts<'a> {
    policy: &'a ErrorPolicy,
    /// The stage that is tried again.
    at: Option<(milena_chain::Stage, usize)>,
    count: u32,
    /// Without retries no time is needed, and none is asked for: `None`.
    begun: Option<Instant>,
    /// When the call in hand began, in which the next stage to fail may begin its time.
    call: Option<Instant>,
}

impl<'a> Attempts<'a> {
    fn new(policy: &'a ErrorPolicy) -> Self {
        Self {
            policy,
            at: None,
            count: 0,
            begun: None,
            call: None,
        }
    }

    /// A call of the chain begins.
    fn begin(&mut self) {
        if self.policy.retries() {
            self.call = Some(Instant::now());
        }
    }

    /// Waits before the next attempt of what failed; `false`: it has failed for good.
    async fn again(&mut self, failure: &milena_chain::StageFailure) -> bool {
        if !failure.error.is_retriable() || !self.policy.retries() {
            return false;
        }
        let at = Some((failure.stage, failure.step));
        if self.at != at {
            (self.at, self.count, self.begun) = (at, 0, self.call);
        }
        self.count += 1;
        let begun = self.begun.unwrap_or_else(Instant::now);
        self.policy.wait_to_retry(self.count, begun).await
    }
}

fn failed(failure: milena_chain::StageFailure) -> StageFailure {
    StageFailure {
        stage: match failure.stage {
            milena_chain::Stage::Transformation => Stage::Transformation,
            milena_chain::Stage::KeyConverter => Stage::KeyConverter,
            milena_chain::Stage::ValueConverter => Stage::ValueConverter,
            milena_chain::Stage::HeaderConverter => Stage::HeaderConverter,
        },
        class: failure.class.to_string(),
        error: failure.error,
    }
}

/// What becomes of a source record that failed: `false`, or what the task fails with.
fn skipped(
    failure: milena_chain::StageFailure,
    source: &SourceRecord,
    policy: &ErrorPolicy,
) -> Result<bool, ConnectError> {
    let mut failure = failed(failure);
    name_source(&mut failure.error, source);
    policy.judge(&failure, || format!(", where source record is = {source}"))?;
    Ok(false)
}

/// Puts in what a transform cannot know when it shows a record in an error: where in its source it is from.
fn name_source(error: &mut ConnectError, source: &SourceRecord) {
    let unknown = SourceRecord::default().to_string();
    let known = SourceRecord {
        record: Record::default(),
        source_partition: source.source_partition.clone(),
        source_offset: source.source_offset.clone(),
    };
    let known = known.to_string();
    let head = |text: &str| {
        text.split_once("ConnectRecord{")
            .map(|(head, _)| head.to_owned())
    };
    let (Some(unknown), Some(known)) = (head(&unknown), head(&known)) else {
        return;
    };
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(message) = &mut error.message {
            *message = message.replace(&unknown, &known);
        }
        next = error.cause.as_deref_mut();
    }
}
