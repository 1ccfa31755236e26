//! The text format of Prometheus, in the names that dashboards for Kafka Connect ask for (spec `data.md` 6.3).
//!
//! Two families of dashboards exist, and both are served at once, since their names never meet: those of the JMX
//! exporter's plain rules and of the metrics reporters (`kafka_connect_sink_task_metrics_…`, texts as `…_info`), and
//! those of Strimzi's rules (`kafka_connect_sink_task_…`, texts as a label).

use std::{collections::BTreeMap, fmt::Write as _};

use super::{Bean, ClientAttribute, Reading};

#[derive(Default)]
struct Families(BTreeMap<String, Family>);

#[derive(Default)]
struct Family {
    counter: bool,
    lines: Vec<String>,
}

impl Families {
    fn add(&mut self, name: String, counter: bool, labels: &[(String, String)], value: f64) {
        let mut line = name.clone();
        if !labels.is_empty() {
            line.push('{');
            for (at, (label, text)) in labels.iter().enumerate() {
                let comma = if at == 0 { "" } else { "," };
                let _ = write!(line, "{comma}{label}=\"{}\"", escaped(text));
            }
            line.push('}');
        }
        let _ = writeln!(line, " {}", number(value));
        let family = self.0.entry(name).or_default();
        family.counter = counter;
        family.lines.push(line);
    }
}

/// The page that `GET /metrics` answers.
#[must_use]
pub fn render(beans: &[Bean], clients: &[ClientAttribute]) -> String {
    let mut families = Families::default();
    for bean in beans {
        plain(&mut families, bean);
        strimzi(&mut families, bean);
    }
    for attribute in clients {
        client(&mut families, attribute);
    }
    let mut page = String::new();
    for (name, family) in families.0 {
        let kind = if family.counter { "counter" } else { "gauge" };
        let _ = writeln!(page, "# TYPE {name} {kind}");
        for line in family.lines {
            page.push_str(&line);
        }
    }
    page
}

fn labels(bean: &Bean, rename: impl Fn(&str) -> String) -> Vec<(String, String)> {
    bean.group
        .tags
        .iter()
        .map(|(tag, value)| (rename(tag), value.clone()))
        .collect()
}

fn plain(families: &mut Families, bean: &Bean) {
    let tags = labels(bean, under);
    for (attribute, reading) in &bean.attributes {
        let name = format!(
            "kafka_connect_{}_{}",
            under(bean.group.name),
            under(attribute)
        );
        match reading {
            Reading::Number(value) => families.add(name, is_counter(attribute), &tags, *value),
            Reading::Text(text) => {
                let mut labels = tags.clone();
                labels.push((under(attribute), text.clone()));
                families.add(format!("{name}_info"), false, &labels, 1.0);
            }
        }
    }
}

fn strimzi(families: &mut Families, bean: &Bean) {
    let tags = labels(bean, |tag| tag.replace('-', ""));
    let prefix = match bean.group.name {
        "connector-metrics" => "kafka_connect_connector",
        "connector-task-metrics" => "kafka_connect_connector_task",
        "source-task-metrics" => "kafka_connect_source_task",
        "sink-task-metrics" => "kafka_connect_sink_task",
        "task-error-metrics" => "kafka_connect_task_error",
        "connect-worker-metrics" => "kafka_connect_worker",
        "connect-worker-rebalance-metrics" => "kafka_connect_worker_rebalance",
        "connect-coordinator-metrics" => "kafka_connect_coordinator",
        "app-info" => return app_info(families, bean, &tags),
        _ => return,
    };
    for (attribute, reading) in &bean.attributes {
        let name = format!("{prefix}_{}", under(attribute));
        match reading {
            // Strimzi's rules have no pattern for these two.
            Reading::Number(_)
                if attribute.starts_with("offset-commit-")
                    && attribute.ends_with("-percentage") => {}
            Reading::Number(value) => families.add(name, is_counter(attribute), &tags, *value),
            Reading::Text(text) => {
                let mut labels = tags.clone();
                labels.push((under(attribute), text.clone()));
                families.add(name, false, &labels, 1.0);
            }
        }
    }
}

fn app_info(families: &mut Families, bean: &Bean, tags: &[(String, String)]) {
    for (attribute, reading) in &bean.attributes {
        match (*attribute, reading) {
            ("start-time-ms", Reading::Number(millis)) => {
                let name = "kafka_connect_start_time_seconds".to_owned();
                families.add(name, false, tags, millis / 1000.0);
            }
            (attribute, Reading::Text(text)) => {
                let mut labels = tags.to_vec();
                labels.push((under(attribute), text.clone()));
                let name = format!("kafka_connect_{}_info", under(attribute));
                families.add(name, false, &labels, 1.0);
            }
            _ => {}
        }
    }
}

