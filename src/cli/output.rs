//! Where answers go: text for people, or one JSON document for programs. Errors go to standard error.

pub use crate::app::say::line as print_line;
pub use crate::app::say::print;
use serde::Serialize;

/// How a verb answers.
#[derive(Debug, Clone, Copy)]
pub struct Output {
    json: bool,
}

impl Output {
    /// JSON, or text.
    pub fn new(json: bool) -> Self {
        Self { json }
    }

    /// Whether it is for programs.
    pub fn is_json(self) -> bool {
        self.json
    }

    /// The answer, in the form asked for.
    pub fn value<T: Serialize + ?Sized>(self, value: &T, text: impl FnOnce() -> String) {
        if !self.json {
            print_line(text().trim_end_matches('\n'));
            return;
        }
        match serde_json::to_string(value) {
            Ok(text) => print_line(&text),
            Err(error) => eprintln!("dialbridge: the answer cannot be written as JSON: {error}"),
        }
    }

    /// An answer that comes bit by bit: one JSON array, or one piece of text each.
    pub fn stream(self) -> Stream {
        Stream { output: self, count: 0 }
    }
}

/// An answer under way.
#[derive(Debug)]
pub struct Stream {
    output: Output,
    count: u64,
}

impl Stream {
    /// The next piece.
    pub fn push<T: Serialize>(&mut self, value: &T, text: impl FnOnce() -> String) {
        if self.output.json {
            print(if self.count == 0 { "[" } else { ",\n" });
            print(&serde_json::to_string(value).unwrap_or_else(|_| "null".to_owned()));
        } else {
            print_line(&text());
        }
        self.count += 1;
    }

    /// It is complete. Without this no program takes it for a document.
    pub fn end(self) -> u64 {
        if self.output.json {
            print_line(if self.count == 0 { "[]" } else { "]" });
        }
        self.count
    }
}
