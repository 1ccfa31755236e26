//! `java.util.regex.PatternSyntaxException`.

/// A pattern that Java refuses, with Java's text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PatternSyntaxError {
    /// What is wrong.
    pub description: String,
    /// Where, in characters; `None` where Java knows no place.
    pub index: Option<usize>,
    /// The pattern.
    pub pattern: String,
}

impl std::fmt::Display for PatternSyntaxError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.description)?;
        if let Some(index) = self.index {
            write!(f, " near index {index}")?;
        }
        write!(f, "\n{}", self.pattern)?;
        match self.index {
            Some(index) if index < self.pattern.chars().count() => {
                write!(f, "\n{:index$}^", "")
            }
            _ => Ok(()),
        }
    }
}

impl std::error::Error for PatternSyntaxError {}
