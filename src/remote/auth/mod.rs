//! The token of one side: read from one file or two, put into a header, read again when it changed.
//!
//! The dialler kills the previous token the moment a new one is made (facts section 1), so there is
//! always a window of 401s: a changed file is picked up by itself, and with two files (the old and the
//! new token) the other one is tried once.

mod file;
mod oauth;
mod round;

pub use oauth::{ClientAuth, OAuth2};
pub(super) use oauth::{Granted, error_code, granted};

use crate::domain::Problem;
use file::read_token;
use http::{HeaderName, HeaderValue};
use round::{State, Token, Turn};
use secrecy::{ExposeSecret as _, SecretString};
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::time::Instant;

/// Where systemd lays what it hands over to services (`$CREDENTIALS_DIRECTORY` lies below).
const CREDENTIALS: &str = "/run/credentials";

/// Where the token goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AuthScheme {
    /// `Authorization: Bearer <token>`.
    Bearer,
    /// A header of its own (`x-api-key`), the token as it is.
    Header(HeaderName),
    /// `Authorization: <word> <token>` (Odoo: `bearer`, others `token`).
    Word(String),
    /// `Authorization: Basic`, the file holding `USER:PASSWORD`.
    Basic,
    /// An access token, asked for with the file's `ID:SECRET`.
    OAuth2(OAuth2),
}

/// What [`Auth::reload`] found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reloaded {
    /// Whether any token is another one now.
    pub changed: bool,
    /// Files that could not be read (their old token stays) or have rights they should not have.
    pub warnings: Vec<Problem>,
}

/// The tokens of one side. Never printed, never logged; wiped from memory when replaced.
pub struct Auth {
    scheme: AuthScheme,
    key: String,
    state: Mutex<State>,
    /// Held while an access token is asked for, so that one task asks and the others wait for it.
    pub(super) access: tokio::sync::Mutex<Option<Access>>,
}

/// An access token as long as it lives (OAuth2).
pub(super) struct Access {
    token: SecretString,
    renew_at: Instant,
    /// The version of the secret it was granted for.
    of: u64,
    /// Tells late 401s of an old one from those of the new one.
    serial: u64,
}

impl Access {
    pub(super) fn new(granted: Granted, now: Instant, of: u64, serial: u64) -> Self {
        Self { token: granted.token, renew_at: now + granted.renew_in, of, serial }
    }
}

/// The header of one request, and which token it holds.
pub(super) struct Credential {
    pub name: HeaderName,
    pub value: HeaderValue,
    version: u64,
    /// The access token's serial number, where it is one.
    serial: Option<u64>,
}

impl std::fmt::Debug for Auth {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Auth").field("scheme", &self.scheme).field("key", &self.key).finish_non_exhaustive()
    }
}

impl Auth {
    /// No authentication.
    pub fn none() -> Self {
        Self::with(AuthScheme::Bearer, String::new(), Vec::new())
    }

    /// A token that does not change.
    pub fn fixed(scheme: AuthScheme, secret: SecretString) -> Self {
        Self::with(scheme, String::new(), vec![Token::new(None, secret)])
    }

    /// Tokens from one file or two; `key` is the config key (`dialler.token_file`) for messages.
    ///
    /// The warnings name files that others than their owner and group may read, or others than their
    /// owner may write.
    ///
    /// # Errors
    /// One problem for each file that cannot be read or holds no usable token.
    pub fn from_files(
        scheme: AuthScheme,
        key: &str,
        files: &[PathBuf],
    ) -> Result<(Self, Vec<Problem>), Vec<Problem>> {
        let (mut tokens, mut warnings, mut errors) = (Vec::new(), Vec::new(), Vec::new());
        for file in files {
            match read_token(&scheme, key, file) {
                Ok((secret, warning)) => {
                    tokens.push(Token::new(Some(file.clone()), secret));
                    warnings.extend(warning);
                }
                Err(problem) => {
                    tokens.push(Token::new(Some(file.clone()), SecretString::default()));
                    errors.push(problem);
                }
            }
        }
        if tokens.is_empty() {
            errors.push(Problem::new(key, "no file", "a file that holds the token, or a list of two"));
        }
        // Of two, one is enough: whoever has taken the old one away must be able to start. The other is
        // read as soon as it is there.
        if tokens.iter().any(|token| !token.dead) {
            warnings.extend(errors);
            Ok((Self::with(scheme, key.to_owned(), tokens), warnings))
        } else {
            Err(errors)
        }
    }

