//! One group as a state machine: time comes in, answers go to whoever waits. No I/O.
//!
//! Answers to Java's `ClassicGroup` and the classic part of `GroupMetadataManager` (KIP-62, KIP-345,
//! KIP-394, KIP-814).

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use bytes::Bytes;
use tokio::{sync::oneshot, time::Instant};

use super::{
    FENCED_INSTANCE_ID, ILLEGAL_GENERATION, INCONSISTENT_GROUP_PROTOCOL, MEMBER_ID_REQUIRED, NONE,
    REBALANCE_IN_PROGRESS, UNKNOWN_MEMBER_ID,
    member::{Join, JoinAnswer, Member, MemberDescription, SyncAnswer, refuse},
};

#[derive(Clone, Debug, PartialEq, Eq)]
enum Phase {
    Empty,
    /// Members are joining; ends when all have, or then.
    Joining {
        deadline: Instant,
        /// Whether the deadline is the delay of a group's first round, which is waited for.
        delayed: bool,
    },
    /// The leader assigns; ends when it syncs, or then.
    Syncing {
        deadline: Instant,
    },
    Stable,
}

/// A group.
pub(crate) struct GroupState {
    phase: Phase,
    protocol_type: Option<String>,
    protocol: Option<String>,
    generation: i32,
    leader: Option<String>,
    members: BTreeMap<String, Member>,
    /// The order in which members came: the leader is the oldest.
    order: Vec<String>,
    /// Ids that were given with MEMBER_ID_REQUIRED and are not used yet.
    promised: BTreeMap<String, Instant>,
    initial_delay: Duration,
    kept: bool,
}

impl GroupState {
    pub(crate) fn new(initial_delay: Duration) -> Self {
        Self {
            phase: Phase::Empty,
            protocol_type: None,
            protocol: None,
            generation: 0,
            leader: None,
            members: BTreeMap::new(),
            order: Vec::new(),
            promised: BTreeMap::new(),
            initial_delay,
            kept: false,
        }
    }

    pub(crate) fn has_members(&self) -> bool {
        !self.members.is_empty()
    }

