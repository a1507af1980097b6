//! Makes `~` safe for empty values in a rewritten expression: minijinja would join them as `none`.

use super::analyse::{TEXT, TO_TEXT, VALUE};
use super::token::Kind;

/// One token of the rewritten source.
#[derive(Debug)]
pub struct Out {
    /// Its text; unused for a reference.
    pub text: String,
    /// What it is.
    pub kind: Kind,
    /// The number of the reference it stands for.
    pub reference: Option<usize>,
    /// It ends an operand of `~`.
    pub as_text: bool,
}

impl Out {
    fn sign(&self, sign: &str) -> bool {
        self.kind == Kind::Sign && self.text == sign
    }

    /// As it stands in the rewritten source.
    pub fn written(&self) -> String {
        match (self.reference, self.as_text) {
            (Some(number), true) => format!("{TEXT}{number}"),
            (Some(number), false) => format!("{VALUE}{number}"),
            (None, true) => format!("{}|{TO_TEXT}", self.text),
            (None, false) => self.text.clone(),
        }
    }
}

/// Marks both operands of every `~` to be joined in their text form.
pub fn join_safely(out: &mut [Out]) {
    let joints: Vec<usize> = (0..out.len()).filter(|at| out[*at].sign("~")).collect();
    for joint in joints {
        let right = operand_end(out, joint + 1);
        for end in [joint.checked_sub(1), right].into_iter().flatten() {
            out[end].as_text = out[end].kind != Kind::Text;
        }
    }
}

/// Where the operand that begins at `at` ends: a value with everything that binds tighter than `~`.
fn operand_end(out: &[Out], mut at: usize) -> Option<usize> {
    while out.get(at)?.sign("-") {
        at += 1;
    }
    at = closing(out, at)?;
    loop {
        let next = out.get(at + 1);
        if next.is_some_and(|token| token.sign(".") || token.sign("|")) {
            at += 2;
        } else if next.is_some_and(|token| token.sign("[") || token.sign("(")) {
            at = closing(out, at + 1)?;
        } else {
            return (at < out.len()).then_some(at);
        }
    }
}

/// The bracket that closes the one at `at`; `at` itself where none opens there.
fn closing(out: &[Out], at: usize) -> Option<usize> {
    let mut depth = 0usize;
    for (offset, token) in out.get(at..)?.iter().enumerate() {
        if ["(", "[", "{"].iter().any(|sign| token.sign(sign)) {
            depth += 1;
        } else if [")", "]", "}"].iter().any(|sign| token.sign(sign)) {
            depth = depth.saturating_sub(1);
        }
        if depth == 0 {
            return Some(at + offset);
        }
    }
    None
}