/// `kafka_producer_producer_topic_metrics_<attribute>` of the plain rules, `kafka_producer_topic_<attribute>` of
/// Strimzi's.
fn client(families: &mut Families, attribute: &ClientAttribute) {
    let domain = under(attribute.domain);
    let labels = |rename: fn(&str) -> String| -> Vec<(String, String)> {
        let tags = attribute.tags.iter();
        tags.map(|(tag, value)| (rename(tag), value.clone()))
            .collect()
    };
    let mut plain = labels(under);
    let mut strimzi = labels(|tag| tag.replace('-', ""));
    let own = under(&attribute.name);
    let plain_name = format!("{domain}_{}_{own}", under(&attribute.group));
    let short = attribute.group.strip_suffix("-metrics");
    match &attribute.reading {
        Reading::Number(value) => {
            let counter = is_counter(&attribute.name);
            families.add(plain_name, counter, &plain, *value);
            if attribute.name == "start-time-ms" {
                let name = format!("{domain}_start_time_seconds");
                families.add(name, false, &strimzi, value / 1000.0);
            } else if let Some(short) = short {
                let name = format!("kafka_{}_{own}", under(short));
                families.add(name, counter, &strimzi, *value);
            }
        }
        Reading::Text(text) => {
            plain.push((own.clone(), text.clone()));
            families.add(format!("{plain_name}_info"), false, &plain, 1.0);
            strimzi.push((own.clone(), text.clone()));
            families.add(format!("{domain}_{own}_info"), false, &strimzi, 1.0);
        }
    }
}

/// Only a name that ends so counts up for ever; those of `task-error-metrics` begin with it and are gauges.
fn is_counter(attribute: &str) -> bool {
    attribute.ends_with("-total")
}

fn under(name: &str) -> String {
    name.chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '_' })
        .collect()
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n")
}

fn number(value: f64) -> String {
    if value.is_nan() {
        "NaN".to_owned()
    } else if value.is_infinite() {
        if value > 0.0 { "+Inf" } else { "-Inf" }.to_owned()
    } else {
        value.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn task(name: &'static str) -> Bean {
        let tags = vec![
            ("connector", "a \"b\"".to_owned()),
            ("task", "0".to_owned()),
        ];
        Bean::new(name, tags)
    }

    #[test]
    fn both_families_of_names_are_served() {
        let mut sink = task("sink-task-metrics");
        sink.count("sink-record-read-total", 12);
        sink.number("put-batch-max-time-ms", f64::NAN);
        let mut common = task("connector-task-metrics");
        common.text("status", "running");
        common.number("offset-commit-failure-percentage", 0.0);
        let mut errors = task("task-error-metrics");
        errors.count("total-record-errors", 2);
        let mut info = Bean::new("app-info", vec![("client-id", "w:8083".to_owned())]);
        info.text("version", "4.3.1");
        info.number("start-time-ms", 1500.0);
        let tags = [("client-id", "connector-producer-a-0"), ("topic", "t")];
        let client = ClientAttribute {
            domain: "kafka.producer",
            group: "producer-topic-metrics".to_owned(),
            tags: tags.map(|(k, v)| (k.to_owned(), v.to_owned())).into(),
            name: "record-send-total".to_owned(),
            reading: Reading::Number(7.0),
        };
        let page = render(&[sink, common, errors, info], &[client]);
        let labels = "connector=\"a \\\"b\\\"\",task=\"0\"";
        for line in [
            "# TYPE kafka_connect_sink_task_metrics_sink_record_read_total counter".to_owned(),
            format!("kafka_connect_sink_task_metrics_sink_record_read_total{{{labels}}} 12"),
            format!("kafka_connect_sink_task_sink_record_read_total{{{labels}}} 12"),
            format!("kafka_connect_sink_task_put_batch_max_time_ms{{{labels}}} NaN"),
            format!("kafka_connect_connector_task_status{{{labels},status=\"running\"}} 1"),
            format!(
                "kafka_connect_connector_task_metrics_status_info{{{labels},status=\"running\"}} 1"
            ),
            "# TYPE kafka_connect_task_error_total_record_errors gauge".to_owned(),
            format!("kafka_connect_task_error_metrics_total_record_errors{{{labels}}} 2"),
            "kafka_producer_producer_topic_metrics_record_send_total{client_id=\"connector-producer-a-0\",topic=\"t\"} 7"
                .to_owned(),
            "kafka_producer_topic_record_send_total{clientid=\"connector-producer-a-0\",topic=\"t\"} 7".to_owned(),
            "kafka_connect_start_time_seconds{clientid=\"w:8083\"} 1.5".to_owned(),
            "kafka_connect_version_info{clientid=\"w:8083\",version=\"4.3.1\"} 1".to_owned(),
        ] {
            assert!(page.lines().any(|l| l == line), "{line}\nin\n{page}");
        }
        assert!(!page.contains("kafka_connect_connector_task_offset_commit_failure_percentage"));
        assert!(
            page.contains("kafka_connect_connector_task_metrics_offset_commit_failure_percentage")
        );
    }
}
