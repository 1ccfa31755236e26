//! Cross-origin headers, as Jetty 12's handler sends them (oracle "CORS"), and the configured response headers
//! (spec 7.4). Neither is for the admin listener.

use std::time::SystemTime;

use http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use milena_config::worker::{HeaderAction, HeaderRule};

use crate::{reply::Reply, stage};

/// Which origins may call, and how.
pub(crate) struct Cors {
    origins: Vec<String>,
    methods: String,
}

impl Cors {
    /// `None`: no origins are configured, so no headers are sent.
    pub(crate) fn new(origins: &[String], methods: &str) -> Option<Self> {
        if origins.is_empty() {
            return None;
        }
        let methods: Vec<&str> = methods
            .split(',')
            .map(str::trim)
            .filter(|one| !one.is_empty())
            .collect();
        let methods = if methods.is_empty() {
            "GET,POST,HEAD".to_owned()
        } else {
            methods.join(",")
        };
        Some(Self {
            origins: origins.to_vec(),
            methods,
        })
    }

    /// Whether pages of this origin may call.
    pub(crate) fn allows(&self, origin: &str) -> bool {
        self.origins.iter().any(|allowed| matches(allowed, origin))
    }

    pub(crate) fn decorate(&self, method: &Method, request: &HeaderMap, reply: &mut Reply) {
        let mut add = |name: HeaderName, value: &str| {
            if let Ok(value) = HeaderValue::from_str(value) {
                reply.headers.push((name, value));
            }
        };
        add(header::VARY, "Origin");
        let Some(origin) = request
            .get(header::ORIGIN)
            .and_then(|value| value.to_str().ok())
        else {
            return;
        };
        if !self.allows(origin) {
            return;
        }
        add(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        if method == Method::OPTIONS && request.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD)
        {
            add(header::ACCESS_CONTROL_ALLOW_METHODS, &self.methods);
            add(header::ACCESS_CONTROL_ALLOW_HEADERS, "Content-Type");
            add(header::ACCESS_CONTROL_MAX_AGE, "60");
        }
    }
}

/// Whether a pattern fits an origin as a whole. Java takes a regular expression without regard to case; only
/// `*` and `.*`-like forms occur in practice: `x*` repeats the character before it, `.` is any character.
fn matches(pattern: &str, origin: &str) -> bool {
    if pattern == "*" {
        return true;
    }
    let lower = |text: &str| text.to_lowercase().chars().collect::<Vec<char>>();
    fits(&lower(pattern), &lower(origin))
}

fn fits(pattern: &[char], text: &[char]) -> bool {
    let one = |wanted: &char, found: &char| *wanted == '.' || wanted == found;
    match pattern {
        [] => text.is_empty(),
        ['\\', c, rest @ ..] => text
            .split_first()
            .is_some_and(|(first, tail)| c == first && fits(rest, tail)),
        [c, '*', rest @ ..] => {
            let longest = text.iter().take_while(|found| one(c, found)).count();
            (0..=longest).any(|taken| text.get(taken..).is_some_and(|tail| fits(rest, tail)))
        }
        [c, rest @ ..] => text
            .split_first()
            .is_some_and(|(first, tail)| one(c, first) && fits(rest, tail)),
    }
}

/// Applies the configured rules to an answer.
pub(crate) fn apply_rules(rules: &[HeaderRule], reply: &mut Reply) {
    for rule in rules {
        let Ok(name) = HeaderName::try_from(rule.name.as_str()) else {
            continue;
        };
        let value = match rule.action {
            HeaderAction::Set | HeaderAction::Add => rule.value.clone(),
            HeaderAction::SetDate | HeaderAction::AddDate => {
                http_date(rule.value.parse().unwrap_or_default())
            }
        };
        let Ok(value) = HeaderValue::from_str(&value) else {
            continue;
        };
        if matches!(rule.action, HeaderAction::Set | HeaderAction::SetDate) {
            reply.headers.retain(|(other, _)| *other != name);
        }
        reply.headers.push((name, value));
    }
}

/// A date so many milliseconds from now, as HTTP writes dates.
fn http_date(offset_ms: i64) -> String {
    let since = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    let seconds =
        (i64::try_from(since.as_millis()).unwrap_or_default() + offset_ms).div_euclid(1000);
    let days = seconds.div_euclid(86_400);
    let (year, month, day) = stage::date(days);
    let nth = |names: &[&'static str], index: i64| {
        usize::try_from(index)
            .ok()
            .and_then(|index| names.get(index))
            .copied()
            .unwrap_or_default()
    };
    let weekday = nth(
        &["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"],
        days.rem_euclid(7),
    );
    let months = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    let of_day = seconds.rem_euclid(86_400);
    let (hour, minute, second) = (of_day / 3600, of_day / 60 % 60, of_day % 60);
    format!(
        "{weekday}, {day:02} {} {year} {hour:02}:{minute:02}:{second:02} GMT",
        nth(&months, month - 1)
    )
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn origins_are_patterns_over_the_whole_text() {
        assert!(matches("*", "http://x"));
        assert!(matches("http://*.wild.example", "http://wild.example"));
        assert!(!matches("http://*.wild.example", "http://a.wild.example"));
        assert!(matches("http://.*.wild.example", "HTTP://a.wild.example"));
        assert!(!matches("http://a.b", "http://a.b.c"));
    }
}
