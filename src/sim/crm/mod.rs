//! The simulated CRM: stateful, with the traps of real ones, read in six paging styles and written to.
//!
//! Hidden microseconds behind coarse filters, changes that become visible late and under an older
//! time, bursts in one instant, rows that change between pages, archive and hard delete, a blacklist
//! that moves no modification time: each was seen on a real CRM and is a setting or an edit here.

mod activities;
mod editor;
mod login;
mod paged;
mod router;
mod seed;
mod settings;
mod store;
mod writes;

pub use activities::Activity;
pub use editor::Editor;
pub use settings::{Comparator, Empty, Login, Precision, Rejection, Rights, Settings};
pub use store::Effect;

use super::faults::Faults;
use super::journal::{Detail, Journal, RequestKind};
use super::wire::Wire;
use crate::env::Env;
use axum::Router;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use store::Store;

/// What runs after each answered page of a list.
type Hook = Arc<Mutex<Option<Box<dyn FnMut(&Editor) + Send>>>>;

/// A simulated CRM; clones share everything.
#[derive(Clone)]
pub struct SimCrm {
    store: Arc<Mutex<Store>>,
    settings: Arc<Mutex<Settings>>,
    between_pages: Hook,
    /// The access tokens that were granted and not revoked.
    access: Arc<Mutex<Vec<login::Access>>>,
    /// What goes wrong on the way to it.
    pub faults: Faults,
    /// Its own history.
    pub journal: Journal<Effect>,
    env: Env,
}

impl std::fmt::Debug for SimCrm {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SimCrm").finish_non_exhaustive()
    }
}

impl SimCrm {
    /// An empty CRM; faults are drawn from `seed`.
    pub fn new(settings: Settings, env: Env, seed: u64, detail: Detail) -> Self {
        Self {
            store: Arc::new(Mutex::new(Store::default())),
            settings: Arc::new(Mutex::new(settings)),
            between_pages: Hook::default(),
            access: Arc::default(),
            faults: Faults::new(seed),
            journal: Journal::new(detail),
            env,
        }
    }

    /// The router, wrapped with faults and journal.
    pub fn router(&self) -> Router {
        let wire = Wire {
            faults: self.faults.clone(),
            journal: self.journal.clone(),
            env: self.env.clone(),
            classify,
        };
        router::skewed(self.clone(), wire.wrap(router::routes(self.clone())))
    }

    /// Whoever edits records in this CRM.
    pub fn editor(&self) -> Editor {
        Editor::new(self.clone())
    }

    /// All activities, in the order of their creation, whether a look-up finds them already or not.
    pub fn activities(&self) -> Vec<Activity> {
        self.store().activities.all().cloned().collect()
    }

    /// Changes the settings while it runs.
    pub fn set(&self, change: impl FnOnce(&mut Settings)) {
        change(&mut self.settings.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// The settings as they are.
    pub fn settings(&self) -> Settings {
        self.settings.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Runs `edit` after each answered page of a list: rows move under the reader.
    pub fn between_pages(&self, edit: impl FnMut(&Editor) + Send + 'static) {
        *self.between_pages.lock().unwrap_or_else(PoisonError::into_inner) = Some(Box::new(edit));
    }

    fn page_answered(&self) {
        // Taken out while it runs: it may ask this CRM something itself.
        let hook = self.between_pages.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(mut edit) = hook {
            edit(&self.editor());
            self.between_pages.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(edit);
        }
    }

    fn store(&self) -> MutexGuard<'_, Store> {
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn classify(method: &http::Method, path: &str) -> RequestKind {
    if let Some(kind) = writes::classify(method, path) {
        return kind;
    }
    let read = match path {
        "/api/contacts" => "list",
        "/api/contacts/search" => "search",
        "/api/contacts/feed" => "feed",
        "/api/contacts/numbered" => "numbered",
        "/api/contacts/linked" => "linked",
        "/api/contacts/headed" => "headed",
        "/oauth/token" => "token",
        "/api/contacts/by-ids" => "by_ids",
        "/api/contacts/count" => "count",
        "/api/contacts/deleted" => "deleted",
        "/api/contacts/blacklisted" => "blacklisted",
        "/api/numbers/blacklisted" => "blacklisted_numbers",
        "/api/contacts/by-numbers" => "by_numbers",
        "/api/time" => "time",
        _ => "unknown",
    };
    if *method == http::Method::GET || read != "unknown" {
        RequestKind::read(read)
    } else {
        RequestKind::write(read)
    }
}
