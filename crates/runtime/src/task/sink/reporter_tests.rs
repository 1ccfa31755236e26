//! The errant record reporter by itself: what a sink task's report becomes.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use milena_api::ErrantRecordReporter as _;
use milena_config::Props;
use milena_core::ConnectorName;
use milena_data::{SinkOrigin, TimestampType};
use milena_kafka::ports::{
    self, CommitError, Header, KafkaError, KafkaErrorKind, OutRecord, Producer,
};
use tokio_util::sync::CancellationToken;

use super::*;
use crate::task::metrics::TaskMetricsBook;

/// A producer that keeps what it is given; it may refuse records or never make them durable.
#[derive(Clone, Default)]
struct Kept {
    sent: Arc<Mutex<Vec<OutRecord>>>,
    flushed: Arc<Mutex<usize>>,
    refuses: bool,
    never_durable: bool,
}

fn unavailable() -> KafkaError {
    KafkaError::new(KafkaErrorKind::Retriable, "too late")
}

#[async_trait]
impl Producer for Kept {
    async fn send(&self, batch: Vec<OutRecord>) -> Result<(), (usize, KafkaError)> {
        if self.refuses {
            return Err((0, unavailable()));
        }
        self.sent.lock().unwrap().extend(batch);
        Ok(())
    }
    fn stop_at_failure(&self) {}
    async fn flush(&self) -> Result<(), KafkaError> {
        if self.never_durable {
            return Err(unavailable());
        }
        *self.flushed.lock().unwrap() = self.sent.lock().unwrap().len();
        Ok(())
    }
    async fn init_transactions(&self) -> Result<(), KafkaError> {
        Ok(())
    }
    async fn begin(&self) -> Result<(), KafkaError> {
        Ok(())
    }
    async fn commit(&self) -> Result<(), CommitError> {
        Ok(())
    }
    async fn abort(&self) -> Result<(), KafkaError> {
        Ok(())
    }
    async fn close(&self, _: Duration) {}
}

/// A reporter with what it writes to and counts in.
struct Case {
    reporter: Reporter,
    metrics: TaskMetricsBook,
}

impl Case {
    /// With this `errors.tolerance`, and a queue on this producer.
    fn new(tolerance: &str, queue: Option<&Kept>) -> Self {
        let id = ConnectorName::from("c").task(3);
        let book = TaskMetricsBook::default();
        let metrics = book.open(&id);
        let config: Props = [
            ("errors.tolerance", tolerance),
            ("errors.log.enable", "true"),
        ]
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .into();
        let policy = ErrorPolicy::new(
            &config,
            id.clone(),
            Arc::clone(&metrics),
            CancellationToken::new(),
        );
        let on = |kept: &Kept| Arc::new(DeadLetters::on(&id, Box::new(kept.clone()), &metrics));
        let reporter = Reporter {
            policy: Arc::new(policy),
            dead_letters: queue.map(on),
            originals: Arc::default(),
            exceeded: Arc::default(),
        };
        // What was consumed; a transform has since given the record another topic and value.
        reporter.originals.keep("t", 1, &consumed());
        Self {
            reporter,
            metrics: book,
        }
    }

    async fn report(&self, offset: i64) -> Result<Box<dyn ReportTicket>, ConnectError> {
        let origin = SinkOrigin {
            topic: "t".into(),
            partition: 1,
            offset,
            timestamp_type: TimestampType::CreateTime,
        };
        let record = milena_data::Record {
            topic: "renamed".into(),
            origin: Some(origin),
            ..milena_data::Record::default()
        };
        self.reporter
            .report(record, ConnectError::data("does not fit"))
            .await
    }

    fn counted(&self, name: &str) -> String {
        let beans = self.metrics.beans();
        let mut found = beans.iter().flat_map(|bean| &bean.attributes);
        let (_, reading) = found.find(|(own, _)| *own == name).unwrap();
        format!("{reading:?}")
    }
}

fn consumed() -> InRecord {
    InRecord {
        offset: 7,
        timestamp: 1234,
        timestamp_type: ports::TimestampType::CreateTime,
        key: Some(Bytes::from_static(b"key")),
        value: Some(Bytes::from_static(b"raw \xff")),
        headers: vec![Header {
            key: "own".into(),
            value: None,
        }],
    }
}

fn text(header: &Header) -> (&str, Option<&str>) {
    let value = header.value.as_deref();
    (&header.key, value.map(|v| std::str::from_utf8(v).unwrap()))
}

