//! The gate: the one thing that everything must pass which could make somebody callable.
//!
//! It asks the block list by record and by every number known, and its answer is the only [`Permit`]
//! there is. Asked before sending, asked again when the block list changed meanwhile, and once more when
//! the answer is stored (semantics 8).

use super::glimpse::Glimpse;
use super::inputs::{blocks_in_force, contact_blocks, contacts_of, number_blocks_of_anyone};
use super::sql::time;
use super::{Ledger, LedgerError, block_store};
use crate::domain::{Block, CampaignId, ContactId, LinkId, Permit, RecordId, RecordKey, Timestamp};
use rusqlite::Connection;

/// What the gate says.
#[derive(Debug)]
pub enum GateAnswer {
    /// Nothing stands against it, as of the permit's epoch.
    Open(Permit),
    /// Somebody must not be called; the first block found.
    Shut(Box<Block>),
}

/// What is about to happen to a contact.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Opens {
    /// It becomes callable: by its record and by all its numbers, those that its record maps to now and those that
    /// the dialler was seen to hold.
    Contact,
    /// It gets the numbers that its record maps to now; one that it gives up for them does not count. Else whoever had
    /// a blocked number could never get another one.
    Numbers,
}

impl Ledger {
    /// Whether the link's contact may be made callable, or get its record's numbers.
    ///
    /// # Errors
    /// The ledger cannot be read; then nothing is sent.
    pub async fn gate_ask(&self, link: LinkId, opens: Opens) -> Result<GateAnswer, LedgerError> {
        let now = self.env.now();
        self.read("gate_ask", move |connection| ask(connection, link, opens, now)).await
    }

    /// The same for a contact that a person looks at, linked or not, with the numbers it was seen to have.
    ///
    /// # Errors
    /// The ledger cannot be read; then nothing is sent.
    pub async fn gate_ask_contact(&self, seen: Glimpse) -> Result<GateAnswer, LedgerError> {
        let now = time(self.env.now());
        let (epoch, block) = self
            .read("gate_ask_contact", move |connection| {
                let epoch = block_store::epoch_read(connection)?;
                Ok((epoch, shut_for_contact(connection, &seen, &[], &now)?))
            })
            .await?;
        Ok(answer(epoch, block))
    }

    /// Whether the block list is still the one the permit was given under; costs no read.
    pub fn gate_is_current(&self, permit: &Permit) -> bool {
        permit.epoch() >= self.blocks_epoch()
    }

    /// The same question for whoever asks later and often: right before each try of a call.
    pub fn gate_watch(&self, permit: &Permit) -> impl Fn() -> bool + Send + Sync + use<> {
        let (ledger, epoch) = (self.clone(), permit.epoch());
        move || epoch >= ledger.blocks_epoch()
    }
}

/// The same inside a transaction.
pub(super) fn ask(
    connection: &Connection,
    link: LinkId,
    opens: Opens,
    now: Timestamp,
) -> rusqlite::Result<GateAnswer> {
    // First the epoch: a change of the list between the two reads makes the permit old, not wrong.
    let epoch = block_store::epoch_read(connection)?;
    Ok(answer(epoch, shut(connection, link, opens, &time(now))?))
}

#[expect(clippy::disallowed_methods, reason = "the one place that grants permits")]
fn answer(epoch: i64, block: Option<Block>) -> GateAnswer {
    match block {
        Some(block) => GateAnswer::Shut(Box::new(block)),
        None => GateAnswer::Open(Permit::granted_by_gate(epoch)),
    }
}

/// The first block against a link, by contact, by record and by all its numbers; also asked inside the transaction
/// that stores an answer.
pub(super) fn shut_for(connection: &Connection, link: LinkId, now: &str) -> rusqlite::Result<Option<Block>> {
    shut(connection, link, Opens::Contact, now)
}

fn shut(connection: &Connection, link: LinkId, opens: Opens, now: &str) -> rusqlite::Result<Option<Block>> {
    let by_hand = contact_blocks(connection, &contacts_of(connection, link)?, now)?;
    match by_hand.into_iter().next() {
        Some(block) => Ok(Some(block)),
        None => shut_otherwise(connection, link, opens, now),
    }
}

