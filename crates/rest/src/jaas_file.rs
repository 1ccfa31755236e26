//! A JAAS login configuration file, parsed to class names and options; nothing is loaded.
//!
//! Answers to the format of `javax.security.auth.login.Configuration`: sections of login modules, each with a
//! control flag and `key="value"` options, C and shell comments. Options may be secrets and cannot be printed.

use std::{collections::BTreeMap, iter::Peekable, str::Chars};

use milena_config::Secret;

/// The largest file that is parsed: real ones are a few hundred bytes.
const BYTES_MAX: usize = 1 << 20;

/// A login module of a section.
#[derive(Clone, Debug)]
pub struct LoginModule {
    /// The class that Java would load.
    pub class: String,
    /// `required`, `requisite`, `sufficient` or `optional`, lower case.
    pub flag: String,
    /// The options by name.
    pub options: BTreeMap<String, Secret<String>>,
}

/// A parsed file: the login modules by section.
#[derive(Clone, Debug, Default)]
pub struct JaasFile {
    sections: BTreeMap<String, Vec<LoginModule>>,
}

/// Why a file cannot be used; holds nothing of the file but its structure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {what}")]
pub struct JaasFileError {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong.
    pub what: &'static str,
}

#[derive(Debug, PartialEq, Eq)]
enum Token {
    Word(String),
    Sign(char),
}

struct Tokens<'a> {
    chars: Peekable<Chars<'a>>,
    line: usize,
}

impl JaasFile {
    /// Parses a file.
    ///
    /// # Errors
    /// It has another structure; the line is named, never its content.
    pub fn parse(text: &str) -> Result<Self, JaasFileError> {
        if text.len() > BYTES_MAX {
            return Err(JaasFileError {
                line: 1,
                what: "the file is larger than a login configuration needs",
            });
        }
        let mut tokens = Tokens {
            chars: text.chars().peekable(),
            line: 1,
        };
        let mut sections = BTreeMap::new();
        while let Some(token) = tokens.next()? {
            let Token::Word(name) = token else {
                return Err(tokens.wrong("the name of a section is missing"));
            };
            tokens.sign('{', "the name of a section must be followed by {")?;
            let mut modules = Vec::new();
            while let Some(module) = tokens.module()? {
                modules.push(module);
            }
            tokens.sign(';', "a section must end with };")?;
            if sections.insert(name, modules).is_some() {
                return Err(tokens.wrong("a section of this name was there before"));
            }
        }
        Ok(Self { sections })
    }

    /// The login modules of a section.
    #[must_use]
    pub fn section(&self, name: &str) -> Option<&[LoginModule]> {
        self.sections.get(name).map(Vec::as_slice)
    }
}

