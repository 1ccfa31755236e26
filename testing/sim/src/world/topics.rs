//! The config and status topics, and the REST calls between workers.

use milena_core::{
    cluster::KeyValue,
    herder::{HerderInput, Outcome, Request, RequestId, TopicRecord},
    status::StatusRecord,
};

use super::{
    engine::{Event, Origin, World},
    host::Link,
};
use crate::{cleaner, coordinator::ReplyTo};

/// The bound of a config write.
const WRITE_TIMEOUT: u64 = 30_000;
/// `worker.sync.timeout.ms`.
const READ_TIMEOUT: u64 = 3_000;
/// How long a worker waits for another's answer.
const PEER_TIMEOUT: u64 = 90_000;

fn record(offset: usize, record: KeyValue) -> TopicRecord {
    TopicRecord {
        offset: i64::try_from(offset).unwrap_or(i64::MAX),
        key: Some(record.key.into_bytes()),
        value: record.value,
    }
}

impl World {
    fn is_cut(&self, worker: usize) -> bool {
        self.hosts
            .get(worker)
            .is_none_or(|host| host.link != Link::Up)
    }

    pub(super) fn write_config(
        &mut self,
        to: ReplyTo,
        records: Vec<KeyValue>,
        transactional: bool,
    ) {
        self.expect(to.worker, to.token);
        let records: Vec<TopicRecord> = records.into_iter().map(|r| record(0, r)).collect();
        let delay = self.delay(to.worker);
        if self.is_cut(to.worker) {
            self.seen("config writes cut off");
            // It may have been on its way: then it is in the topic, and nobody hears so. Without a transaction a
            // part of it may be.
            if self.rng.permille(300) {
                let mut records = records;
                if !transactional && records.len() > 1 && self.rng.permille(500) {
                    self.seen("writes torn");
                    let kept = self.rng.between(1, records.len() as u64 - 1);
                    records.truncate(usize::try_from(kept).unwrap_or(1));
                }
                self.after(
                    delay,
                    Event::Append {
                        to,
                        records,
                        transactional,
                        answer: false,
                    },
                );
            }
            self.outcome(to, WRITE_TIMEOUT, Outcome::Unknown);
            return;
        }
        self.after(
            delay,
            Event::Append {
                to,
                records,
                transactional,
                answer: true,
            },
        );
    }

    pub(super) fn append(
        &mut self,
        to: ReplyTo,
        records: Vec<TopicRecord>,
        transactional: bool,
        answer: bool,
    ) {
        let fenced = transactional && self.privilege != Some((to.worker, to.process));
        if !fenced {
            for mut record in records {
                record.offset = self.config_end;
                self.config_end += 1;
                self.config.push(record);
            }
            for worker in 0..self.hosts.len() {
                self.tail_soon(worker);
            }
        } else {
            self.seen("writers fenced");
        }
        if answer {
            let delay = self.delay(to.worker);
            let outcome = if fenced {
                Outcome::Fenced
            } else {
                Outcome::Done
            };
            self.outcome(to, delay, outcome);
        }
    }

    pub(super) fn claim(&mut self, to: ReplyTo) {
        self.expect(to.worker, to.token);
        if self.is_cut(to.worker) {
            self.outcome(to, WRITE_TIMEOUT, Outcome::Unknown);
            return;
        }
        self.privilege = Some((to.worker, to.process));
        let delay = self.delay(to.worker);
        self.outcome(to, delay, Outcome::Done);
    }

    pub(super) fn write_status(&mut self, worker: usize, status: StatusRecord) {
        if let Some(host) = self.hosts.get_mut(worker) {
            host.outbox.push(status.encode());
        }
        self.flush_statuses(worker);
    }

    /// What waits for the link, once it carries.
    pub(super) fn flush_statuses(&mut self, worker: usize) {
        let Some(host) = self
            .hosts
            .get_mut(worker)
            .filter(|host| host.link == Link::Up)
        else {
            return;
        };
        let waiting = std::mem::take(&mut host.outbox);
        if waiting.is_empty() {
            return;
        }
        for status in waiting {
            let offset = self.status.len();
            self.status.push(record(offset, status));
        }
        for worker in 0..self.hosts.len() {
            self.tail_soon(worker);
        }
    }

