//! MBean names of metric groups, as Kafka's JMX reporter makes them (spec `data.md` 6.1).

/// `kafka.connect:type=<group>` and each tag in order; values with special characters are quoted.
#[must_use]
pub fn mbean_name(group: &str, tags: &[(&str, &str)]) -> String {
    let mut name = format!("kafka.connect:type={group}");
    for (key, value) in tags {
        if key.is_empty() || value.is_empty() {
            continue;
        }
        name.push(',');
        name.push_str(key);
        name.push('=');
        push_value(&mut name, value);
    }
    name
}

fn push_value(name: &mut String, value: &str) {
    let plain =
        |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '%' | '.' | ' ' | '\t');
    if value.chars().all(plain) {
        name.push_str(value);
        return;
    }
    // `ObjectName.quote`.
    name.push('"');
    for c in value.chars() {
        match c {
            '"' | '*' | '?' | '\\' => {
                name.push('\\');
                name.push(c);
            }
            '\n' => name.push_str("\\n"),
            _ => name.push(c),
        }
    }
    name.push('"');
}
