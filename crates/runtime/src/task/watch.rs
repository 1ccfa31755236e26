//! Notices a task whose plugin does not come back from a call: every call of a task's plugin is noted with its limit, and
//! whoever watches over the task learns of the one that is overdue.
//!
//! Java has no such limit: a task that hangs shows RUNNING for ever. Here a plugin may set one for `poll`
//! ([`SourceTask::poll_deadline`]), and an operator one for every call (`milena.task.call.timeout.ms`). A plugin that blocks
//! its thread is noticed like one that only waits: nothing here runs on the thread of the task.

use std::{
    future::Future,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use milena_api::{
    CommittedRecord, ConnectError, PartitionOffsets, SinkTask, SinkTaskContext, SourceTask,
    SourceTaskContext, TaskInstance, TopicPartition,
};
use milena_config::Props;
use milena_data::{SinkRecord, SourceRecord};
use tokio::{
    sync::Notify,
    time::{Instant, sleep, sleep_until},
};

/// A call that is over its limit gets this long once more: after a pause of the whole process every limit seems to be over.
const BENEFIT: Duration = Duration::from_secs(1);

/// A call under way.
#[derive(Clone, Copy, Debug)]
struct Open {
    number: u64,
    name: &'static str,
    begun: Instant,
    limit: Duration,
}

#[derive(Debug, Default)]
struct State {
    last: u64,
    open: Option<Open>,
    shortest: Option<Duration>,
}

/// The calls of one task.
#[derive(Clone, Debug)]
pub(super) struct CallWatch {
    /// `milena.task.call.timeout.ms`; `None`: only a plugin's own limits hold.
    limit: Option<Duration>,
    state: Arc<Mutex<State>>,
    /// There is something to watch.
    needed: Arc<Notify>,
}

impl CallWatch {
    pub(super) fn new(limit: Option<Duration>) -> Self {
        Self {
            limit,
            state: Arc::default(),
            needed: Arc::new(Notify::new()),
        }
    }

    /// A task whose calls are noted. A task without any limit is given back as it is.
    pub(super) fn over(&self, task: TaskInstance) -> TaskInstance {
        match task {
            TaskInstance::Source(task) if self.limit.or(task.poll_deadline()).is_some() => {
                self.watches([self.limit, task.poll_deadline()]);
                TaskInstance::Source(Box::new(Watched {
                    task,
                    watch: self.clone(),
                }))
            }
            TaskInstance::Sink(task) if self.limit.is_some() => {
                self.watches([self.limit, None]);
                TaskInstance::Sink(Box::new(Watched {
                    task,
                    watch: self.clone(),
                }))
            }
            task => task,
        }
    }

    /// Resolves when a call is overdue, with what is to be said of it.
    pub(super) async fn overdue(self) -> ConnectError {
        loop {
            let (open, shortest) = self.with(|state| (state.open, state.shortest));
            let Some(open) = open else {
                match shortest {
                    Some(shortest) => sleep(shortest).await,
                    None => self.needed.notified().await,
                }
                continue;
            };
            sleep_until(open.begun + open.limit).await;
            if self.is_open(open.number) {
                sleep(BENEFIT).await;
                if self.is_open(open.number) {
                    let (name, millis) = (open.name, open.limit.as_millis());
                    return ConnectError::connect(format!(
                        "the task hangs: {name} did not return within {millis} ms"
                    ));
                }
            }
        }
    }

    fn watches(&self, limits: [Option<Duration>; 2]) {
        self.with(|state| state.shortest = limits.into_iter().flatten().min());
        self.needed.notify_one();
    }

    fn is_open(&self, number: u64) -> bool {
        self.with(|state| state.open.is_some_and(|open| open.number == number))
    }

    fn with<T>(&self, look: impl FnOnce(&mut State) -> T) -> T {
        look(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Notes a call for as long as the answer lives.
    async fn call<T>(
        &self,
        name: &'static str,
        limit: Option<Duration>,
        call: impl Future<Output = T>,
    ) -> T {
        let Some(limit) = limit else {
            return call.await;
        };
        self.with(|state| {
            state.last += 1;
            state.open = Some(Open {
                number: state.last,
                name,
                begun: Instant::now(),
                limit,
            });
        });
        let _over = Over(self);
        call.await
    }
}

/// Ends the note of a call, also of one that is dropped.
struct Over<'a>(&'a CallWatch);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.with(|state| state.open = None);
    }
}

struct Watched<T: ?Sized> {
    watch: CallWatch,
    task: Box<T>,
}

