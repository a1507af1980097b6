//! Standard output. A reader that has seen enough (`| head`) has the right to go: that ends the program quietly.

use std::io::Write as _;

/// Prints a text as it is.
pub fn print(text: &str) {
    if std::io::stdout().lock().write_all(text.as_bytes()).is_err() {
        std::process::exit(0);
    }
}

/// Prints a line.
pub fn line(text: &str) {
    print(&format!("{text}\n"));
}

/// `println!`, for a reader that may go.
macro_rules! say {
    () => { $crate::app::say::line("") };
    ($($text:tt)*) => { $crate::app::say::line(&format!($($text)*)) };
}
pub(crate) use say;
