//! Where a command writes its answer, line by line, while it works.

use super::{End, Line};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// The writing end of an answer.
#[derive(Debug, Clone)]
pub struct Answer(UnboundedSender<Line>);

impl Answer {
    /// An answer and where its lines come out.
    pub fn channel() -> (Self, UnboundedReceiver<Line>) {
        let (sender, receiver) = unbounded_channel();
        (Self(sender), receiver)
    }

    /// A line for people.
    pub fn text(&self, text: impl Into<String>) {
        self.send(Line::Text(text.into()));
    }

    /// Why it cannot be done.
    pub fn error(&self, text: impl Into<String>) {
        self.send(Line::Error(text.into()));
    }

    /// A value for programs.
    pub fn data(&self, value: serde_json::Value) {
        self.send(Line::Data(value));
    }

    /// The last line.
    pub fn end(&self, end: End) {
        self.send(Line::End { end });
    }

    fn send(&self, line: Line) {
        // Whoever asked may have gone; the command goes on.
        let _gone = self.0.send(line);
    }
}
