//! Work for the kill tests: edits that all have values of their own, so that a second request with the same
//! body can only be the same wish sent again.

use super::house::House;
use serde_json::json;

/// Counts the edits, so that no value comes twice.
#[derive(Debug, Default)]
pub struct Work {
    edits: u64,
}

impl Work {
    /// New records, changed records, and one that is archived: imports, updates and a lock.
    pub fn more(&mut self, house: &House, new: usize, changed: usize) {
        let editor = house.crm.editor();
        let before = editor.ids();
        editor.seed(new as u64, self.edits + 1000);
        // The seeder dates its records back, behind what was read already: a change brings them forth.
        for id in editor.ids().into_iter().skip(before.len()) {
            self.edits += 1;
            editor.edit(id, json!({ "city": format!("Newtown {}", self.edits) }));
        }
        let there: Vec<u64> = before.into_iter().filter(|id| editor.field(*id, "x_gone").is_none()).collect();
        for turn in 0..changed {
            self.edits += 1;
            let id = there[(self.edits as usize * 7 + turn) % there.len()];
            editor.edit(id, json!({ "name": format!("Renamed {}", self.edits) }));
        }
        let gone = there[self.edits as usize * 13 % there.len()];
        editor.archive(gone, true);
        // For the judge: the CRM's own flag is no field of the record.
        editor.edit(gone, json!({ "x_gone": true }));
    }

    /// Some contacts are called.
    pub async fn calls(&self, house: &House, many: usize) {
        let ids = house.contact_ids();
        let from = self.edits as usize;
        let chosen: Vec<i64> = ids.iter().copied().cycle().skip(from % ids.len().max(1)).take(many).collect();
        house.dial(chosen).await;
    }
}
