//! The messages that both sides work on.

/// An envelope of about 960 bytes: a struct of ten fields.
pub(crate) const ENVELOPE: &str = concat!(
    r#"{"schema":{"type":"struct","fields":["#,
    r#"{"type":"int64","optional":false,"field":"id"},"#,
    r#"{"type":"string","optional":false,"field":"customer"},"#,
    r#"{"type":"string","optional":true,"field":"email"},"#,
    r#"{"type":"int32","optional":false,"field":"quantity"},"#,
    r#"{"type":"double","optional":false,"field":"price"},"#,
    r#"{"type":"boolean","optional":false,"field":"paid"},"#,
    r#"{"type":"int64","optional":false,"name":"org.apache.kafka.connect.data.Timestamp","version":1,"field":"created"},"#,
    r#"{"type":"string","optional":true,"field":"note"},"#,
    r#"{"type":"string","optional":false,"field":"country"},"#,
    r#"{"type":"int32","optional":true,"field":"discount"}"#,
    r#"],"optional":false,"name":"shop.Order","version":1},"payload":{"#,
    r#""id":1234567890,"customer":"Milena Jesenska","email":"milena@example.org","quantity":3,"price":129.95,"paid":true,"#,
    r#""created":1566570894346,"note":"please ring the bell twice, then wait at the gate","country":"CZ","discount":null}}"#,
);

/// A plain object of about 270 bytes.
pub(crate) const PLAIN: &str = concat!(
    r#"{"id":1234567890,"customer":"Milena Jesenska","email":"milena@example.org","quantity":3,"price":129.95,"paid":true,"#,
    r#""created":1566570894346,"note":"please ring the bell twice, then wait at the gate","country":"CZ","discount":null,"#,
    r#""tags":["a","bb","ccc"],"source":"web-shop-01"}"#,
);

/// A text.
pub(crate) const TEXT: &str = "please ring the bell twice, then wait at the gate";
