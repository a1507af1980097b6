//! What is wrong in a config or a connector file, said so that it can be mended.

use std::fmt;

/// Where something stands in a file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The file as the user named it (`(environment)` for a variable).
    pub file: String,
    /// Line, from 1; `None` where the problem is that something is missing.
    pub line: Option<usize>,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "{}:{line}", self.file),
            None => f.write_str(&self.file),
        }
    }
}

/// One mistake: where, what was given, what is expected, what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The key, dotted (`route.leads.fields.Name`).
    pub key: String,
    /// Where it stands.
    pub place: Option<Place>,
    /// What stands there; never a secret.
    pub given: String,
    /// What would be right.
    pub expected: String,
    /// What to do next, where that is not obvious from `expected`.
    pub remedy: Option<String>,
}

impl Problem {
    /// A problem without a place; the room that knows the file adds it.
    pub fn new(key: impl Into<String>, given: impl Into<String>, expected: impl Into<String>) -> Self {
        Self { key: key.into(), place: None, given: given.into(), expected: expected.into(), remedy: None }
    }

    /// Adds what to do.
    #[must_use]
    pub fn remedy(mut self, remedy: impl Into<String>) -> Self {
        self.remedy = Some(remedy.into());
        self
    }

    /// Adds where it stands.
    #[must_use]
    pub fn at(mut self, place: Place) -> Self {
        self.place = Some(place);
        self
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(place) = &self.place {
            write!(f, "{place}: ")?;
        }
        write!(f, "{}: {}; expected {}", self.key, self.given, self.expected)?;
        match &self.remedy {
            Some(remedy) => write!(f, ". {remedy}"),
            None => Ok(()),
        }
    }
}
