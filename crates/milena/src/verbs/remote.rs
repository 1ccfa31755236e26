//! A worker that is asked over REST: where it is, who asks, and what its refusals mean. Works against every
//! Connect REST API, Java's included.

use std::{fs, path::PathBuf, time::Duration};

use clap::Args;
use http::Method;
use milena_rest::client::{ClientError, RestClient};
use serde_json::Value;
use tokio::time::Instant;

use super::{
    failure::{Failure, Kind},
    output::Shown,
};

/// How long a call is tried again while the worker says that it is rebalancing.
const REBALANCE: Duration = Duration::from_secs(30);
/// How long is waited in between.
const BETWEEN: Duration = Duration::from_millis(500);
/// Where Linux distributions keep the authorities that a machine trusts.
const AUTHORITIES: &[&str] = &[
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/cert.pem",
];

/// How workers begin to say that there is no such connector class.
const NO_CLASS: &str = "Failed to find any class that implements Connector";

/// Which worker.
#[derive(Args, Clone, Debug)]
pub(crate) struct Remote {
    /// The worker's REST address; any worker of the cluster will do.
    #[arg(
        long,
        env = "MILENA_URL",
        default_value = "http://localhost:8083",
        hide_env_values = true
    )]
    url: String,
    /// Trust the authorities in this PEM file instead of the machine's, for https.
    #[arg(long, value_name = "FILE", env = "MILENA_CACERT")]
    cacert: Option<PathBuf>,
    /// Take user and password from this file, as curl does; else MILENA_USER and MILENA_PASSWORD.
    #[arg(long, value_name = "FILE", env = "MILENA_NETRC")]
    netrc_file: Option<PathBuf>,
    /// How long to wait for an answer.
    #[arg(long, value_name = "SECONDS", default_value_t = 95, value_parser = clap::value_parser!(u64).range(1..=3600))]
    timeout: u64,
    #[command(flatten)]
    pub(crate) shown: Shown,
}

