//! Which of the tokens is used, and in which order they are tried when one is refused.

use secrecy::{ExposeSecret as _, SecretString};
use std::path::PathBuf;
use std::time::Duration;
use tokio::time::Instant;

/// How long a side whose tokens were all refused is left alone, less than a schedule's minute: the other
/// end may count failed log-ins.
const REST: Duration = Duration::from_secs(50);

pub(super) struct Token {
    pub file: Option<PathBuf>,
    pub secret: SecretString,
    /// Whether this very content was refused since the tokens were last tried from the first one on.
    pub dead: bool,
    /// Whether the log has said so: while a side refuses everything it need not hear it once a minute.
    told: bool,
}

impl Token {
    /// An empty secret stands for a file that could not be read yet.
    pub fn new(file: Option<PathBuf>, secret: SecretString) -> Self {
        let mut token = Self { file, secret, dead: false, told: false };
        token.dead = token.is_missing();
        token
    }

    /// Whether its file could not be read yet.
    pub fn is_missing(&self) -> bool {
        self.secret.expose_secret().is_empty()
    }

    /// Takes what its file holds now; whether that is something else.
    pub fn replace(&mut self, secret: SecretString) -> bool {
        let changed = secret.expose_secret() != self.secret.expose_secret();
        if changed {
            (self.secret, self.dead, self.told) = (secret, false, false);
        }
        changed
    }

    fn name(&self) -> String {
        self.file.as_ref().map_or_else(|| "(fixed)".to_owned(), |file| file.display().to_string())
    }
}

/// Another token took the place of one that was refused.
pub(super) struct Turn {
    pub refused: String,
    pub now_used: String,
    /// Whether the log has not yet said it of the refused one.
    pub first_time: bool,
}

pub(super) struct State {
    pub tokens: Vec<Token>,
    pub current: usize,
    /// Raised whenever another token is to be used: tells late 401s of the old one from new ones.
    pub version: u64,
    /// Every token was refused: nothing is sent with them until then.
    rests_until: Option<Instant>,
}

impl State {
    pub fn new(tokens: Vec<Token>) -> Self {
        let mut state = Self { tokens, current: 0, version: 0, rests_until: None };
        state.current = state.first_alive();
        state
    }

    fn first_alive(&self) -> usize {
        self.tokens.iter().position(|token| !token.dead).unwrap_or(0)
    }

    /// Whether the side is left alone. The end of that begins a new round.
    pub fn rests(&mut self, now: Instant) -> bool {
        match self.rests_until {
            Some(until) if now < until => true,
            Some(_) => {
                self.rests_until = None;
                self.go_round();
                false
            }
            None => false,
        }
    }

    /// Every token may be tried again, from the first one on.
    pub fn go_round(&mut self) {
        for token in &mut self.tokens {
            token.dead = token.is_missing();
        }
        let first = self.first_alive();
        if first != self.current {
            self.current = first;
            self.version += 1;
        }
    }

    /// A person wants all of them tried again, and to hear of it.
    pub fn forget(&mut self) {
        self.rests_until = None;
        for token in &mut self.tokens {
            token.told = false;
        }
        self.go_round();
    }

    /// Some token has a new content.
    pub fn renewed(&mut self) {
        self.rests_until = None;
        self.version += 1;
        self.current = self.first_alive();
    }

    /// The side believed the one in use, if it still is the one in use: it has come to itself.
    pub fn accept(&mut self, version: u64) {
        if version == self.version
            && let Some(token) = self.tokens.get_mut(self.current)
        {
            (token.dead, token.told) = (false, false);
            self.rests_until = None;
        }
    }

    /// The side refused the one in use; `false` where another one is in use by now.
    pub fn refuse(&mut self, version: u64) -> bool {
        if version != self.version {
            return false;
        }
        if let Some(token) = self.tokens.get_mut(self.current) {
            token.dead = true;
        }
        true
    }

    /// Turns to the next one that was not refused; without one the side is left alone for a while. A lock that
    /// is refused meanwhile does not make that longer.
    pub fn turn(&mut self, now: Instant) -> Option<Turn> {
        let Some(next) = self.tokens.iter().position(|token| !token.dead) else {
            if self.rests_until.is_none_or(|until| until <= now) {
                self.rests_until = Some(now + REST);
            }
            return None;
        };
        let now_used = self.tokens[next].name();
        let refused = &mut self.tokens[self.current];
        let turn = Turn { refused: refused.name(), now_used, first_time: !refused.told };
        refused.told = true;
        self.current = next;
        self.version += 1;
        Some(turn)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn two() -> State {
        State::new(["good", "old"].map(|secret| Token::new(None, secret.into())).into())
    }

    fn all_refused(state: &mut State, now: Instant) {
        while state.refuse(state.version) && state.turn(now).is_some() {}
    }

    #[test]
    fn a_rest_ends_with_the_first_token_and_a_refused_lock_makes_it_no_longer() {
        let (mut state, began) = (two(), Instant::now());
        all_refused(&mut state, began);
        assert!(state.rests(began) && state.current == 1);
        state.go_round();
        all_refused(&mut state, began + REST / 2);
        assert!(state.rests(began + REST / 2));
        assert!(!state.rests(began + REST));
        assert_eq!(state.current, 0, "the first one first");
        assert!(state.tokens.iter().all(|token| !token.dead));
    }

    #[test]
    fn the_log_hears_of_a_refused_token_once_until_it_was_believed_again() {
        let (mut state, mut now) = (two(), Instant::now());
        let mut told = |state: &mut State| {
            now += REST;
            assert!(!state.rests(now));
            assert!(state.refuse(state.version));
            let turn = state.turn(now).expect("the second one");
            all_refused(state, now);
            turn.first_time
        };
        assert!(told(&mut state));
        assert!(!told(&mut state), "it goes on as it was");
        state.go_round();
        state.accept(state.version);
        assert!(told(&mut state));
    }

    #[test]
    fn a_success_ends_the_rest_and_a_late_one_of_another_token_does_not() {
        let (mut state, now) = (two(), Instant::now());
        all_refused(&mut state, now);
        state.accept(state.version - 1);
        assert!(state.rests(now));
        state.accept(state.version);
        assert!(!state.rests(now));
    }
}
