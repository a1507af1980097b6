//! Results: recorded by agents and by the dialler itself, and corrected by supervisors.

use super::judge::What;
use super::model::{ResultCode, ResultType, SimRow, Work};
use super::state::{Cause, State};
use chrono::TimeDelta;

/// A result that is to be recorded.
#[derive(Debug, Clone)]
pub(super) struct NewResult {
    /// On whom.
    pub(super) contact: i64,
    /// On which row.
    pub(super) row: i64,
    /// The campaign of the row: its codes count, wherever the contact is by now.
    pub(super) campaign: i64,
    /// The code's export key.
    pub(super) key: String,
    /// The agent.
    pub(super) user: Option<i64>,
    /// The call whose result this is; none for a correction and for what the dialler finds by itself.
    pub(super) call: Option<u64>,
}

impl State {
    /// A result code by its number, of whichever campaign: a contact that was moved keeps the result that it has.
    pub(super) fn result_code(&self, id: i64) -> Option<&ResultCode> {
        self.campaigns.values().find_map(|campaign| campaign.result(id))
    }

    /// Records (or corrects) a result on a row and on its contact.
    pub(super) fn record_result(&mut self, cause: Cause, given: &NewResult) {
        let NewResult { contact, row, campaign, ref key, user, call } = *given;
        let code = self.campaigns.get(&campaign).and_then(|campaign| campaign.result_by_key(key));
        let Some((code, kind)) = code.map(|code| (code.id, code.kind)) else { return };
        // A reset may have taken the row; the contact gets its result all the same.
        let known = self.row_mut(contact, row);
        let corrected = known.as_ref().is_some_and(|row| row.result.is_some());
        if let Some(row) = known {
            row.result = Some(code);
            row.result_type = Some(kind);
        }
        let uid =
            user.and_then(|id| self.users.iter().find(|user| user.id == id)).map(|user| user.uid.clone());
        let due = match kind {
            ResultType::Done | ResultType::Aborted => None,
            ResultType::Delay => Some(cause.at + TimeDelta::minutes(60)),
            ResultType::Appointment => Some(cause.at + TimeDelta::days(1)),
        };
        let zone = self.config.time_zone;
        self.alter(contact, |contact| {
            // The result of an earlier call frees nobody who is in another one, or awaits that one's result.
            if matches!(contact.work, Work::AwaitsResult { call: awaited, .. } if Some(awaited) == call) {
                contact.work = Work::Free;
            }
            contact.dialling.result = Some(code);
            contact.dialling.result_type = Some(kind);
            contact.dialling.next_try = due;
            if let (ResultType::Appointment, Some(due)) = (kind, due) {
                let local = due.with_timezone(&zone).format("%Y-%m-%dT%H:%M:%S").to_string();
                for (field, value) in [("FollowUpDateTime", Some(local)), ("FollowUpUsersUID", uid)] {
                    if let Some(place) = super::fields::place(field) {
                        contact.set(place, value.into());
                    }
                }
            }
        });
        self.remember_retry(contact);
        if let Some(known) = self.contact(contact) {
            self.note(cause, known, What::ResultRecorded { row, key: key.clone(), corrected });
        }
    }

    /// Records a result on a row of its own without a call, where the campaign has such a code.
    pub(super) fn record_result_alone(&mut self, cause: Cause, contact: i64, key: &str) {
        let Some(known) = self.contact(contact).cloned() else { return };
        let campaign = known.campaign;
        let coded = self.campaigns.get(&campaign).and_then(|campaign| campaign.result_by_key(key));
        if coded.is_some()
            && let Some(row) = self.file_row(cause, SimRow::empty(&known, cause.at))
        {
            let key = key.to_owned();
            self.record_result(cause, &NewResult { contact, row, campaign, key, user: None, call: None });
        }
    }
}
