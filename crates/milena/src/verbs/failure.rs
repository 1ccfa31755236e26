//! What a command could not do: the thing, the remedy, and one exit code per kind (`docs/exit-codes.md`).

use serde_json::json;

/// The kinds of failure; each has a code of its own that never changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The worker refused or failed for another reason.
    Failed,
    /// No answer from the worker.
    NoAnswer,
    /// There is no such thing.
    NotFound,
    /// It exists already, or the worker is busy with a rebalance.
    Conflict,
    /// A configuration or a request is invalid.
    Invalid,
    /// Credentials are missing or not enough.
    Denied,
}

impl Kind {
    pub(crate) fn code(self) -> u8 {
        match self {
            Self::Failed => 1,
            Self::NoAnswer => 4,
            Self::NotFound => 5,
            Self::Conflict => 6,
            Self::Invalid => 7,
            Self::Denied => 8,
        }
    }

    /// The name in JSON, and the anchor in `docs/errors.md`.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::NoAnswer => "no-answer",
            Self::NotFound => "not-found",
            Self::Conflict => "conflict",
            Self::Invalid => "invalid",
            Self::Denied => "denied",
        }
    }
}

/// A failed command.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) kind: Kind,
    message: String,
    remedy: Option<String>,
    status: Option<u16>,
    details: Vec<(String, String)>,
    json: bool,
}

impl Failure {
    pub(crate) fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            remedy: None,
            status: None,
            details: Vec::new(),
            json: false,
        }
    }

    /// What happened, without the remedy.
    pub(crate) fn message(&self) -> &str {
        &self.message
    }

    /// What to do about it: an imperative.
    pub(crate) fn remedy(mut self, remedy: impl Into<String>) -> Self {
        self.remedy = Some(remedy.into());
        self
    }

    /// The status of the worker's answer.
    pub(crate) fn status(mut self, status: u16) -> Self {
        self.status = Some(status);
        self
    }

    /// What is wrong, by key.
    pub(crate) fn details(mut self, details: Vec<(String, String)>) -> Self {
        self.details = details;
        self
    }

    /// To be written as JSON.
    pub(crate) fn in_json(mut self, json: bool) -> Self {
        self.json = json;
        self
    }

    /// The text for standard error, without `milena: `, or a JSON document.
    pub(crate) fn render(&self) -> String {
        if self.json {
            let details = self
                .details
                .iter()
                .map(|(key, text)| json!({"key": key, "message": text}));
            return json!({"error": {
                "kind": self.kind.name(),
                "exit_code": self.kind.code(),
                "status": self.status,
                "message": self.message,
                "remedy": self.remedy,
                "details": details.collect::<Vec<_>>(),
            }})
            .to_string();
        }
        let mut text = format!("milena: {}", super::output::plain(self.message.trim_end()));
        if let Some(remedy) = &self.remedy {
            text.push_str("; ");
            text.push_str(remedy);
        }
        for (key, what) in &self.details {
            text.push_str(&format!("\n  {key}: {}", super::output::plain(what)));
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::{Failure, Kind};

    #[test]
    fn a_failure_names_thing_and_remedy_in_both_forms() {
        let failure = || {
            Failure::new(Kind::NotFound, "connector \"a\" not found")
                .remedy("see `milena connectors list`")
                .status(404)
                .details(vec![("k".into(), "wrong\u{1b}[2J".into())])
        };
        assert_eq!(
            failure().render(),
            "milena: connector \"a\" not found; see `milena connectors list`\n  k: wrong\u{fffd}[2J"
        );
        let json: serde_json::Value =
            serde_json::from_str(&failure().in_json(true).render()).unwrap();
        assert_eq!(json["error"]["exit_code"], 5);
        assert_eq!(json["error"]["details"][0]["key"], "k");
    }
}
