//! A model of the broker's group coordinator, classic protocol, as its source and KIP-62, KIP-394 describe it:
//! members with sessions, rounds with a deadline, and no mercy for who is late.

use std::{collections::BTreeMap, time::Duration};

use milena_core::{
    Token,
    group::{
        GenerationId, MemberId,
        membership::{
            ErrorCode, Input, JoinAnswer, JoinRequest, MemberMetadata, OfferedProtocol,
            RequestFailure,
        },
    },
};

/// Whom an answer goes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReplyTo {
    /// The worker.
    pub worker: usize,
    /// Its process.
    pub process: u32,
    /// The request.
    pub token: Token,
}

/// Answers, in order.
pub type Replies = Vec<(ReplyTo, Input)>;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Empty,
    Preparing { deadline: u64 },
    Completing,
    Stable,
}

#[derive(Debug)]
struct Member {
    expires: u64,
    session: u64,
    rebalance: u64,
    protocols: Vec<OfferedProtocol>,
    assignment: Vec<u8>,
    joining: Option<ReplyTo>,
    syncing: Option<ReplyTo>,
    /// It has asked for its assignment in this generation.
    synced: bool,
    /// The order of arrival decides who leads next.
    arrival: u64,
}

/// One group.
#[derive(Debug)]
pub struct Coordinator {
    state: State,
    /// Until when the members of a generation ask for their assignments.
    sync_by: u64,
    generation: i32,
    leader: Option<MemberId>,
    protocol: String,
    members: BTreeMap<MemberId, Member>,
    pending: BTreeMap<MemberId, u64>,
    ids: u64,
    /// `group.initial.rebalance.delay.ms`.
    initial_delay: u64,
    /// Sessions that ended without goodbye.
    pub expired: u64,
    /// Rounds that went on without a member that did not join in time.
    pub left_behind: u64,
    /// Generations begun.
    pub rounds: u64,
}

fn millis(of: Duration) -> u64 {
    u64::try_from(of.as_millis()).unwrap_or(u64::MAX)
}

const fn refused(code: ErrorCode) -> RequestFailure {
    RequestFailure::Code(code)
}

impl Coordinator {
    /// A group without members.
    #[must_use]
    pub fn new(initial_delay: u64) -> Self {
        Self {
            state: State::Empty,
            sync_by: 0,
            generation: 0,
            leader: None,
            protocol: String::new(),
            members: BTreeMap::new(),
            pending: BTreeMap::new(),
            ids: 0,
            initial_delay,
            expired: 0,
            left_behind: 0,
            rounds: 0,
        }
    }

    /// When something happens by itself.
    #[must_use]
    pub fn deadline(&self) -> Option<u64> {
        let sessions = self
            .members
            .values()
            .filter(|m| !m.waits())
            .map(|m| m.expires);
        let pending = self.pending.values().copied();
        let state = match self.state {
            State::Preparing { deadline } => Some(deadline),
            State::Completing | State::Stable => self.unsynced().then_some(self.sync_by),
            State::Empty => None,
        };
        sessions.chain(pending).chain(state).min()
    }

    /// Lets time pass.
    pub fn tick(&mut self, now: u64, replies: &mut Replies) {
        let awaited = self.pending.len();
        self.pending.retain(|_, expires| *expires > now);
        if self.pending.len() < awaited {
            self.complete_if_all_joined(now, replies);
        }
        let late: Vec<MemberId> = self
            .members
            .iter()
            .filter(|(_, m)| !m.waits() && m.expires <= now)
            .map(|(id, _)| id.clone())
            .collect();
        for id in late {
            self.expired += 1;
            self.remove(now, &id, replies);
        }
        match self.state {
            State::Preparing { deadline } if deadline <= now => {
                let before = self.members.len();
                self.members.retain(|_, member| member.joining.is_some());
                self.left_behind += (before - self.members.len()) as u64;
                self.complete(now, replies);
            }
            State::Completing | State::Stable if self.unsynced() && self.sync_by <= now => {
                let before = self.members.len();
                self.members.retain(|_, member| member.synced);
                self.left_behind += (before - self.members.len()) as u64;
                self.prepare(now, replies);
                self.complete_if_all_joined(now, replies);
            }
            _ => {}
        }
    }

