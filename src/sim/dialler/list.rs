//! The list of contacts as a body that is made while it is read, so that memory stays flat.

use super::DiallerSim;
use super::config::{DiallerConfig, ListBuild};
use super::json;
use super::model::SimContact;
use axum::body::Body;
use bytes::Bytes;
use futures_util::stream;
use std::sync::Arc;

/// About how many bytes one piece of the body has.
const PIECE: usize = 64 * 1024;
/// How many contacts are at most looked at per piece, so that nobody waits long for the lock.
const LOOKED_AT: usize = 2_000;

enum Rest {
    // The versions of the request's moment, from the last to the first.
    Snapshot(Vec<Arc<SimContact>>),
    // The place in the order of names that was reached.
    Walking(Option<(Arc<str>, i64)>),
    Ended,
}

struct Progress {
    sim: DiallerSim,
    config: DiallerConfig,
    campaign: Option<i64>,
    rest: Rest,
    count: usize,
    begun: bool,
}

/// All contacts of a campaign, or of the tenant, in the list envelope and by name.
pub(super) fn contact_list(sim: &DiallerSim, campaign: Option<i64>) -> Body {
    let (config, rest) = sim.with(|memory, _| {
        let rest = match memory.config.list_build {
            ListBuild::Snapshot => {
                let mut all: Vec<_> = memory.by_name(campaign).cloned().collect();
                all.reverse();
                Rest::Snapshot(all)
            }
            ListBuild::Walking => Rest::Walking(None),
        };
        (memory.config.clone(), rest)
    });
    let progress = Progress { sim: sim.clone(), config, campaign, rest, count: 0, begun: false };
    Body::from_stream(stream::unfold(progress, |mut progress| async move {
        progress.piece().map(|piece| (Ok::<_, std::io::Error>(piece), progress))
    }))
}

impl Progress {
    fn piece(&mut self) -> Option<Bytes> {
        let mut out = Vec::with_capacity(PIECE + 4096);
        if !self.begun {
            self.begun = true;
            out.extend_from_slice(json::LIST_HEAD.as_bytes());
        }
        let more = match std::mem::replace(&mut self.rest, Rest::Ended) {
            Rest::Ended => return None,
            Rest::Snapshot(mut all) => {
                while out.len() < PIECE
                    && let Some(contact) = all.pop()
                {
                    self.write(&mut out, &contact);
                }
                (!all.is_empty()).then_some(Rest::Snapshot(all))
            }
            Rest::Walking(place) => self.walk(&mut out, place.as_ref()),
        };
        match more {
            Some(rest) => self.rest = rest,
            None => out.extend_from_slice(json::list_tail(self.count, "Name").as_bytes()),
        }
        Some(out.into())
    }

    fn walk(&mut self, out: &mut Vec<u8>, place: Option<&(Arc<str>, i64)>) -> Option<Rest> {
        let next: Vec<Arc<SimContact>> =
            self.sim.with(|memory, _| memory.after_name(place).take(LOOKED_AT).cloned().collect());
        let reached = next.len();
        for (index, contact) in next.iter().enumerate() {
            if self.campaign.is_none_or(|campaign| contact.campaign == campaign) {
                self.write(out, contact);
            }
            if out.len() >= PIECE && index + 1 < reached {
                return Some(Rest::Walking(Some((Arc::clone(&contact.name), contact.id))));
            }
        }
        let last = next.last().filter(|_| reached == LOOKED_AT)?;
        Some(Rest::Walking(Some((Arc::clone(&last.name), last.id))))
    }

    fn write(&mut self, out: &mut Vec<u8>, contact: &SimContact) {
        if self.count > 0 {
            out.push(b',');
        }
        self.count += 1;
        json::contact(out, contact, &self.config, &json::plain_extra(contact, &self.config));
    }
}
