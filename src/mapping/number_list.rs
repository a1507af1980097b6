//! A list of numbers to be blocked: one a line, or CSV with a column of numbers.

/// Headings under which the numbers stand.
const HEADINGS: [&str; 6] = ["number", "phone", "telefon", "nummer", "telefonnummer", "rufnummer"];

/// What a list held.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct NumberList {
    /// Its numbers in E.164, each once.
    pub numbers: Vec<String>,
    /// Every line that names nobody.
    pub bad: Vec<BadLine>,
}

/// A line that names nobody.
#[derive(Debug, PartialEq, Eq)]
pub struct BadLine {
    /// Its number in the file, from 1.
    pub line: u64,
    /// What is wrong with it; holds what stands there, so it is not for logs.
    pub what: String,
}

/// Line by line: a quote that is never closed would swallow the rest of the file, and everybody in it.
pub fn read(bytes: &[u8], to_e164: impl Fn(&str) -> Option<String>) -> NumberList {
    let delimiter = delimiter(bytes);
    let mut found = NumberList::default();
    let mut column = None;
    for (line, row) in (1..).zip(bytes.split(|byte| *byte == b'\n')) {
        let row = cells(row, delimiter);
        if row.iter().all(String::is_empty) || row.first().is_some_and(|cell| cell.starts_with('#')) {
            continue;
        }
        if column.is_none() {
            let named = heading(&row);
            column = Some(named.unwrap_or(0));
            if named.is_some() {
                continue;
            }
        }
        let cell = row.get(column.unwrap_or(0)).map_or("", String::as_str);
        match to_e164(cell) {
            Some(number) => found.numbers.push(number),
            None if cell.is_empty() => found.bad.push(BadLine { line, what: "no number".to_owned() }),
            None => found.bad.push(BadLine { line, what: format!("{cell:?} is no valid phone number") }),
        }
    }
    found.numbers.sort();
    found.numbers.dedup();
    found
}

/// Spreadsheets of the house write Latin-1 as well as UTF-8; numbers are the same in both.
fn cells(line: &[u8], delimiter: u8) -> Vec<String> {
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .delimiter(delimiter)
        .buffer_capacity(256)
        .from_reader(line);
    let row = reader.byte_records().next().and_then(Result::ok).unwrap_or_default();
    row.iter()
        .map(|cell| {
            String::from_utf8_lossy(cell)
                .trim_matches(|c: char| c.is_whitespace() || c == '\u{feff}')
                .to_owned()
        })
        .collect()
}

fn heading(row: &[String]) -> Option<usize> {
    row.iter().position(|cell| HEADINGS.iter().any(|name| cell.eq_ignore_ascii_case(name)))
}

/// German spreadsheets write semicolons.
fn delimiter(bytes: &[u8]) -> u8 {
    let first = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
    if first.contains(&b';') { b';' } else { b',' }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(bytes: &[u8]) -> (Vec<String>, Vec<u64>) {
        let found = read(bytes, |cell| cell.starts_with('+').then(|| cell.to_owned()));
        (found.numbers, found.bad.into_iter().map(|bad| bad.line).collect())
    }

    #[test]
    fn good_lines_are_taken_and_bad_ones_named_by_their_line() {
        let file =
            b"name;Telefon\r\n\r\n# a remark;\r\nsomebody;+491\r\nnobody;12\r\nM\xfcller;+492\r\nempty;\r\n";
        assert_eq!(numbers(file), (vec!["+491".to_owned(), "+492".to_owned()], vec![5, 7]));
        assert_eq!(numbers(b"\xef\xbb\xbf+491\n+491\nx\n"), (vec!["+491".to_owned()], vec![3]));
        let quoted = b"name,phone\n\"Doe, J.\",+491\n\"Roe, J.,+492\n";
        assert_eq!(numbers(quoted), (vec!["+491".to_owned()], vec![3]));
        assert_eq!(numbers(b"phone\n\"+491\"\n\"+492\n+493\n").0.len(), 3, "an open quote swallows nobody");
    }
}
