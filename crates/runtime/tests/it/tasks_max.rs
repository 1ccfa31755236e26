//! A connector that gives more tasks than `tasks.max` allows (KIP-1004), and a limit that is lowered below what runs.

use milena_rest_model::ConnectorStateInfo;

use crate::world::{Worker, cluster, embedded, props, unique};

fn running(status: &ConnectorStateInfo) -> usize {
    let tasks = status.tasks.iter();
    tasks.filter(|task| task.state == "RUNNING").count()
}

#[tokio::test(flavor = "multi_thread")]
async fn more_tasks_than_the_limit_do_not_start_unless_it_is_not_enforced() {
    let broker = embedded().await;
    let worker = Worker::start(&cluster(&broker.bootstrap, &[]), "w1:8083").await;
    let topic = unique("t");
    let config = |max: &str, enforce: &str| {
        props(&[
            ("connector.class", "test.BadSource"),
            ("topic", &topic),
            ("tasks", "3"),
            ("tasks.max", max),
            ("tasks.max.enforce", enforce),
        ])
    };
    let refused = "generated 3 tasks, which is greater than 2, the maximum number of tasks";
    let strict = config("2", "true");
    worker.port.create("c", strict, None).await.unwrap();
    let status = worker
        .status("c", "too many are refused", |s| {
            s.connector.state == "FAILED"
        })
        .await;
    let trace = status.connector.trace.unwrap_or_default();
    assert!(trace.contains("TooManyTasksException"), "{trace}");
    assert!(trace.contains(refused), "{trace}");
    assert!(status.tasks.is_empty(), "{:?}", status.tasks);

    // As many as it likes: it is only told off.
    let lax = config("2", "false");
    worker.port.put_config("c", lax).await.unwrap();
    worker
        .status("c", "all three run", |s| running(s) == 3)
        .await;

    // A limit below what runs: a task that starts anew is refused, what runs is left alone.
    let strict = config("2", "true");
    worker.port.put_config("c", strict).await.unwrap();
    let status = worker
        .status("c", "the lower limit is refused", |s| {
            s.connector.state == "FAILED"
        })
        .await;
    assert_eq!(running(&status), 3, "{:?}", status.tasks);
    worker.port.restart_task("c", 1).await.unwrap();
    let status = worker
        .status("c", "a task that starts anew is refused", |s| {
            s.tasks[1].state == "FAILED"
        })
        .await;
    let trace = status.tasks[1].trace.clone().unwrap_or_default();
    assert!(trace.contains(refused), "{trace}");
    assert_eq!(running(&status), 2, "{:?}", status.tasks);

    // The limit raised: all of them, with nobody's help.
    let enough = config("3", "true");
    worker.port.put_config("c", enough).await.unwrap();
    worker
        .status("c", "all three run again", |s| {
            s.connector.state == "RUNNING" && running(s) == 3
        })
        .await;
    worker.handle.stop().await;
}
