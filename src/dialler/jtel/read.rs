//! Reading: every operation of the port's read half, with its request, answer and source.

use super::{Endpoint, JtelClient, absent_is_none, list, wire};
use crate::dialler::{BatchQuery, Campaign, ContactList, ContactWithHistory, DiallerRead, ServerFacts, User};
use crate::domain::{CampaignId, Contact, ContactId, HistoryRow, UserData};
use crate::remote::{CallClass, CallContext, CallError, CallErrorKind, Request};
use http::Method;
use serde_json::{Map, Value, json};
use std::sync::atomic::Ordering;

/// So many batch reads in a row are refused until it counts as missing.
const REFUSALS: u8 = 3;

/// States of `JtelClient::batch`.
const UNKNOWN: u8 = 0;
const OFFERED: u8 = 1;
const MISSING: u8 = 2;

/// The state to begin with, from the config.
pub(super) fn batch_state(configured: Option<bool>) -> u8 {
    match configured {
        None => UNKNOWN,
        Some(true) => OFFERED,
        Some(false) => MISSING,
    }
}

#[async_trait::async_trait]
impl DiallerRead for JtelClient {
    /// `GET /dialler/contacts?diallerCampaignsID=`; page "Retrieve Dialler Contacts".
    async fn list_contacts(
        &self,
        campaign: Option<CampaignId>,
        class: CallClass,
    ) -> Result<ContactList, CallError> {
        let (what, id) = match campaign {
            Some(id) => (format!("list of contacts of campaign {id}"), Some(id.to_string())),
            None => ("list of all contacts".to_owned(), None),
        };
        let query: Vec<_> = id.iter().map(|id| ("diallerCampaignsID", id.as_str())).collect();
        let url = self.url(Endpoint::Contacts, None, &query);
        let request = Request { method: Method::GET, url, headers: http::HeaderMap::new(), body: None };
        let context = CallContext::read(what, class);
        let answer = self.client.stream(context.clone(), request).await?;
        self.proven.store(true, Ordering::Relaxed);
        Ok(list::listed(self.clone(), context, answer))
    }

    /// `GET /dialler/contacts/{id}`; page "Retrieve a specific Dialler Contact by ID".
    async fn contact(&self, id: ContactId, class: CallClass) -> Result<Option<Contact>, CallError> {
        let context = CallContext::read(format!("contact {id}"), class).about(id);
        let url = self.url(Endpoint::Contact, Some(id.0), &[]);
        let answer = absent_is_none(self.send(context.clone(), Method::GET, url, None).await)?;
        let Some(answer) = answer else { return Ok(None) };
        let mut found = wire::contacts(&answer.body).map_err(|why| self.unusable(&context, why))?;
        match (found.pop(), found.is_empty()) {
            (None, _) => Ok(None),
            (Some(contact), true) if contact.id == id => Ok(Some(contact)),
            _ => Err(self.unusable(&context, "it holds another contact than the one asked for")),
        }
    }

    /// `GET /dialler/contacts/contact?userData=`; page "Retrieve Dialler Contacts by User Data".
    async fn contacts_by_user_data(
        &self,
        user_data: &UserData,
        class: CallClass,
    ) -> Result<Vec<Contact>, CallError> {
        let context = CallContext::read("contacts by UserData", class).about(user_data);
        let url = self.url(Endpoint::ContactByUserData, None, &[("userData", user_data.as_str())]);
        match absent_is_none(self.send(context.clone(), Method::GET, url, None).await)? {
            Some(answer) => wire::contacts(&answer.body)
                .and_then(wire::all_keyed)
                .map_err(|why| self.unusable(&context, why)),
            None => Ok(Vec::new()),
        }
    }

