//! The speed of the data plane on one core, beside the Java classes doing the same work in the same run.
//!
//! `cargo run --release -p milena-benches --bin data-plane`. Rates are medians over rounds, by the CPU time
//! of the thread, so that a busy machine does not blur them. The Java side needs a JDK and the jars of
//! Apache Kafka (`MILENA_KAFKA_LIBS`, else `target/kafka-libs/lib`); without them only ours is shown.

mod java;
mod messages;
mod timing;
mod work;

use anyhow::Result;

fn main() -> Result<()> {
    let only_ours = std::env::args().any(|arg| arg == "--no-java");
    let ours = work::run()?;
    let theirs = if only_ours {
        Vec::new()
    } else {
        java::run().unwrap_or_else(|error| {
            eprintln!("no figures of Java: {error:#}");
            Vec::new()
        })
    };
    println!(
        "{:<28} {:>12} {:>12} {:>7} {:>12}",
        "work", "ours/s", "java/s", "times", "wanted/s"
    );
    for figure in &ours {
        let java = theirs
            .iter()
            .find(|(name, _)| name == figure.name)
            .map(|(_, rate)| *rate);
        let shown = java.map_or("-".to_owned(), |rate| format!("{rate:.0}"));
        let times = java.map_or("-".to_owned(), |rate| format!("{:.1}", figure.rate / rate));
        println!(
            "{:<28} {:>12.0} {:>12} {:>7} {:>12.0}",
            figure.name, figure.rate, shown, times, figure.wanted
        );
    }
    Ok(())
}
