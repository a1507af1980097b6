//! The chain over the trail of changes: each row's digest covers the row before it and all its own parts, so that nothing
//! can be changed, put in or taken out unseen. Of the values it covers salted digests only: a value is erased together
//! with its salt, its digest stays, and the chain stays provable while nobody can try values against it.
//!
//! SHA-256, because it is in the program already and has instructions of its own in every processor of today.

use rusqlite::{Connection, Row, Transaction};
use sha2::{Digest as _, Sha256};

/// What a row, or a value with its salt, comes to.
pub(super) type Digest = [u8; 32];

/// So many bytes of salt has each value: nobody tries them all.
pub(super) const SALT: usize = 16;

/// Before the first row.
const BEGINNING: Digest = [0; 32];

/// A value of a row, as the chain sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Value {
    /// There is none.
    Nothing,
    /// There is, or was, one with this digest.
    Digest(Digest),
}

/// The parts of a row, in the words in which they are stored.
#[derive(Debug)]
pub(super) struct Parts<'a> {
    pub id: i64,
    pub at: &'a str,
    pub link: i64,
    pub operation: Option<i64>,
    pub write_back: Option<i64>,
    pub side: &'a str,
    pub field: &'a str,
    pub before_from: &'a str,
    pub cause: &'a str,
    pub rule: Option<&'a str>,
    pub person: Option<&'a str>,
    pub before: Value,
    pub after: Value,
}

/// The digest of a value.
pub(super) fn salted(salt: &[u8], value: &str) -> Digest {
    Sha256::new().chain_update(salt).chain_update(value).finalize().into()
}

/// The digest of a row that follows the one with `previous`.
pub(super) fn follows(previous: &Digest, parts: &Parts<'_>) -> Digest {
    let mut hash = Sha256::new();
    hash.update(previous);
    hash.update(parts.id.to_be_bytes());
    hash.update(parts.link.to_be_bytes());
    for number in [parts.operation, parts.write_back] {
        hash.update([u8::from(number.is_some())]);
        hash.update(number.unwrap_or_default().to_be_bytes());
    }
    for text in [parts.at, parts.side, parts.field, parts.before_from, parts.cause] {
        hash.update((text.len() as u64).to_be_bytes());
        hash.update(text);
    }
    for value in [parts.before, parts.after] {
        match value {
            Value::Nothing => hash.update([0]),
            Value::Digest(digest) => {
                hash.update([1]);
                hash.update(digest);
            }
        }
    }
    // Rows from before there were any have neither, and the digest that they always had. Whoever takes them from a row takes
    // bytes from what it covers.
    if parts.rule.is_some() || parts.person.is_some() {
        for text in [parts.rule, parts.person] {
            hash.update([u8::from(text.is_some())]);
            hash.update((text.unwrap_or_default().len() as u64).to_be_bytes());
            hash.update(text.unwrap_or_default());
        }
    }
    hash.finalize().into()
}

/// The end of the chain, and fresh salts for what is added to it.
pub(super) struct End {
    pub id: i64,
    pub chain: Digest,
    salts: Vec<u8>,
}

impl End {
    /// Reads it, once for all rows of an answer; the salts are SQLite's own chance, seeded by the system.
    pub(super) fn read(tx: &Connection, values: usize) -> rusqlite::Result<Self> {
        tx.prepare_cached(
            "SELECT coalesce(last.id, 0), last.chain, randomblob(?1)
             FROM (SELECT 1) LEFT JOIN (SELECT id, chain FROM changes ORDER BY id DESC LIMIT 1) AS last",
        )?
        .query_row([i64::try_from(values * SALT).unwrap_or(i64::MAX)], |row| {
            let chain: Option<Digest> = row.get(1)?;
            // A last row without one was put there by somebody else: what follows does not hide that.
            Ok(Self {
                id: row.get(0)?,
                chain: chain.unwrap_or(BEGINNING),
                salts: row.get::<_, Option<Vec<u8>>>(2)?.unwrap_or_default(),
            })
        })
    }

    /// A salt that no other value has, with the value's digest.
    pub(super) fn salt(&mut self, value: Option<&str>) -> (Option<Vec<u8>>, Value) {
        let Some(value) = value else { return (None, Value::Nothing) };
        let rest = self.salts.len().saturating_sub(SALT);
        let salt = self.salts.split_off(rest);
        let digest = salted(&salt, value);
        (Some(salt), Value::Digest(digest))
    }
}

/// A stored row.
pub(super) struct Stored {
    pub id: i64,
    at: String,
    link: i64,
    operation: Option<i64>,
    write_back: Option<i64>,
    side: String,
    field: String,
    before_from: String,
    cause: String,
    rule: Option<String>,
    person: Option<String>,
    before: StoredValue,
    after: StoredValue,
    pub chain: Option<Digest>,
}

/// A stored value.
pub(super) struct StoredValue {
    value: Option<String>,
    salt: Option<Vec<u8>>,
    digest: Option<Digest>,
}