/// What a call is about, for the remedy when it is refused.
#[derive(Clone, Copy)]
pub(crate) enum About<'a> {
    Worker,
    Connector(&'a str),
    NewConnector(&'a str),
    Task(&'a str),
    Offsets(&'a str),
    Plugin,
}

/// A worker that can be asked.
pub(crate) struct Worker {
    client: RestClient,
}

impl Remote {
    /// A client with the credentials and authorities that were asked for.
    pub(crate) fn worker(&self) -> Result<Worker, Failure> {
        Worker::new(self)
    }
}

impl Worker {
    fn new(remote: &Remote) -> Result<Self, Failure> {
        let url = remote.url.as_str();
        let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
        let authority = rest.split('/').next().unwrap_or_default();
        if authority.contains('@') {
            return Err(Failure::new(
                Kind::Denied,
                "--url holds a user or password, which others on this machine can see",
            )
            .remedy("set MILENA_USER and MILENA_PASSWORD, or use --netrc-file"));
        }
        // What can only be http is not made a riddle.
        let url = match url.contains("://") {
            true => url.to_owned(),
            false => format!("http://{url}"),
        };
        let mut client = RestClient::new(&url).with_limit(Duration::from_secs(remote.timeout));
        if url.starts_with("https://") {
            client = client
                .with_authorities(&authorities(remote)?)
                .map_err(|error| no_answer(&error))?;
        }
        let host = authority
            .rsplit_once(':')
            .map_or(authority, |(host, _)| host);
        if let Some((user, password)) = credentials(remote, host)? {
            client = client.with_user(&user, &password);
        }
        Ok(Self { client })
    }

    /// The URL.
    pub(crate) fn url(&self) -> &str {
        self.client.url()
    }

    /// Asks; the JSON of a success, null when it has no body. Waits out a rebalance.
    pub(crate) async fn ask(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
        about: About<'_>,
    ) -> Result<Value, Failure> {
        let until = Instant::now() + REBALANCE;
        loop {
            let body = body.map(Value::to_string);
            let answer = self.client.call(method.clone(), path, body).await;
            let (status, text) = answer.map_err(|error| no_answer(&error))?;
            let json: Option<Value> = serde_json::from_str(&text).ok();
            if (200..300).contains(&status) {
                return match json {
                    Some(json) => Ok(json),
                    None if text.is_empty() => Ok(Value::Null),
                    None => Err(self.no_worker(status)),
                };
            }
            let message = json
                .as_ref()
                .and_then(|json| json.get("message"))
                .and_then(Value::as_str);
            let busy = status == 409 && message.is_some_and(|text| text.contains("rebalance"));
            if busy && Instant::now() < until {
                tokio::time::sleep(BETWEEN).await;
                continue;
            }
            let known = json
                .as_ref()
                .is_some_and(|json| json.get("error_code").is_some());
            return Err(match known {
                true => refused(status, message.unwrap_or("no reason given"), busy, about),
                false => self.foreign(status),
            });
        }
    }

    pub(crate) async fn get(&self, path: &str, about: About<'_>) -> Result<Value, Failure> {
        self.ask(Method::GET, path, None, about).await
    }

    /// An answer that no worker gives.
    fn no_worker(&self, status: u16) -> Failure {
        Failure::new(
            Kind::Failed,
            format!(
                "{} answers {status}, but not as a Kafka Connect worker does",
                self.url()
            ),
        )
        .remedy("check --url: host, port and path")
        .status(status)
    }

    /// A refusal without the body that workers send.
    fn foreign(&self, status: u16) -> Failure {
        match status {
            401 | 403 => denied(status, &format!("{} answers {status}", self.url())),
            405 => Failure::new(
                Kind::Failed,
                format!("the worker at {} does not know this request", self.url()),
            )
            .remedy("it may be of an older version of Kafka Connect")
            .status(status),
            _ => self.no_worker(status),
        }
    }
}

fn denied(status: u16, message: &str) -> Failure {
    let remedy = match status {
        401 => "set MILENA_USER and MILENA_PASSWORD, or use --netrc-file",
        _ => "the worker or a proxy before it forbids this; ask who runs it",
    };
    Failure::new(Kind::Denied, message)
        .remedy(remedy)
        .status(status)
}

fn no_answer(error: &ClientError) -> Failure {
    let remedy = match error {
        ClientError::Url { .. } => "write it as http://HOST:PORT",
        ClientError::Authorities { .. } => "name a PEM file with --cacert",
        ClientError::Connect { .. } => {
            "start a worker there, or name another with --url or MILENA_URL"
        }
        ClientError::Tls { .. } => {
            "check that the port speaks https, and name the authority of its certificate with --cacert"
        }
        ClientError::Late { .. } => "look at the worker's log, or wait longer with --timeout",
        ClientError::Answer { .. } => {
            "check that --url names a worker's REST port, and whether it is http or https"
        }
    };
    Failure::new(Kind::NoAnswer, error.to_string()).remedy(remedy)
}

fn refused(status: u16, message: &str, busy: bool, about: About<'_>) -> Failure {
    // Java answers 500 with the name of an exception and the whole registry here.
    if let Some(at) = message
        .find(NO_CLASS)
        .filter(|_| matches!(about, About::Plugin))
    {
        let text = message.get(at..).unwrap_or(message);
        let text = text
            .split(", available connectors are")
            .next()
            .unwrap_or(text);
        return Failure::new(Kind::Invalid, text)
            .remedy("see `milena plugins list --worker`")
            .status(status);
    }
    // The thing is named even where the worker's own words do not.
    let message = match about {
        About::Connector(name) | About::NewConnector(name) | About::Task(name)
            if !message.contains(name) =>
        {
            format!("connector {name:?}: {message}")
        }
        _ => message.to_owned(),
    };
    let failure = |kind| Failure::new(kind, message.as_str()).status(status);
    match (status, about) {
        (401 | 403, About::Worker | About::Plugin) | (401, _) => denied(status, &message),
        (403, _) => failure(Kind::Denied).remedy("it is switched off on this worker"),
        (404, About::Task(name)) => {
            failure(Kind::NotFound).remedy(format!("see `milena connectors tasks {name}`"))
        }
        (404, About::Worker) => {
            failure(Kind::NotFound).remedy("the worker may be of an older version of Kafka Connect")
        }
        (404, About::Plugin) => failure(Kind::NotFound).remedy("see `milena plugins list`"),
        (404, _) => failure(Kind::NotFound).remedy("see `milena connectors list`"),
        (405, _) => {
            failure(Kind::Failed).remedy("the worker may be of an older version of Kafka Connect")
        }
        (409, _) if busy => {
            failure(Kind::Conflict).remedy("the cluster does not settle: try again later")
        }
        (409, About::NewConnector(name)) => failure(Kind::Conflict).remedy(format!(
            "change it with `milena connectors config {name} --file FILE`, or choose another name"
        )),
        (409, _) => failure(Kind::Conflict).remedy("try again"),
        (400, About::Offsets(name)) if message.contains("STOPPED") => {
            failure(Kind::Invalid).remedy(format!("first `milena connectors stop {name} --wait`"))
        }
        (400..=499, _) => failure(Kind::Invalid),
        _ => failure(Kind::Failed).remedy("the worker's log says more"),
    }
}

fn authorities(remote: &Remote) -> Result<Vec<u8>, Failure> {
    let named = remote.cacert.clone();
    let named = named.or_else(|| std::env::var_os("SSL_CERT_FILE").map(PathBuf::from));
    if let Some(path) = named {
        return fs::read(&path).map_err(|error| {
            Failure::new(
                Kind::Invalid,
                format!("cannot read the certificates {}: {error}", path.display()),
            )
            .remedy("check --cacert")
        });
    }
    let found = AUTHORITIES.iter().find_map(|path| fs::read(path).ok());
    found.ok_or_else(|| {
        Failure::new(
            Kind::NoAnswer,
            "this machine keeps no certificates of authorities",
        )
        .remedy("install ca-certificates, or name a PEM file with --cacert")
    })
}

fn credentials(remote: &Remote, host: &str) -> Result<Option<(String, String)>, Failure> {
    if let Some(path) = &remote.netrc_file {
        let text = fs::read_to_string(path).map_err(|error| {
            Failure::new(
                Kind::Denied,
                format!("cannot read {}: {error}", path.display()),
            )
            .remedy("check --netrc-file")
        })?;
        return match netrc(&text, host) {
            Some(found) => Ok(Some(found)),
            None => Err(Failure::new(
                Kind::Denied,
                format!("{} has no login for {host}", path.display()),
            )
            .remedy(format!(
                "add a line `machine {host} login USER password PASSWORD`"
            ))),
        };
    }
    let user = std::env::var("MILENA_USER")
        .ok()
        .filter(|user| !user.is_empty());
    Ok(user.map(|user| (user, std::env::var("MILENA_PASSWORD").unwrap_or_default())))
}

/// The login of a host, or the default one.
fn netrc(text: &str, host: &str) -> Option<(String, String)> {
    let without_comments = text
        .lines()
        .filter(|line| !line.trim_start().starts_with('#'));
    let mut words = without_comments.flat_map(str::split_whitespace);
    let (mut fits, mut user, mut password) = (false, None, None);
    while let Some(word) = words.next() {
        match word {
            "machine" | "default" => {
                if fits && user.is_some() {
                    break;
                }
                fits = word == "default" || words.next() == Some(host);
                (user, password) = (None, None);
            }
            "login" if fits => user = words.next().map(str::to_owned),
            "password" if fits => password = words.next().map(str::to_owned),
            "login" | "password" | "account" => {
                words.next();
            }
            _ => {}
        }
    }
    user.filter(|_| fits)
        .map(|user| (user, password.unwrap_or_default()))
}

/// A name as one segment of a path.
pub(crate) fn segment(name: &str) -> String {
    let literal = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~".contains(byte);
    let one = |byte: u8| match literal(&byte) {
        true => char::from(byte).to_string(),
        false => format!("%{byte:02X}"),
    };
    name.bytes().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::{netrc, segment};

    #[test]
    fn a_login_is_found_by_its_host() {
        let text = "# of this machine\nmachine a login u password p\nmachine b\n  login v\n  password q\ndefault login d password e\n";
        let found = |host: &str| netrc(text, host).unwrap();
        assert_eq!(found("a"), ("u".to_owned(), "p".to_owned()));
        assert_eq!(found("b"), ("v".to_owned(), "q".to_owned()));
        assert_eq!(found("c"), ("d".to_owned(), "e".to_owned()));
        assert_eq!(netrc("machine a login u", "b"), None);
    }

    #[test]
    fn names_stay_one_segment() {
        assert_eq!(segment("a b/é?"), "a%20b%2F%C3%A9%3F");
    }
}
