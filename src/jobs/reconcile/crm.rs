//! The CRM against the ledger: every record is walked over and compared by its hash.

use super::Look;
use crate::crm::{Page, PageToken, Places};
use crate::domain::{DriftKind, Record, RecordId, Suspect, Suspects};
use crate::jobs::JobError;
use crate::ledger::{KnownRecord, Question};
use std::collections::HashMap;

/// So many records are read by their ids at once.
const FETCHED: usize = 100;

/// What a record of the CRM is to the ledger.
enum Against {
    Same,
    /// A pull is still to see it.
    OnItsWay,
    Unknown,
    Differs,
}

impl Look<'_> {
    pub(super) async fn crm(&mut self) -> Result<(), JobError> {
        if !self.comparable() {
            let why = "the records: the mapping, the conditions or the connector changed, and not everything is read again yet";
            self.told.not_compared.push(why.to_owned());
            return Ok(());
        }
        let (unknown, differs) = self.walk().await?;
        for (kind, suspects) in [(DriftKind::RecordUnknown, unknown), (DriftKind::RecordDiffers, differs)] {
            let confirmed = self.confirm_records(kind, &suspects.first).await?;
            self.add(kind, suspects.count, confirmed);
        }
        let orphans = self.suspects(Question::RecordOrphaned).await?;
        let confirmed = self.confirm_orphans(&orphans.first).await?;
        self.add(DriftKind::RecordOrphaned, orphans.count, confirmed);
        Ok(())
    }

    async fn walk(&mut self) -> Result<(Suspects, Suspects), JobError> {
        let (mut unknown, mut differs) = (Suspects::default(), Suspects::default());
        let mut places = Places::default();
        let mut token: Option<PageToken> = None;
        loop {
            self.stop_if_ending()?;
            let mut page = self.looker.crm.changed_since(None, token.as_ref()).await?;
            self.flag(&mut page).await?;
            let bad = page.records.iter().filter_map(|record| record.as_ref().err()?.id.clone());
            let ids: Vec<RecordId> =
                page.records.iter().flatten().map(|record| record.id.clone()).chain(bad).collect();
            self.told.records += ids.len() as u64;
            let known = self.book.records_known(self.looker.route.route.clone(), ids.clone()).await?;
            self.book.records_named(ids).await?;
            for record in page.records.iter().flatten() {
                match self.against(record, &known) {
                    Against::Same | Against::OnItsWay => {}
                    Against::Unknown => unknown.add(|| suspect(record)),
                    Against::Differs => differs.add(|| suspect(record)),
                }
            }
            let Some(next) = page.next else { return Ok((unknown, differs)) };
            if !places.enter(&next) {
                return Err(JobError::Stopped("the CRM's pages lead in a circle".to_owned()));
            }
            token = Some(next);
        }
    }

    fn against(&self, record: &Record, known: &HashMap<RecordId, KnownRecord>) -> Against {
        let route = &self.looker.route;
        let hash = route.mapping.hash(record, &route.revision);
        // What was modified behind the cursor, the pull has passed; the rest it reads in a moment.
        let passed = record.modified.zip(self.row.cursor).is_none_or(|(modified, cursor)| modified < cursor);
        match known.get(&record.id) {
            Some(known) if known.hash == hash => Against::Same,
            _ if !passed => Against::OnItsWay,
            Some(known) if known.modified.zip(record.modified).is_some_and(|(had, has)| has < had) => {
                Against::OnItsWay
            }
            Some(_) => Against::Differs,
            None => Against::Unknown,
        }
    }

    /// Reads them by their ids, and the ledger afterwards: a pull may have stored them since.
    pub(super) async fn confirm_records(
        &self,
        kind: DriftKind,
        suspects: &[Suspect],
    ) -> Result<Vec<Suspect>, JobError> {
        let mut confirmed = Vec::new();
        for chunk in suspects.chunks(FETCHED) {
            let ids: Vec<RecordId> = chunk.iter().filter_map(|suspect| suspect.record.clone()).collect();
            let page = self.fetch(&ids).await?;
            let known = self.book.records_known(self.looker.route.route.clone(), ids).await?;
            for record in page.records.iter().flatten() {
                match (kind, self.against(record, &known)) {
                    (DriftKind::RecordUnknown, Against::Unknown)
                    | (DriftKind::RecordDiffers, Against::Differs) => confirmed.push(suspect(record)),
                    (_, Against::Same | Against::OnItsWay | Against::Unknown | Against::Differs) => {}
                }
            }
        }
        Ok(confirmed)
    }

    /// Who is named by id was only not in the list.
    pub(super) async fn confirm_orphans(&self, suspects: &[Suspect]) -> Result<Vec<Suspect>, JobError> {
        let mut confirmed = Vec::new();
        for chunk in suspects.chunks(FETCHED) {
            let ids: Vec<RecordId> = chunk.iter().filter_map(|suspect| suspect.record.clone()).collect();
            let page = self.fetch(&ids).await?;
            let named: Vec<&RecordId> = page
                .records
                .iter()
                .filter_map(|record| match record {
                    Ok(record) => Some(&record.id),
                    Err(bad) => bad.id.as_ref(),
                })
                .collect();
            let gone = |suspect: &&Suspect| suspect.record.as_ref().is_some_and(|id| !named.contains(&id));
            confirmed.extend(chunk.iter().filter(gone).cloned());
        }
        Ok(confirmed)
    }

    async fn fetch(&self, ids: &[RecordId]) -> Result<Page, JobError> {
        self.stop_if_ending()?;
        let mut page = self.looker.crm.fetch(ids).await?;
        self.flag(&mut page).await?;
        Ok(page)
    }

    /// What the ledger's copies of the companions say of each record, as a pull does.
    async fn flag(&self, page: &mut Page) -> Result<(), JobError> {
        let route = &self.looker.route;
        let names = route.mapping.names();
        for companion in self.looker.crm.contract().flags.iter().filter(|flag| names.contains(flag)) {
            let ids = page.records.iter().flatten().map(|record| record.id.clone()).collect();
            let members = self.book.companion_members(route.route.clone(), companion.clone(), ids).await?;
            if let Some(members) = members {
                page.set_flag(companion, &members);
            }
        }
        Ok(())
    }
}

fn suspect(record: &Record) -> Suspect {
    let details = record
        .modified
        .map_or_else(String::new, |at| format!("modified {}", at.format("%Y-%m-%d %H:%M:%S UTC")));
    Suspect { record: Some(record.id.clone()), contact: None, link: None, details }
}
