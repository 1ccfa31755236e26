//! Committing and fetching offsets in our epoch (Java: `CommitRequestManager`).
//!
//! An epoch can be behind what the coordinator has, while the answer that says so is on its way: then the commit waits
//! for it. Everything else is the task's to try again.

use super::{
    super::{TaskEvent, TopicPartition},
    BrokerAssigned, GroupRequest, MemberOutput,
    machine::task,
};
use crate::{
    effect::{Effects, Token},
    group::membership::{
        CommitFailure, ErrorCode, FetchAnswer, FetchFailure, FetchedOffset, OffsetToCommit,
        RequestFailure, RequestId, classify_commit, classify_fetch,
    },
    time::Now,
};

/// How often a commit is sent in a newer epoch: each takes one more rebalance on the way.
const ATTEMPTS: u32 = 5;

/// A commit of the task's.
#[derive(Clone, Debug)]
pub(super) struct UnderWay {
    request: RequestId,
    offsets: Vec<OffsetToCommit>,
    epoch: i32,
    attempts: u32,
}

/// Whether the coordinator knows more about our membership than we do.
const fn is_behind(code: ErrorCode) -> bool {
    matches!(
        code,
        ErrorCode::STALE_MEMBER_EPOCH
            | ErrorCode::UNKNOWN_MEMBER_ID
            | ErrorCode::GROUP_ID_NOT_FOUND
    )
}

impl BrokerAssigned {
    pub(super) fn commit(
        &mut self,
        request: RequestId,
        offsets: Vec<OffsetToCommit>,
        out: &mut Effects<MemberOutput>,
    ) {
        if self.epoch <= 0 || !self.holds() {
            let result = Err(CommitFailure::Rejoin);
            task(out, TaskEvent::CommitDone { request, result });
            return;
        }
        if !self.has_coordinator() {
            let result = Err(CommitFailure::Retriable(RequestFailure::Unreachable));
            task(out, TaskEvent::CommitDone { request, result });
            return;
        }
        let commit = UnderWay {
            request,
            offsets,
            epoch: self.epoch,
            attempts: 0,
        };
        self.send_commit(commit, out);
    }

    fn send_commit(&mut self, mut commit: UnderWay, out: &mut Effects<MemberOutput>) {
        commit.epoch = self.epoch;
        commit.attempts += 1;
        let token = self.tokens.next();
        out.push(MemberOutput::Request(GroupRequest::Commit {
            token,
            epoch: self.epoch,
            member: self.settings.member.clone(),
            offsets: commit.offsets.clone(),
        }));
        self.commits.insert(token, commit);
    }

    /// We are in a new epoch.
    pub(super) fn send_stale(&mut self, out: &mut Effects<MemberOutput>) {
        for commit in std::mem::take(&mut self.stale) {
            self.send_commit(commit, out);
        }
    }

    /// There will be no new epoch for what we held.
    pub(super) fn drop_stale(&mut self, out: &mut Effects<MemberOutput>) {
        for commit in std::mem::take(&mut self.stale) {
            let result = Err(CommitFailure::Rejoin);
            let request = commit.request;
            task(out, TaskEvent::CommitDone { request, result });
        }
    }

    pub(super) fn committed(
        &mut self,
        now: Now,
        token: Token,
        result: Result<Vec<(TopicPartition, ErrorCode)>, RequestFailure>,
        out: &mut Effects<MemberOutput>,
    ) {
        let Some(commit) = self.commits.remove(&token) else {
            return;
        };
        let request = commit.request;
        let codes: Vec<ErrorCode> = match result {
            Ok(codes) => codes.into_iter().map(|(_, code)| code).collect(),
            Err(RequestFailure::Code(code)) => vec![code],
            Err(failure) => {
                self.lose_coordinator(now);
                let result = Err(CommitFailure::Retriable(failure));
                task(out, TaskEvent::CommitDone { request, result });
                return;
            }
        };
        if codes.iter().any(|code| code.means_other_coordinator()) {
            self.lose_coordinator(now);
        }
        if codes.iter().copied().any(is_behind) {
            self.full = true;
            self.hurry(now);
        }
        let stale = codes.contains(&ErrorCode::STALE_MEMBER_EPOCH);
        if stale && commit.attempts < ATTEMPTS && self.epoch > 0 && self.holds() {
            match self.epoch == commit.epoch {
                true => self.stale.push(commit),
                false => self.send_commit(commit, out),
            }
            return;
        }
        let result = codes.into_iter().try_for_each(classify_commit);
        task(out, TaskEvent::CommitDone { request, result });
    }

    pub(super) fn fetch(
        &mut self,
        request: RequestId,
        partitions: Vec<TopicPartition>,
        out: &mut Effects<MemberOutput>,
    ) {
        if self.epoch <= 0 || !self.has_coordinator() {
            let result = Err(FetchFailure::Retriable(RequestFailure::Unreachable));
            task(out, TaskEvent::FetchDone { request, result });
            return;
        }
        let token = self.tokens.next();
        self.fetches.insert(token, request);
        out.push(MemberOutput::Request(GroupRequest::Fetch {
            token,
            epoch: self.epoch,
            member: self.settings.member.clone(),
            partitions,
        }));
    }

    pub(super) fn fetched(
        &mut self,
        now: Now,
        token: Token,
        result: Result<Vec<FetchAnswer>, RequestFailure>,
        out: &mut Effects<MemberOutput>,
    ) {
        if let Some(request) = self.fetches.remove(&token) {
            let result = self.fetch_result(now, result);
            task(out, TaskEvent::FetchDone { request, result });
        }
    }

    fn fetch_result(
        &mut self,
        now: Now,
        result: Result<Vec<FetchAnswer>, RequestFailure>,
    ) -> Result<Vec<(TopicPartition, FetchedOffset)>, FetchFailure> {
        let answers = result.map_err(|failure| {
            self.lose_coordinator(now);
            FetchFailure::Retriable(failure)
        })?;
        let mut offsets = Vec::with_capacity(answers.len());
        for (partition, answer) in answers {
            match answer {
                Ok(offset) => offsets.push((partition, offset)),
                Err(code) if is_behind(code) => {
                    self.full = true;
                    self.hurry(now);
                    return Err(FetchFailure::Retriable(RequestFailure::Code(code)));
                }
                Err(code) => {
                    if code.means_other_coordinator() {
                        self.lose_coordinator(now);
                    }
                    classify_fetch(code)?;
                }
            }
        }
        Ok(offsets)
    }
}
