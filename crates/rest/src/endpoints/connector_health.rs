//! `GET /milena/v1/connectors/{c}`: the status of a connector, how failed tasks are treated, and for each task how often it
//! was started again, why it failed last, and when it is tried next. What only other workers know is asked of them; one
//! that does not answer leaves a null and holds nothing up.

use std::{collections::BTreeSet, time::Duration};

use http::{HeaderName, HeaderValue, Method, header};
use milena_rest_model::ConnectorHealth;
use tokio::task::JoinSet;

use crate::{
    call::{Answer, Call},
    forward::Forwarder,
    location,
    reply::Reply,
};

/// How long another worker may take to say what it knows.
const PEER: Duration = Duration::from_secs(2);

pub(crate) async fn handle(call: Call) -> Answer {
    let mut health = call
        .herder_says(call.herder().connector_health(call.name()))
        .await?;
    if call.query.boolean("local") != Some(true) {
        ask_others(&call, &mut health).await?;
    }
    Ok(Reply::json(&health))
}

async fn ask_others(
    call: &Call,
    health: &mut ConnectorHealth,
) -> Result<(), crate::error::RestError> {
    let silent = health.tasks.iter().filter(|task| task.healing.is_none());
    let others: BTreeSet<String> = silent.map(|task| task.worker_id.clone()).collect();
    let name = location::encoded(call.name())?;
    let mut asked = JoinSet::new();
    for worker in others {
        let url = format!(
            "{}://{worker}/milena/v1/connectors/{name}?local=true",
            call.scheme
        );
        let credentials = call.headers.get(header::AUTHORIZATION).cloned();
        let forwarder = call.shared.forwarder.clone();
        asked.spawn(async move {
            let said = tokio::time::timeout(PEER, ask(&forwarder, &url, credentials)).await;
            (worker, said.ok().flatten())
        });
    }
    while let Some(Ok((worker, said))) = asked.join_next().await {
        for known in said.map_or_else(Vec::new, |said| said.tasks) {
            let task = health.tasks.iter_mut().find(|task| task.id == known.id);
            if let Some(task) = task.filter(|task| task.worker_id == worker) {
                task.healing = known.healing.or(task.healing.take());
            }
        }
    }
    Ok(())
}

async fn ask(
    forwarder: &Forwarder,
    url: &str,
    credentials: Option<HeaderValue>,
) -> Option<ConnectorHealth> {
    let headers: Vec<(HeaderName, HeaderValue)> = credentials
        .map(|value| (header::AUTHORIZATION, value))
        .into_iter()
        .collect();
    let answer = forwarder.send(Method::GET, url, None, headers).await.ok()?;
    serde_json::from_slice(&answer.body).ok()
}
