//! The list of contacts, streamed: records leave the splitter while bytes arrive.

use super::JtelClient;
use super::wire::check_status;
use crate::dialler::splitter::{RawRecord, Splitter};
use crate::dialler::{BadContact, ContactList, Listed};
use crate::domain::{Contact, ContactId};
use crate::remote::{CallContext, CallError, StreamedAnswer};
use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::stream::BoxStream;
use serde_json::{Map, Value};
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

struct Listing {
    client: JtelClient,
    context: CallContext,
    http: i64,
    body: BoxStream<'static, Result<Bytes, CallError>>,
    splitter: Splitter,
    ready: VecDeque<Listed>,
    bytes: Arc<AtomicU64>,
    ended: bool,
}

/// Contacts out of an answer's body.
pub(super) fn listed(client: JtelClient, context: CallContext, answer: StreamedAnswer) -> ContactList {
    let bytes = Arc::new(AtomicU64::new(0));
    let splitter = Splitter::new(client.config.limits);
    let listing = Listing {
        client,
        context,
        http: i64::from(answer.status.as_u16()),
        body: answer.body,
        splitter,
        ready: VecDeque::new(),
        bytes: bytes.clone(),
        ended: false,
    };
    let items = futures_util::stream::unfold(listing, |mut listing| async move {
        let item = listing.next().await?;
        Some((item, listing))
    });
    ContactList::new(items.boxed(), bytes)
}

impl Listing {
    async fn next(&mut self) -> Option<Result<Listed, CallError>> {
        loop {
            if let Some(item) = self.ready.pop_front() {
                return Some(Ok(item));
            }
            if self.ended {
                return None;
            }
            let step = match self.body.next().await {
                Some(Ok(chunk)) => self.take(&chunk),
                Some(Err(error)) => Err(error),
                None => {
                    self.ended = true;
                    self.finish()
                }
            };
            if let Err(error) = step {
                self.ended = true;
                // What came before the fault is whole; the error comes last.
                if self.ready.is_empty() {
                    return Some(Err(error));
                }
                self.body = futures_util::stream::once(async { Err(error) }).boxed();
                self.ended = false;
            }
        }
    }

    fn take(&mut self, chunk: &[u8]) -> Result<(), CallError> {
        self.bytes.fetch_add(chunk.len() as u64, Ordering::Relaxed);
        let ready = &mut self.ready;
        let taken = self.splitter.push(chunk, |position, raw| ready.push_back(read(position, raw)));
        taken.map_err(|error| self.client.unusable(&self.context, &error.to_string()))
    }

    fn finish(&self) -> Result<(), CallError> {
        let unusable = |why: String| self.client.unusable(&self.context, &why);
        let tail = self.splitter.finish().map_err(|error| unusable(error.to_string()))?;
        check_status(self.http, tail.status).map_err(unusable)
    }
}

fn read(position: u64, raw: RawRecord<'_>) -> Listed {
    let bad = |id: Option<i64>, why: &str| {
        Listed::Bad(BadContact { position, id: id.map(ContactId), why: why.to_owned() })
    };
    let raw = match raw {
        Ok(raw) => raw,
        Err(why) => return bad(None, why),
    };
    if std::str::from_utf8(raw).is_err() {
        return bad(None, "it is not in UTF-8");
    }
    match serde_json::from_slice::<Map<String, Value>>(raw) {
        Ok(fields) => match Contact::from_fields(fields) {
            Some(contact) => Listed::Contact(contact),
            None => bad(None, "it has no ID"),
        },
        Err(error) if error.is_data() => bad(None, "it is no object"),
        Err(_) => bad(None, "it is no JSON"),
    }
}
