//! A sample: a few links of a route in a row, from a place left to chance, each looked at on both sides. What goes wrong
//! without a trace is noticed within days, at the cost of a handful of reads an hour; whoever wants all of it reconciles.

use super::dialler::Away;
use super::{Look, Looker, Reconciled};
use crate::domain::{DriftKind, Suspect};
use crate::jobs::JobError;
use crate::ledger::{OurContact, ReconcileBook};

/// Compares so many records of one route with their contacts. Histories are left to the harvest's own audit.
///
/// # Errors
/// A side or the ledger cannot be read; nothing is concluded then.
pub async fn sample(looker: &Looker, book: &ReconcileBook, records: u32) -> Result<Reconciled, JobError> {
    let mut look = Look::begin(looker, book).await?;
    let chance = looker.env.random();
    let ours = book.contacts_sampled(looker.route.route.clone(), chance, records).await?;
    let suspects: Vec<Suspect> = ours.iter().map(suspect).collect();
    look.sampled_records(&suspects).await?;
    look.sampled_contacts(&suspects).await?;
    Ok(look.end())
}

impl Look<'_> {
    async fn sampled_records(&mut self, suspects: &[Suspect]) -> Result<(), JobError> {
        if !self.comparable() {
            return Ok(());
        }
        self.told.records = suspects.len() as u64;
        let differs = self.confirm_records(DriftKind::RecordDiffers, suspects).await?;
        self.add(DriftKind::RecordDiffers, differs.len() as u64, differs);
        let orphans = self.confirm_orphans(suspects).await?;
        self.add(DriftKind::RecordOrphaned, orphans.len() as u64, orphans);
        Ok(())
    }

    async fn sampled_contacts(&mut self, suspects: &[Suspect]) -> Result<(), JobError> {
        for suspect in suspects {
            self.stop_if_ending()?;
            self.told.contacts += 1;
            match self.is_away(suspect).await? {
                Away::Yes => self.add(DriftKind::ContactMissing, 1, vec![suspect.clone()]),
                Away::No => {
                    if let Some(differs) = self.confirm_fields(suspect).await? {
                        self.add(DriftKind::ContactDiffers, 1, vec![differs]);
                    }
                }
                // The weekly look tells of it.
                Away::Unread => {}
            }
        }
        Ok(())
    }
}

fn suspect(our: &OurContact) -> Suspect {
    Suspect {
        record: Some(our.record.clone()),
        contact: Some(our.contact),
        link: Some(our.link),
        details: String::new(),
    }
}
