//! Whether each side is the one that the ledger knows: once after every start a sample of what is linked is asked for
//! by its ids, before anything is read from that side or sent to it. The sample is drawn from the links themselves, so
//! that nothing personal is stored for it.

use super::JobError;
use super::pull::PullContext;
use crate::crm::Page;
use crate::dialler::{BatchQuery, DiallerRead};
use crate::domain::identity::sample_differs;
use crate::domain::{Contact, ContactId, Reason, ReasonCode, Record, RecordId, RouteName};
use crate::ledger::{Ledger, SampledRecord, SideSeen};
use crate::remote::{CallClass, CallError};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use tokio::sync::Mutex;

/// So many links are looked at.
const SAMPLE: u32 = 50;
/// So many where each needs a request of its own.
const SINGLY: usize = 15;
/// So many failures in a row are the side's, not the records'.
const FAILURES: usize = 2;

/// The subject of the dialler.
pub const DIALLER: &str = "dialler";

/// The subject of the CRM as one route reads it.
pub fn crm_of(route: &RouteName) -> String {
    format!("crm:{route}")
}

/// The sides that are watched, and what was found of each since the start. `Default` watches none.
#[derive(Debug, Clone, Default)]
pub struct Sides(Arc<BTreeMap<String, Side>>);

#[derive(Debug)]
struct Side {
    address: String,
    /// Asked once, by whoever comes first; the others wait for that answer.
    found: Mutex<Found>,
}

#[derive(Debug, Clone)]
enum Found {
    NotAsked,
    Agrees,
    Differs(String),
}

/// How much of a sample agrees.
struct Agreement {
    agree: usize,
    of: usize,
}

impl Sides {
    /// Watches these subjects, each under its address.
    pub fn new(addresses: impl IntoIterator<Item = (String, String)>) -> Self {
        let side = |(subject, address)| (subject, Side { address, found: Mutex::new(Found::NotAsked) });
        Self(Arc::new(addresses.into_iter().map(side).collect()))
    }

    /// A person says that this is the one that is meant; answers its address.
    pub async fn accept(&self, subject: &str) -> Option<&str> {
        let side = self.0.get(subject)?;
        *side.found.lock().await = Found::Agrees;
        Some(&side.address)
    }

    async fn judge(
        &self,
        ledger: &Ledger,
        subject: &str,
        what: (&str, &str),
        look: impl Future<Output = Result<Agreement, JobError>>,
    ) -> Result<(), JobError> {
        let Some(side) = self.0.get(subject) else { return Ok(()) };
        let mut found = side.found.lock().await;
        if let Found::NotAsked = *found {
            *found = side.seen(ledger, subject, what, look.await?).await?;
        }
        match &*found {
            Found::Differs(text) => Err(JobError::Identity(text.clone())),
            Found::Agrees | Found::NotAsked => Ok(()),
        }
    }
}

impl Side {
    async fn seen(
        &self,
        ledger: &Ledger,
        subject: &str,
        (name, what): (&str, &str),
        Agreement { agree, of }: Agreement,
    ) -> Result<Found, JobError> {
        let reason = sample_differs(agree, of).then(|| {
            let reason = Reason::new(ReasonCode::OtherPeople).with("side", name).with("what", what);
            reason.with("of", of).with("agree", agree)
        });
        Ok(match ledger.side_seen(subject, &self.address, reason).await? {
            SideSeen::AsBefore => Found::Agrees,
            SideSeen::Moved { was } => {
                tracing::info!(
                    %was, now = %self.address,
                    "{name} answers at another address: {agree} of {of} {what} agree, so it is the same one"
                );
                Found::Agrees
            }
            SideSeen::Differs(difference) => {
                tracing::error!("all routes are paused (identity): {}", difference.in_words());
                Found::Differs(format!("paused (identity): {}", difference.in_words()))
            }
        })
    }
}

/// Whether the CRM that this pull reads is the one that the ledger knows.
///
/// # Errors
/// It is another one (`Identity`), or it cannot be asked.
pub(super) async fn crm(context: &PullContext) -> Result<(), JobError> {
    let route = &context.route.route;
    let name = format!("the CRM of route {route}");
    let look = look_at_crm(context);
    context.sides.judge(&context.ledger, &crm_of(route), (&name, "records"), look).await
}

/// Whether the dialler is the one that the ledger knows.
///
/// # Errors
/// It is another one (`Identity`), or it cannot be asked.
pub async fn dialler(sides: &Sides, ledger: &Ledger, read: &dyn DiallerRead) -> Result<(), JobError> {
    let look = look_at_dialler(ledger, read);
    sides.judge(ledger, DIALLER, ("the dialler", "contacts"), look).await
}

