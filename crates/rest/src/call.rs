//! One request on its way through an endpoint.

use std::{future::Future, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode, header};
use milena_rest_model::{HerderError, HerderPort, LoggerPort, PluginPort};
use serde::Serialize;

use crate::{
    error::RestError, forward::Forwarder, location, query::Query, reply::Reply, server::Services,
    settings::RestSettings, stage,
};

/// What an endpoint answers.
pub(crate) type Answer = Result<Reply, RestError>;

/// What all requests share.
pub(crate) struct Shared {
    pub(crate) services: Services,
    pub(crate) settings: RestSettings,
    pub(crate) forwarder: Forwarder,
}

/// One request: routed, its body read.
pub(crate) struct Call {
    pub(crate) shared: Arc<Shared>,
    pub(crate) method: Method,
    /// The decoded path parameters, in order.
    pub(crate) params: Vec<String>,
    pub(crate) query: Query,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    /// `http` or `https`.
    pub(crate) scheme: &'static str,
}

impl Call {
    pub(crate) fn herder(&self) -> &dyn HerderPort {
        &*self.shared.services.herder
    }

    pub(crate) fn plugins(&self) -> &dyn PluginPort {
        &*self.shared.services.plugins
    }

    pub(crate) fn loggers(&self) -> &dyn LoggerPort {
        &*self.shared.services.loggers
    }

    /// The first path parameter: a connector, plugin or logger.
    pub(crate) fn name(&self) -> &str {
        self.params.first().map(String::as_str).unwrap_or_default()
    }

    /// The second path parameter as a task number; no number is an unknown path (JAX-RS).
    pub(crate) fn task(&self) -> Result<i32, RestError> {
        let text = self.params.get(1).map(String::as_str).unwrap_or_default();
        text.parse().map_err(|_| RestError::Http {
            status: StatusCode::NOT_FOUND,
            content_type: true,
        })
    }

    /// Waits for the herder, at most as long as a request may.
    pub(crate) async fn herder_says<T>(
        &self,
        answer: impl Future<Output = Result<T, HerderError>> + Send,
    ) -> Result<T, HerderError> {
        let limit = self.shared.settings.request_timeout;
        match tokio::time::timeout(limit, answer).await {
            Ok(answer) => answer,
            Err(_) => Err(HerderError::Failed(self.timed_out("."))),
        }
    }

    /// The text of a request that took too long; validation words it without the final period.
    pub(crate) fn timed_out(&self, end: &str) -> String {
        match self.herder().stage() {
            Some(stage) => format!("Request timed out. {}{end}", stage::sentence(&stage)),
            None => "Request timed out".to_owned(),
        }
    }

    pub(crate) fn limit(&self) -> Duration {
        self.shared.settings.request_timeout
    }

    /// The `Location` of a connector, relative to where the client sent its request.
    pub(crate) fn location_of(&self, name: &str) -> Result<String, RestError> {
        let encoded = location::encoded(name)?;
        Ok(
            match self
                .headers
                .get(header::HOST)
                .and_then(|host| host.to_str().ok())
            {
                Some(host) => format!("{}://{host}/connectors/{encoded}", self.scheme),
                None => format!("/connectors/{encoded}"),
            },
        )
    }

    /// 201 with `Location`.
    pub(crate) fn created<T: Serialize>(&self, name: &str, body: &T) -> Answer {
        let location = self.location_of(name)?;
        Ok(Reply::json(body)
            .with_status(StatusCode::CREATED)
            .with_header(header::LOCATION, &location))
    }
}
