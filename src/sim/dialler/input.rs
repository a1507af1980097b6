//! What import and update do with their bodies, from the API page.

use super::config::{CampaignChange, ForeignFields, Omitted, Release, UserDataScope, WithoutOverwrite};
use super::fields::{GIVEN, Kind, Meaning, Refused, place, read};
use super::model::SimContact;
use super::state::{Cause, State};
use serde_json::{Map, Value};

/// A request that is not carried out: the HTTP status and the text of the answer's `error`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The status.
    pub status: u16,
    /// The text.
    pub error: String,
}

impl Refusal {
    /// A mandatory parameter is missing or a value does not fit.
    pub fn bad(error: impl Into<String>) -> Self {
        Self { status: 400, error: error.into() }
    }

    /// The object asked for is not there.
    pub fn missing(error: impl Into<String>) -> Self {
        Self { status: 404, error: error.into() }
    }
}

impl From<Refused> for Refusal {
    fn from(refused: Refused) -> Self {
        Self::bad(refused.0)
    }
}

/// The query parameters of an import, as far as they were given.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ImportParams {
    /// `overwriteDuplicates`.
    pub overwrite: Option<bool>,
    /// `resetContact`.
    pub reset: Option<bool>,
    /// `unlockContact`.
    pub unlock: Option<bool>,
}

/// The values of a body, read and checked.
#[derive(Debug, Default)]
struct Values {
    name: Option<String>,
    // The inner option: empties the key.
    user_data: Option<Option<String>>,
    given: Vec<(u8, Value)>,
}

impl Values {
    fn apply(self, contact: &mut SimContact) -> Vec<&'static str> {
        let mut changed = Vec::new();
        if let Some(name) = self.name.filter(|name| **name != *contact.name) {
            contact.name = name.into();
            changed.push("Name");
        }
        if let Some(user_data) = self.user_data
            && user_data.as_deref() != contact.user_data.as_deref()
        {
            contact.user_data = user_data.map(Into::into);
            changed.push("UserData");
        }
        for (place, value) in self.given {
            if contact.set(place, value) {
                changed.push(GIVEN[usize::from(place)].name);
            }
        }
        changed
    }
}

/// An import that was checked and has looked for its duplicate, but has not written yet.
#[derive(Debug)]
pub struct ImportPlan {
    campaign: i64,
    existing: Option<i64>,
    overwrite: bool,
    params: ImportParams,
    values: Values,
}

