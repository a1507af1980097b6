//! A secret's file: what it may hold, and who may read it.

use super::AuthScheme;
use crate::domain::Problem;
use secrecy::SecretString;
use std::path::Path;

/// Longest token that is read, in bytes.
const TOKEN_LIMIT: u64 = 64 * 1024;

/// Reads one token; with a warning if others than its owner and group may read it, or others than its
/// owner may write it.
pub(super) fn read_token(
    scheme: &AuthScheme,
    key: &str,
    file: &Path,
) -> Result<(SecretString, Option<Problem>), Problem> {
    use std::io::Read as _;
    let shown = file.display();
    let unreadable = |error: std::io::Error| {
        Problem::new(
            key,
            format!("{shown}: {error}"),
            "a file that holds the token and that the service may read",
        )
    };
    let mut bytes = Vec::new();
    let opened = std::fs::File::open(file).map_err(unreadable)?;
    let warning = too_open(key, file, &opened);
    opened.take(TOKEN_LIMIT).read_to_end(&mut bytes).map_err(unreadable)?;
    let text = plain_text(bytes).map_err(|given| {
        Problem::new(key, format!("{shown} {given}"), "the secret alone, as plain text")
            .remedy("Write it once more: printf %s 'SECRET' > FILE, on the server")
    })?;
    let token = match scheme {
        AuthScheme::Bearer | AuthScheme::Header(_) | AuthScheme::Word(_) => one_token(text.trim()),
        AuthScheme::Basic => {
            pair(text.trim_end_matches(['\r', '\n']), "the user and the password: USER:PASSWORD")
        }
        AuthScheme::OAuth2(_) => pair(text.trim(), "the client's id and secret: ID:SECRET"),
    };
    match token {
        Ok(token) => Ok((SecretString::from(token.to_owned()), warning)),
        Err((given, expected)) => Err(Problem::new(key, format!("{shown} {given}"), expected)),
    }
}

/// The file's text; the error says what an editor or a shell on Windows made of it.
fn plain_text(bytes: Vec<u8>) -> Result<String, &'static str> {
    match bytes.as_slice() {
        [0xEF, 0xBB, 0xBF, ..] => Err("begins with a byte order mark"),
        [0xFF, 0xFE, ..] | [0xFE, 0xFF, ..] => Err("is UTF-16, as PowerShell writes it"),
        _ => String::from_utf8(bytes).map_err(|_| "holds bytes that are no text in UTF-8"),
    }
}

fn one_token(token: &str) -> Result<&str, (&'static str, &'static str)> {
    let expected = "the token alone: visible characters without blanks, one line";
    if token.is_empty() {
        return Err(("is empty", expected));
    }
    if token.starts_with(['"', '\'']) && token.ends_with(['"', '\'']) {
        return Err(("holds its token in quotes", "the token alone, without quotes"));
    }
    let visible = token.bytes().all(|b| b.is_ascii_graphic());
    if visible { Ok(token) } else { Err(("holds more than one token, or signs that no token has", expected)) }
}

/// Two parts joined by a colon. A password may hold blanks and signs, but no line break.
fn pair<'t>(text: &'t str, expected: &'static str) -> Result<&'t str, (&'static str, &'static str)> {
    if text.is_empty() {
        return Err(("is empty", expected));
    }
    let whole = text.split_once(':').is_some_and(|(name, secret)| !name.is_empty() && !secret.is_empty());
    match (whole, text.chars().any(char::is_control)) {
        (true, false) => Ok(text),
        (false, _) => Err(("holds no two parts with a colon between them", expected)),
        (true, true) => Err(("holds more than one line", expected)),
    }
}

#[cfg(unix)]
fn too_open(key: &str, file: &Path, opened: &std::fs::File) -> Option<Problem> {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = opened.metadata().ok()?.permissions().mode() & 0o777;
    // The group may read: secrets are installed as root:dialbridge 0640, so that the service can read
    // and cannot change them.
    (mode & 0o027 != 0).then(|| {
        Problem::new(
            key,
            format!("{} has mode {mode:03o}", file.display()),
            "a secret that nobody but its owner and its group can read, and nobody but its owner write",
        )
        .remedy(format!("chmod 640 {}", file.display()))
    })
}

#[cfg(not(unix))]
fn too_open(_key: &str, _file: &Path, _opened: &std::fs::File) -> Option<Problem> {
    None
}
