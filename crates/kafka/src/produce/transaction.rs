//! Transactions: the id and its epoch, what belongs to a transaction, and its end.
//!
//! Answers to `org.apache.kafka.clients.producer.internals.TransactionManager`, in both protocols: with the first a client adds
//! partitions by itself, with the second (KIP-890) brokers do, and each end raises the epoch. A commit that was sent and not
//! answered is never sent again: nobody knows what became of it (R9).

use std::sync::Arc;

use kafka_protocol::{
    messages::{
        AddPartitionsToTxnRequest, EndTxnRequest, InitProducerIdRequest, ProducerId as WireId,
        TopicName, TransactionalId, add_partitions_to_txn_request::AddPartitionsToTxnTopic,
    },
    protocol::StrBytes,
};

use super::{
    errors,
    partition::ProducerId,
    settle::CONCURRENT,
    shared::Shared,
    state::{Identity, State, TxnPhase},
    topics::At,
};
use crate::{
    ports::{CommitError, KafkaError, KafkaErrorKind},
    wire::{CoordinatorOf, Lane, codes, connection::Connection},
};

/// The last version of AddPartitionsToTxn that is for clients.
const ADD_MAX: i16 = 3;
/// The last version of EndTxn that does not raise the epoch.
const END_V1_MAX: i16 = 4;
/// The first version of InitProducerId that takes the epoch that is to be raised (KIP-360).
const INIT_FROM: i16 = 3;
const INVALID_TXN_STATE: i16 = 48;
const INVALID_PID_MAPPING: i16 = 49;
const TRANSACTION_ABORTABLE: i16 = 120;
const CONCURRENT_TRANSACTIONS: i16 = codes::CONCURRENT_TRANSACTIONS;
/// The coordinator is elsewhere, or not ready: nothing was done.
const NOT_NOW: [i16; 4] = [14, 15, 16, CONCURRENT_TRANSACTIONS];

/// Why the end of a transaction did not come about.
enum NotEnded {
    /// Nothing was done: again.
    NotYet(KafkaError),
    /// Nobody knows.
    Unknown(KafkaError),
    /// It is refused.
    Refused(KafkaError),
}

fn by_kind(error: KafkaError) -> CommitError {
    match error.kind {
        KafkaErrorKind::Fenced => CommitError::Fenced(error),
        _ => CommitError::Aborted(error),
    }
}

impl State {
    fn not_in(&self, what: &str) -> KafkaError {
        match &self.txn.phase {
            TxnPhase::Fatal(error) | TxnPhase::Failed(error) => error.clone(),
            TxnPhase::Never => errors::state(
                "Cannot use transactional methods without enabling transactions by setting the transactional.id configuration property",
            ),
            phase => errors::state(format!(
                "Invalid transition attempted to {what} from state {phase:?}"
            )),
        }
    }
}

impl Shared {
    fn transactional_id(&self) -> TransactionalId {
        let id = self.settings.transactional_id.clone().unwrap_or_default();
        TransactionalId(StrBytes::from_string(id))
    }

    /// A connection to the coordinator.
    async fn coordinator(&self) -> Result<Arc<Connection>, KafkaError> {
        let known = self.lock().txn.coordinator;
        let id = match known {
            Some(id) => id,
            None => {
                let id = self
                    .settings
                    .transactional_id
                    .as_deref()
                    .unwrap_or_default();
                let of = CoordinatorOf::Transaction(id);
                let found = self.cluster.find_coordinator(of).await?.id;
                self.lock().txn.coordinator = Some(found);
                found
            }
        };
        let connected = self.cluster.broker(id, Lane::Prompt).await;
        if connected.is_err() {
            self.lock().txn.coordinator = None;
        }
        connected
    }

    async fn rest(&self, error: &KafkaError, attempts: &mut u32) {
        tracing::debug!(%error, "the transaction coordinator is asked again");
        let wait = match error.class == codes::class(CONCURRENT_TRANSACTIONS) {
            true => CONCURRENT,
            false => self.settings.backoff.after(*attempts),
        };
        *attempts += 1;
        tokio::time::sleep(wait).await;
    }

    /// Forgets who the coordinator is after an answer that says so, or none.
    fn note_coordinator(&self, error: &KafkaError) {
        if error.class != codes::class(CONCURRENT_TRANSACTIONS) {
            self.lock().txn.coordinator = None;
        }
    }