    /// The log cleaner: of each key only the last record stays, but for the newest records; and a tombstone goes once
    /// every reader has had the time to see it.
    pub(super) fn compact(&mut self) {
        let pause = self.rng.between(5_000, 120_000);
        self.after(pause, Event::Compact);
        // The active segment is never cleaned, and the last record is always in it.
        let active = self.rng.between(1, 12);
        let drops = self.rng.permille(300);
        self.clean(i64::try_from(active).unwrap_or(1), drops);
    }

    /// Cleans all but the last records; `drops`: tombstones that everybody has seen, too.
    pub(super) fn clean(&mut self, active: i64, drops: bool) {
        let clean_to = self.config_end - active;
        let running = self.hosts.iter().filter(|host| host.is_running());
        let read = running
            .map(|host| host.config_read)
            .min()
            .unwrap_or(i64::MAX);
        let tombstones_to = if drops { read } else { 0 };
        if cleaner::clean(&mut self.config, clean_to, tombstones_to) > 0 {
            self.seen("compactions");
        }
    }

    pub(super) fn tail_soon(&mut self, worker: usize) {
        let delay = self.delay(worker);
        if let Some(process) = self.hosts.get(worker).map(|host| host.process) {
            self.after(delay, Event::Tail { worker, process });
        }
    }

    /// Everything the worker has not read yet.
    pub(super) fn tail(&mut self, worker: usize, process: u32) {
        if self.is_cut(worker) {
            return;
        }
        let Some(host) = self.host(worker, process) else {
            return;
        };
        if host.frozen || host.blind {
            return;
        }
        let (config_read, status_read) = (host.config_read, host.status_read);
        let config: Vec<TopicRecord> = {
            let unread = self
                .config
                .iter()
                .filter(|record| record.offset >= config_read);
            unread.cloned().collect()
        };
        let config_end = self.config_end;
        let status: Vec<TopicRecord> = self.status.iter().skip(status_read).cloned().collect();
        if let Some(host) = self.host(worker, process) {
            host.config_read = config_end;
            host.status_read += status.len();
        }
        if !config.is_empty() {
            self.input(worker, process, HerderInput::ConfigRecords(config));
        }
        if !status.is_empty() {
            self.input(worker, process, HerderInput::StatusRecords(status));
        }
    }

    pub(super) fn read_to_end(&mut self, to: ReplyTo) {
        let Some(host) = self.host(to.worker, to.process) else {
            return;
        };
        if host.frozen {
            self.after(100, Event::ReadToEnd { to });
            return;
        }
        if host.blind || host.link != Link::Up {
            self.seen("config reads failed");
            self.outcome(to, READ_TIMEOUT, Outcome::Unknown);
            return;
        }
        self.tail(to.worker, to.process);
        self.outcome(to, 0, Outcome::Done);
    }

    /// A signed request to the worker with this address.
    pub(super) fn ask_peer(&mut self, to: ReplyTo, url: &str, request: Request) {
        self.expect(to.worker, to.token);
        let peer = self
            .hosts
            .iter()
            .position(|host| host.url == url && host.is_running());
        let Some(peer) = peer.filter(|peer| !self.is_cut(*peer)) else {
            self.outcome(to, 50, Outcome::Failed("connection refused".to_owned()));
            return;
        };
        self.outcome(to, PEER_TIMEOUT, Outcome::Unknown);
        self.ask(peer, request, Origin::Peer(to));
    }

    pub(super) fn ask(&mut self, worker: usize, request: Request, origin: Origin) {
        self.last_request += 1;
        let id = self.last_request;
        self.origins.insert(id, origin);
        let Some(process) = self.hosts.get(worker).map(|host| host.process) else {
            return;
        };
        let delay = self.rng.between(1, 20);
        let input = HerderInput::Request {
            id: RequestId(id),
            request,
        };
        self.after(
            delay,
            Event::Input {
                worker,
                process,
                input,
            },
        );
    }
}
