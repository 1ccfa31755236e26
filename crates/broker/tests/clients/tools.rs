//! The tools that people run by hand, with what they print.

use std::{
    io::{BufRead as _, BufReader, Lines, Write as _},
    process::{Child, ChildStdin, ChildStdout, Stdio},
};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use milena_testing_kafka::oracle_is_missing;

use crate::{Served, java};

/// One Java process that runs the tools one after the other.
struct Tools {
    process: Child,
    orders: Option<ChildStdin>,
    answers: Lines<BufReader<ChildStdout>>,
    bootstrap: String,
}

impl Tools {
    fn start(bootstrap: &str) -> Self {
        let mut command = java("Tools.java");
        command.stdin(Stdio::piped()).stderr(Stdio::null());
        let mut process = command.spawn().unwrap();
        Self {
            orders: process.stdin.take(),
            answers: BufReader::new(process.stdout.take().unwrap()).lines(),
            process,
            bootstrap: bootstrap.to_owned(),
        }
    }

    /// Runs a tool; `args` are split at spaces. Its exit code and what it printed.
    fn try_run(&mut self, class: &str, input: &str, args: &str) -> (i32, String) {
        let args = args.replace(' ', "\t");
        let orders = self.orders.as_mut().unwrap();
        let input = input.replace('\n', "\\n");
        let bootstrap = &self.bootstrap;
        let package = match class.starts_with("kafka.") {
            true => "",
            false => "org.apache.kafka.tools.",
        };
        writeln!(
            orders,
            "{package}{class}\t{input}\t--bootstrap-server\t{bootstrap}\t{args}"
        )
        .unwrap();
        let answer = self.answers.next().expect("the tools still run").unwrap();
        let (code, said) = answer.split_once('\t').unwrap();
        let said = BASE64_STANDARD.decode(said).unwrap();
        (
            code.parse().unwrap(),
            String::from_utf8_lossy(&said).into_owned(),
        )
    }

    /// As [`Self::try_run`] for a tool that must not fail and says these words.
    fn run(&mut self, class: &str, input: &str, args: &str, words: &[&str]) -> String {
        let (code, said) = self.try_run(class, input, args);
        assert_eq!(code, 0, "{class} {args}: {said}");
        for word in words {
            assert!(
                said.contains(word),
                "{class} {args} says no {word:?}: {said}"
            );
        }
        said
    }
}

impl Drop for Tools {
    fn drop(&mut self) {
        drop(self.orders.take());
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
fn the_tools_of_apache_kafka_find_nothing_amiss() {
    if oracle_is_missing("the_tools_of_apache_kafka_find_nothing_amiss") {
        return;
    }
    let kafka = Served::start();
    let mut tools = Tools::start(&kafka.bootstrap);
    topics_and_configs(&mut tools);
    records(&mut tools);
    groups(&mut tools);
    transactions(&mut tools);
}

fn topics_and_configs(tools: &mut Tools) {
    let topic = "TopicCommand";
    tools.run(
        topic,
        "",
        "--create --topic words --partitions 2 --config retention.ms=3600000",
        &["Created topic words"],
    );
    tools.run(
        topic,
        "",
        "--describe --topic words",
        &["PartitionCount: 2", "Leader: 1", "retention.ms=3600000"],
    );
    tools.run(topic, "", "--alter --topic words --partitions 3", &[]);
    tools.run(topic, "", "--list", &["words"]);
    let (code, said) = tools.try_run(topic, "", "--create --topic words");
    assert_eq!(code, 1);
    assert!(said.contains("already exists"), "{said}");
    tools.run(topic, "", "--create --topic gone", &["Created topic gone"]);
    tools.run(topic, "", "--delete --topic gone", &[]);

    let configs = "kafka.admin.ConfigCommand";
    let on = "--entity-type topics --entity-name words";
    tools.run(
        configs,
        "",
        &format!(
            "{on} --alter --add-config cleanup.policy=[compact,delete],max.message.bytes=100000"
        ),
        &["Completed updating config for topic words"],
    );
    tools.run(
        configs,
        "",
        &format!("{on} --describe"),
        &["max.message.bytes=100000", "cleanup.policy=compact,delete"],
    );
    tools.run(
        configs,
        "",
        &format!("{on} --alter --delete-config max.message.bytes,cleanup.policy"),
        &[],
    );
    tools.run(
        configs,
        "",
        &format!("{on} --describe --all"),
        &["max.message.bytes=1048588", "DEFAULT_CONFIG"],
    );
    tools.run(
        configs,
        "",
        "--entity-type brokers --entity-name 1 --describe --all",
        &["num.partitions=1"],
    );
}

fn records(tools: &mut Tools) {
    tools.run(
        "ConsoleProducer",
        "a:one\nb:two\nc:three\n",
        "--topic words --reader-property parse.key=true --reader-property key.separator=:",
        &[],
    );
    let read = tools.run(
        "consumer.ConsoleConsumer",
        "",
        "--topic words --from-beginning --max-messages 3 --timeout-ms 60000 --group readers \
         --formatter-property print.key=true",
        &["Processed a total of 3 messages"],
    );
    for line in ["a\tone", "b\ttwo", "c\tthree"] {
        assert!(read.contains(line), "{read}");
    }
    tools.run(
        "ProducerPerformance",
        "",
        "--topic words --num-records 20000 --record-size 200 --throughput -1",
        &["20000 records sent", "99.9th."],
    );
    tools.run(
        "ProducerPerformance",
        "",
        "--topic words --num-records 2000 --record-size 200 --throughput -1 \
         --transactional-id perf --transaction-duration-ms 100",
        &["2000 records sent"],
    );
    let offsets = tools.run("GetOffsetShell", "", "--topic words", &[]);
    // Transactions have their markers besides their records.
    let sum: i64 = offsets
        .lines()
        .filter_map(|line| line.rsplit(':').next()?.parse::<i64>().ok())
        .sum();
    assert!(sum > 22_003, "{offsets}");
}

fn groups(tools: &mut Tools) {
    let groups = "consumer.group.ConsumerGroupCommand";
    tools.run(groups, "", "--list --state", &["readers", "Empty"]);
    tools.run(
        groups,
        "",
        "--describe --group readers --offsets",
        &["words", "CURRENT-OFFSET"],
    );
    tools.run(groups, "", "--describe --group readers --state", &["Empty"]);
    tools.run(
        groups,
        "",
        "--reset-offsets --group readers --topic words --to-earliest --execute",
        &["readers", "0"],
    );
    tools.run(
        groups,
        "",
        "--delete-offsets --group readers --topic words",
        &["Successful"],
    );
    tools.run(
        groups,
        "",
        "--delete --group readers",
        &["'readers'", "success"],
    );
}

fn transactions(tools: &mut Tools) {
    let command = "TransactionsCommand";
    tools.run(command, "", "list", &["perf", "CompleteCommit"]);
    tools.run(
        command,
        "",
        "describe --transactional-id perf",
        &["perf", "CompleteCommit"],
    );
    tools.run(
        command,
        "",
        "describe-producers --topic words --partition 0",
        &["ProducerId", "LastSequence"],
    );
    let hanging = tools.run(command, "", "find-hanging --broker-id 1", &["StartOffset"]);
    assert_eq!(hanging.lines().count(), 1, "{hanging}");
}