    /// JoinGroup.
    pub fn join(&mut self, now: u64, request: JoinRequest, to: ReplyTo, replies: &mut Replies) {
        let session = millis(request.session_timeout);
        let Some(id) = request.member else {
            self.ids += 1;
            let id = MemberId::from(format!("w{}-{:04}", to.worker, self.ids));
            self.pending.insert(id.clone(), now + session);
            let result = Ok(JoinAnswer::MemberIdRequired(id));
            replies.push((
                to,
                Input::Joined {
                    token: to.token,
                    result,
                },
            ));
            return;
        };
        let known = self.members.contains_key(&id);
        if self.pending.remove(&id).is_none() && !known {
            let result = Err(refused(ErrorCode::UNKNOWN_MEMBER_ID));
            replies.push((
                to,
                Input::Joined {
                    token: to.token,
                    result,
                },
            ));
            return;
        }
        self.ids += 1;
        let arrival = self.ids;
        let member = self.members.entry(id.clone()).or_insert_with(|| Member {
            expires: 0,
            session,
            rebalance: 0,
            protocols: Vec::new(),
            assignment: Vec::new(),
            joining: None,
            syncing: None,
            synced: false,
            arrival,
        });
        let unchanged = known && member.protocols == request.protocols;
        member.protocols = request.protocols;
        member.rebalance = millis(request.rebalance_timeout);
        member.expires = now + session;
        let repeat = match self.state {
            State::Completing => unchanged,
            State::Stable => unchanged && self.leader.as_ref() != Some(&id),
            State::Empty | State::Preparing { .. } => false,
        };
        if repeat {
            let answer = self.answer(&id);
            replies.push((
                to,
                Input::Joined {
                    token: to.token,
                    result: Ok(answer),
                },
            ));
            return;
        }
        member.joining = Some(to);
        if !matches!(self.state, State::Preparing { .. }) {
            self.prepare(now, replies);
        }
        self.complete_if_all_joined(now, replies);
    }

    /// Whether the group waits for the plan of this member and generation.
    #[must_use]
    pub fn awaits_plan(&self, id: &MemberId, generation: GenerationId) -> bool {
        matches!(self.state, State::Completing)
            && self.leader.as_ref() == Some(id)
            && self.refusal(id, generation).is_none()
    }

    /// SyncGroup.
    pub fn sync(
        &mut self,
        now: u64,
        id: &MemberId,
        generation: GenerationId,
        assignments: Vec<(MemberId, Vec<u8>)>,
        to: ReplyTo,
        replies: &mut Replies,
    ) {
        let refusal = self.refusal(id, generation).or(match self.state {
            State::Preparing { .. } => Some(ErrorCode::REBALANCE_IN_PROGRESS),
            State::Empty => Some(ErrorCode::UNKNOWN_MEMBER_ID),
            State::Completing | State::Stable => None,
        });
        if let Some(code) = refusal {
            replies.push((
                to,
                Input::Synced {
                    token: to.token,
                    result: Err(refused(code)),
                },
            ));
            return;
        }
        let stable = self.state == State::Stable;
        let Some(member) = self.members.get_mut(id) else {
            return;
        };
        member.expires = now + member.session;
        member.synced = true;
        if stable {
            let result = Ok(member.assignment.clone());
            replies.push((
                to,
                Input::Synced {
                    token: to.token,
                    result,
                },
            ));
            return;
        }
        member.syncing = Some(to);
        if self.leader.as_ref() != Some(id) {
            return;
        }
        // Whom the plan does not name has nothing, not what it had.
        let mut plan: BTreeMap<MemberId, Vec<u8>> = assignments.into_iter().collect();
        for (id, member) in &mut self.members {
            member.assignment = plan.remove(id).unwrap_or_default();
        }
        self.state = State::Stable;
        for member in self.members.values_mut() {
            member.expires = now + member.session;
            if let Some(to) = member.syncing.take() {
                let result = Ok(member.assignment.clone());
                replies.push((
                    to,
                    Input::Synced {
                        token: to.token,
                        result,
                    },
                ));
            }
        }
    }

    /// Heartbeat.
    pub fn heartbeat(
        &mut self,
        now: u64,
        id: &MemberId,
        generation: GenerationId,
    ) -> Result<(), RequestFailure> {
        if let Some(code) = self.refusal(id, generation) {
            return Err(refused(code));
        }
        if let Some(member) = self.members.get_mut(id) {
            member.expires = now + member.session;
        }
        match self.state {
            State::Preparing { .. } => Err(refused(ErrorCode::REBALANCE_IN_PROGRESS)),
            _ => Ok(()),
        }
    }

    /// What an OffsetCommit of this member is answered with; one that is accepted keeps its session alive.
    pub fn commit_code(&mut self, now: u64, id: &MemberId, generation: GenerationId) -> ErrorCode {
        if let Some(code) = self.refusal(id, generation) {
            return code;
        }
        if matches!(self.state, State::Completing) {
            return ErrorCode::REBALANCE_IN_PROGRESS;
        }
        if let Some(member) = self.members.get_mut(id) {
            member.expires = now + member.session;
        }
        ErrorCode::NONE
    }

    /// LeaveGroup.
    pub fn leave(
        &mut self,
        now: u64,
        id: &MemberId,
        replies: &mut Replies,
    ) -> Result<(), RequestFailure> {
        if self.pending.remove(id).is_some() {
            self.complete_if_all_joined(now, replies);
            return Ok(());
        }
        if !self.members.contains_key(id) {
            return Err(refused(ErrorCode::UNKNOWN_MEMBER_ID));
        }
        self.remove(now, id, replies);
        Ok(())
    }