impl Tokens<'_> {
    fn wrong(&self, what: &'static str) -> JaasFileError {
        JaasFileError {
            line: self.line,
            what,
        }
    }

    /// A login module; `None` at the end of the section.
    fn module(&mut self) -> Result<Option<LoginModule>, JaasFileError> {
        let class = match self.next()? {
            Some(Token::Sign('}')) => return Ok(None),
            Some(Token::Word(class)) => class,
            _ => return Err(self.wrong("a login module or } is missing")),
        };
        let flag = match self.next()? {
            Some(Token::Word(flag)) => flag.to_ascii_lowercase(),
            _ => String::new(),
        };
        if !["required", "requisite", "sufficient", "optional"].contains(&flag.as_str()) {
            return Err(self.wrong(
                "a login module must be followed by required, requisite, sufficient or optional",
            ));
        }
        let mut options = BTreeMap::new();
        loop {
            match self.next()? {
                Some(Token::Sign(';')) => break,
                Some(Token::Word(name)) => {
                    self.sign('=', "an option must have the form name=\"value\"")?;
                    let Some(Token::Word(value)) = self.next()? else {
                        return Err(self.wrong("an option must have the form name=\"value\""));
                    };
                    options.insert(name, Secret::new(value));
                }
                _ => return Err(self.wrong("a login module must end with ;")),
            }
        }
        Ok(Some(LoginModule {
            class,
            flag,
            options,
        }))
    }

    fn sign(&mut self, wanted: char, what: &'static str) -> Result<(), JaasFileError> {
        match self.next()? {
            Some(Token::Sign(sign)) if sign == wanted => Ok(()),
            _ => Err(self.wrong(what)),
        }
    }

    fn next(&mut self) -> Result<Option<Token>, JaasFileError> {
        while let Some(c) = self.take() {
            match c {
                c if c.is_whitespace() => {}
                '#' => self.skip_line(),
                '/' if self.chars.peek() == Some(&'/') => self.skip_line(),
                '/' if self.chars.peek() == Some(&'*') => self.skip_comment()?,
                '{' | '}' | ';' | '=' => return Ok(Some(Token::Sign(c))),
                '"' | '\'' => return self.quoted(c).map(|word| Some(Token::Word(word))),
                c => {
                    let mut word = String::from(c);
                    let bare = |c: &char| {
                        !c.is_whitespace() && !['{', '}', ';', '=', '"', '\''].contains(c)
                    };
                    while let Some(next) = self.chars.next_if(bare) {
                        word.push(next);
                    }
                    return Ok(Some(Token::Word(word)));
                }
            }
        }
        Ok(None)
    }

    fn take(&mut self) -> Option<char> {
        let taken = self.chars.next();
        self.line += usize::from(taken == Some('\n'));
        taken
    }

    fn skip_line(&mut self) {
        while self.take().is_some_and(|c| c != '\n') {}
    }

    fn skip_comment(&mut self) -> Result<(), JaasFileError> {
        self.take();
        let mut before = ' ';
        while let Some(c) = self.take() {
            if before == '*' && c == '/' {
                return Ok(());
            }
            before = c;
        }
        Err(self.wrong("a comment does not end"))
    }

    fn quoted(&mut self, quote: char) -> Result<String, JaasFileError> {
        let mut word = String::new();
        while let Some(c) = self.take() {
            match c {
                c if c == quote => return Ok(word),
                '\n' => break,
                '\\' => match self.take() {
                    Some('n') => word.push('\n'),
                    Some('t') => word.push('\t'),
                    Some('r') => word.push('\r'),
                    Some(escaped) => word.push(escaped),
                    None => break,
                },
                c => word.push(c),
            }
        }
        Err(self.wrong("a quoted value does not end"))
    }
}

#[cfg(test)]
mod tests {
    use super::JaasFile;

    #[test]
    fn sections_modules_and_options_are_found() {
        let file = JaasFile::parse(
            "// c\nKafkaClient { a.B optional; };\n/* x\n y */ KafkaConnect {\n  \
             org.apache.PropertyFileLoginModule required\n  file=\"/etc/a \\\"b\\\".properties\" debug=true; # end\n};\n",
        )
        .unwrap();
        let [module] = file.section("KafkaConnect").unwrap() else {
            panic!("one module");
        };
        assert_eq!(module.class, "org.apache.PropertyFileLoginModule");
        assert_eq!(module.options["file"].reveal(), "/etc/a \"b\".properties");
        assert_eq!(module.options["debug"].reveal(), "true");
        assert!(!format!("{file:?}").contains("/etc"));
        assert!(file.section("Else").is_none());
    }

    #[test]
    fn what_is_wrong_names_its_line_only() {
        for (text, line) in [
            ("a {\n b c;\n};", 2),
            ("a {\n b required x;\n};", 2),
            ("a {\n b required x=\"y;\n};", 3),
            ("a {\n b required;\n}", 3),
            ("a", 1),
            ("a {", 1),
            ("a {};\na {};", 2),
            ("/* a", 1),
            ("{", 1),
        ] {
            assert_eq!(JaasFile::parse(text).unwrap_err().line, line, "{text}");
        }
    }
}
