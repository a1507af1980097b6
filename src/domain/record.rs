//! A CRM record as a connector hands it over.

use super::{RecordId, Timestamp};
use serde_json::{Map, Value};

/// An object in the CRM (a contact, a lead) with the fields the connector asked for.
///
/// Empty values (as the connector declares them: Odoo writes `false`) are already `null` here,
/// before any expression sees them.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    /// The id as the CRM wrote it.
    pub id: RecordId,
    /// The CRM's modification time; `None` where it gives none.
    pub modified: Option<Timestamp>,
    /// Whether the CRM says that the record is deleted or archived (the connector's deleted flag).
    pub deleted: bool,
    /// The fields by name.
    pub fields: Map<String, Value>,
}

/// A record that cannot be used at all; it is parked or counted, and harms nobody else.
#[derive(Debug, Clone, PartialEq)]
pub struct BadRecord {
    /// The id, where one could be read.
    pub id: Option<RecordId>,
    /// Why.
    pub reason: super::Reason,
}
