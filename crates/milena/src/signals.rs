//! SIGINT and SIGTERM: the first begins a clean stop, the second ends the process at once.

use tokio::signal::unix::{Signal, SignalKind, signal};

use tracing::{info, warn};

use crate::exit::Exit;

/// Exit code of a process that was told twice.
const TOLD_TWICE: i32 = 130;

/// Both signals.
pub(crate) struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    /// Takes the signals over from the default action; must run inside the runtime.
    pub(crate) fn take() -> Result<Self, Exit> {
        let one = |kind| {
            signal(kind).map_err(|e| Exit::cannot_start(format!("cannot watch signals: {e}")))
        };
        Ok(Self {
            interrupt: one(SignalKind::interrupt())?,
            terminate: one(SignalKind::terminate())?,
        })
    }

    /// Waits for either.
    pub(crate) async fn any(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }

    /// From now on either signal ends the process at once.
    pub(crate) fn end_at_once(mut self) {
        info!("stopping: tasks end and commit; a second signal ends the process at once");
        tokio::spawn(async move {
            self.any().await;
            // What is durable stays so: offsets are behind their records, whatever is cut off here is done again.
            warn!("told to stop twice: ending at once");
            std::process::exit(TOLD_TWICE);
        });
    }
}
