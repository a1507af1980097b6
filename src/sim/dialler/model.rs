//! What the simulated dialler stores: contacts, history rows, campaigns, result codes, users.

use crate::domain::Timestamp;
use chrono::NaiveDateTime;
use serde_json::Value;
use std::sync::Arc;

/// What the dialler itself keeps of a contact; all of it goes when the contact is reset.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Dialling {
    /// `nTriesPhoneNumber1..6`.
    pub tries: [u16; 6],
    /// `nPhoneNumber1..6LastCause`.
    pub causes: [Option<u16>; 6],
    /// `bPhoneNumber1..6Invalid`: null before the first try.
    pub invalid: [Option<bool>; 6],
    /// `PhoneNumber1..6LastAcdAgentEndReasonsID`.
    pub end_reasons: [Option<u16>; 6],
    /// `LastAcdAgentEndReasonsID`.
    pub last_end_reason: Option<u16>,
    /// `bLastResultMailbox`.
    pub mailbox: Option<bool>,
    /// `dtNextTry`.
    pub next_try: Option<Timestamp>,
    /// `DiallerCampaignsResultCodesID`: the recorded result.
    pub result: Option<i64>,
    /// The result's type; done and aborted are final.
    pub result_type: Option<ResultType>,
}

impl Dialling {
    /// All tries on all numbers.
    pub fn tries_in_all(&self) -> u32 {
        self.tries.iter().map(|tries| u32::from(*tries)).sum()
    }
}

/// What agents are doing with a contact. Each time it is taken up has a number of its own, so that what comes late of
/// one call is not taken for what comes of the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Work {
    /// Nothing.
    Free,
    /// An agent looks at it and has not dialled yet.
    Offered(u64),
    /// A call is under way.
    InCall(u64),
    /// The call is over, its result has not come.
    AwaitsResult {
        /// Of which call.
        call: u64,
        /// From when it is offered again all the same; no field shows it. `None`: not before the result.
        again: Option<Timestamp>,
    },
}

/// A contact. Cheap to copy on write: lists hold the version of their moment.
#[derive(Debug, Clone, PartialEq)]
pub struct SimContact {
    /// `ID`.
    pub id: i64,
    /// `DiallerCampaignsID`.
    pub campaign: i64,
    /// `Name`, which is also the lists' order.
    pub name: Arc<str>,
    /// `UserData`.
    pub user_data: Option<Arc<str>>,
    /// All other given fields that are not null, by their place in [`super::fields::GIVEN`].
    pub given: Vec<(u8, Value)>,
    /// The lock that no answer shows.
    pub locked: bool,
    /// What agents are doing with it.
    pub work: Work,
    /// When it was made.
    pub imported: Timestamp,
    /// When it was last reset (or made).
    pub reset: Timestamp,
    /// What dialling brought.
    pub dialling: Dialling,
}

impl SimContact {
    /// A given field; `null` for one without value.
    pub fn get(&self, field: &str) -> Value {
        match field {
            "ID" => self.id.into(),
            "Name" => Value::from(&*self.name),
            "UserData" => self.user_data.as_deref().map_or(Value::Null, Value::from),
            "DiallerCampaignsID" => self.campaign.into(),
            other => super::fields::place(other)
                .and_then(|place| self.given_at(place))
                .cloned()
                .unwrap_or_default(),
        }
    }

    /// A given field by its place.
    pub fn given_at(&self, place: u8) -> Option<&Value> {
        self.given.binary_search_by_key(&place, |(known, _)| *known).ok().map(|index| &self.given[index].1)
    }

    /// Sets a given field by its place; null takes it away. Says whether that changed anything.
    pub fn set(&mut self, place: u8, value: Value) -> bool {
        match (self.given.binary_search_by_key(&place, |(known, _)| *known), value) {
            (Ok(index), Value::Null) => {
                self.given.remove(index);
                true
            }
            (Ok(index), value) => {
                let changed = self.given[index].1 != value;
                self.given[index].1 = value;
                changed
            }
            (Err(_), Value::Null) => false,
            (Err(index), value) => {
                self.given.insert(index, (place, value));
                true
            }
        }
    }

    /// The number in slot 0 to 5, where one is given.
    pub fn number(&self, slot: usize) -> Option<&str> {
        let number = self.given_at(super::fields::phone_place(slot))?.as_str()?;
        (!number.trim().is_empty()).then_some(number)
    }

    /// A given date by its place, in the dialler's local time.
    pub fn date(&self, place: u8) -> Option<NaiveDateTime> {
        self.given_at(place)?.as_str().and_then(super::fields::parse_naive)
    }

    /// Whether a final result is recorded.
    pub fn is_final(&self) -> bool {
        self.dialling.result_type.is_some_and(ResultType::is_final)
    }
}

/// The four kinds of result codes (facts 4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ResultType {
    /// Success, final.
    Done,
    /// Failure, final.
    Aborted,
    /// Call again after some minutes.
    Delay,
    /// Call again at a date and time.
    Appointment,
}

