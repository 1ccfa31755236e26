//! A logger's level for the whole cluster (KIP-976): written by any worker, taken up by all.

use super::super::{
    DistributedHerder, Reply, RequestId, Sink,
    ops::{Finish, Op},
};
use crate::cluster::ConfigRecord;

impl DistributedHerder {
    pub(super) fn cluster_logger_level(
        &mut self,
        id: RequestId,
        namespace: String,
        level: String,
        out: &mut Sink,
    ) {
        let stage = format!("writing the level of logger {namespace} to the config topic");
        let record = ConfigRecord::LoggerLevel { namespace, level };
        let finish = Finish::Answer(id, Reply::Done);
        let op = Op::unprivileged(record, finish, "Error writing logger level to Kafka", stage);
        self.begin_op(op, out);
    }
}
