//! People who change their minds: a wave is rejected, a clerk takes a no back in the CRM, a route leaves the config and
//! comes back.

use super::life::Life;
use super::setup::one;
use super::truth::{Door, Objection};
use dialbridge::control::{Command, End, WaveOrder};
use serde_json::json;
use std::collections::BTreeMap;

impl Life {
    /// Somebody puts one of the waves aside that are held: whose changes it held is no longer decided by us alone.
    pub(super) async fn reject_one(&mut self) {
        let held = self.held().await;
        if held.is_empty() {
            return;
        }
        let wave = one(&mut self.rng, &held);
        let waited = self.waiting().await;
        let word = Command::Wave { wave, word: WaveOrder::Reject, reason: "not meant".to_owned() };
        let (end, _) = self.world.command(word).await;
        if end == End::Done {
            let still = self.waiting().await;
            let aside = waited.into_iter().filter(|(operation, _)| !still.contains_key(operation));
            self.truth.rejected.extend(aside.map(|(_, record)| record));
            self.truth.waves_rejected += 1;
        }
    }

    /// What waits to be sent, by its number, and for which record.
    async fn waiting(&self) -> BTreeMap<i64, u64> {
        let open = self.world.ledger().operations_list(None, true, 1000).await.expect("operations");
        let waiting = open.into_iter().filter(|operation| operation.state == "waiting");
        waiting.filter_map(|operation| Some((operation.id.0, operation.record?.parse().ok()?))).collect()
    }

    /// A clerk takes a no back where it stands in a field of the record, whoever entered it there. Unless the route says
    /// otherwise a clerk's own no stands all the same; what we wrote there is only our word for somebody else's.
    pub(super) fn clear_in_crm(&mut self) {
        let editor = self.world.editor();
        let says_no = |id: &u64| editor.field(*id, "do_not_call") == Some(json!(true));
        let marked: Vec<u64> = editor.ids().into_iter().filter(says_no).collect();
        if marked.is_empty() {
            return;
        }
        let (id, now) = (one(&mut self.rng, &marked), self.world.now());
        editor.edit(id, json!({ "do_not_call": false }));
        self.truth.cleared.push((id, now));
        if self.ways.unblocks {
            let of_field = |no: &&mut Objection| no.door == Door::Field && no.record == id && no.stands();
            self.truth.objections.iter_mut().filter(of_field).for_each(|no| no.until = Some(now));
        } else {
            // Our word there blocks its numbers until a person says otherwise; where one has, nothing is left of it.
            self.truth.unclear.insert(id);
        }
    }

    /// The second route is taken out of the config, or put back.
    pub(super) async fn reconfigure(&mut self) {
        if let Some(alone) = self.alone.clone() {
            self.away = !self.away;
            self.begins_anew().await;
            let setup = if self.away { alone } else { self.setup.clone() };
            self.world.configure(&setup).await;
            self.truth.reconfigured += 1;
        }
    }

    /// The second route is there, as at the beginning.
    pub(super) async fn put_back(&mut self) {
        if self.away {
            self.reconfigure().await;
        }
    }
}
