//! Where answers go: text for people or JSON lines for programs.

use serde::Serialize;

/// How a verb answers.
#[derive(Debug, Clone, Copy)]
pub struct Output {
    json: bool,
}

impl Output {
    /// JSON lines, or text.
    pub fn new(json: bool) -> Self {
        Self { json }
    }

    /// Whether it is for programs.
    pub fn is_json(self) -> bool {
        self.json
    }

    /// One value, in the form asked for.
    pub fn value<T: Serialize>(self, value: &T, text: impl FnOnce() -> String) {
        if self.json {
            self.json_line(value);
        } else {
            print_line(text().trim_end_matches('\n'));
        }
    }

    /// Many values: one JSON line each, or one table.
    pub fn values<T: Serialize>(self, values: &[T], text: impl FnOnce() -> String) {
        if self.json {
            values.iter().for_each(|value| self.json_line(value));
        } else {
            print_line(text().trim_end_matches('\n'));
        }
    }

    fn json_line<T: Serialize>(self, value: &T) {
        match serde_json::to_string(value) {
            Ok(text) => print_line(&text),
            Err(error) => eprintln!("dialbridge: an answer cannot be written as JSON: {error}"),
        }
    }
}

/// Prints a line; a closed pipe (`| head`) is the reader's good right, not an error.
pub fn print_line(text: &str) {
    use std::io::Write as _;
    if writeln!(std::io::stdout().lock(), "{text}").is_err() {
        std::process::exit(0);
    }
}
