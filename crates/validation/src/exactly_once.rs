//! The exactly-once preflight of sources (KIP-618, spec 11.4). Distributed mode only.

use milena_api::{ExactlyOnceSupport, SourceConnector, TransactionBoundaries};
use milena_config::Props;

use crate::outcome::Outcome;

const SUPPORT: &str = "exactly.once.support";
const BOUNDARY: &str = "transaction.boundary";

/// Checks what the connector promises against what is required of it.
pub(crate) fn check(
    connector: &dyn SourceConnector,
    props: &Props,
    enabled: bool,
    outcome: &mut Outcome,
) {
    let is = |name: &str, wanted: &str, outcome: &Outcome| {
        outcome.is_fine(name)
            && outcome
                .value(name)
                .as_str()
                .is_some_and(|text| text.eq_ignore_ascii_case(wanted))
    };
    if is(SUPPORT, "required", outcome) {
        if !enabled {
            outcome.error(
                SUPPORT,
                "This worker does not have exactly-once source support enabled.",
            );
        }
        match connector.exactly_once_support(props) {
            ExactlyOnceSupport::Supported => {}
            ExactlyOnceSupport::Unsupported => outcome.error(
                SUPPORT,
                "The connector does not support exactly-once semantics with the provided configuration.",
            ),
            ExactlyOnceSupport::Unknown => outcome.error(
                SUPPORT,
                "The connector does not implement the API required for preflight validation of exactly-once source \
                 support. Please consult the documentation for the connector to determine whether it supports \
                 exactly-once semantics, and then consider reconfiguring the connector to use the value \"requested\" \
                 for this property (which will disable this preflight check and allow the connector to be created).",
            ),
        }
    }
    if is(BOUNDARY, "connector", outcome)
        && connector.transaction_boundaries(props) != TransactionBoundaries::Supported
    {
        outcome.error(
            BOUNDARY,
            "The connector does not support connector-defined transaction boundaries with the given configuration. \
             Please reconfigure it to use a different transaction boundary definition.",
        );
    }
}
