//! The line that every request leaves in the log, as Jetty writes it for Connect: the extended NCSA format and the
//! milliseconds, with one difference: parameters are left out, of the request's own path and of the page it came from,
//! because they may hold something private.
//!
//! Java's logger is `org.apache.kafka.connect.runtime.rest.RestServer`; ours is `milena_rest::access`, and `loggers` maps
//! one to the other.

use std::{
    fmt::Write as _,
    net::IpAddr,
    time::{Duration, SystemTime},
};

use http::{HeaderMap, HeaderName, header, request::Parts};

use crate::stage;

/// What is known of a request before it is answered.
pub(crate) struct Request {
    peer: IpAddr,
    line: String,
    referer: String,
    agent: String,
}

impl Request {
    pub(crate) fn of(parts: &Parts, peer: IpAddr) -> Self {
        let text = |name: HeaderName| header_text(&parts.headers, &name);
        let referer = text(header::REFERER);
        Self {
            peer,
            line: format!("{} {} {:?}", parts.method, parts.uri.path(), parts.version),
            referer: referer
                .split(['?', '#'])
                .next()
                .unwrap_or_default()
                .to_owned(),
            agent: text(header::USER_AGENT),
        }
    }

    /// The line of an answered request.
    pub(crate) fn line(
        &self,
        status: u16,
        bytes: usize,
        took: Duration,
        now: SystemTime,
    ) -> String {
        format!(
            "{} - - [{}] {} {status} {bytes} {} {} {}",
            self.peer,
            date(now),
            quoted(&self.line),
            quoted(&self.referer),
            quoted(&self.agent),
            took.as_millis()
        )
    }
}

fn header_text(headers: &HeaderMap, name: &HeaderName) -> String {
    let value = headers.get(name).map(|value| value.as_bytes());
    String::from_utf8_lossy(value.unwrap_or_default()).into_owned()
}

/// In double quotes; a quote inside is escaped, so that no client ends a field early.
fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => {
                quoted.push('\\');
                quoted.push(c);
            }
            c if c.is_control() => {
                let _ = write!(quoted, "\\u{:04x}", u32::from(c));
            }
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

/// `21/Nov/2026:15:20:02 +0000`.
fn date(now: SystemTime) -> String {
    const MONTHS: [&str; 12] = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    let since = now
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    let seconds = i64::try_from(since.as_secs()).unwrap_or_default();
    let (year, month, day) = stage::date(seconds.div_euclid(86_400));
    let name = usize::try_from(month - 1)
        .ok()
        .and_then(|at| MONTHS.get(at));
    let of_day = seconds.rem_euclid(86_400);
    format!(
        "{day:02}/{}/{year}:{:02}:{:02}:{:02} +0000",
        name.copied().unwrap_or_default(),
        of_day / 3600,
        of_day / 60 % 60,
        of_day % 60
    )
}

#[cfg(test)]
mod tests {
    use std::{
        net::{IpAddr, Ipv4Addr},
        time::{Duration, SystemTime},
    };

    use super::Request;

    // Recorded from the Java worker 4.3.1, which shows the parameters too.
    #[test]
    fn a_line_is_as_jettys_but_for_parameters() {
        let request = http::Request::put("/connectors/x/pause?password=secret")
            .header("Referer", "http://r/\"x\"?token=secret")
            .header("User-Agent", "ag\"ent")
            .body(())
            .unwrap();
        let (parts, ()) = request.into_parts();
        let seen = Request::of(&parts, IpAddr::V4(Ipv4Addr::LOCALHOST));
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_275_053);
        assert_eq!(
            seen.line(404, 50, Duration::from_micros(1900), now),
            r#"127.0.0.1 - - [21/Nov/2026:15:30:53 +0000] "PUT /connectors/x/pause HTTP/1.1" 404 50 "http://r/\"x\"" "ag\"ent" 1"#
        );
    }
}