    pub(crate) fn state_name(&self) -> &'static str {
        match self.phase {
            Phase::Empty => "Empty",
            Phase::Joining { .. } => "PreparingRebalance",
            Phase::Syncing { .. } => "CompletingRebalance",
            Phase::Stable => "Stable",
        }
    }

    pub(crate) fn protocol_type(&self) -> &str {
        self.protocol_type.as_deref().unwrap_or_default()
    }

    pub(crate) fn protocol(&self) -> &str {
        self.protocol.as_deref().unwrap_or_default()
    }

    pub(crate) fn is_stable(&self) -> bool {
        self.phase == Phase::Stable
    }

    pub(crate) fn describe(&self) -> Vec<MemberDescription> {
        let stable = self.is_stable();
        let one = |(id, member): (&String, &Member)| MemberDescription {
            id: id.clone(),
            instance_id: member.instance_id.clone(),
            client_id: member.client_id.clone(),
            client_host: member.client_host.clone(),
            metadata: if stable {
                member.metadata(self.protocol())
            } else {
                Bytes::new()
            },
            assignment: if stable {
                member.assignment.clone()
            } else {
                Bytes::new()
            },
        };
        self.members.iter().map(one).collect()
    }

    /// A member joins; the answer comes when the round is complete.
    pub(crate) fn join(
        &mut self,
        now: Instant,
        mut join: Join,
        answer: oneshot::Sender<JoinAnswer>,
    ) {
        if !self.fits(&join) {
            return refuse(answer, INCONSISTENT_GROUP_PROTOCOL, &join.member_id);
        }
        let mut former = None;
        if let Some(instance) = &join.instance_id
            && let Some(known) = self.static_member(instance)
        {
            if join.member_id.is_empty() {
                // KIP-345: the same instance came back; it takes the place of its former self.
                self.replace(&known, &join.fresh_id);
                join.member_id = join.fresh_id.clone();
                former = Some(known);
            } else if known != join.member_id {
                return refuse(answer, FENCED_INSTANCE_ID, &join.member_id);
            }
        }
        if join.member_id.is_empty() {
            let id = join.fresh_id.clone();
            if join.requires_known_id && join.instance_id.is_none() {
                self.promised.insert(id.clone(), now + join.session_timeout);
                return refuse(answer, MEMBER_ID_REQUIRED, &id);
            }
            join.member_id = id;
        } else if !self.members.contains_key(&join.member_id)
            && self.promised.remove(&join.member_id).is_none()
        {
            return refuse(answer, UNKNOWN_MEMBER_ID, &join.member_id);
        }
        self.admit(now, join, former, answer);
    }

    /// `former`: the id that a static member had before it came back.
    fn admit(
        &mut self,
        now: Instant,
        join: Join,
        former: Option<String>,
        answer: oneshot::Sender<JoinAnswer>,
    ) {
        let id = join.member_id.clone();
        let known = self.members.get(&id);
        let unchanged = known.is_some_and(|member| member.protocols == join.protocols);
        let leads = self.leader.as_ref() == Some(&id);
        let rejoined = known.is_some_and(|m| m.joining.is_none());
        if unchanged && matches!(self.phase, Phase::Syncing { .. }) && rejoined {
            // It did not hear the answer to its join: it gets it again.
            self.heard(&id, now);
            let again = self.join_answer(&id);
            let _ = answer.send(again);
            return;
        }
        if unchanged && (!leads || former.is_some()) && self.phase == Phase::Stable {
            self.heard(&id, now);
            let mut again = self.join_answer(&id);
            match former {
                Some(_) if leads && join.skips_assignment => again.skip_assignment = true,
                // It cannot be told so, and does not take itself for the leader.
                Some(former) if leads => (again.leader, again.members) = (former, Vec::new()),
                _ => {}
            }
            let _ = answer.send(again);
            return;
        }
        if self.protocol_type.is_none() || self.members.is_empty() {
            self.protocol_type = Some(join.protocol_type.clone());
        }
        if !self.members.contains_key(&id) {
            self.order.push(id.clone());
        }
        let previous = self.members.remove(&id);
        let assignment = previous.map(|member| member.assignment).unwrap_or_default();
        let member = Member {
            instance_id: join.instance_id,
            client_id: join.client_id,
            client_host: join.client_host,
            session_timeout: join.session_timeout,
            rebalance_timeout: join.rebalance_timeout,
            protocols: join.protocols,
            expires: now + join.session_timeout,
            joining: Some(answer),
            syncing: None,
            assignment,
        };
        self.members.insert(id, member);
        self.begin_round(now);
        self.complete_round(now);
    }

    /// A member gave a sign of life.
    fn heard(&mut self, id: &str, now: Instant) {
        if let Some(member) = self.members.get_mut(id) {
            member.expires = now + member.session_timeout;
        }
    }

    fn begin_round(&mut self, now: Instant) {
        let rebalance = self
            .members
            .values()
            .map(|m| m.rebalance_timeout)
            .max()
            .unwrap_or_default();
        match self.phase {
            Phase::Joining { .. } => {}
            Phase::Empty => {
                self.phase = Phase::Joining {
                    deadline: now + self.initial_delay,
                    delayed: true,
                }
            }
            Phase::Syncing { .. } | Phase::Stable => {
                for member in self.members.values_mut() {
                    if let Some(syncing) = member.syncing.take() {
                        let _ = syncing.send(SyncAnswer {
                            error: REBALANCE_IN_PROGRESS,
                            ..SyncAnswer::default()
                        });
                    }
                }
                self.phase = Phase::Joining {
                    deadline: now + rebalance,
                    delayed: false,
                };
            }
        }
    }

    /// Ends the joining phase when everybody has joined, or its time is up.
    fn complete_round(&mut self, now: Instant) {
        let Phase::Joining { deadline, delayed } = self.phase else {
            return;
        };
        // Who was given an id is about to come (KIP-394): a round without it would be followed by another.
        let all = self.promised.is_empty()
            && self.members.values().all(|member| member.joining.is_some());
        if now < deadline && (!all || delayed) {
            return;
        }
        if now >= deadline {
            // Who did not come in time is out; static members are kept until their session ends.
            let late: Vec<String> = self
                .members
                .iter()
                .filter(|(_, m)| m.joining.is_none() && m.instance_id.is_none())
                .map(|(id, _)| id.clone())
                .collect();
            for id in late {
                self.remove(&id);
            }
        }
        if self.members.is_empty() {
            self.empty();
            return;
        }
        self.generation += 1;
        self.protocol = self.vote();
        // The leader must be one that hears of it: a static member that did not rejoin would assign nothing.
        let joins = |id: &&String| self.members.get(*id).is_some_and(|m| m.joining.is_some());
        if self.leader.as_ref().filter(joins).is_none() {
            let heir = self.order.iter().find(joins).or(self.order.first());
            self.leader = heir.cloned();
        }
        let rebalance = self
            .members
            .values()
            .map(|m| m.rebalance_timeout)
            .max()
            .unwrap_or_default();
        self.phase = Phase::Syncing {
            deadline: now + rebalance,
        };
        let ids: Vec<String> = self.members.keys().cloned().collect();
        for id in ids {
            let answer = self.join_answer(&id);
            if let Some(member) = self.members.get_mut(&id) {
                member.expires = now + member.session_timeout;
                if let Some(joining) = member.joining.take() {
                    // A member whose connection is gone is found out by its session.
                    let _ = joining.send(answer);
                }
            }
        }
    }

    fn join_answer(&self, id: &str) -> JoinAnswer {
        let leader = self.leader.clone().unwrap_or_default();
        let members = if leader == id {
            let metadata = |(id, m): (&String, &Member)| {
                (
                    id.clone(),
                    m.instance_id.clone(),
                    m.metadata(self.protocol()),
                )
            };
            self.members.iter().map(metadata).collect()
        } else {
            Vec::new()
        };
        JoinAnswer {
            error: NONE,
            generation: self.generation,
            protocol_type: self.protocol_type.clone(),
            protocol: self.protocol.clone(),
            leader,
            skip_assignment: false,
            member_id: id.to_owned(),
            members,
        }
    }

    /// A member asks for its assignment; the leader brings everybody's.
    pub(crate) fn sync(
        &mut self,
        now: Instant,
        member_id: &str,
        instance_id: Option<&str>,
        generation: i32,
        assignments: Vec<(String, Bytes)>,
        answer: oneshot::Sender<SyncAnswer>,
    ) {
        let refused = self.check(member_id, instance_id, generation);
        let phase = self.phase.clone();
        let code = match (refused, &phase) {
            (Some(code), _) => code,
            (None, Phase::Joining { .. }) => REBALANCE_IN_PROGRESS,
            (None, Phase::Empty) => UNKNOWN_MEMBER_ID,
            (None, _) => NONE,
        };
        if code != NONE {
            let _ = answer.send(SyncAnswer {
                error: code,
                ..SyncAnswer::default()
            });
            return;
        }
        if let Some(member) = self.members.get_mut(member_id) {
            member.expires = now + member.session_timeout;
            if phase == Phase::Stable {
                let assignment = member.assignment.clone();
                let _ = answer.send(self.sync_answer(assignment));
                return;
            }
            member.syncing = Some(answer);
        }
        if self.leader.as_deref() == Some(member_id) {
            let mut given: BTreeMap<String, Bytes> = assignments.into_iter().collect();
            for (id, member) in &mut self.members {
                member.assignment = given.remove(id).unwrap_or_default();
            }
            self.phase = Phase::Stable;
            let ids: Vec<String> = self.members.keys().cloned().collect();
            for id in ids {
                let Some(member) = self.members.get_mut(&id) else {
                    continue;
                };
                member.expires = now + member.session_timeout;
                let (syncing, assignment) = (member.syncing.take(), member.assignment.clone());
                if let Some(syncing) = syncing {
                    let _ = syncing.send(self.sync_answer(assignment));
                }
            }
        }
    }

    fn sync_answer(&self, assignment: Bytes) -> SyncAnswer {
        SyncAnswer {
            error: NONE,
            protocol_type: self.protocol_type.clone(),
            protocol: self.protocol.clone(),
            assignment,
        }
    }

    /// A member is alive.
    pub(crate) fn heartbeat(
        &mut self,
        now: Instant,
        member_id: &str,
        instance_id: Option<&str>,
        generation: i32,
    ) -> i16 {
        if let Some(code) = self.check(member_id, instance_id, generation) {
            return code;
        }
        self.heard(member_id, now);
        match self.phase {
            Phase::Joining { .. } => REBALANCE_IN_PROGRESS,
            _ => NONE,
        }
    }

    /// Whether a member of this generation may commit; a group without members takes the commits of
    /// those that claim no generation, and a transaction's those that claim nothing.
    pub(crate) fn may_commit(
        &mut self,
        now: Instant,
        member_id: &str,
        instance_id: Option<&str>,
        generation: i32,
        transactional: bool,
    ) -> i16 {
        if generation < 0 && self.members.is_empty() {
            return NONE;
        }
        if generation >= 0 || !member_id.is_empty() || instance_id.is_some() {
            if let Some(code) = self.check(member_id, instance_id, generation) {
                return code;
            }
            self.heard(member_id, now);
        } else if !transactional {
            return UNKNOWN_MEMBER_ID;
        }
        match self.phase {
            Phase::Syncing { .. } if !transactional => REBALANCE_IN_PROGRESS,
            _ => NONE,
        }
    }

    /// It has offsets, or had: it stays, whether or not somebody joins.
    pub(crate) fn keep(&mut self) {
        self.kept = true;
    }

    /// Whether nobody ever joined or committed, and nobody is about to.
    pub(crate) fn is_unused(&self) -> bool {
        !self.kept && self.members.is_empty() && self.promised.is_empty() && self.generation == 0
    }

    /// A member leaves.
    pub(crate) fn leave(
        &mut self,
        now: Instant,
        member_id: &str,
        instance_id: Option<&str>,
    ) -> i16 {
        let id = match instance_id.and_then(|instance| self.static_member(instance)) {
            Some(known) if !member_id.is_empty() && known != member_id => {
                return FENCED_INSTANCE_ID;
            }
            Some(known) => known,
            None => member_id.to_owned(),
        };
        if self.promised.remove(&id).is_some() {
            self.complete_round(now);
            return NONE;
        }
        if !self.members.contains_key(&id) {
            return UNKNOWN_MEMBER_ID;
        }
        self.remove(&id);
        self.rebalance_after_loss(now);
        NONE
    }

    /// Ends sessions and phases whose time is up.
    pub(crate) fn tick(&mut self, now: Instant) {
        self.promised.retain(|_, until| *until > now);
        let gone: BTreeSet<String> = self
            .members
            .iter()
            .filter(|(_, member)| member.joining.is_none() && member.expires <= now)
            .map(|(id, _)| id.clone())
            .collect();
        if !gone.is_empty() {
            for id in &gone {
                self.remove(id);
            }
            self.rebalance_after_loss(now);
        }
        match self.phase {
            Phase::Joining { .. } => self.complete_round(now),
            Phase::Syncing { deadline } if deadline <= now => {
                // Nothing was assigned in time: a new round without those who did not sync, the leader
                // among them.
                let silent = self.members.iter().filter(|(_, m)| m.syncing.is_none());
                let silent: Vec<String> = silent.map(|(id, _)| id.clone()).collect();
                for id in silent {
                    self.remove(&id);
                }
                self.rebalance_after_loss(now);
            }
            _ => {}
        }
    }

    /// When to tick next.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        let sessions = self
            .members
            .values()
            .filter(|m| m.joining.is_none())
            .map(|m| m.expires);
        let phase = match self.phase {
            Phase::Joining { deadline, .. } | Phase::Syncing { deadline } => Some(deadline),
            _ => None,
        };
        let promised = self.promised.values().copied();
        sessions.chain(phase).chain(promised).min()
    }

    fn rebalance_after_loss(&mut self, now: Instant) {
        if self.members.is_empty() {
            self.empty();
            return;
        }
        self.begin_round(now);
        self.complete_round(now);
    }

    fn empty(&mut self) {
        self.generation += 1;
        self.phase = Phase::Empty;
        self.leader = None;
        self.protocol = None;
    }

    fn remove(&mut self, id: &str) {
        self.order.retain(|other| other != id);
        if self.leader.as_deref() == Some(id) {
            self.leader = None;
        }
        if let Some(member) = self.members.remove(id) {
            if let Some(joining) = member.joining {
                refuse(joining, UNKNOWN_MEMBER_ID, id);
            }
            if let Some(syncing) = member.syncing {
                let _ = syncing.send(SyncAnswer {
                    error: UNKNOWN_MEMBER_ID,
                    ..SyncAnswer::default()
                });
            }
        }
    }

    fn replace(&mut self, old: &str, new: &str) {
        let Some(mut member) = self.members.remove(old) else {
            return;
        };
        if let Some(joining) = member.joining.take() {
            refuse(joining, FENCED_INSTANCE_ID, old);
        }
        if let Some(syncing) = member.syncing.take() {
            let _ = syncing.send(SyncAnswer {
                error: FENCED_INSTANCE_ID,
                ..SyncAnswer::default()
            });
        }
        for id in &mut self.order {
            if id == old {
                new.clone_into(id);
            }
        }
        if self.leader.as_deref() == Some(old) {
            self.leader = Some(new.to_owned());
        }
        self.members.insert(new.to_owned(), member);
    }

    fn static_member(&self, instance: &str) -> Option<String> {
        let found = self
            .members
            .iter()
            .find(|(_, m)| m.instance_id.as_deref() == Some(instance));
        found.map(|(id, _)| id.clone())
    }

    fn check(&self, member_id: &str, instance_id: Option<&str>, generation: i32) -> Option<i16> {
        match instance_id.map(|instance| self.static_member(instance)) {
            Some(None) => return Some(UNKNOWN_MEMBER_ID),
            Some(Some(known)) if known != member_id => return Some(FENCED_INSTANCE_ID),
            _ => {}
        }
        if !self.members.contains_key(member_id) {
            return Some(UNKNOWN_MEMBER_ID);
        }
        (generation != self.generation).then_some(ILLEGAL_GENERATION)
    }

    fn fits(&self, join: &Join) -> bool {
        if join.protocol_type.is_empty() || join.protocols.is_empty() {
            return false;
        }
        if self.members.is_empty() {
            return true;
        }
        let others = self.members.iter().filter(|(id, _)| **id != join.member_id);
        let mut others = others.map(|(_, member)| member).peekable();
        if others.peek().is_none() {
            return true;
        }
        if self.protocol_type.as_ref() != Some(&join.protocol_type) {
            return false;
        }
        let others: Vec<&Member> = others.collect();
        join.protocols
            .iter()
            .any(|(name, _)| others.iter().all(|member| member.offers(name)))
    }

    /// Each member votes for the first of its protocols that all offer.
    fn vote(&self) -> Option<String> {
        let mut votes: BTreeMap<&str, usize> = BTreeMap::new();
        for member in self.members.values() {
            let choice = member
                .protocols
                .iter()
                .find(|(name, _)| self.members.values().all(|m| m.offers(name)));
            if let Some((name, _)) = choice {
                *votes.entry(name).or_default() += 1;
            }
        }
        votes
            .into_iter()
            .max_by_key(|(_, count)| *count)
            .map(|(name, _)| name.to_owned())
    }
}
