//! `GET /connectors/{c}/topics` (KIP-558, spec 5.18).

use milena_rest_model::{ActiveTopics, TopicList};

use crate::{
    call::{Answer, Call},
    reply::Reply,
};

pub(crate) async fn handle(call: Call) -> Answer {
    let topics = call.herder_says(call.herder().topics(call.name())).await?;
    let all = ActiveTopics::from([(call.name().to_owned(), TopicList { topics })]);
    Ok(Reply::json(&all))
}