/// The same, left out what a person locked by hand.
pub(super) fn shut_otherwise(
    connection: &Connection,
    link: LinkId,
    opens: Opens,
    now: &str,
) -> rusqlite::Result<Option<Block>> {
    let (client, bare, contact, key, there): (String, bool, Option<ContactId>, Option<RecordKey>, bool) = connection
        .prepare_cached(
            "SELECT l.client, l.route IS NULL, l.contact_id, r.crm, r.object, l.record_id,
                    l.vanished_at IS NULL OR EXISTS (SELECT 1 FROM operations o WHERE o.link_id = l.id AND o.kind = 'import'
                                                         AND o.state = 'uncertain')
             FROM links l LEFT JOIN routes r ON r.route = l.route WHERE l.id = ?1",
        )?
        .query_row([link.0], |row| {
            let contact = row.get::<_, Option<i64>>(2)?.map(ContactId);
            let key = match row.get::<_, Option<String>>(3)? {
                Some(crm) => Some(RecordKey { crm, object: row.get(4)?, id: RecordId(row.get(5)?) }),
                None => None,
            };
            Ok((row.get(0)?, row.get(1)?, contact, key, row.get(6)?))
        })?;
    let mut numbers: Vec<String> = connection
        .prepare_cached("SELECT number FROM link_numbers WHERE link_id = ?1")?
        .query_map([link.0], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    match (opens, there) {
        (Opens::Contact, true) => numbers.extend(numbers_of_contact(connection, link, contact)?),
        // A contact that is gone has none, unless an import may have made the next one; should it be there after all, the answer that
        // meets it asks again.
        (Opens::Contact, false) | (Opens::Numbers, _) => {}
    }
    // Most are known from the record, from what was sent and from the contact: each is asked for once.
    numbers.sort_unstable();
    numbers.dedup();
    let whose = match contact.filter(|_| bare) {
        Some(contact) => Whose::of(clients_of_contact(connection, contact)?).and(client),
        None => Whose::Of(vec![client]),
    };
    first_block(connection, &whose, key.as_ref(), &numbers, now)
}

/// The numbers of a link's contact that need not be its record's: what was sent to it, and what it was seen to have.
pub(super) fn numbers_of_contact(
    connection: &Connection,
    link: LinkId,
    contact: Option<ContactId>,
) -> rusqlite::Result<Vec<String>> {
    connection
        .prepare_cached(
            "SELECT number FROM sent_numbers WHERE link_id = ?1
             UNION ALL SELECT number FROM contact_numbers WHERE contact_id = ?2",
        )?
        .query_map((link.0, contact.map(|contact| contact.0)), |row| row.get(0))?
        .collect()
}

/// Whose blocks hold.
enum Whose {
    /// These clients'.
    Of(Vec<String>),
    /// Nobody knows whose contact it is: everybody's.
    Anybody,
}

impl Whose {
    fn of(clients: Vec<String>) -> Self {
        if clients.is_empty() { Self::Anybody } else { Self::Of(clients) }
    }

    fn and(self, client: String) -> Self {
        match self {
            Self::Of(mut clients) => {
                clients.push(client);
                Self::Of(clients)
            }
            Self::Anybody => Self::Anybody,
        }
    }
}

fn first_block(
    connection: &Connection,
    whose: &Whose,
    key: Option<&RecordKey>,
    numbers: &[String],
    now: &str,
) -> rusqlite::Result<Option<Block>> {
    let clients = match whose {
        Whose::Of(clients) => clients,
        Whose::Anybody => return Ok(number_blocks_of_anyone(connection, numbers, now)?.into_iter().next()),
    };
    for client in clients {
        if let Some(block) = blocks_in_force(connection, client, key, numbers, now)?.into_iter().next() {
            return Ok(Some(block));
        }
    }
    Ok(None)
}

/// The first block against a contact, linked or not, with the numbers it was seen to have and those it shall get.
pub(super) fn shut_for_contact(
    connection: &Connection,
    seen: &Glimpse,
    shall_get: &[String],
    now: &str,
) -> rusqlite::Result<Option<Block>> {
    let contact = seen.contact;
    if let Some(block) = contact_blocks(connection, &[contact], now)?.into_iter().next() {
        return Ok(Some(block));
    }
    let links: Vec<i64> = connection
        .prepare_cached("SELECT id FROM links WHERE contact_id = ?1")?
        .query_map([contact.0], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    for link in links {
        if let Some(block) = shut_for(connection, LinkId(link), now)? {
            return Ok(Some(block));
        }
    }
    let mut numbers = contact_numbers(connection, contact)?;
    numbers.extend(seen.numbers.iter().chain(shall_get).cloned());
    let mut clients = clients_of_links(connection, contact)?;
    clients.extend(clients_of_contact(connection, contact)?);
    if let Some(campaign) = seen.campaign {
        clients.extend(clients_of_campaign(connection, campaign)?);
    }
    first_block(connection, &Whose::of(clients), None, &numbers, now)
}

/// The clients whose records have the contact.
fn clients_of_links(connection: &Connection, contact: ContactId) -> rusqlite::Result<Vec<String>> {
    connection
        .prepare_cached("SELECT DISTINCT client FROM links WHERE contact_id = ?1 AND route IS NOT NULL")?
        .query_map([contact.0], |row| row.get(0))?
        .collect()
}

fn clients_of_campaign(connection: &Connection, campaign: CampaignId) -> rusqlite::Result<Vec<String>> {
    connection
        .prepare_cached("SELECT DISTINCT client FROM routes WHERE campaign_id = ?1 ORDER BY client")?
        .query_map([campaign.0], |row| row.get(0))?
        .collect()
}

/// Whose blocks hold for a contact that is nobody's: of whoever has a route into its campaign. Not of whoever's campaign is read
/// besides: where no route names it, everybody's hold.
fn clients_of_contact(connection: &Connection, contact: ContactId) -> rusqlite::Result<Vec<String>> {
    connection
        .prepare_cached(
            "SELECT DISTINCT r.client FROM contacts c JOIN routes r ON r.campaign_id = c.campaign_id
             WHERE c.contact_id = ?1 ORDER BY r.client",
        )?
        .query_map([contact.0], |row| row.get(0))?
        .collect()
}

/// The numbers that a sweep, or an act by hand, saw a contact to have.
pub(super) fn contact_numbers(connection: &Connection, contact: ContactId) -> rusqlite::Result<Vec<String>> {
    connection
        .prepare_cached("SELECT number FROM contact_numbers WHERE contact_id = ?1")?
        .query_map([contact.0], |row| row.get(0))?
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{BlockSubject, Reason, ReasonCode};
    use crate::ledger::LiftedOne;
    use crate::ledger::testing::{self, Scene, a_mistake};

    fn by_number(scene: &Scene, number: &str, until: Option<crate::domain::Timestamp>) -> Block {
        Block {
            subject: BlockSubject::Number(number.to_owned()),
            reason: Reason::new(ReasonCode::BlockedByHand).with("text", "asked us"),
            source: "operator".to_owned(),
            since: scene.ledger.env.now(),
            said_last: scene.ledger.env.now(),
            until,
            who: Some("test".to_owned()),
        }
    }

    #[tokio::test]
    async fn a_block_takes_back_an_import_and_shuts_the_gate() -> Result<(), LedgerError> {
        let scene = testing::scene().await;
        let link = scene.link("1", None, &["+49301"]).await;
        scene.operation(link, "import", "waiting").await;
        let GateAnswer::Open(permit) = scene.ledger.gate_ask(link, Opens::Contact).await? else {
            panic!("shut too early")
        };
        assert!(scene.ledger.gate_is_current(&permit));

        let added = scene.ledger.block_add("house", by_number(&scene, "+49301", None)).await?;
        assert!(added.new);
        assert_eq!(added.links_locked, 0, "nothing is there to lock");
        assert!(!scene.ledger.gate_is_current(&permit), "the permit is of the time before");
        assert!(matches!(scene.ledger.gate_ask(link, Opens::Contact).await?, GateAnswer::Shut(_)));
        assert_eq!(scene.operations(link).await, [("import".to_owned(), "cancelled".to_owned())]);

        let again = scene.ledger.block_add("house", by_number(&scene, "+49301", None)).await?;
        assert_eq!((again.new, again.id), (false, added.id), "the same source blocks the same once");
        Ok(())
    }

    #[tokio::test]
    async fn a_block_locks_what_the_dialler_was_seen_to_hold() -> Result<(), LedgerError> {
        let scene = testing::scene().await;
        let linked = scene.link("1", Some(11), &[]).await;
        let other = scene.link("2", Some(12), &["+49302"]).await;
        scene.contact_number(11, "+49301").await;
        let added = scene.ledger.block_add("house", by_number(&scene, "+49301", None)).await?;
        assert_eq!(added.links_locked, 1);
        assert_eq!(scene.operations(linked).await, [("lock".to_owned(), "waiting".to_owned())]);
        assert!(scene.operations(other).await.is_empty());
        let unknown = Glimpse { contact: ContactId(99), campaign: None, numbers: vec!["+49301".to_owned()] };
        let answer = scene.ledger.gate_ask_contact(unknown.clone()).await?;
        assert!(matches!(answer, GateAnswer::Shut(_)), "also for a contact nobody knows");
        scene
            .ledger
            .block_remove("house", BlockSubject::Number("+49301".to_owned()), None, a_mistake())
            .await?;
        scene.ledger.block_add("neighbour", by_number(&scene, "+49301", None)).await?;
        let ours = Glimpse { campaign: Some(CampaignId(7)), ..unknown.clone() };
        let answer = scene.ledger.gate_ask_contact(ours).await?;
        assert!(matches!(answer, GateAnswer::Open(_)), "an objection to one client is none to another");
        let answer = scene.ledger.gate_ask_contact(unknown).await?;
        assert!(matches!(answer, GateAnswer::Shut(_)), "and it may be the other one's");
        Ok(())
    }

    #[tokio::test]
    async fn an_import_in_doubt_is_locked_too() -> Result<(), LedgerError> {
        let scene = testing::scene().await;
        let link = scene.link("1", None, &["+49301"]).await;
        scene.operation(link, "import", "uncertain").await;
        let added = scene.ledger.block_add("house", by_number(&scene, "+49301", None)).await?;
        assert_eq!(added.links_locked, 1, "it may have made the contact");
        Ok(())
    }

    #[tokio::test(start_paused = true)]
    async fn a_block_ends_by_a_person_or_at_its_end() -> Result<(), LedgerError> {
        let scene = testing::scene().await;
        let link = scene.link("1", Some(11), &["+49301"]).await;
        let until = scene.ledger.env.now() + chrono::TimeDelta::hours(1);
        scene.ledger.block_add("house", by_number(&scene, "+49301", Some(until))).await?;
        assert!(matches!(scene.ledger.gate_ask(link, Opens::Contact).await?, GateAnswer::Shut(_)));
        assert_eq!(scene.ledger.blocks_end_due().await?, 0);
        scene.wait(2).await;
        assert!(matches!(scene.ledger.gate_ask(link, Opens::Contact).await?, GateAnswer::Open(_)));
        assert_eq!(scene.ledger.blocks_end_due().await?, 1);

        scene.ledger.block_add("house", by_number(&scene, "+49301", None)).await?;
        assert!(matches!(scene.ledger.gate_ask(link, Opens::Contact).await?, GateAnswer::Shut(_)));
        let subject = BlockSubject::Number("+49301".to_owned());
        let lifted = scene.ledger.block_remove("house", subject, None, a_mistake()).await?;
        assert_eq!(lifted, LiftedOne::Lifted { blocks: 1, others: Vec::new() });
        assert!(matches!(scene.ledger.gate_ask(link, Opens::Contact).await?, GateAnswer::Open(_)));
        assert_eq!(scene.ledger.blocks_list(Some("house"), false, 10).await?, []);
        assert_eq!(scene.ledger.blocks_list(None, true, 10).await?.len(), 2);
        Ok(())
    }
}
