//! A person in the portal, working beside us: edits, CSV imports, locks and deletes by hand.

use super::DiallerSim;
use super::config::{Clearing, DiallerConfig, LongText, UserDataScope};
use super::fields::{GIVEN, Kind, Meaning, place, read};
use super::judge::Actor;
use super::model::SimContact;
use super::results::NewResult;
use super::state::{Cause, State};
use serde_json::Value;

/// A person in the portal. What is done here appears in the journal under [`Actor::Portal`].
#[derive(Debug, Clone)]
pub struct PortalUser {
    sim: DiallerSim,
}

/// What a CSV import came to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CsvReport {
    /// Contacts made.
    pub created: usize,
    /// Contacts overwritten.
    pub overwritten: usize,
    /// Rows without a mandatory field (Name, FirstName, PhoneNumber1) or that could not be read.
    pub refused: usize,
}

impl PortalUser {
    pub(super) fn new(sim: DiallerSim) -> Self {
        Self { sim }
    }

    fn act<T>(&self, deed: impl FnOnce(&mut State, Cause) -> T) -> T {
        self.sim.with(|state, at| deed(state, Cause { actor: Actor::Portal, request: None, at }))
    }

    /// Sets one field (also `Name` and `UserData`; null empties it). False when the contact, or the
    /// field, is not there.
    pub fn edit(&self, contact: i64, field: &str, value: impl Into<Value>) -> bool {
        let value = value.into();
        self.act(|state, cause| match (field, place(field)) {
            ("Name", _) => state.edit(cause, contact, |contact| {
                contact.name = value.as_str().unwrap_or_default().into();
                vec!["Name"]
            }),
            ("UserData", _) => state.edit(cause, contact, |contact| {
                contact.user_data = value.as_str().map(Into::into);
                vec!["UserData"]
            }),
            (_, Some(place)) => state.edit(cause, contact, |contact| {
                if contact.set(place, value) { vec![GIVEN[usize::from(place)].name] } else { Vec::new() }
            }),
            (_, None) => false,
        })
    }

    /// Moves a contact into another campaign.
    pub fn move_to(&self, contact: i64, campaign: i64) -> bool {
        self.act(|state, cause| {
            state.edit(cause, contact, |contact| {
                contact.campaign = campaign;
                vec!["DiallerCampaignsID"]
            })
        })
    }

    /// Locks by hand.
    pub fn lock(&self, contact: i64) -> bool {
        self.act(|state, cause| state.set_lock(cause, contact, true))
    }

    /// Unlocks by hand.
    pub fn unlock(&self, contact: i64) -> bool {
        self.act(|state, cause| state.set_lock(cause, contact, false))
    }

    /// Resets by hand.
    pub fn reset(&self, contact: i64) -> bool {
        self.act(|state, cause| state.reset(cause, contact))
    }

    /// Deletes by hand.
    pub fn delete(&self, contact: i64) -> bool {
        self.act(|state, cause| state.delete(cause, contact))
    }

    /// Records another result on a row, as a supervisor does. False when the row is not there or its
    /// campaign has no such code.
    pub fn correct_result(&self, contact: i64, row: i64, export_key: &str) -> bool {
        self.act(|state, cause| {
            let campaign = state.row_mut(contact, row).map(|row| row.campaign);
            let coded = |id| state.campaigns.get(&id)?.result_by_key(export_key);
            let Some(campaign) = campaign.filter(|id| coded(*id).is_some()) else { return false };
            let key = export_key.to_owned();
            let given = NewResult { contact, row, campaign, key, user: None, call: None };
            state.record_result(cause, &given);
            true
        })
    }

    /// Imports a CSV file (header line, `;` between fields) into a campaign. With `overwrite`, a row whose
    /// UserData exists overwrites, and so unlocks, the contact; its column `ResetContact` resets it.
    /// Without, every row makes a contact, doubles included. The column `ResultCodesExportKey` records a
    /// result. Texts are cut without a word (facts 3.6).
    pub fn import_csv(&self, campaign: i64, text: &str, overwrite: bool) -> CsvReport {
        let mut reader =
            csv::ReaderBuilder::new().delimiter(b';').flexible(true).from_reader(text.as_bytes());
        let header: Vec<String> = match reader.headers() {
            Ok(header) => header.iter().map(str::to_owned).collect(),
            Err(_) => return CsvReport::default(),
        };
        let mut report = CsvReport::default();
        for record in reader.records() {
            let Ok(record) = record else {
                report.refused += 1;
                continue;
            };
            let row: Vec<(&str, &str)> = header.iter().map(String::as_str).zip(&record).collect();
            self.act(|state, cause| import_row(state, cause, campaign, &row, overwrite, &mut report));
        }
        report
    }
}

fn import_row(
    state: &mut State,
    cause: Cause,
    campaign: i64,
    row: &[(&str, &str)],
    overwrite: bool,
    report: &mut CsvReport,
) {
    let column =
        |name: &str| row.iter().find(|(known, _)| *known == name).map_or("", |(_, value)| value.trim());
    if ["Name", "FirstName", "PhoneNumber1"].iter().any(|name| column(name).is_empty()) {
        report.refused += 1;
        return;
    }
    let config =
        DiallerConfig { long_text: LongText::Cut, clearing: Clearing::EmptyText, ..state.config.clone() };
    let fill = |contact: &mut SimContact| fill_row(contact, row, &config);
    let user_data = column("UserData");
    let scope = match config.userdata_scope {
        UserDataScope::Campaign => Some(campaign),
        UserDataScope::Tenant => None,
    };
    let found = if user_data.is_empty() { Vec::new() } else { state.find(user_data, scope) };
    let id = match state.first_of(&found).filter(|_| overwrite) {
        None => {
            report.created += 1;
            state.create(cause, campaign, |contact| drop(fill(contact)))
        }
        Some(id) => {
            if matches!(column("ResetContact"), "1" | "true" | "TRUE") {
                state.clear_dialling(cause, id);
            }
            state.edit(cause, id, fill);
            state.set_lock(cause, id, false);
            report.overwritten += 1;
            id
        }
    };
    state.record_result_alone(cause, id, column("ResultCodesExportKey"));
}

fn fill_row(contact: &mut SimContact, row: &[(&str, &str)], config: &DiallerConfig) -> Vec<&'static str> {
    let mut changed = Vec::new();
    for (name, value) in row {
        let kind = match (*name, place(name)) {
            ("Name" | "UserData", _) => Kind::Text(64),
            (_, Some(place)) => GIVEN[usize::from(place)].kind,
            (_, None) => continue,
        };
        let value = match read(name, kind, &Value::from(*value), config) {
            Ok(Meaning::Store(value)) => value,
            Ok(Meaning::PassOver) | Err(_) => continue,
        };
        match (*name, place(name), value.as_str()) {
            ("Name", _, Some(text)) if *text != *contact.name => {
                contact.name = text.into();
                changed.push("Name");
            }
            ("UserData", _, Some(text)) if contact.user_data.as_deref() != Some(text) => {
                contact.user_data = (!text.is_empty()).then(|| text.into());
                changed.push("UserData");
            }
            (_, Some(place), text) => {
                let value = if text == Some("") { Value::Null } else { value };
                if contact.set(place, value) {
                    changed.push(GIVEN[usize::from(place)].name);
                }
            }
            _ => {}
        }
    }
    changed
}