#[tokio::test]
async fn a_report_is_the_original_record_with_its_context_and_durable_when_its_ticket_says_so() {
    let kept = Kept::default();
    let case = Case::new("all", Some(&kept));
    let ticket = case.report(7).await.unwrap();
    {
        let sent = kept.sent.lock().unwrap();
        let [record] = &sent[..] else {
            panic!("one record, not {sent:?}");
        };
        assert_eq!((&*record.topic, record.timestamp), ("dead", Some(1234)));
        assert_eq!(record.key.as_deref(), Some(&b"key"[..]));
        assert_eq!(record.value.as_deref(), Some(&b"raw \xff"[..]));
        let headers: Vec<_> = record.headers.iter().map(text).collect();
        let class = "org.apache.kafka.connect.errors.DataException";
        assert_eq!(
            headers[..10],
            [
                ("own", None),
                ("__connect.errors.topic", Some("t")),
                ("__connect.errors.partition", Some("1")),
                ("__connect.errors.offset", Some("7")),
                ("__connect.errors.connector.name", Some("c")),
                ("__connect.errors.task.id", Some("3")),
                ("__connect.errors.stage", Some("TASK_PUT")),
                ("__connect.errors.class.name", Some(SINK_TASK)),
                ("__connect.errors.exception.class.name", Some(class)),
                ("__connect.errors.exception.message", Some("does not fit")),
            ]
        );
    }
    assert_eq!(
        *kept.flushed.lock().unwrap(),
        0,
        "a report alone waits for nothing"
    );
    ticket.done().await.unwrap();
    assert_eq!(*kept.flushed.lock().unwrap(), 1);
    assert_eq!(case.reporter.exceeded.lock().unwrap().take(), None);
    assert_eq!(
        case.counted("deadletterqueue-produce-requests"),
        "Number(1.0)"
    );
    assert_eq!(case.counted("total-records-skipped"), "Number(1.0)");
    assert_eq!(case.counted("total-errors-logged"), "Number(1.0)");
}

#[tokio::test]
async fn beyond_tolerance_the_record_is_written_and_the_task_fails_even_if_it_goes_on() {
    let kept = Kept::default();
    let case = Case::new("none", Some(&kept));
    let error = case.report(7).await.err().unwrap();
    let exceeded = "Tolerance exceeded in error handler";
    assert_eq!(error.message.as_deref(), Some(exceeded));
    let cause = error.cause.as_deref().unwrap();
    assert_eq!(cause.message.as_deref(), Some("does not fit"));
    assert_eq!(kept.sent.lock().unwrap().len(), 1);
    assert_eq!(case.reporter.exceeded.lock().unwrap().take(), Some(error));
    assert_eq!(case.counted("total-records-skipped"), "Number(0.0)");
}

#[tokio::test]
async fn without_a_queue_a_report_is_logged_counted_and_done() {
    let case = Case::new("all", None);
    // Not of the batch in hand: the log does not need the original.
    for offset in [7, 8] {
        case.report(offset).await.unwrap().done().await.unwrap();
    }
    assert_eq!(case.counted("total-records-skipped"), "Number(2.0)");
    assert_eq!(
        case.counted("deadletterqueue-produce-requests"),
        "Number(0.0)"
    );
}

#[tokio::test]
async fn only_what_was_consumed_can_be_written_and_only_for_the_batch_in_hand() {
    let kept = Kept::default();
    let case = Case::new("all", Some(&kept));
    case.reporter.originals.clear();
    let error = case.report(7).await.err().unwrap();
    assert!(
        error
            .to_string()
            .contains("only records of the batch in hand")
    );
    assert!(kept.sent.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_queue_that_does_not_take_the_record_fails_the_report_or_its_ticket() {
    let refusing = Kept {
        refuses: true,
        ..Kept::default()
    };
    let case = Case::new("all", Some(&refusing));
    let error = case.report(7).await.err().unwrap();
    assert!(
        error.to_string().contains("dead letter queue dead"),
        "{error}"
    );
    assert_eq!(
        case.counted("deadletterqueue-produce-failures"),
        "Number(1.0)"
    );
    // DeadLetterFirst: accepted is not durable.
    let losing = Kept {
        never_durable: true,
        ..Kept::default()
    };
    let case = Case::new("all", Some(&losing));
    let ticket = case.report(7).await.unwrap();
    assert!(ticket.done().await.is_err());
}