    fn with(scheme: AuthScheme, key: String, tokens: Vec<Token>) -> Self {
        Self { scheme, key, state: Mutex::new(State::new(tokens)), access: tokio::sync::Mutex::default() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads all files again (SIGHUP), and goes round with all of them: a token may have become good
    /// again at the other end. A file that cannot be read keeps its old token.
    pub fn reload(&self) -> Reloaded {
        let found = self.read_again();
        self.state().forget();
        found
    }

    /// Whether all tokens were refused so lately that asking with them again would only look like an
    /// attack. A file with a new content ends that at once; when it ends by itself, the tokens are tried
    /// anew, the first one first: what was refused may have been good all the time.
    pub(super) fn rests(&self, now: Instant) -> bool {
        let rests = self.state().rests(now);
        rests && !self.read_again().changed
    }

    /// All tokens may be tried once more, rest or no rest.
    pub(super) fn go_round(&self) {
        self.state().go_round();
    }

    /// The side believed this one.
    pub(super) fn accepted(&self, used: &Credential) {
        self.state().accept(used.version);
    }

    fn read_again(&self) -> Reloaded {
        let mut state = self.state();
        let mut found = Reloaded { changed: false, warnings: Vec::new() };
        for token in &mut state.tokens {
            let Some(file) = &token.file else { continue };
            match read_token(&self.scheme, &self.key, file) {
                Ok((secret, warning)) => {
                    found.warnings.extend(warning);
                    found.changed |= token.replace(secret);
                }
                Err(problem) => found.warnings.push(problem),
            }
        }
        if found.changed {
            state.renewed();
            tracing::info!(key = %self.key, "a new token was read");
        }
        found
    }

    /// The token files whose content the side has refused since it was read.
    pub fn refused_files(&self) -> Vec<PathBuf> {
        self.state()
            .tokens
            .iter()
            .filter(|t| t.dead && !t.is_missing())
            .filter_map(|t| t.file.clone())
            .collect()
    }

    /// How access tokens are asked for, where they are.
    pub(super) fn oauth(&self) -> Option<&OAuth2> {
        match &self.scheme {
            AuthScheme::OAuth2(oauth) => Some(oauth),
            AuthScheme::Bearer | AuthScheme::Header(_) | AuthScheme::Word(_) | AuthScheme::Basic => None,
        }
    }

    /// The secret in use, with its version: what an access token is asked for with.
    pub(super) fn secret(&self) -> Option<(SecretString, u64)> {
        let state = self.state();
        state.tokens.get(state.current).map(|token| (token.secret.clone(), state.version))
    }

    /// The header for a request; `None` without authentication. With OAuth2 it is the access token's
    /// ([`Self::credential_of`]), never the secret's.
    pub(super) fn credential(&self) -> Option<Credential> {
        let state = self.state();
        let token = state.tokens.get(state.current)?;
        let secret = token.secret.expose_secret();
        let authorization = http::header::AUTHORIZATION;
        let (name, text) = match &self.scheme {
            AuthScheme::Bearer => (authorization, format!("Bearer {secret}")),
            AuthScheme::Word(word) => (authorization, format!("{word} {secret}")),
            AuthScheme::Header(name) => (name.clone(), secret.to_owned()),
            AuthScheme::Basic => {
                let value = oauth::basic(secret)?;
                return Some(Credential { name: authorization, value, version: state.version, serial: None });
            }
            AuthScheme::OAuth2(_) => return None,
        };
        // `read_token` let only visible ASCII through; a fixed token that is none gives no header,
        // and the side answers 401.
        let mut value = HeaderValue::from_str(&text).ok()?;
        value.set_sensitive(true);
        Some(Credential { name, value, version: state.version, serial: None })
    }

    /// The header of an access token that is still good for the secret in use.
    pub(super) fn credential_of(&self, access: Option<&Access>, now: Instant) -> Option<Credential> {
        let access = access.filter(|access| now < access.renew_at && access.of == self.state().version)?;
        let mut value = HeaderValue::from_str(&format!("Bearer {}", access.token.expose_secret())).ok()?;
        value.set_sensitive(true);
        let name = http::header::AUTHORIZATION;
        Some(Credential { name, value, version: access.of, serial: Some(access.serial) })
    }

    /// What stands for a secret that the token address refused, for [`Self::refused`].
    pub(super) fn credential_refused(&self, version: u64) -> Credential {
        let value = HeaderValue::from_static("");
        Credential { name: http::header::AUTHORIZATION, value, version, serial: None }
    }

    /// After a 401: drops the access token that was used, so that the next request asks for another.
    /// Answers whether there was one: a 401 of a fresh one speaks of the secret.
    pub(super) async fn access_refused(&self, used: &Credential) -> bool {
        let Some(serial) = used.serial else { return false };
        let mut access = self.access.lock().await;
        if access.as_ref().is_some_and(|access| access.serial == serial) {
            *access = None;
        }
        true
    }

    /// After a 401: whether another token is there now (a changed file, else the second one).
    pub(super) fn refused(&self, used: &Credential, now: Instant) -> bool {
        if !self.state().refuse(used.version) {
            return true;
        }
        if self.read_again().changed {
            return true;
        }
        let mut state = self.state();
        // Another call was refused at the same moment, and has found one already.
        if state.version != used.version {
            return true;
        }
        let Some(Turn { refused, now_used, first_time }) = state.turn(now) else { return false };
        if first_time {
            tracing::warn!(
                key = %self.key,
                %refused,
                %now_used,
                "a token is refused, the other one is used from now on: replace the refused one"
            );
        }
        true
    }

    /// What to do about a 401 that no token could avoid.
    pub(super) fn advice(&self) -> String {
        let files = self.refused_files();
        let names: Vec<_> = files.iter().map(|file| file.display().to_string()).collect();
        match names.as_slice() {
            [] => "the token is refused (401)".to_owned(),
            // Credentials are handed over when the service starts, and never change while it runs.
            [one] if files[0].starts_with(CREDENTIALS) => format!(
                "the token in {one} is refused (401): put a valid one where the unit takes this credential from, then \
                 systemctl restart dialbridge"
            ),
            [one] => format!(
                "the token in {one} is refused (401): put a valid one there; it is read again by itself"
            ),
            all if files.iter().all(|file| file.starts_with(CREDENTIALS)) => format!(
                "the tokens in {} are all refused (401): put a valid one where the unit takes one of these credentials \
                 from, then systemctl restart dialbridge",
                all.join(" and ")
            ),
            all => format!(
                "the tokens in {} are all refused (401): put a valid one into one of them",
                all.join(" and ")
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(dir: &tempfile::TempDir, name: &str, token: &str) -> PathBuf {
        let file = dir.path().join(name);
        std::fs::write(&file, token).unwrap();
        #[cfg(unix)]
        std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
        file
    }

    fn shown(auth: &Auth) -> String {
        auth.credential().unwrap().value.to_str().unwrap().to_owned()
    }

    #[test]
    fn a_refused_token_gives_way_to_a_changed_file_and_then_to_the_other_one() {
        let dir = tempfile::tempdir().unwrap();
        let (first, second) = (write(&dir, "first", "one\n"), write(&dir, "second", "two"));
        let (auth, warnings) =
            Auth::from_files(AuthScheme::Bearer, "dialler.token_file", &[first.clone(), second.clone()])
                .unwrap();
        assert_eq!(warnings, []);
        assert_eq!(shown(&auth), "Bearer one");
        let old = auth.credential().unwrap();
        write(&dir, "first", "three");
        assert!(auth.refused(&old, Instant::now()), "the file changed");
        assert_eq!(shown(&auth), "Bearer three");
        assert!(auth.refused(&old, Instant::now()), "a late 401 of the old token changes nothing");
        assert_eq!(shown(&auth), "Bearer three");
        assert!(auth.refused(&auth.credential().unwrap(), Instant::now()), "the other file");
        assert_eq!(shown(&auth), "Bearer two");
        assert_eq!(auth.refused_files(), std::slice::from_ref(&first));
        assert!(!auth.refused(&auth.credential().unwrap(), Instant::now()), "both are dead");
        assert!(auth.advice().contains("first") && auth.advice().contains("second"), "{}", auth.advice());
        assert!(auth.rests(Instant::now()), "no token is left to ask with");
        write(&dir, "second", "four");
        assert!(!auth.rests(Instant::now()), "a new content is taken without a word");
        assert_eq!(shown(&auth), "Bearer four");
        // SIGHUP goes round with all of them, changed or not.
        assert!(!auth.refused(&auth.credential().unwrap(), Instant::now()), "first is dead already");
        assert!(auth.rests(Instant::now()));
        assert!(!auth.reload().changed);
        assert_eq!(shown(&auth), "Bearer three", "the first one first");
        assert!(!auth.rests(Instant::now()));
        assert_eq!(auth.refused_files(), [] as [PathBuf; 0]);
    }

    #[cfg(unix)]
    #[test]
    fn a_file_that_others_may_read_is_named_and_nothing_shows_the_token() {
        let dir = tempfile::tempdir().unwrap();
        let file = write(&dir, "open", "verysecret");
        let scheme = AuthScheme::Header(HeaderName::from_static("x-api-key"));
        let with_mode = |mode: u32| {
            std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(mode)).unwrap();
            let files = std::slice::from_ref(&file);
            Auth::from_files(scheme.clone(), "crm.sales.token_file", files).unwrap()
        };
        for fine in [0o400, 0o600, 0o440, 0o640] {
            assert_eq!(with_mode(fine).1, [], "{fine:o}");
        }
        for open in [0o644, 0o660, 0o604, 0o620] {
            let warnings = with_mode(open).1;
            assert!(warnings[0].to_string().contains(&format!("{open:o}")), "{}", warnings[0]);
        }
        let auth = with_mode(0o644).0;
        let credential = auth.credential().unwrap();
        assert_eq!(credential.name, "x-api-key");
        let printed = format!("{auth:?} {:?} {}", credential.value, auth.advice());
        assert!(!printed.contains("verysecret"), "{printed}");
    }

    #[test]
    fn one_of_two_files_is_enough_to_start_and_the_other_is_read_when_it_comes() {
        let dir = tempfile::tempdir().unwrap();
        let files = [dir.path().join("old"), write(&dir, "new", "two")];
        let (auth, warnings) = Auth::from_files(AuthScheme::Bearer, "k", &files).unwrap();
        assert_eq!(warnings.len(), 1, "{warnings:?}");
        assert!(warnings[0].to_string().contains("old"));
        assert_eq!(shown(&auth), "Bearer two");
        assert!(!auth.refused(&auth.credential().unwrap(), Instant::now()), "there is no other yet");
        assert_eq!(auth.refused_files(), &files[1..], "what is not there was refused by nobody");
        write(&dir, "old", "three");
        assert!(!auth.rests(Instant::now()));
        assert_eq!(shown(&auth), "Bearer three");
    }

    #[test]
    fn a_missing_or_empty_file_is_a_problem_each() {
        let dir = tempfile::tempdir().unwrap();
        let files = [dir.path().join("missing"), write(&dir, "empty", " \n"), write(&dir, "two", "a b")];
        let problems = Auth::from_files(AuthScheme::Bearer, "k", &files).unwrap_err();
        assert_eq!(problems.len(), 3, "{problems:?}");
    }
}