    /// What each member last offered as its leader reads it, by the protocol in force.
    pub fn metadata(&self) -> impl Iterator<Item = (&MemberId, &[u8])> {
        self.members.iter().filter_map(|(id, member)| {
            let offered = member
                .protocols
                .iter()
                .find(|offered| offered.name == self.protocol)?;
            Some((id, offered.metadata.as_slice()))
        })
    }

    fn refusal(&self, id: &MemberId, generation: GenerationId) -> Option<ErrorCode> {
        if !self.members.contains_key(id) {
            return Some(ErrorCode::UNKNOWN_MEMBER_ID);
        }
        (generation.0 != self.generation).then_some(ErrorCode::ILLEGAL_GENERATION)
    }

    fn remove(&mut self, now: u64, id: &MemberId, replies: &mut Replies) {
        self.members.remove(id);
        match self.state {
            State::Stable | State::Completing => self.prepare(now, replies),
            State::Preparing { .. } | State::Empty => {}
        }
        self.complete_if_all_joined(now, replies);
    }

    /// Somebody of this generation has not asked for its assignment.
    fn unsynced(&self) -> bool {
        self.members.values().any(|member| !member.synced)
    }

    fn prepare(&mut self, now: u64, replies: &mut Replies) {
        for member in self.members.values_mut() {
            if let Some(to) = member.syncing.take() {
                member.expires = now + member.session;
                let result = Err(refused(ErrorCode::REBALANCE_IN_PROGRESS));
                replies.push((
                    to,
                    Input::Synced {
                        token: to.token,
                        result,
                    },
                ));
            }
        }
        let wait = match self.state {
            State::Empty => self.initial_delay,
            _ => self
                .members
                .values()
                .map(|member| member.rebalance)
                .max()
                .unwrap_or(0),
        };
        self.state = State::Preparing {
            deadline: now + wait,
        };
    }

    fn complete_if_all_joined(&mut self, now: u64, replies: &mut Replies) {
        let State::Preparing { deadline } = self.state else {
            return;
        };
        // The first round of a group waits for others to come, and every round for whoever was given an id.
        let first = self.generation == 0 && now < deadline && self.initial_delay > 0;
        if !first
            && self.pending.is_empty()
            && self.members.values().all(|member| member.joining.is_some())
        {
            self.complete(now, replies);
        }
    }

    fn complete(&mut self, now: u64, replies: &mut Replies) {
        self.generation += 1;
        self.rounds += 1;
        if self.members.is_empty() {
            self.state = State::Empty;
            self.leader = None;
            return;
        }
        if self
            .leader
            .as_ref()
            .is_none_or(|leader| !self.members.contains_key(leader))
        {
            let first = self.members.iter().min_by_key(|(_, member)| member.arrival);
            self.leader = first.map(|(id, _)| id.clone());
        }
        self.protocol = self.vote();
        let wait = self
            .members
            .values()
            .map(|member| member.rebalance)
            .max()
            .unwrap_or(0);
        self.state = State::Completing;
        self.sync_by = now + wait;
        let ids: Vec<MemberId> = self.members.keys().cloned().collect();
        for id in ids {
            let answer = self.answer(&id);
            let Some(member) = self.members.get_mut(&id) else {
                continue;
            };
            member.expires = now + member.session;
            member.synced = false;
            if let Some(to) = member.joining.take() {
                replies.push((
                    to,
                    Input::Joined {
                        token: to.token,
                        result: Ok(answer),
                    },
                ));
            }
        }
    }

    /// Each member votes for the first of its protocols that all members offer.
    fn vote(&self) -> String {
        let mut votes: BTreeMap<&str, usize> = BTreeMap::new();
        for member in self.members.values() {
            let common = member.protocols.iter().find(|offered| {
                self.members
                    .values()
                    .all(|m| m.protocols.iter().any(|o| o.name == offered.name))
            });
            if let Some(offered) = common {
                *votes.entry(&offered.name).or_default() += 1;
            }
        }
        let winner = votes.into_iter().max_by_key(|(_, votes)| *votes);
        winner.map(|(name, _)| name.to_owned()).unwrap_or_default()
    }

    fn answer(&self, id: &MemberId) -> JoinAnswer {
        let leader = self.leader.clone().unwrap_or_else(|| id.clone());
        let members = if leader == *id {
            self.metadata()
                .map(|(member, metadata)| MemberMetadata {
                    member: member.clone(),
                    instance: None,
                    metadata: metadata.to_vec(),
                })
                .collect()
        } else {
            Vec::new()
        };
        JoinAnswer::Joined {
            generation: GenerationId(self.generation),
            protocol: self.protocol.clone(),
            leader,
            member: id.clone(),
            members,
        }
    }
}

impl Member {
    /// Whoever waits for an answer of ours is not late.
    const fn waits(&self) -> bool {
        self.joining.is_some() || self.syncing.is_some()
    }
}
