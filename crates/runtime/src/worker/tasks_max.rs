//! More tasks than `tasks.max` (KIP-1004): checked when a connector gives its tasks, and again when each task starts, for a
//! limit that was lowered since (`Worker.checkTasksMax`).

use milena_api::ConnectError;
use milena_config::Props;
use milena_core::ConnectorName;
use tracing::warn;

/// `tasks.max`.
pub(super) fn tasks_max(config: &Props) -> usize {
    let text = config.get("tasks.max").map_or("1", |text| text.trim());
    text.parse().unwrap_or(1)
}

/// Fails when there are too many and `tasks.max.enforce` stands; warns when it does not.
pub(super) fn check_tasks_max(
    name: &ConnectorName,
    tasks: usize,
    config: &Props,
) -> Result<(), ConnectError> {
    let max = tasks_max(config);
    if tasks <= max {
        return Ok(());
    }
    let enforce = config
        .get("tasks.max.enforce")
        .is_none_or(|text| !text.trim().eq_ignore_ascii_case("false"));
    let generated = format!(
        "The connector {name} has generated {tasks} tasks, which is greater than {max}, the maximum number of tasks it is \
         configured to create."
    );
    if !enforce {
        warn!(connector = %name, "{generated} This behaviour should be considered a bug.");
        return Ok(());
    }
    let text = format!(
        "{generated} This behaviour should be considered a bug and is disallowed. If necessary, it can be permitted by \
         reconfiguring the connector with 'tasks.max.enforce' set to false; however, this option will be removed in a \
         future release of Kafka Connect."
    );
    let class = "org.apache.kafka.connect.runtime.TooManyTasksException";
    Err(ConnectError::of(class, text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lowered_limit_counts_unless_it_is_not_enforced() {
        let config = |pairs: &[(&str, &str)]| -> Props {
            let own = |(k, v): &(&str, &str)| ((*k).to_owned(), (*v).to_owned());
            pairs.iter().map(own).collect()
        };
        let check =
            |tasks, pairs: &[(&str, &str)]| check_tasks_max(&"c".into(), tasks, &config(pairs));
        assert!(check(1, &[]).is_ok());
        assert!(check(2, &[("tasks.max", "2")]).is_ok());
        let error = check(3, &[("tasks.max", "2")]).unwrap_err();
        assert!(
            error
                .to_string()
                .contains("generated 3 tasks, which is greater than 2, the")
        );
        assert!(check(3, &[("tasks.max", "2"), ("tasks.max.enforce", "false")]).is_ok());
    }
}
