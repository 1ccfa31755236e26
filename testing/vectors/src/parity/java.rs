//! The Java program on the other side of a pipe.

use std::{
    collections::VecDeque,
    fs,
    io::{BufRead, BufReader, BufWriter, Write},
    path::PathBuf,
    process::{Command, Stdio},
    sync::mpsc::{channel, sync_channel},
    thread,
};

use anyhow::{Context, Result, bail};

use super::{Random, cases::Kind};

/// Differences shown per kind.
const SHOWN_MAX: usize = 30;
/// Cases on their way to Java.
const AHEAD_MAX: usize = 4096;

/// How one kind did.
pub struct Summary {
    /// The kind.
    pub name: String,
    /// The cases answered by both.
    pub cases: usize,
    /// The cases answered differently.
    pub different: usize,
    /// Those of them where not only the text of an error differs.
    pub outcomes: usize,
    /// Some of the differences, those of outcomes first: line, ours, Java's.
    pub shown: Vec<(String, String, String)>,
}

fn is_error(answer: &str) -> bool {
    answer.starts_with('!') || answer.starts_with("configure !")
}

fn libs() -> PathBuf {
    std::env::var_os("MILENA_KAFKA_LIBS").map_or_else(
        || {
            PathBuf::from(concat!(
                env!("CARGO_MANIFEST_DIR"),
                "/../../target/kafka-libs/lib"
            ))
        },
        PathBuf::from,
    )
}

/// Runs a number of cases of one kind on both sides.
///
/// # Errors
/// There is no JDK, no jars, or the Java program dies.
pub fn compare(mut kind: Kind, count: usize, seed: u64) -> Result<Summary> {
    let libs = libs();
    if !libs.is_dir() {
        bail!("no jars in {}", libs.display());
    }
    let classpath = format!("{}/*", libs.display());
    let out = std::env::temp_dir().join(format!("milena-parity-{}", std::process::id()));
    if !out.join("Parity.class").exists() {
        fs::create_dir_all(&out)?;
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/java/Parity.java");
        let mut javac = Command::new("javac");
        javac
            .args(["-nowarn", "-cp", &classpath, "-d"])
            .arg(&out)
            .arg(source);
        if !javac.status().context("javac")?.success() {
            bail!("javac failed");
        }
    }
    let mut java = Command::new("java")
        .args([
            "-Xmx512m",
            // Hot exceptions must keep their texts.
            "-XX:-OmitStackTraceInFastThrow",
            "-Duser.timezone=UTC",
            "-Dfile.encoding=UTF-8",
            "-cp",
        ])
        .arg(format!("{classpath}:{}", out.display()))
        .arg("Parity")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .context("java")?;
    let stdin = java.stdin.take().context("stdin")?;
    let stdout = java.stdout.take().context("stdout")?;
    let (send, receive) = sync_channel::<String>(AHEAD_MAX);
    let writer = thread::spawn(move || -> std::io::Result<()> {
        let mut pipe = BufWriter::new(stdin);
        for line in receive {
            pipe.write_all(line.as_bytes())?;
            pipe.write_all(b"\n")?;
        }
        pipe.flush()
    });
    let mut summary = Summary {
        name: kind.name.clone(),
        cases: 0,
        different: 0,
        outcomes: 0,
        shown: Vec::new(),
    };
    // Answers are read by a thread of their own: were they read between two cases, a full pipe would
    // stop Java, and Java this side.
    let (give, answers) = channel();
    let reader = thread::spawn(move || {
        for line in BufReader::new(stdout).lines() {
            if give.send(line).is_err() {
                break;
            }
        }
    });
    let mut waiting = VecDeque::new();
    let mut random = Random::new(seed);
    let mut judge = |(line, ours): (String, String), java: String| {
        summary.cases += 1;
        if ours != java {
            summary.different += 1;
            if is_error(&ours) != is_error(&java) || !is_error(&ours) {
                summary.outcomes += 1;
                summary.shown.insert(0, (line, ours, java));
                summary.shown.truncate(SHOWN_MAX);
            } else if summary.shown.len() < SHOWN_MAX {
                summary.shown.push((line, ours, java));
            }
        }
    };
    for _ in 0..count {
        let case = kind.case(&mut random);
        send.send(case.line.clone())
            .context("the Java program is gone")?;
        waiting.push_back((case.line, case.ours));
        if waiting.len() > AHEAD_MAX * 4 {
            let java = answers.recv().context("the Java program is gone")??;
            if let Some(case) = waiting.pop_front() {
                judge(case, java);
            }
        }
    }
    drop(send);
    for java in answers {
        if let Some(case) = waiting.pop_front() {
            judge(case, java?);
        }
    }
    let _ = writer.join();
    let _ = reader.join();
    java.wait()?;
    Ok(summary)
}
