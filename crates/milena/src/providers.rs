//! Variables in the worker's own file are resolved before anything else reads it (Java's `AbstractConfig`).

use milena_config::Props;
use milena_runtime::worker::Resolver;

use crate::{exit::Exit, plugins};

/// The worker's file with its variables replaced; those that no provider answers stay.
pub(crate) async fn resolved(props: Props) -> Result<Props, Exit> {
    let resolver = Resolver::new(&props, &plugins::registry()).map_err(Exit::cannot_start)?;
    let raw = props
        .into_iter()
        .map(|(key, value)| (key, Some(value)))
        .collect();
    resolver.resolve(&raw).await.map_err(Exit::cannot_start)
}
