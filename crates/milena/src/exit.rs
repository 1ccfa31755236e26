//! Exit codes and the one error line that a person reads (`docs/exit-codes.md`).

use std::{
    fmt::Display,
    io::{self, Write},
    process::ExitCode,
};

use crate::verbs::failure::Failure;

/// Why the process ends, for people and scripts.
#[derive(Debug)]
pub(crate) enum Exit {
    /// It failed while running.
    Failed(String),
    /// It could not start: configuration, port, data directory, broker.
    CannotStart(String),
    /// A connector file of standalone mode cannot be used.
    ConnectorFile(String),
    /// A command that asks or tells could not do it.
    Verb(Failure),
}

impl Exit {
    /// Could not start because of this.
    pub(crate) fn cannot_start(error: impl Display) -> Self {
        Self::CannotStart(error.to_string())
    }

    /// Failed while running because of this.
    pub(crate) fn failed(error: impl Display) -> Self {
        Self::Failed(error.to_string())
    }

    fn code(&self) -> u8 {
        match self {
            Self::Failed(_) => 1,
            Self::CannotStart(_) => 2,
            Self::ConnectorFile(_) => 3,
            Self::Verb(failure) => failure.kind.code(),
        }
    }
}

/// Exit code of a wrong command line (`EX_USAGE`).
pub(crate) const USAGE: u8 = 64;

/// Writes the error as one line and answers its code.
pub(crate) fn report(exit: Exit) -> ExitCode {
    let text = match &exit {
        Exit::Failed(text) | Exit::CannotStart(text) | Exit::ConnectorFile(text) => {
            format!("milena: {text}")
        }
        Exit::Verb(failure) => failure.render(),
    };
    // Nobody is left to be told when standard error is gone.
    let _ = writeln!(io::stderr(), "{text}");
    ExitCode::from(exit.code())
}
