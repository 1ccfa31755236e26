//! Opening a connection, as often as configured.

use milena_api::ConnectError;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use crate::{
    config::Common,
    dialect::{DbError, DbErrorKind, Session},
};

/// One attempt, bounded in time.
pub(crate) async fn try_connect(common: &Common) -> Result<Box<dyn Session>, DbError> {
    let connecting = common.dialect.connect(&common.target, common.quoting);
    match tokio::time::timeout(common.target.timeout, connecting).await {
        Ok(result) => result,
        Err(_) => Err(DbError::new(
            DbErrorKind::Connection,
            format!(
                "no answer from {} within {:?}: check host, port and firewall",
                common.target.url, common.target.timeout
            ),
        )),
    }
}

/// Up to `connection.attempts` attempts; a refused password or an unknown database is not tried again.
pub(crate) async fn connect(
    common: &Common,
    stopping: &CancellationToken,
) -> Result<Box<dyn Session>, ConnectError> {
    let mut attempt = 1;
    loop {
        match try_connect(common).await {
            Ok(session) => return Ok(session),
            Err(error) if error.kind != DbErrorKind::Connection || attempt >= common.attempts => {
                return Err(ConnectError::connect(format!(
                    "cannot connect to {}: {error}",
                    common.target.url
                ))
                .caused_by(error.to_connect()));
            }
            Err(error) => {
                warn!(url = %common.target.url, attempt, %error, "cannot connect to the database, trying again");
            }
        }
        attempt += 1;
        tokio::select! {
            () = tokio::time::sleep(common.backoff) => {}
            () = stopping.cancelled() => {
                return Err(ConnectError::connect("stopped while connecting to the database"));
            }
        }
    }
}