impl StoredValue {
    /// Why it cannot be proven, or what it comes to.
    fn proven(&self) -> Result<Value, &'static str> {
        match (&self.value, &self.salt, &self.digest) {
            (None, None, None) => Ok(Value::Nothing),
            (None, None, Some(digest)) => Ok(Value::Digest(*digest)),
            (Some(value), Some(salt), None) => Ok(Value::Digest(salted(salt, value))),
            (None, Some(_), _) => Err("a value was taken out of it"),
            (Some(_), None, _) | (Some(_), Some(_), Some(_)) => Err("a value was put into it"),
        }
    }
}

/// All columns of a stored row.
pub(super) const COLUMNS: &str =
    "id, at, link_id, operation_id, write_back_id, side, field, before, before_from, after, cause, rule, person,
     before_salt, after_salt, before_digest, after_digest, chain";

impl Stored {
    pub(super) fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        let value = |value: &str, salt: &str, digest: &str| -> rusqlite::Result<StoredValue> {
            Ok(StoredValue { value: row.get(value)?, salt: row.get(salt)?, digest: row.get(digest)? })
        };
        Ok(Self {
            id: row.get("id")?,
            at: row.get("at")?,
            link: row.get("link_id")?,
            operation: row.get("operation_id")?,
            write_back: row.get("write_back_id")?,
            side: row.get("side")?,
            field: row.get("field")?,
            before_from: row.get("before_from")?,
            cause: row.get("cause")?,
            rule: row.get("rule")?,
            person: row.get("person")?,
            before: value("before", "before_salt", "before_digest")?,
            after: value("after", "after_salt", "after_digest")?,
            chain: row.get("chain")?,
        })
    }

    fn parts(&self, before: Value, after: Value) -> Parts<'_> {
        Parts {
            id: self.id,
            at: &self.at,
            link: self.link,
            operation: self.operation,
            write_back: self.write_back,
            side: &self.side,
            field: &self.field,
            before_from: &self.before_from,
            cause: &self.cause,
            rule: self.rule.as_deref(),
            person: self.person.as_deref(),
            before,
            after,
        }
    }

    /// How many of its values are erased.
    pub(super) fn erased(&self) -> u64 {
        u64::from(self.before.digest.is_some()) + u64::from(self.after.digest.is_some())
    }

    /// Its digest if it follows `previous`, or what is wrong with it.
    pub(super) fn proven(&self, previous: (i64, &Digest)) -> Result<Digest, String> {
        let (last, previous) = previous;
        let before = self.before.proven()?;
        let after = self.after.proven()?;
        let Some(stored) = self.chain else { return Err("it was put in without a digest".to_owned()) };
        let digest = follows(previous, &self.parts(before, after));
        if digest == stored {
            return Ok(digest);
        }
        Err(match (last, self.id - last) {
            (0, _) => "it was changed, or rows before it were taken out".to_owned(),
            (_, 1) => format!("it was changed, or put in, behind row {last}"),
            _ => format!("it was changed, or rows between {last} and it were taken out"),
        })
    }

    /// The digests that take the place of its values.
    pub(super) fn digests(&self) -> Result<(Option<Digest>, Option<Digest>), &'static str> {
        let of = |value| match value {
            Value::Nothing => None,
            Value::Digest(digest) => Some(digest),
        };
        Ok((of(self.before.proven()?), of(self.after.proven()?)))
    }
}

/// Where a walk over the chain stands.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    pub id: i64,
    pub chain: Digest,
}

impl Place {
    /// Before the first row.
    pub(super) const BEGINNING: Self = Self { id: 0, chain: BEGINNING };
}

/// Gives the rows of before their places, oldest first; part of the migration's transaction.
pub(super) fn enter_old(tx: &Transaction<'_>) -> rusqlite::Result<()> {
    let mut place = Place::BEGINNING;
    // Of then: neither rule nor person was a column yet.
    let then = COLUMNS.replace("rule, person", "NULL AS rule, NULL AS person");
    let mut rows = tx.prepare(&format!("SELECT {then} FROM changes WHERE id > ?1 ORDER BY id LIMIT 1000"))?;
    let mut update =
        tx.prepare("UPDATE changes SET before_salt = ?2, after_salt = ?3, chain = ?4 WHERE id = ?1")?;
    loop {
        let some: Vec<Stored> = rows.query_map([place.id], Stored::read)?.collect::<Result<_, _>>()?;
        let Some(last) = some.last().map(|row| row.id) else { return Ok(()) };
        let mut end = End::read(tx, 2 * some.len())?;
        for row in &some {
            let (before_salt, before) = end.salt(row.before.value.as_deref());
            let (after_salt, after) = end.salt(row.after.value.as_deref());
            place.chain = follows(&place.chain, &row.parts(before, after));
            update.execute((row.id, before_salt, after_salt, place.chain))?;
        }
        place.id = last;
    }
}