fn text_of(value: Option<&Value>) -> Option<String> {
    match value? {
        Value::String(text) if !text.trim().is_empty() => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

impl State {
    fn body_values(
        &self,
        body: &Map<String, Value>,
        taken: impl Fn(&super::fields::Given) -> bool,
        others: &[&str],
    ) -> Result<Values, Refusal> {
        let mut values = Values::default();
        for (name, value) in body {
            match (name.as_str(), place(name)) {
                ("Name", _) => {
                    if let Meaning::Store(Value::String(text)) =
                        read(name, Kind::Text(64), value, &self.config)?
                        && !text.is_empty()
                    {
                        values.name = Some(text);
                    }
                }
                ("UserData", _) => {
                    if let Meaning::Store(stored) = read(name, Kind::Text(64), value, &self.config)? {
                        let text = stored.as_str().filter(|text| !text.is_empty()).map(str::to_owned);
                        values.user_data = Some(text);
                    }
                }
                (_, Some(place)) if taken(&GIVEN[usize::from(place)]) => {
                    let kind = GIVEN[usize::from(place)].kind;
                    if let Meaning::Store(stored) = read(name, kind, value, &self.config)? {
                        values.given.push((place, stored));
                    }
                }
                (other, _)
                    if !others.contains(&other) && self.config.foreign_fields == ForeignFields::Reject =>
                {
                    return Err(Refusal::bad(format!("{other}: unknown field")));
                }
                _ => {}
            }
        }
        Ok(values)
    }

    fn campaign_of(&self, body: &Map<String, Value>) -> Result<i64, Refusal> {
        let missing = || Refusal::missing("DiallerCampaign not found");
        if let Some(id) = text_of(body.get("DiallerCampaignsID")) {
            let id = id.parse().map_err(|_| Refusal::bad("DiallerCampaignsID: not a number"))?;
            return self.campaigns.get(&id).map(|campaign| campaign.id).ok_or_else(missing);
        }
        let name = text_of(body.get("DiallerCampaignsName"))
            .ok_or_else(|| Refusal::bad("DiallerCampaignsID or DiallerCampaignsName is mandatory"))?;
        self.campaigns.values().find(|known| known.name == name).map(|known| known.id).ok_or_else(missing)
    }

    /// The first half of an import: checks the body and looks for a duplicate.
    ///
    /// # Errors
    /// 400 for what is mandatory and missing, 404 for an unknown campaign.
    pub fn plan_import(&mut self, body: &Value, params: ImportParams) -> Result<ImportPlan, Refusal> {
        let body = body.as_object().ok_or_else(|| Refusal::bad("a JSON object is expected"))?;
        if text_of(body.get("Name")).is_none() {
            return Err(Refusal::bad("Name is mandatory"));
        }
        if !(1..=6).any(|slot| text_of(body.get(&format!("PhoneNumber{slot}"))).is_some()) {
            return Err(Refusal::bad("at least one of PhoneNumber1 to PhoneNumber6 is mandatory"));
        }
        let campaign = self.campaign_of(body)?;
        let known = ["DiallerCampaignsID", "DiallerCampaignsName"];
        let values = self.body_values(body, |given| given.import, &known)?;
        let scope = match self.config.userdata_scope {
            UserDataScope::Campaign => Some(campaign),
            UserDataScope::Tenant => None,
        };
        let found = match values.user_data.as_ref().and_then(Option::as_deref) {
            Some(user_data) => self.find(user_data, scope),
            None if self.config.empty_userdata_matches => self.without_key(scope),
            None => Vec::new(),
        };
        let existing = self.first_of(&found);
        let overwrite = params.overwrite.unwrap_or(self.config.overwrite_default);
        Ok(ImportPlan { campaign, existing, overwrite, params, values })
    }

    /// The second half: makes or overwrites the contact and returns its ID.
    pub fn carry_import(&mut self, plan: ImportPlan, cause: Cause) -> i64 {
        let ImportPlan { campaign, existing, overwrite, params, mut values } = plan;
        // Deleted between the two halves: made anew.
        let existing = existing.filter(|id| self.contact(*id).is_some());
        let id = match (existing, overwrite, self.config.without_overwrite) {
            (Some(id), true, _) => id,
            (Some(id), false, WithoutOverwrite::ReturnsExisting) => return id,
            (Some(_), false, WithoutOverwrite::Doubles) | (None, ..) => {
                // An empty text that a new row does not need is no value.
                values.given.retain(|(_, value)| !value.is_null());
                return self.create(cause, campaign, |contact| {
                    values.apply(contact);
                });
            }
        };
        let knows = self.config.release == Release::From3_39;
        // Before the values, because the body may bring a new follow-up.
        if knows && params.reset == Some(true) {
            self.clear_dialling(cause, id);
        }
        let moves = self.config.campaign_change == CampaignChange::Moves;
        let blank = self.config.omitted == Omitted::Blank;
        self.edit(cause, id, |contact| {
            let mut changed = Vec::new();
            if moves && contact.campaign != campaign {
                contact.campaign = campaign;
                changed.push("DiallerCampaignsID");
            }
            if blank {
                let omitted = GIVEN.iter().enumerate().filter(|(_, given)| given.import);
                for (index, given) in omitted {
                    let place = u8::try_from(index).unwrap_or(u8::MAX);
                    let sent = values.given.iter().any(|(known, _)| *known == place);
                    if !sent && contact.set(place, Value::Null) {
                        changed.push(given.name);
                    }
                }
            }
            changed.extend(values.apply(contact));
            changed
        });
        // Before 3.39, and since then without the parameter, an overwriting import unlocks.
        if !knows || params.unlock != Some(false) {
            self.set_lock(cause, id, false);
        }
        id
    }

    /// An update, by `ID` or else by `UserData`; returns the contact's ID.
    ///
    /// # Errors
    /// 400 without a key, 404 when nothing has it.
    pub fn update(&mut self, body: &Value, cause: Cause) -> Result<i64, Refusal> {
        let body = body.as_object().ok_or_else(|| Refusal::bad("a JSON object is expected"))?;
        let mut values = self.body_values(body, |given| given.update, &["ID"])?;
        let missing = || Refusal::missing("DiallerContact not found");
        let id = if let Some(id) = text_of(body.get("ID")) {
            let id = id.parse().map_err(|_| Refusal::bad("ID: not a number"))?;
            self.contact(id).map(|contact| contact.id).ok_or_else(missing)?
        } else {
            let key =
                text_of(body.get("UserData")).ok_or_else(|| Refusal::bad("ID or UserData is mandatory"))?;
            // Found by its key, so the key is not a field to change.
            values.user_data = None;
            let found = self.find(&key, None);
            self.first_of(&found).ok_or_else(missing)?
        };
        self.edit(cause, id, |contact| values.apply(contact));
        Ok(id)
    }
}