async fn look_at_crm(context: &PullContext) -> Result<Agreement, JobError> {
    let sample = context.ledger.sample_records(context.route.route.clone(), SAMPLE).await?;
    let ids: Vec<RecordId> = sample.iter().map(|known| known.record.clone()).collect();
    let (answered, pages) = match context.crm.fetch(&ids).await {
        _ if ids.is_empty() => return Ok(Agreement { agree: 0, of: 0 }),
        Ok(page) => (ids, vec![page]),
        Err(error) => crm_singly(context, &ids, error).await?,
    };
    let mut found: BTreeMap<RecordId, Record> = BTreeMap::new();
    let mut unreadable = BTreeSet::new();
    for record in pages.into_iter().flat_map(|page| page.records) {
        match record {
            Ok(record) => {
                found.insert(record.id.clone(), record);
            }
            Err(bad) => unreadable.extend(bad.id),
        }
    }
    let asked: Vec<&SampledRecord> = sample
        .iter()
        .filter(|known| answered.contains(&known.record) && !unreadable.contains(&known.record))
        .collect();
    let agrees = |known: &&&SampledRecord| found.get(&known.record).is_some_and(|r| same(context, known, r));
    Ok(Agreement { agree: asked.iter().filter(agrees).count(), of: asked.len() })
}

/// One that spoils every answer must not keep the CRM from being known.
async fn crm_singly(
    context: &PullContext,
    ids: &[RecordId],
    error: CallError,
) -> Result<(Vec<RecordId>, Vec<Page>), JobError> {
    let (mut answered, mut pages, mut failures) = (Vec::new(), Vec::new(), 0);
    for id in ids.iter().take(SINGLY) {
        match context.crm.fetch(std::slice::from_ref(id)).await {
            Ok(page) => {
                answered.push(id.clone());
                pages.push(page);
                failures = 0;
            }
            Err(_) if failures + 1 < FAILURES => failures += 1,
            Err(_) => return Err(error.into()),
        }
    }
    Ok((answered, pages))
}

/// A person may have another name or another number by now; with both another it is somebody else.
fn same(context: &PullContext, known: &SampledRecord, record: &Record) -> bool {
    let route = &context.route;
    let today = context.env.now().with_timezone(&route.zone).date_naive();
    let named = route.mapping.name_of(record, today);
    let name_agrees = known.name.is_some() && named == known.name;
    name_agrees
        || route.mapping.map(record, today).numbers.iter().any(|number| known.numbers.contains(number))
}

async fn look_at_dialler(ledger: &Ledger, read: &dyn DiallerRead) -> Result<Agreement, JobError> {
    let sample = ledger.sample_contacts(SAMPLE).await?;
    let ids: Vec<ContactId> = sample.iter().map(|(id, _)| *id).collect();
    if ids.is_empty() {
        return Ok(Agreement { agree: 0, of: 0 });
    }
    let query = BatchQuery { ids: ids.clone(), ..BatchQuery::default() };
    let (answered, found) = match read.read_batch(&query, CallClass::Push).await {
        Ok(Some(found)) => (ids, found.into_iter().map(|read| read.contact).collect()),
        Ok(None) => dialler_singly(read, &ids, None).await?,
        Err(error) => dialler_singly(read, &ids, Some(error)).await?,
    };
    let asked: Vec<_> = sample.iter().filter(|(id, _)| answered.contains(id)).collect();
    let agrees = |id: &ContactId, user_data: &str| {
        found.iter().any(|contact| contact.id == *id && contact.user_data.as_deref() == Some(user_data))
    };
    let agree = asked.iter().filter(|(id, user_data)| agrees(id, user_data)).count();
    Ok(Agreement { agree, of: asked.len() })
}

async fn dialler_singly(
    read: &dyn DiallerRead,
    ids: &[ContactId],
    mut error: Option<CallError>,
) -> Result<(Vec<ContactId>, Vec<Contact>), JobError> {
    let (mut answered, mut found, mut failures) = (Vec::new(), Vec::new(), 0);
    for id in ids.iter().take(SINGLY) {
        match read.contact(*id, CallClass::Push).await {
            Ok(contact) => {
                answered.push(*id);
                found.extend(contact);
                failures = 0;
            }
            Err(_) if failures + 1 < FAILURES => failures += 1,
            Err(single) => return Err(error.take().unwrap_or(single).into()),
        }
    }
    Ok((answered, found))
}
