//! Brakes that hold what is much at once, and a person who lets it go sooner or later.

use super::life::Life;
use super::setup::one;
use dialbridge::control::{Command, End, WaveOrder};

impl Life {
    /// Somebody lets one of the waves go that are held.
    pub(super) async fn approve_one(&mut self) {
        let held = self.held().await;
        if !held.is_empty() {
            let wave = one(&mut self.rng, &held);
            self.approve(wave).await;
        }
    }

    /// All of them.
    pub(super) async fn approve_all(&mut self) {
        for wave in self.held().await {
            self.approve(wave).await;
        }
    }

    pub(super) async fn held(&self) -> Vec<i64> {
        let held = self.world.ledger().waves_list(None, false).await.expect("a list");
        held.into_iter().map(|wave| wave.id).collect()
    }

    /// One may be over by now.
    async fn approve(&mut self, wave: i64) {
        let word = Command::Wave { wave, word: WaveOrder::Approve, reason: "looked at".to_owned() };
        let (end, _) = self.world.command(word).await;
        self.truth.waves += u64::from(end == End::Done);
    }
}
