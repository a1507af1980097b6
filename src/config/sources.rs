//! Where the config comes from: the files, read whole before anything is judged.

use crate::domain::{Place, Problem};
use std::path::{Path, PathBuf};

/// The compiled-in defaults, with a comment for every key there is.
pub const DEFAULTS: &str = include_str!("../../config/defaults.toml");

/// Larger than any config a person writes; a log file given by mistake must not fill the memory.
const MOST_BYTES: u64 = 1 << 20;

/// One file's text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceFile {
    /// Its path as the user gave it.
    pub name: String,
    /// What stands in it.
    pub text: String,
}

/// Everything the config is made of.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sources {
    /// The file, then those of `conf.d` beside it, by name.
    pub files: Vec<SourceFile>,
    /// The environment's variables; only names that begin with `DIALBRIDGE_` are looked at.
    pub environment: Vec<(String, String)>,
}

impl Sources {
    /// Reads `path` and `conf.d/*.toml` beside it. `environment` is the process's, or a test's.
    ///
    /// # Errors
    /// All files that could not be read.
    pub fn read(path: &Path, environment: Vec<(String, String)>) -> Result<Self, Vec<Problem>> {
        let mut problems = Vec::new();
        let mut paths = vec![path.to_owned()];
        paths.extend(additions(path, &mut problems));
        let mut files = Vec::new();
        for path in paths {
            match read_file(&path) {
                Ok(text) => files.push(SourceFile { name: path.display().to_string(), text }),
                Err(problem) => problems.push(problem),
            }
        }
        if problems.is_empty() { Ok(Self { files, environment }) } else { Err(problems) }
    }
}

fn additions(path: &Path, problems: &mut Vec<Problem>) -> Vec<PathBuf> {
    let folder = path.parent().unwrap_or(Path::new("")).join("conf.d");
    let listed = match std::fs::read_dir(&folder) {
        Ok(listed) => listed,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Vec::new(),
        Err(error) => {
            problems.push(unreadable(&folder, &error));
            return Vec::new();
        }
    };
    let mut paths = Vec::new();
    for entry in listed {
        match entry {
            Ok(entry) => paths.push(entry.path()),
            Err(error) => problems.push(unreadable(&folder, &error)),
        }
    }
    // An editor's `.10-crm.toml.swp` or hidden copy is no part of the config.
    let hidden = |path: &Path| path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
    paths.retain(|path| path.extension().is_some_and(|ending| ending == "toml") && !hidden(path));
    paths.sort();
    paths
}

fn read_file(path: &Path) -> Result<String, Problem> {
    use std::io::Read;
    let mut bytes = Vec::new();
    std::fs::File::open(path)
        .and_then(|file| file.take(MOST_BYTES + 1).read_to_end(&mut bytes))
        .map_err(|error| unreadable(path, &error))?;
    let place = Place { file: path.display().to_string(), line: None };
    if bytes.len() as u64 > MOST_BYTES {
        return Err(Problem::new("config", "more than 1 MiB", "a config file in TOML").at(place));
    }
    String::from_utf8(bytes).map_err(|error| no_utf8(&error, place))
}

/// Editors on Windows write other encodings still; who sees nothing wrong on the screen must be told what to do.
fn no_utf8(error: &std::string::FromUtf8Error, place: Place) -> Problem {
    let bytes = error.as_bytes();
    let good = &bytes[..error.utf8_error().valid_up_to()];
    let line = good.iter().filter(|byte| **byte == b'\n').count() + 1;
    let (given, from) = match bytes {
        [0xFF, 0xFE, ..] | [0xFE, 0xFF, ..] => ("text in UTF-16", "utf-16"),
        _ => ("bytes that are no UTF-8, such as an umlaut as an old Windows editor saves it", "windows-1252"),
    };
    Problem::new("config", given, "text in UTF-8")
        .remedy(format!("Save it as UTF-8, or: iconv -f {from} -t utf-8 {} > NEW", place.file))
        .at(Place { line: Some(line), ..place })
}

fn unreadable(path: &Path, error: &std::io::Error) -> Problem {
    Problem::new("config", format!("cannot be read: {error}"), "a file that dialbridge may read")
        .at(Place { file: path.display().to_string(), line: None })
}
