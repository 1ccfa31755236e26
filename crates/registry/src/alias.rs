//! Aliases: the simple class name, and the simple name without the suffix of its kind.

use crate::PluginKind;

/// The names beside the full class name under which a plugin is found.
///
/// `org.x.FileStreamSourceConnector` → `FileStreamSourceConnector`, `FileStreamSource`;
/// nested classes keep their `$`: `org.x.Cast$Value` → `Cast$Value` (spec `rest-and-config.md` 10.3).
#[must_use]
pub fn aliases(kind: PluginKind, class: &str) -> Vec<String> {
    let simple = class.rsplit('.').next().unwrap_or(class);
    let mut names = vec![simple.to_owned()];
    for suffix in kind.suffixes() {
        if let Some(short) = simple.strip_suffix(suffix) {
            if !short.is_empty() {
                names.push(short.to_owned());
            }
            break;
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::aliases;
    use crate::PluginKind;

    #[test]
    fn the_suffix_of_the_kind_is_optional() {
        let names = aliases(PluginKind::Source, "org.x.FileStreamSourceConnector");
        assert_eq!(names, ["FileStreamSourceConnector", "FileStreamSource"]);
        let names = aliases(PluginKind::Transformation, "org.x.Cast$Value");
        assert_eq!(names, ["Cast$Value"]);
        let names = aliases(PluginKind::Converter, "org.x.JsonConverter");
        assert_eq!(names, ["JsonConverter", "Json"]);
    }
}