    /// Asks for an id, or for the next epoch of the one that is given.
    async fn init_producer_id(
        &self,
        of: Option<ProducerId>,
    ) -> Result<(ProducerId, bool), KafkaError> {
        let mut attempts = 0;
        loop {
            match self.init_once(of).await {
                Err(error) if error.is_retriable() => {
                    self.note_coordinator(&error);
                    self.rest(&error, &mut attempts).await;
                }
                outcome => return outcome,
            }
        }
    }

    async fn init_once(&self, of: Option<ProducerId>) -> Result<(ProducerId, bool), KafkaError> {
        let connection = self.coordinator().await?;
        let settings = &self.settings;
        let make = |version| {
            let of = of.filter(|_| version >= INIT_FROM);
            let of = of.unwrap_or(ProducerId { id: -1, epoch: -1 });
            InitProducerIdRequest::default()
                .with_transactional_id(Some(self.transactional_id()))
                .with_transaction_timeout_ms(settings.transaction_timeout)
                .with_producer_id(WireId(of.id))
                .with_producer_epoch(of.epoch)
        };
        let answer = connection.call(make, settings.request_timeout).await?;
        codes::check(answer.error_code, "initProducerId", None)?;
        let id = ProducerId {
            id: answer.producer_id.0,
            epoch: answer.producer_epoch,
        };
        Ok((id, connection.transaction_version() >= 2))
    }

    /// Registers the transactional id.
    pub(super) async fn init_transactions(&self) -> Result<(), KafkaError> {
        {
            let mut state = self.lock();
            match state.txn.phase {
                TxnPhase::Uninitialised | TxnPhase::Initialising => {}
                _ => return Err(state.not_in("INITIALIZING")),
            }
            state.txn.phase = TxnPhase::Initialising;
        }
        let block = self.settings.max_block;
        let outcome = tokio::time::timeout(block, self.init_producer_id(None)).await;
        let mut state = self.lock();
        match outcome {
            Ok(Ok((id, v2))) => {
                state.identity = Identity::Known(id);
                state.txn.v2 = v2;
                state.txn.phase = TxnPhase::Ready;
                Ok(())
            }
            Ok(Err(error)) => {
                state.txn.phase = TxnPhase::Fatal(error.clone());
                Err(error)
            }
            Err(_) => {
                state.txn.phase = TxnPhase::Uninitialised;
                let block = block.as_millis();
                Err(errors::timeout(format!(
                    "Timeout expired after {block}ms while awaiting InitProducerId"
                )))
            }
        }
    }

    /// Begins a transaction.
    pub(super) fn begin(&self) -> Result<(), KafkaError> {
        let mut state = self.lock();
        match state.txn.phase {
            TxnPhase::Ready => {
                state.txn.phase = TxnPhase::Open;
                state.txn.started = false;
                state.txn.bump = false;
                state.txn.added.clear();
                state.txn.to_add.clear();
                Ok(())
            }
            _ => Err(state.not_in("IN_TRANSACTION")),
        }
    }

    /// Commits what was sent since it began.
    pub(super) async fn commit(&self) -> Result<(), CommitError> {
        let block = self.settings.max_block;
        match tokio::time::timeout(block, self.commit_all()).await {
            Ok(outcome) => outcome,
            Err(_) => {
                let block = block.as_millis();
                let error = errors::timeout(format!(
                    "Timeout expired after {block}ms while awaiting EndTxn(true)"
                ));
                self.lock().txn.phase = TxnPhase::Fatal(error.clone());
                Err(CommitError::Unknown(error))
            }
        }
    }

