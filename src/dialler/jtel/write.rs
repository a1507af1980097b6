//! Writing: every operation of the port's write half, with its request, answer and source.

use super::{Endpoint, JtelClient, wire};
use crate::dialler::{CampaignRef, Changes, ContactRef, DiallerWrite, ImportMode, WriteContext};
use crate::domain::{CampaignId, Contact, ContactId, FoldedUserData, Permit, UserData, Values};
use crate::remote::{BodyFault, CallClass, CallContext, CallError, CallErrorKind};
use http::Method;
use serde_json::Value;
use std::sync::Arc;

#[async_trait::async_trait]
impl DiallerWrite for JtelClient {
    /// `POST /dialler/contacts/import?overwriteDuplicates=&resetContact=&unlockContact=`; page "Import a
    /// Dialler Contact". All values go out, null ones too. The two last parameters exist from 3.39 on;
    /// asked for on an older server they are refused here, because a server that ignores them would
    /// unlock what must stay locked.
    async fn import(
        &self,
        _permit: &Permit,
        campaign: &CampaignRef,
        user_data: &UserData,
        values: &Values,
        mode: ImportMode,
        context: WriteContext,
    ) -> Result<Contact, CallError> {
        let context = self.context("import".to_owned(), user_data, context);
        let mut query = vec![("overwriteDuplicates", truth(mode.overwrite))];
        query.extend(mode.reset.map(|on| ("resetContact", truth(on))));
        query.extend(mode.unlock.map(|on| ("unlockContact", truth(on))));
        if query.len() > 1 && !self.takes_import_flags() {
            return Err(self.unsupported(&context));
        }
        let mut body = wire::body(values, self.config.time_zone);
        body.insert("UserData".to_owned(), Value::from(user_data.as_str()));
        match campaign {
            CampaignRef::Id(id) => body.insert("DiallerCampaignsID".to_owned(), Value::from(id.0)),
            CampaignRef::Name(name) => {
                body.insert("DiallerCampaignsName".to_owned(), Value::from(name.as_str()))
            }
        };
        let url = self.url(Endpoint::Import, None, &query);
        let folded = user_data.folded();
        let ours = move |contact: &Contact| match contact.user_data.as_deref().map(FoldedUserData::of) {
            Some(other) if other != folded => Err("it holds another UserData"),
            _ => Ok(()),
        };
        self.one_contact(context, url, Value::Object(body), ours).await
    }

    /// `POST /dialler/contacts/update`; page "Update a Dialler Contact". Only what is given changes;
    /// null is sent as null. By UserData "it is not possible to determine which contact" is meant.
    async fn update(
        &self,
        contact: &ContactRef,
        changes: &Changes,
        context: WriteContext,
    ) -> Result<Contact, CallError> {
        let mut body = wire::body(changes.values(), self.config.time_zone);
        match contact {
            ContactRef::Id(id) => body.insert("ID".to_owned(), Value::from(id.0)),
            ContactRef::UserData(text) => body.insert("UserData".to_owned(), Value::from(text.as_str())),
        };
        let context = self.context(format!("update of {}", shown(contact)), key(contact), context);
        let url = self.url(Endpoint::Update, None, &[]);
        let asked = contact.clone();
        let ours = move |answered: &Contact| match &asked {
            ContactRef::Id(id) if answered.id != *id => Err("it holds another contact"),
            _ => Ok(()),
        };
        self.one_contact(context, url, Value::Object(body), ours).await
    }

    /// `PATCH .../contact/{id}/lock` or `.../contact/lock?userData=`; page "Lock a Dialler Contact".
    async fn lock(&self, contact: &ContactRef, context: WriteContext) -> Result<(), CallError> {
        let context = self.context(format!("lock of {}", shown(contact)), key(contact), context);
        let context = CallContext { class: CallClass::Lock, ..context };
        self.command(context, Method::PATCH, contact, Endpoint::Lock, Endpoint::LockByUserData).await
    }

    /// `PATCH .../contact/{id}/unlock` or by `?userData=`; page "Unlock a Dialler Contact".
    async fn unlock(
        &self,
        _permit: &Permit,
        contact: &ContactRef,
        context: WriteContext,
    ) -> Result<(), CallError> {
        let context = self.context(format!("unlock of {}", shown(contact)), key(contact), context);
        self.command(context, Method::PATCH, contact, Endpoint::Unlock, Endpoint::UnlockByUserData).await
    }

    /// `PATCH .../contact/{id}/reset` or by `?userData=`; page "Reset a Dialler Contact".
    async fn reset(
        &self,
        _permit: &Permit,
        contact: &ContactRef,
        context: WriteContext,
    ) -> Result<(), CallError> {
        let context = self.context(format!("reset of {}", shown(contact)), key(contact), context);
        self.command(context, Method::PATCH, contact, Endpoint::Reset, Endpoint::ResetByUserData).await
    }

