//! The keys with which tokens of OAuth are fetched (KIP-768, KIP-1139, spec 8.5).

use super::keys::{Boolean, Class, Int, Low, Medium, Null, Password, String as Str, Text, key};
use crate::{ConfigDef, Validator};

/// The `sasl.oauthbearer.*` keys that fetch and check tokens.
pub(super) fn oauth_def() -> ConfigDef {
    let text = |name: &str, doc: &str| key(name, Str, Null, Medium, doc);
    let prefix = "sasl.oauthbearer.";
    let named = |name: &str| format!("{prefix}{name}");
    ConfigDef::new()
        .define(key(&named("jwt.retriever.class"), Class, Text("org.apache.kafka.common.security.oauthbearer.DefaultJwtRetriever"), Medium, "How tokens are fetched. Accepted for compatibility; code never comes from configuration."))
        .define(key(&named("jwt.validator.class"), Class, Text("org.apache.kafka.common.security.oauthbearer.DefaultJwtValidator"), Medium, "How tokens are checked. Accepted for compatibility; code never comes from configuration."))
        .define(text(&named("scope"), "The scope that is asked for."))
        .define(text(&named("client.credentials.client.id"), "The id with which tokens are fetched."))
        .define(key(&named("client.credentials.client.secret"), Password, Null, Medium, "The secret with which tokens are fetched."))
        .define(key(&named("assertion.algorithm"), Str, Text("RS256"), Medium, "How assertions are signed.").validator(Validator::one_of_ignoring_case(&["ES256", "RS256"])))
        .define(text(&named("assertion.claim.aud"), "Whom an assertion is for."))
        .define(key(&named("assertion.claim.exp.seconds"), Int, Text("300"), Low, "How long an assertion holds, in seconds.").validator(Validator::between(0, 86_400)))
        .define(text(&named("assertion.claim.iss"), "Who issues an assertion."))
        .define(key(&named("assertion.claim.jti.include"), Boolean, Text("false"), Medium, "Whether an assertion has an id of its own."))
        .define(key(&named("assertion.claim.nbf.seconds"), Int, Text("60"), Low, "How long before now an assertion holds, in seconds.").validator(Validator::between(0, 3600)))
        .define(text(&named("assertion.claim.sub"), "Whom an assertion speaks of."))
        .define(text(&named("assertion.file"), "A file with an assertion that was made elsewhere."))
        .define(text(&named("assertion.private.key.file"), "The private key with which assertions are signed."))
        .define(key(&named("assertion.private.key.passphrase"), Password, Null, Medium, "The password of that key."))
        .define(text(&named("assertion.template.file"), "A file with further claims of assertions."))
}
