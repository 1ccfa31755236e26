//! The REST server of a worker (`RestServerConfig`, spec 7 and 8.2).

use super::{
    HeaderRule, Listener, ListenerScheme,
    common::{Secretive, under},
    keys::{Int, List, Low, Null, String as Str, Text, key},
};
use crate::{ConfigDef, ConfigError, ParsedConfig, Props, Validator};

/// Where `/admin` is served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AdminListeners {
    /// On the normal listeners.
    Shared,
    /// Nowhere.
    Off,
    /// On listeners of its own, and only there.
    Own(Vec<Listener>),
}

/// Whether clients must show a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientAuth {
    /// They need not.
    None,
    /// They are asked.
    Requested,
    /// They must.
    Required,
}

/// The settings of the REST server.
#[derive(Clone, Debug)]
pub struct RestConfig {
    /// `listeners`.
    pub listeners: Vec<Listener>,
    /// `admin.listeners`.
    pub admin_listeners: AdminListeners,
    /// `rest.advertised.host.name`.
    pub advertised_host: Option<String>,
    /// `rest.advertised.port`.
    pub advertised_port: Option<u16>,
    /// `rest.advertised.listener`, or the scheme that follows from `listeners`.
    pub advertised_scheme: ListenerScheme,
    /// `access.control.allow.origin`: blank entries gone; empty: no CORS headers at all.
    pub allow_origin: Vec<String>,
    /// `access.control.allow.methods`, blank when unset.
    pub allow_methods: String,
    /// `response.http.headers.config`.
    pub response_headers: Vec<HeaderRule>,
    /// `ssl.client.auth` of the listeners.
    pub client_auth: ClientAuth,
    /// `ssl.client.auth` of the admin listeners.
    pub admin_client_auth: ClientAuth,
    /// `rest.extension.classes`.
    pub extensions: Vec<String>,
    /// The TLS keys of the listeners: those under `listeners.https.` when there are any, else the plain ones.
    pub tls: Secretive,
    /// The TLS keys of the admin listeners.
    pub admin_tls: Secretive,
}

/// The keys of the REST server.
#[must_use]
pub fn rest_def() -> ConfigDef {
    let listeners = Validator::new(|_, value| match value {
        crate::ConfigValue::List(items) => {
            if items.is_empty() {
                return Err(ConfigError::new(
                    "Invalid value for listeners, at least one URL is expected, ex: \
                     http://localhost:8080,https://localhost:8443.",
                ));
            }
            Listener::parse_all(items, EMPTY_LISTENER).map(|_| ())
        }
        _ => Ok(()),
    });
    let admin = Validator::new(|_, value| match value {
        crate::ConfigValue::List(items) if !items.is_empty() => {
            Listener::parse_all(items, EMPTY_ADMIN_LISTENER).map(|_| ())
        }
        _ => Ok(()),
    });
    let headers = Validator::new(|_, value| {
        HeaderRule::parse_all(value.as_str().unwrap_or_default()).map(|_| ())
    });
    ConfigDef::new()
        .define(key("listeners", List, Text("http://:8083"), Low, "Where the REST server listens: http or https URLs, separated by commas; without a host on all interfaces.").validator(listeners))
        .define(key("rest.advertised.host.name", Str, Null, Low, "The host under which other workers reach this one."))
        .define(key("rest.advertised.port", Int, Null, Low, "The port under which other workers reach this one."))
        .define(key("rest.advertised.listener", Str, Null, Low, "The scheme under which other workers reach this one: http or https."))
        .define(key("access.control.allow.origin", Str, Text(""), Low, "Origins whose pages may call the REST server; blank: none."))
        .define(key("access.control.allow.methods", Str, Text(""), Low, "The methods that such pages may use."))
        .define(key("response.http.headers.config", Str, Text(""), Low, "Headers added to answers: rules of action, name and value.").validator(headers))
        .define(key("ssl.client.auth", Str, Text("none"), Low, "Whether clients of the REST server must show a certificate.").validator(Validator::one_of(&["required", "requested", "none"])))
        .define(key("rest.extension.classes", List, Text(""), Low, "Extensions of the REST server; those built in are known by Java's class names.").validator(Validator::list_without_duplicates(true, false)))
        .define(key("admin.listeners", List, Null, Low, "Where /admin is served; unset: with everything else; empty: nowhere.").validator(Validator::all(vec![Validator::list_without_duplicates(true, true), admin])))
}

const EMPTY_LISTENER: &str = "Empty URL found when parsing listeners list.";
const EMPTY_ADMIN_LISTENER: &str = "Empty URL found when parsing admin.listeners list.";