impl Watched<dyn SourceTask> {
    fn poll_limit(&self) -> Option<Duration> {
        let limits = [self.task.poll_deadline(), self.watch.limit];
        limits.into_iter().flatten().min()
    }
}

#[async_trait]
impl SourceTask for Watched<dyn SourceTask> {
    async fn start(
        &mut self,
        context: SourceTaskContext,
        config: Props,
    ) -> Result<(), ConnectError> {
        let call = self.task.start(context, config);
        self.watch.call("start", self.watch.limit, call).await
    }

    async fn poll(&mut self) -> Result<Option<Vec<SourceRecord>>, ConnectError> {
        let limit = self.poll_limit();
        self.watch.call("poll", limit, self.task.poll()).await
    }

    fn wants_committed_records(&self) -> bool {
        self.task.wants_committed_records()
    }

    async fn commit_records(&mut self, records: Vec<CommittedRecord>) -> Result<(), ConnectError> {
        let call = self.task.commit_records(records);
        self.watch
            .call("commit_records", self.watch.limit, call)
            .await
    }

    fn take_back(&mut self, records: Vec<SourceRecord>) {
        self.task.take_back(records);
    }

    async fn commit(&mut self) -> Result<(), ConnectError> {
        let call = self.task.commit();
        self.watch.call("commit", self.watch.limit, call).await
    }

    // Its limit is the grace period of the task.
    async fn stop(&mut self) {
        self.task.stop().await;
    }

    fn poll_deadline(&self) -> Option<Duration> {
        self.poll_limit()
    }
}

#[async_trait]
impl SinkTask for Watched<dyn SinkTask> {
    async fn start(&mut self, context: SinkTaskContext, config: Props) -> Result<(), ConnectError> {
        let call = self.task.start(context, config);
        self.watch.call("start", self.watch.limit, call).await
    }

    async fn open(&mut self, partitions: &[TopicPartition]) -> Result<(), ConnectError> {
        let call = self.task.open(partitions);
        self.watch.call("open", self.watch.limit, call).await
    }

    async fn put(&mut self, records: &[SinkRecord]) -> Result<(), ConnectError> {
        let call = self.task.put(records);
        self.watch.call("put", self.watch.limit, call).await
    }

    async fn flush(&mut self, offsets: &PartitionOffsets) -> Result<(), ConnectError> {
        let call = self.task.flush(offsets);
        self.watch.call("flush", self.watch.limit, call).await
    }

    async fn pre_commit(
        &mut self,
        offsets: PartitionOffsets,
    ) -> Result<PartitionOffsets, ConnectError> {
        let call = self.task.pre_commit(offsets);
        self.watch.call("pre_commit", self.watch.limit, call).await
    }

    async fn close(&mut self, partitions: &[TopicPartition]) -> Result<(), ConnectError> {
        let call = self.task.close(partitions);
        self.watch.call("close", self.watch.limit, call).await
    }

    async fn stop(&mut self) {
        self.task.stop().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Polls(Duration);

    #[async_trait]
    impl SourceTask for Polls {
        async fn start(&mut self, _: SourceTaskContext, _: Props) -> Result<(), ConnectError> {
            Ok(())
        }
        async fn poll(&mut self) -> Result<Option<Vec<SourceRecord>>, ConnectError> {
            sleep(self.0).await;
            Ok(None)
        }
        async fn stop(&mut self) {}
    }

    fn watched(watch: &CallWatch, poll: Duration) -> Box<dyn SourceTask> {
        match watch.over(TaskInstance::Source(Box::new(Polls(poll)))) {
            TaskInstance::Source(task) => task,
            TaskInstance::Sink(_) => panic!("a source"),
        }
    }

    #[tokio::test]
    async fn a_call_that_returns_in_time_is_never_overdue() {
        let watch = CallWatch::new(Some(Duration::from_millis(1)));
        let mut task = watched(&watch, Duration::from_millis(2));
        let overdue = tokio::spawn(watch.overdue());
        // Each is over its limit, but gets the benefit of the doubt and returns.
        for _ in 0..100 {
            task.poll().await.unwrap();
        }
        assert!(!overdue.is_finished());
    }

    #[tokio::test]
    async fn a_call_that_hangs_is_noticed_soon_after_its_limit() {
        let watch = CallWatch::new(Some(Duration::from_millis(20)));
        let mut task = watched(&watch, Duration::from_secs(3600));
        let polling = tokio::spawn(async move { task.poll().await });
        let error = watch.overdue().await;
        assert_eq!(
            error.to_string(),
            "the task hangs: poll did not return within 20 ms"
        );
        polling.abort();
    }
}
