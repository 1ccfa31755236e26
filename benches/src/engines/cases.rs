//! What is measured.

use crate::input::Content;

/// One pipeline.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) exactly_once: bool,
    /// `None`: a file is read into Kafka; else Kafka is read into a file.
    pub(crate) sink_of: Option<Content>,
    /// The records are divided by this.
    pub(crate) part: u64,
    /// The connector's keys beside files and topics.
    pub(crate) config: &'static [(&'static str, &'static str)],
}

const STRING: &str = "org.apache.kafka.connect.storage.StringConverter";
const JSON: &str = "org.apache.kafka.connect.json.JsonConverter";

/// All of them, in the order of the table.
pub(crate) const CASES: [Case; 7] = [
    Case {
        name: "file to Kafka",
        exactly_once: false,
        sink_of: None,
        part: 1,
        config: &[("value.converter", STRING), ("batch.size", "5000")],
    },
    Case {
        name: "Kafka to file",
        exactly_once: false,
        sink_of: Some(Content::Line),
        part: 1,
        config: &[("value.converter", STRING)],
    },
    Case {
        name: "JSON to file",
        exactly_once: false,
        sink_of: Some(Content::Json),
        part: 2,
        config: &[
            ("value.converter", JSON),
            ("value.converter.schemas.enable", "false"),
        ],
    },
    Case {
        name: "envelope to file",
        exactly_once: false,
        sink_of: Some(Content::Envelope),
        part: 4,
        config: &[
            ("value.converter", JSON),
            ("value.converter.schemas.enable", "true"),
        ],
    },
    Case {
        name: "envelope, 4 transforms",
        exactly_once: false,
        sink_of: Some(Content::Envelope),
        part: 4,
        config: &[
            ("value.converter", JSON),
            ("value.converter.schemas.enable", "true"),
            ("transforms", "rename,static,cast,mask"),
            (
                "transforms.rename.type",
                "org.apache.kafka.connect.transforms.ReplaceField$Value",
            ),
            ("transforms.rename.renames", "name:customer"),
            (
                "transforms.static.type",
                "org.apache.kafka.connect.transforms.InsertField$Value",
            ),
            ("transforms.static.static.field", "origin"),
            ("transforms.static.static.value", "benchmark"),
            (
                "transforms.cast.type",
                "org.apache.kafka.connect.transforms.Cast$Value",
            ),
            ("transforms.cast.spec", "id:string,amount:float32"),
            (
                "transforms.mask.type",
                "org.apache.kafka.connect.transforms.MaskField$Value",
            ),
            ("transforms.mask.fields", "customer"),
        ],
    },
    Case {
        name: "exactly once, poll",
        exactly_once: true,
        sink_of: None,
        part: 1,
        config: &[
            ("value.converter", STRING),
            ("batch.size", "5000"),
            ("transaction.boundary", "poll"),
        ],
    },
    Case {
        name: "exactly once, interval",
        exactly_once: true,
        sink_of: None,
        part: 1,
        config: &[
            ("value.converter", STRING),
            ("batch.size", "5000"),
            ("transaction.boundary", "interval"),
            ("transaction.boundary.interval.ms", "1000"),
        ],
    },
];