impl RestConfig {
    pub(super) fn from_parsed(config: &ParsedConfig, props: &Props) -> Result<Self, ConfigError> {
        let listeners = Listener::parse_all(config.list("listeners"), EMPTY_LISTENER)?;
        let admin_listeners = match (props.get("admin.listeners"), config.list("admin.listeners")) {
            (None, _) => AdminListeners::Shared,
            (Some(_), []) => AdminListeners::Off,
            (Some(_), items) => {
                AdminListeners::Own(Listener::parse_all(items, EMPTY_ADMIN_LISTENER)?)
            }
        };
        let scheme = match config
            .string("rest.advertised.listener")
            .map(str::to_lowercase)
            .as_deref()
        {
            Some("https") => ListenerScheme::Https,
            Some("http") => ListenerScheme::Http,
            Some(other) => {
                return Err(ConfigError::invalid(
                    "rest.advertised.listener",
                    other,
                    "expected http or https",
                ));
            }
            None if listeners
                .iter()
                .any(|one| one.scheme == ListenerScheme::Http) =>
            {
                ListenerScheme::Http
            }
            None => ListenerScheme::Https,
        };
        let port = config
            .integer("rest.advertised.port")
            .and_then(|port| u16::try_from(port).ok());
        let main_tls = tls(props, "listeners.https.");
        let admin_tls = tls(props, "admin.listeners.https.");
        Ok(Self {
            listeners,
            admin_listeners,
            advertised_host: config
                .string("rest.advertised.host.name")
                .map(ToOwned::to_owned),
            advertised_port: port,
            advertised_scheme: scheme,
            allow_origin: items(&config.text("access.control.allow.origin")),
            allow_methods: config.text("access.control.allow.methods"),
            response_headers: HeaderRule::parse_all(&config.text("response.http.headers.config"))?,
            client_auth: client_auth(&main_tls)?,
            admin_client_auth: client_auth(&admin_tls)?,
            extensions: config
                .list("rest.extension.classes")
                .iter()
                .filter(|one| !one.is_empty())
                .cloned()
                .collect(),
            tls: main_tls,
            admin_tls,
        })
    }

    /// The URL that other workers are told, `/` at its end (spec 7.1). `bound` is the port that a listener
    /// of the advertised scheme really has, `local_host` the name of this machine.
    #[must_use]
    pub fn advertised_url(&self, bound: u16, local_host: &str) -> String {
        let listener = self
            .listeners
            .iter()
            .find(|one| one.scheme == self.advertised_scheme);
        let configured = listener
            .map(|one| one.host.as_str())
            .filter(|host| !host.is_empty());
        let host = self
            .advertised_host
            .as_deref()
            .filter(|host| !host.is_empty());
        let host = host.or(configured).unwrap_or(local_host);
        let port = self
            .advertised_port
            .or_else(|| listener.map(|one| one.port).filter(|port| *port > 0));
        let port = port.unwrap_or(bound);
        let scheme = self.advertised_scheme.as_str();
        if host.contains(':') {
            return format!("{scheme}://[{host}]:{port}/");
        }
        format!("{scheme}://{host}:{port}/")
    }

    /// The worker's id in statuses: `host:port` of [`Self::advertised_url`].
    #[must_use]
    pub fn worker_id(url: &str) -> String {
        let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
        rest.trim_end_matches('/').to_owned()
    }
}

fn items(text: &str) -> Vec<String> {
    text.split(',')
        .map(str::trim)
        .filter(|one| !one.is_empty())
        .map(ToOwned::to_owned)
        .collect()
}

/// Among prefixed keys too the value must be one of the three.
fn client_auth(tls: &Secretive) -> Result<ClientAuth, ConfigError> {
    let name = "ssl.client.auth";
    match tls.0.get(name).map(String::as_str) {
        None | Some("none") => Ok(ClientAuth::None),
        Some("requested") => Ok(ClientAuth::Requested),
        Some("required") => Ok(ClientAuth::Required),
        Some(other) => Err(ConfigError::invalid(
            name,
            other,
            "String must be one of: required, requested, none",
        )),
    }
}

/// The prefixed keys when there are any, else the plain ones; never both.
fn tls(props: &Props, prefix: &str) -> Secretive {
    let prefixed = under(props, prefix);
    if !prefixed.is_empty() {
        return Secretive(prefixed);
    }
    let plain = props.iter().filter(|(name, _)| name.starts_with("ssl."));
    Secretive(
        plain
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect(),
    )
}
