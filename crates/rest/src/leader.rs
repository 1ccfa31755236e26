//! Internal requests to the leader, signed with the session key (KIP-507, spec 6.2, 6.3).

use async_trait::async_trait;
use base64::{Engine, engine::general_purpose::STANDARD};
use http::{HeaderName, HeaderValue, Method};
use milena_config::Secret;
use milena_rest_model::{HerderError, LeaderPort, RawProps};

use crate::{
    error::RestError,
    forward::Forwarder,
    location,
    settings::REQUEST_TIMEOUT,
    signature::{ALGORITHM, SIGNATURE, sign},
};

/// Sends task configurations and fencing requests to the leader.
pub struct LeaderClient {
    forwarder: Forwarder,
    /// `inter.worker.signature.algorithm`.
    algorithm: String,
}

impl LeaderClient {
    /// A client that signs with the given algorithm.
    pub(crate) fn new(algorithm: &str, forwarder: Forwarder) -> Self {
        Self {
            forwarder,
            algorithm: algorithm.to_owned(),
        }
    }

    async fn send(
        &self,
        method: Method,
        url: String,
        body: Option<Vec<u8>>,
        key: Option<Secret<Vec<u8>>>,
    ) -> Result<(), HerderError> {
        let failed = |text: String| HerderError::Failed(text);
        let mut headers = Vec::new();
        if let Some(key) = key {
            let signed = body.as_deref().unwrap_or_default();
            let mac = sign(&self.algorithm, key.reveal(), signed);
            let mac = STANDARD.encode(mac.map_err(|error| failed(error.to_string()))?);
            for (name, value) in [(SIGNATURE, mac), (ALGORITHM, self.algorithm.clone())] {
                let name = HeaderName::try_from(name).map_err(|error| failed(error.to_string()))?;
                let value =
                    HeaderValue::try_from(value).map_err(|error| failed(error.to_string()))?;
                headers.push((name, value));
            }
        }
        let sent = self.forwarder.send(method, &url, body, headers);
        match tokio::time::timeout(REQUEST_TIMEOUT, sent).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(RestError::Connect { status, message })) => {
                Err(HerderError::Remote { status, message })
            }
            Ok(Err(_)) | Err(_) => Err(failed(
                "IO Error trying to forward REST request: no answer".to_owned(),
            )),
        }
    }
}

fn path(url: &str, name: &str, what: &str) -> Result<String, HerderError> {
    let name = location::encode_segment(name).map_err(|variable| {
        HerderError::Failed(format!("The template variable '{variable}' has no value"))
    })?;
    Ok(format!(
        "{}/connectors/{name}/{what}",
        url.trim_end_matches('/')
    ))
}

#[async_trait]
impl LeaderPort for LeaderClient {
    async fn put_task_configs(
        &self,
        url: &str,
        name: &str,
        configs: Vec<RawProps>,
        key: Option<Secret<Vec<u8>>>,
    ) -> Result<(), HerderError> {
        let body =
            serde_json::to_vec(&configs).map_err(|error| HerderError::Failed(error.to_string()))?;
        let url = path(url, name, "tasks")?;
        self.send(Method::POST, url, Some(body), key).await
    }

    async fn fence_zombies(
        &self,
        url: &str,
        name: &str,
        key: Option<Secret<Vec<u8>>>,
    ) -> Result<(), HerderError> {
        self.send(Method::PUT, path(url, name, "fence")?, None, key)
            .await
    }
}
