//! Columns for people.

use std::fmt::Write as _;

/// A column may be so wide; what is longer is cut with an ellipsis. The last one is never cut: it says why.
const WIDEST: usize = 40;

/// Rows under headings, columns aligned, two blanks between them.
pub fn table(headings: &[&str], rows: &[Vec<String>]) -> String {
    let mut widths: Vec<usize> = headings.iter().map(|heading| heading.chars().count()).collect();
    let last = headings.len().saturating_sub(1);
    for row in rows {
        for (width, cell) in widths.iter_mut().take(last).zip(row) {
            *width = (*width).max(cell.chars().count().min(WIDEST));
        }
    }
    let mut text = String::new();
    line(&mut text, &widths, headings.iter().map(|heading| (*heading).to_owned()));
    for row in rows {
        line(&mut text, &widths, row.iter().cloned());
    }
    text
}

fn line(text: &mut String, widths: &[usize], cells: impl Iterator<Item = String>) {
    let mut line = String::new();
    let last = widths.len().saturating_sub(1);
    for (place, (cell, width)) in cells.zip(widths).enumerate() {
        let shown = if place == last { one_line(&cell) } else { cut(&cell) };
        let padding = width.saturating_sub(shown.chars().count());
        let _infallible = write!(line, "{shown}{}  ", " ".repeat(padding));
    }
    text.push_str(line.trim_end());
    text.push('\n');
}

fn one_line(cell: &str) -> String {
    cell.replace(['\n', '\r'], " ")
}

fn cut(cell: &str) -> String {
    let one_line = one_line(cell);
    if one_line.chars().count() <= WIDEST {
        return one_line;
    }
    one_line.chars().take(WIDEST - 1).chain(std::iter::once('…')).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_and_long_cells_are_cut() {
        let rows = vec![
            vec!["1".into(), "x".repeat(80), "y".repeat(80)],
            vec!["1000".into(), "short".into(), "why".into()],
        ];
        let text = table(&["id", "what", "why"], &rows);
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines[0].starts_with("id    what  "));
        assert!(lines[1].starts_with("1     xxx") && lines[1].contains("x…  y"));
        assert!(lines[1].ends_with(&"y".repeat(80)), "the last column says why, and is whole");
        assert!(lines[2].starts_with("1000  short  ") && lines[2].ends_with("  why"));
    }
}