    /// `POST /dialler/contacts?languagesID=` with `{"UserDataList": [], "IDList": []}` (facts 3.3).
    /// More keys than `batch_size` are asked in several requests.
    ///
    /// A 404 with JSON (an installation that refuses the whole batch for one unknown key; not documented) costs halves where
    /// ids are asked for, which are unknown only once a contact is gone. Of UserData most may be unknown: the first such answer
    /// is the error `NotFound`, and from then on there is no batch for them. The caller then asks one by one.
    async fn read_batch(
        &self,
        query: &BatchQuery,
        class: CallClass,
    ) -> Result<Option<Vec<ContactWithHistory>>, CallError> {
        let wants_all = self.batch_wants_all.load(Ordering::Relaxed) && !query.user_data.is_empty();
        if wants_all || self.batch.load(Ordering::Relaxed) == MISSING {
            return Ok(None);
        }
        let keys: Vec<Key<'_>> =
            query.user_data.iter().map(Key::UserData).chain(query.ids.iter().map(Key::Id)).collect();
        let mut found = Vec::new();
        let mut chunks: Vec<_> = keys.chunks(self.config.batch_size.max(1)).rev().collect();
        while let Some(keys) = chunks.pop() {
            match self.batch_of(keys, class).await {
                Ok(Some(part)) => found.extend(part),
                Ok(None) => return Ok(None),
                Err(error) if error.kind == CallErrorKind::NotFound => {
                    if !query.user_data.is_empty() {
                        self.batch_wants_all.store(true, Ordering::Relaxed);
                        return Err(error);
                    }
                    let halves = keys.split_at(keys.len() / 2);
                    chunks.extend([halves.1, halves.0].into_iter().filter(|_| keys.len() > 1));
                }
                Err(error) => return Err(error),
            }
        }
        Ok(Some(found))
    }

    /// `GET /dialler/contacts/contact/{id}/history`; page "Retrieve Dialler Contact History by ID".
    async fn history(&self, id: ContactId, class: CallClass) -> Result<Option<Vec<HistoryRow>>, CallError> {
        let context = CallContext::read(format!("history of contact {id}"), class).about(id);
        let url = self.url(Endpoint::History, Some(id.0), &[]);
        self.history_at(context, url).await
    }

    /// `GET /dialler/contacts/contact/history?userData=`; page "... History by UserData".
    async fn history_by_user_data(&self, user_data: &str) -> Result<Option<Vec<HistoryRow>>, CallError> {
        let context = CallContext::read("history by UserData", CallClass::Harvest).about(user_data);
        let url = self.url(Endpoint::HistoryByUserData, None, &[("userData", user_data)]);
        self.history_at(context, url).await
    }

    /// `GET /dialler/campaigns` (facts section 5).
    async fn campaigns(&self) -> Result<Vec<Campaign>, CallError> {
        let read = |fields: &Map<String, Value>| {
            let id = fields.get("ID").or_else(|| fields.get("DiallerCampaignsID"))?.as_i64()?;
            Some(Campaign { id: CampaignId(id), name: fields.get("Name")?.as_str()?.to_owned() })
        };
        self.named(Endpoint::Campaigns, "list of campaigns", read).await
    }

    /// `GET /users` (facts section 5).
    async fn users(&self) -> Result<Vec<User>, CallError> {
        let read = |fields: &Map<String, Value>| {
            let id = fields.get("ID").or_else(|| fields.get("UsersID"))?.as_i64()?;
            let text =
                |name: &str| fields.get(name).and_then(Value::as_str).filter(|text| !text.trim().is_empty());
            let uid = text("UID")?;
            Some(User { id, uid: uid.to_owned(), name: text("Name").unwrap_or(uid).to_owned() })
        };
        self.named(Endpoint::Users, "list of users", read).await
    }

    fn facts(&self) -> ServerFacts {
        let batch_read = match self.batch.load(Ordering::Relaxed) {
            OFFERED => Some(true),
            MISSING => Some(false),
            _ => None,
        };
        ServerFacts { server_time: self.client.server_time(), batch_read }
    }
}