impl ResultType {
    /// Whether the contact is finished by it.
    pub fn is_final(self) -> bool {
        matches!(self, Self::Done | Self::Aborted)
    }
}

/// A result code of one campaign; the same code has another id in another campaign (facts 4).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResultCode {
    /// `ID`.
    pub id: i64,
    /// `ExportKey`.
    pub export_key: String,
    /// The text in German and in English (`languagesID` 1 and 2).
    pub content: [String; 2],
    /// Its type.
    pub kind: ResultType,
}

/// A (sub) campaign.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SimCampaign {
    /// `ID`.
    pub id: i64,
    /// `Name`.
    pub name: String,
    /// Its result codes.
    pub results: Vec<ResultCode>,
    /// `bCloseContactsOnIncomingCallsMatchCallerID`: an inbound call of the number ends the contact.
    pub close_on_inbound: bool,
}

impl SimCampaign {
    /// A campaign with the usual result codes, numbered from `id * 10` on.
    pub fn new(id: i64, name: &str) -> Self {
        let code = |n: i64, key: &str, de: &str, en: &str, kind| ResultCode {
            id: id * 10 + n,
            export_key: key.to_owned(),
            content: [de.to_owned(), en.to_owned()],
            kind,
        };
        Self {
            id,
            name: name.to_owned(),
            results: vec![
                code(1, "SALE", "Verkauft", "Sold", ResultType::Done),
                code(2, "NO_INTEREST", "Kein Interesse", "No interest", ResultType::Aborted),
                code(3, "DO_NOT_CALL", "Nie wieder anrufen", "Do not call again", ResultType::Aborted),
                code(4, "CALL_LATER", "Später anrufen", "Call later", ResultType::Delay),
                code(5, "APPOINTMENT", "Termin", "Appointment", ResultType::Appointment),
                code(6, "MAX_TRIES", "Maximale Versuche erreicht", "Maximum tries", ResultType::Aborted),
                code(7, "NO_NUMBER", "Keine Rufnummer", "No number left", ResultType::Aborted),
                code(8, "INCOMING", "Eingehender Anruf", "Incoming call", ResultType::Done),
            ],
            close_on_inbound: false,
        }
    }

    /// A result code by its number.
    pub fn result(&self, id: i64) -> Option<&ResultCode> {
        self.results.iter().find(|code| code.id == id)
    }

    /// A result code by its export key.
    pub fn result_by_key(&self, key: &str) -> Option<&ResultCode> {
        self.results.iter().find(|code| code.export_key == key)
    }
}

/// A portal user or agent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SimUser {
    /// `ID`, the `UsersID` of history rows.
    pub id: i64,
    /// `UID`, as contact fields name agents.
    pub uid: String,
    /// Family name.
    pub name: String,
}

/// A call within a history row.
#[derive(Debug, Clone, PartialEq)]
pub struct CallLeg {
    /// `bOutbound`.
    pub outbound: bool,
    /// `bTestCall`.
    pub test: bool,
    /// `PhoneNumber`, and `ANumber` (facts 4: the customer is A even in an outbound call).
    pub number: String,
    /// `PhoneNumberOffset`, from 1.
    pub slot: u8,
    /// `CONNRES`.
    pub connres: i64,
    /// `CauseCodesID`.
    pub cause: i64,
    /// `bCallerHangup`.
    pub caller_hangup: bool,
    /// `StatisticsPartAID`.
    pub statistics: i64,
    /// `dtCallStart`.
    pub start: Timestamp,
    /// `dtCallAlert`; none without ringing.
    pub alert: Option<Timestamp>,
    /// `dtCallConnect`; none when never answered.
    pub connect: Option<Timestamp>,
    /// `dtCallEnd`; none when the end was never seen.
    pub end: Option<Timestamp>,
}

/// A row of `DiallerContactsHistory`.
#[derive(Debug, Clone, PartialEq)]
pub struct SimRow {
    /// `DiallerContactsHistoryID`.
    pub id: i64,
    /// `DiallerContactsID`.
    pub contact: i64,
    /// `DiallerCampaignsID` at the time.
    pub campaign: i64,
    /// `UserData` at the time.
    pub user_data: Option<Arc<str>>,
    /// `UserData2` and `UserData3` at the time.
    pub more_user_data: [Value; 2],
    /// The call; a row may be a result without one (facts 4).
    pub call: Option<CallLeg>,
    /// `UsersID`; none where the system did it.
    pub user: Option<i64>,
    /// `DiallerCampaignsResultCodesID`.
    pub result: Option<i64>,
    /// Its type.
    pub result_type: Option<ResultType>,
    /// `dtCreatedDiallerContactsHistory`.
    pub created: Timestamp,
}

impl SimRow {
    /// A row without call and result; its number is given when it is filed.
    pub(super) fn empty(contact: &SimContact, created: Timestamp) -> Self {
        Self {
            id: 0,
            contact: contact.id,
            campaign: contact.campaign,
            user_data: contact.user_data.clone(),
            more_user_data: [contact.get("UserData2"), contact.get("UserData3")],
            call: None,
            user: None,
            result: None,
            result_type: None,
            created,
        }
    }
}