    async fn commit_all(&self) -> Result<(), CommitError> {
        {
            let mut state = self.lock();
            if !matches!(state.txn.phase, TxnPhase::Open) {
                return Err(by_kind(state.not_in("COMMITTING_TRANSACTION")));
            }
            state.txn.phase = TxnPhase::Committing;
        }
        self.settled().await;
        self.added().await;
        {
            let mut state = self.lock();
            if !matches!(state.txn.phase, TxnPhase::Committing) {
                return Err(by_kind(state.not_in("COMMITTING_TRANSACTION")));
            }
            if !state.txn.started {
                state.txn.phase = TxnPhase::Ready;
                return Ok(());
            }
        }
        let mut attempts = 0;
        loop {
            match self.end_once(true).await {
                Ok(()) => return Ok(()),
                Err(NotEnded::NotYet(error)) => {
                    self.note_coordinator(&error);
                    self.rest(&error, &mut attempts).await;
                }
                Err(NotEnded::Unknown(error)) => {
                    self.lock().txn.phase = TxnPhase::Fatal(error.clone());
                    return Err(CommitError::Unknown(error));
                }
                Err(NotEnded::Refused(error)) => {
                    let abortable = error.class == codes::class(TRANSACTION_ABORTABLE);
                    self.lock().txn.phase = match abortable {
                        true => TxnPhase::Failed(error.clone()),
                        false => TxnPhase::Fatal(error.clone()),
                    };
                    return Err(by_kind(error));
                }
            }
        }
    }

    /// Aborts: what is not under way is not sent any more.
    pub(super) async fn abort(&self) -> Result<(), KafkaError> {
        let block = self.settings.max_block;
        match tokio::time::timeout(block, self.abort_all()).await {
            Ok(outcome) => outcome,
            Err(_) => {
                let block = block.as_millis();
                let error = errors::timeout(format!(
                    "Timeout expired after {block}ms while awaiting EndTxn(false)"
                ));
                self.lock().txn.phase = TxnPhase::Fatal(error.clone());
                Err(error)
            }
        }
    }

    async fn abort_all(&self) -> Result<(), KafkaError> {
        {
            let mut state = self.lock();
            match state.txn.phase {
                TxnPhase::Open | TxnPhase::Failed(_) => {}
                _ => return Err(state.not_in("ABORTING_TRANSACTION")),
            }
            state.txn.phase = TxnPhase::Aborting;
            state.fail_queued(&errors::aborted());
        }
        self.settled().await;
        self.added().await;
        {
            let mut state = self.lock();
            if !matches!(state.txn.phase, TxnPhase::Aborting) {
                return Err(state.not_in("ABORTING_TRANSACTION"));
            }
            if !state.txn.started {
                state.txn.phase = TxnPhase::Ready;
                return Ok(());
            }
        }
        let mut attempts = 0;
        loop {
            match self.end_once(false).await {
                Ok(()) => return self.raise_epoch().await,
                Err(NotEnded::NotYet(error)) => {
                    self.note_coordinator(&error);
                    self.rest(&error, &mut attempts).await;
                }
                // To abort twice is to abort; but nothing late of it may meet the next transaction.
                Err(NotEnded::Unknown(error)) => {
                    self.lock().txn.bump = true;
                    self.note_coordinator(&error);
                    self.rest(&error, &mut attempts).await;
                }
                Err(NotEnded::Refused(error)) => {
                    self.lock().txn.phase = TxnPhase::Fatal(error.clone());
                    return Err(error);
                }
            }
        }
    }

    /// What is being added must not be taken for a part of the next transaction.
    async fn added(&self) {
        self.until(|state| (!state.txn.adding).then_some(())).await;
    }

    /// Without KIP-890 the epoch is raised by us, where a sequence was lost.
    async fn raise_epoch(&self) -> Result<(), KafkaError> {
        let current = {
            let mut state = self.lock();
            if state.txn.v2 || !state.txn.bump {
                return Ok(());
            }
            state.txn.phase = TxnPhase::Aborting;
            state.producer_id()
        };
        let raised = self.init_producer_id(current).await;
        let mut state = self.lock();
        match raised {
            Ok((id, v2)) => {
                state.identity = Identity::Known(id);
                state.txn.v2 = v2;
                state.txn.bump = false;
                state.txn.phase = TxnPhase::Ready;
                Ok(())
            }
            Err(error) => {
                state.txn.phase = TxnPhase::Fatal(error.clone());
                Err(error)
            }
        }
    }