enum Key<'a> {
    UserData(&'a UserData),
    Id(&'a ContactId),
}

impl JtelClient {
    async fn batch_of(
        &self,
        keys: &[Key<'_>],
        class: CallClass,
    ) -> Result<Option<Vec<ContactWithHistory>>, CallError> {
        let context = CallContext::read(format!("batch read of {} contacts", keys.len()), class);
        let (mut user_data, mut ids) = (Vec::new(), Vec::new());
        for key in keys {
            match key {
                Key::UserData(text) => user_data.push(text.as_str()),
                Key::Id(id) => ids.push(id.0),
            }
        }
        let body = json!({ "UserDataList": user_data, "IDList": ids });
        let language = self.config.language.map(|id| id.to_string());
        let query: Vec<_> = language.iter().map(|id| ("languagesID", id.as_str())).collect();
        let url = self.url(Endpoint::BatchRead, None, &query);
        match self.send(context.clone(), Method::POST, url, Some(body)).await {
            Ok(answer) => {
                self.batch.store(OFFERED, Ordering::Relaxed);
                self.batch_refusals.store(0, Ordering::Relaxed);
                let records = wire::records(&answer.body).map_err(|why| self.unusable(&context, why))?;
                let read: Result<Vec<ContactWithHistory>, _> =
                    records.into_iter().map(wire::extended).collect();
                let by_id = |read: &ContactWithHistory| ids.contains(&read.contact.id.0);
                match read {
                    Ok(read) if read.iter().any(|read| !by_id(read) && read.contact.user_data.is_none()) => {
                        Err(self.unusable(&context, wire::NO_KEY))
                    }
                    read => read.map(Some).map_err(|why| self.unusable(&context, why)),
                }
            }
            Err(error)
                if error.kind == CallErrorKind::WrongUrl && matches!(error.status, Some(404 | 405)) =>
            {
                // A wrong base URL looks just the same: believed only if something else answers there,
                // and never once it has been there.
                if self.batch.load(Ordering::Relaxed) == OFFERED {
                    return Err(error);
                }
                if !self.proven.load(Ordering::Relaxed) {
                    self.campaigns().await?;
                }
                if self.batch.swap(MISSING, Ordering::Relaxed) == UNKNOWN {
                    tracing::info!("the dialler does not offer the batch read: contacts are read one by one");
                }
                Ok(None)
            }
            Err(error) if matches!(error.kind, CallErrorKind::Rejected { .. }) => {
                // Once may be one key's fault; whoever refuses always would be asked in vain for every chunk.
                if self.batch_refusals.fetch_add(1, Ordering::Relaxed) + 1 < REFUSALS {
                    return Err(error);
                }
                if self.batch.swap(MISSING, Ordering::Relaxed) != MISSING {
                    tracing::warn!(%error, "the dialler refuses the batch read: contacts are read one by one until the \
                         next start; does it want dialler.languages_id, or a smaller dialler.batch_size?");
                }
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    async fn history_at(
        &self,
        context: CallContext,
        url: String,
    ) -> Result<Option<Vec<HistoryRow>>, CallError> {
        match absent_is_none(self.send(context.clone(), Method::GET, url, None).await)? {
            Some(answer) => wire::history(&answer.body).map(Some).map_err(|why| self.unusable(&context, why)),
            None => Ok(None),
        }
    }

    /// A whole short list; an element without number or name is left out, as it cannot be meant.
    async fn named<T>(
        &self,
        endpoint: Endpoint,
        what: &str,
        read: impl Fn(&Map<String, Value>) -> Option<T> + Send,
    ) -> Result<Vec<T>, CallError> {
        let context = CallContext::read(what, CallClass::Push);
        let answer = self.send(context.clone(), Method::GET, self.url(endpoint, None, &[]), None).await?;
        let records = wire::records(&answer.body).map_err(|why| self.unusable(&context, why))?;
        Ok(records.iter().filter_map(read).collect())
    }
}
