//! `DELETE /connectors/{c}`: offsets stay (spec 5.17).

use http::StatusCode;

use crate::{
    call::{Answer, Call},
    forward::{self, Forward},
    location,
    reply::Reply,
};

pub(crate) async fn handle(call: Call) -> Answer {
    let name = call.name();
    let answer = call.herder_says(call.herder().delete(name)).await;
    forward::serve(&call, answer, || {
        Ok(Forward::to(format!(
            "/connectors/{}",
            location::encoded(name)?
        )))
    })
    .await?;
    Ok(Reply::empty(StatusCode::NO_CONTENT))
}