    async fn end_once(&self, commit: bool) -> Result<(), NotEnded> {
        let connection = self
            .coordinator()
            .await
            .map_err(|error| match error.is_retriable() {
                true => NotEnded::NotYet(error),
                false => NotEnded::Refused(error),
            })?;
        let (id, v2) = {
            let state = self.lock();
            (state.producer_id(), state.txn.v2)
        };
        let Some(id) = id else {
            return Err(NotEnded::Refused(errors::state("there is no producer id")));
        };
        let request = EndTxnRequest::default()
            .with_transactional_id(self.transactional_id())
            .with_producer_id(WireId(id.id))
            .with_producer_epoch(id.epoch)
            .with_committed(commit);
        let most = if v2 { i16::MAX } else { END_V1_MAX };
        let timeout = self.settings.request_timeout;
        let answer = connection.call_up_to(most, |_| request, timeout).await;
        let answer = answer.map_err(|error| match error.kind {
            KafkaErrorKind::Unknown => NotEnded::Unknown(error),
            KafkaErrorKind::Retriable => NotEnded::NotYet(error),
            _ => NotEnded::Refused(error),
        })?;
        match answer.error_code {
            0 => {}
            code => {
                let error = codes::error(code, "endTxn", None);
                let definite = [
                    INVALID_TXN_STATE,
                    INVALID_PID_MAPPING,
                    TRANSACTION_ABORTABLE,
                ];
                return Err(match error.kind {
                    _ if NOT_NOW.contains(&code) => NotEnded::NotYet(error),
                    KafkaErrorKind::Fenced | KafkaErrorKind::Unauthorized => {
                        NotEnded::Refused(error)
                    }
                    _ if definite.contains(&code) => NotEnded::Refused(error),
                    _ => NotEnded::Unknown(error),
                });
            }
        }
        let mut state = self.lock();
        if v2 && answer.producer_id.0 >= 0 {
            // Rows of sequences begin anew under the next epoch.
            state.identity = Identity::Known(ProducerId {
                id: answer.producer_id.0,
                epoch: answer.producer_epoch,
            });
        }
        state.txn.v2 = connection.transaction_version() >= 2;
        state.txn.started = false;
        state.txn.added.clear();
        state.txn.to_add.clear();
        state.txn.phase = TxnPhase::Ready;
        if v2 {
            state.txn.bump = false;
        }
        Ok(())
    }

    /// Adds partitions to the transaction (without KIP-890).
    pub(super) async fn add_partitions(&self, add: &[At]) -> Result<(), KafkaError> {
        let mut attempts = 0;
        loop {
            match self.add_once(add).await {
                Err(error) if error.is_retriable() => {
                    self.note_coordinator(&error);
                    self.rest(&error, &mut attempts).await;
                }
                outcome => return outcome,
            }
        }
    }

    async fn add_once(&self, add: &[At]) -> Result<(), KafkaError> {
        let connection = self.coordinator().await?;
        let (id, topics) = {
            let state = self.lock();
            let mut add = add.to_vec();
            add.sort();
            let of_topic = |list: &[At]| {
                let name = list.first().map(|at| state.topics.name(*at).to_string());
                let name = TopicName(StrBytes::from_string(name.unwrap_or_default()));
                let places = list
                    .iter()
                    .filter_map(|at| i32::try_from(at.partition).ok());
                AddPartitionsToTxnTopic::default()
                    .with_name(name)
                    .with_partitions(places.collect())
            };
            let topics: Vec<_> = add
                .chunk_by(|a, b| a.topic == b.topic)
                .map(of_topic)
                .collect();
            (state.producer_id(), topics)
        };
        let id = id.ok_or_else(|| errors::state("there is no producer id"))?;
        let request = AddPartitionsToTxnRequest::default()
            .with_v3_and_below_transactional_id(self.transactional_id())
            .with_v3_and_below_producer_id(WireId(id.id))
            .with_v3_and_below_producer_epoch(id.epoch)
            .with_v3_and_below_topics(topics);
        let timeout = self.settings.request_timeout;
        let answer = connection.call_up_to(ADD_MAX, |_| request, timeout).await?;
        for topic in &answer.results_by_topic_v3_and_below {
            for one in &topic.results_by_partition {
                // Not attempted because another failed: that one is the reason.
                const NOT_ATTEMPTED: i16 = 55;
                if one.partition_error_code != NOT_ATTEMPTED {
                    let what = format!("{}-{}", topic.name.as_str(), one.partition_index);
                    codes::check(one.partition_error_code, &what, None)?;
                }
            }
        }
        Ok(())
    }
}