    /// `DELETE .../contact/{id}` or by `?userData=` (the page forgets the base URL there); page
    /// "Delete a Dialler Contact".
    async fn delete(&self, contact: &ContactRef, context: WriteContext) -> Result<(), CallError> {
        let context = self.context(format!("delete of {}", shown(contact)), key(contact), context);
        self.command(context, Method::DELETE, contact, Endpoint::Delete, Endpoint::DeleteByUserData).await
    }
}

/// A request as it would go out.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct ShownRequest {
    /// The method.
    pub method: String,
    /// The address.
    pub url: String,
    /// The body; `None` where there is none.
    pub body: Option<Value>,
}

impl JtelClient {
    /// What [`DiallerWrite::import`] would send.
    pub fn shown_import(&self, campaign: CampaignId, user_data: &str, values: &Values) -> ShownRequest {
        let mut query = vec![("overwriteDuplicates", truth(true))];
        if self.takes_import_flags() {
            query.extend([("resetContact", truth(false)), ("unlockContact", truth(false))]);
        }
        let mut body = wire::body(values, self.config.time_zone);
        body.insert("UserData".to_owned(), Value::from(user_data));
        body.insert("DiallerCampaignsID".to_owned(), Value::from(campaign.0));
        ShownRequest {
            method: Method::POST.to_string(),
            url: self.url(Endpoint::Import, None, &query),
            body: Some(Value::Object(body)),
        }
    }

    /// What [`DiallerWrite::update`] would send.
    pub fn shown_update(&self, contact: ContactId, values: &Values) -> ShownRequest {
        let mut body = wire::body(values, self.config.time_zone);
        body.insert("ID".to_owned(), Value::from(contact.0));
        ShownRequest {
            method: Method::POST.to_string(),
            url: self.url(Endpoint::Update, None, &[]),
            body: Some(Value::Object(body)),
        }
    }

    /// What a lock or an unlock would send.
    pub fn shown_lock(&self, contact: ContactId, lock: bool) -> ShownRequest {
        let endpoint = if lock { Endpoint::Lock } else { Endpoint::Unlock };
        let url = self.url(endpoint, Some(contact.0), &[]);
        ShownRequest { method: Method::PATCH.to_string(), url, body: None }
    }

    fn context(&self, what: String, subject: impl std::fmt::Display, context: WriteContext) -> CallContext {
        let WriteContext { operation, still } = context;
        CallContext { still, ..CallContext::write(what, CallClass::Push, operation).about(subject) }
    }

    /// A write that answers with exactly one contact, and with the one that is meant. Judged as part of the
    /// try, so that the attempt does not say `done` of an operation in doubt.
    async fn one_contact(
        &self,
        mut context: CallContext,
        url: String,
        body: Value,
        ours: impl Fn(&Contact) -> Result<(), &'static str> + Send + Sync + 'static,
    ) -> Result<Contact, CallError> {
        context.expects = Some(Arc::new(move |_, body| {
            one(body)
                .and_then(|contact| ours(&contact))
                .map_err(|why| BodyFault::Untrusted(format!("the answer cannot be used: {why}")))
        }));
        let answer = self.send(context.clone(), Method::POST, url, Some(body)).await?;
        one(&answer.body).map_err(|why| self.unusable(&context, why))
    }

    /// A command answers with a status alone, which the body check has compared.
    async fn command(
        &self,
        context: CallContext,
        method: Method,
        contact: &ContactRef,
        by_id: Endpoint,
        by_user_data: Endpoint,
    ) -> Result<(), CallError> {
        let url = match contact {
            ContactRef::Id(id) => self.url(by_id, Some(id.0), &[]),
            ContactRef::UserData(text) => self.url(by_user_data, None, &[("userData", text)]),
        };
        self.send(context, method, url, None).await.map(|_| ())
    }

    fn unsupported(&self, context: &CallContext) -> CallError {
        let text =
            "resetContact and unlockContact need release 3.39; set dialler.release to the server's release";
        CallError {
            side: self.client.side(),
            kind: CallErrorKind::Rejected { status: 0, text: text.to_owned() },
            what: context.what.clone(),
            detail: format!("nothing was sent: {text}"),
            status: None,
        }
    }
}

fn one(body: &[u8]) -> Result<Contact, &'static str> {
    let mut found = wire::contacts(body)?;
    match (found.pop(), found.is_empty()) {
        (Some(contact), true) => Ok(contact),
        (None, _) => Err("it holds no contact"),
        (Some(_), false) => Err("it holds several contacts"),
    }
}

fn truth(on: bool) -> &'static str {
    if on { "true" } else { "false" }
}

/// For messages: a UserData stays out of them.
fn shown(contact: &ContactRef) -> String {
    match contact {
        ContactRef::Id(id) => format!("contact {id}"),
        ContactRef::UserData(_) => "the contact with a UserData".to_owned(),
    }
}

fn key(contact: &ContactRef) -> String {
    match contact {
        ContactRef::Id(id) => id.to_string(),
        ContactRef::UserData(text) => text.clone(),
    }
}
