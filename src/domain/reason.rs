//! Why something was skipped, parked, blocked or refused: a code with parameters, never a text, so
//! that CLI, console and mail can each say it in their own language (users 15).

use super::{ContactId, HistoryId, RecordId};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;

macro_rules! reason_codes {
    ($($(#[$doc:meta])* $variant:ident = $code:literal, $text:literal;)+) => {
        /// The reasons dialbridge gives.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum ReasonCode { $($(#[$doc])* #[serde(rename = $code)] $variant),+ }

        impl ReasonCode {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The code as stored.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $code),+ }
            }

            /// Reads what [`Self::as_str`] wrote.
            pub fn parse(code: &str) -> Option<Self> {
                match code { $($code => Some(Self::$variant),)+ _ => None }
            }

            /// The English sentence; `{name}` stands for a parameter.
            pub fn template(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }
        }
    };
}

reason_codes! {
    /// `only_if` was false.
    NotEligible = "not_eligible", "not eligible: only_if is false";
    /// The CRM says the record is deleted or archived.
    RecordDeleted = "record_deleted", "deleted or archived in the CRM";
    /// The record's id no longer exists in the CRM.
    RecordGone = "record_gone", "the record no longer exists in the CRM";
    /// `block_if` was true.
    BlockedByCrm = "blocked_by_crm", "must not be called: block_if is true";
    /// `block_if` was true because we told the CRM of a no that was said elsewhere.
    NoWasTold = "no_was_told", "must not be called: block_if is true since the CRM was told of a no";
    /// The same, and a person took back what the CRM was told of.
    NoStillThere = "no_still_there", "must not be called: block_if is still true by what the CRM was told of a no, which was taken back since";
    /// The record or a number stands in the block list.
    Blocked = "blocked", "must not be called: {subject} is blocked ({why})";
    /// A person blocked it.
    BlockedByHand = "blocked_by_hand", "must not be called: {text}";
    /// A result of a call was one of the route's `opt_out_results`.
    SaidNoInCall = "said_no_in_call", "said no in call {call} of {date}: {result}";
    /// A list shows a result that is one of the route's `opt_out_results`; no call that says so was read yet.
    SaidNoShown = "said_no_shown", "the dialler shows {result} at contact {contact}, which is a no; no call that says so was read yet";
    /// A person locked the contact.
    LockedByHand = "locked_by_hand", "locked by hand: {text}";
    /// A person asked for this operation.
    ByHand = "by_hand", "asked for by hand: {text}";
    /// The record has no usable name.
    NoName = "no_name", "no usable name: {field} is empty";
    /// The record has no usable number.
    NoPhone = "no_phone", "no usable phone number";
    /// A value that is no valid phone number.
    BadPhone = "bad_phone", "{field}: no valid phone number";
    /// A value is longer than the dialler's field.
    TooLong = "too_long", "{field} has {length} characters, at most {max} fit";
    /// A value has the wrong type.
    BadValue = "bad_value", "{field}: {problem}";
    /// An expression names something the record does not carry.
    MissingName = "missing_name", "the expression for {key} names {name}, which the record does not have";
    /// An expression failed.
    ExpressionFailed = "expression_failed", "the expression for {key} failed: {problem}";
    /// The UserData template gave no valid UserData.
    BadUserData = "bad_user_data", "no valid UserData: {problem}";
    /// Another record already has this UserData, at least when case and blanks are folded.
    UserDataTaken = "user_data_taken", "its UserData belongs to record {record} of route {route} already";
    /// The UserData was found in another campaign.
    FoundElsewhere = "found_elsewhere", "a contact with this UserData stands in campaign {campaign} (contact {contact})";
    /// A contact has the UserData only when case and blanks are folded.
    FoldedMatch = "folded_match", "contact {contact} has the same UserData up to case or blanks: somebody else's";
    /// Several contacts have the UserData.
    SeveralContacts = "several_contacts", "several contacts have this UserData: {contacts}";
    /// A record without an id.
    NoId = "no_id", "a record without an id";
    /// A record too large to be read.
    RecordTooLarge = "record_too_large", "the record is larger than {max} bytes";
    /// A record that is no JSON object, or whose fields cannot be read.
    RecordUnreadable = "record_unreadable", "the record cannot be read: {problem}";
    /// The remote side rejected the request.
    Rejected = "rejected", "rejected with status {status}: {text}";
    /// The same operation failed again and again while others succeeded.
    RepeatedFailure = "repeated_failure", "failed {times} times with status {status} while others succeeded";
    /// A changed field that only an import takes.
    ImportOnlyField = "import_only_field", "{field} changed, but the dialler takes it at import only";
    /// A changed field that is the dialler's.
    AgentsField = "agents_field", "{field} changed in the CRM; it is the dialler's after the import, which keeps what it has ([route.NAME.owners])";
    /// A field that the dialler does not clear.
    CannotClear = "cannot_clear", "{field} was emptied, but the dialler keeps its value";
    /// Neither null nor empty text empties the field, and the wish is given up.
    NotInDialler = "not_in_dialler", "no contact with this UserData in the dialler: nothing to lock";
    /// An import met a contact that was there before.
    Overwritten = "overwritten", "the import met contact {contact}, which was there before";
    /// The dialler answered a value otherwise than it was sent.
    AnsweredOtherwise = "answered_otherwise", "the dialler keeps {field} otherwise than it was sent: {sent} characters were sent, {answered} answered";
    /// The contact is gone from the dialler.
    Vanished = "vanished", "the contact was deleted in the dialler";
    /// A newer decision took its place.
    Newer = "newer", "a newer decision took its place";
    /// The gate is shut.
    GateShut = "gate_shut", "the gate is shut: {subject} is blocked";
    /// The route does not send.
    RouteNotOn = "route_not_on", "the route is {state}";
    /// Nothing was left to send.
    NothingLeft = "nothing_left", "both sides agree already";
    /// A lock of the night: all wished locks are sent again.
    StandingLock = "standing_lock", "sent again by night: nobody can see whether it still stands";
    /// Somebody else wrote to a contact that is to be out of reach.
    ForeignWriting = "foreign_writing", "somebody else wrote to it, and may have unlocked it: {sign}";
    /// Whether it happened cannot be found out.
    InDoubt = "in_doubt", "it may or may not have happened: {problem}";
    /// A lock can be sent but not seen.
    NotVerifiable = "not_verifiable", "locked by us, not verifiable";
    /// A lock that the dialler's answers show.
    LockVisible = "lock_visible", "locked by us; the dialler shows it by {fields}";
    /// The decision was older than `max_decision_age` and the CRM could not be read.
    DecisionTooOld = "decision_too_old", "the decision is too old and the CRM cannot be read";
    /// The call never got a result.
    NoResultGiven = "no_result_given", "no result given within {days} days";
    /// The campaign's name and pinned number part ways.
    CampaignChanged = "campaign_changed", "campaign {name}: pinned as {pinned}, found as {found}";
    /// The config names another campaign than the one in which the route's contacts stand.
    CampaignMoved = "campaign_moved", "the config says campaign {campaign}, and the route's contacts stand in {pinned}: say campaign_change = \"move\" in the route (they are deleted there once their calls were read, and imported anew) or \"keep\" (they stay there), or go back";
    /// The config names another campaign, and what was sent into the one before is in doubt.
    CampaignWaits = "campaign_waits", "the config says campaign {campaign}; an import into {pinned} may or may not have arrived. Until that is settled nothing is sent but locks: the route goes on by itself, nothing is to be done";
    /// A contact stands in the campaign that its route had before.
    CampaignMoves = "campaign_moves", "the route has another campaign now: deleted in the old one, to be imported anew";
    /// The route's campaign does not exist.
    UnknownCampaign = "unknown_campaign", "campaign {name} does not exist";
    /// The last result is final.
    FinalResult = "final_result", "its last result is final: not made callable by itself, only by `dialbridge results reopen {call}`";
    /// Calls of the contact were never read, and it is gone.
    CallsLost = "calls_lost", "contact {contact} was deleted in the dialler before its last calls were read, and one of them may have ended for good: not imported again, until `dialbridge results reopen --contact {contact}`";
    /// The record got a number on which somebody else was called to an end.
    NumberEnded = "number_ended", "somebody was called to an end on its new number: not sent to the dialler, until the record has another one or `dialbridge results reopen {call}`";
    /// Changed in the CRM.
    Changed = "changed", "changed in the CRM: {fields}";
    /// New in the CRM.
    NewRecord = "new_record", "new in the CRM";
    /// Eligible again.
    EligibleAgain = "eligible_again", "eligible again";
    /// It is to be called again, and the unlock or reset for that was not taken yet.
    StillLocked = "still_locked", "may be called again once the dialler is told so: its unlock or reset waits";
    /// Fields that import does not take, or that the dialler answered otherwise.
    Completes = "completes", "completes the import: {fields}";
    /// Taken over with different values.
    Adopted = "adopted", "taken over: {fields} differ";
    /// A lock that overlapped another request.
    LockAgain = "lock_again", "locked once more: another request on the contact was under way";
    /// A systemic failure stopped the route.
    Systemic = "systemic", "stopped: {text}";
    /// So many known records are not named in the CRM's answers that the answers are in doubt.
    RecordsMissing = "records_missing", "{count} known records are not named in the CRM's answers: a right may be missing, or a filter broken, so nothing is concluded from it. If they were deleted on purpose, `dialbridge route on {route}` says so";
    /// The ledger is on another machine than before.
    OtherHost = "other_host", "the ledger was last at work on another machine: it was moved, or this is a clone";
    /// The ledger lies elsewhere than before.
    OtherPath = "other_path", "the ledger was last at work as {was} and lies at {now}: it was moved, or this is a copy";
    /// An older copy stands where the ledger stood.
    LedgerOlder = "ledger_older", "the ledger is older than the one last seen in its place ({commits} changes are missing): it was restored";
    /// The file was made as a backup.
    LedgerIsBackup = "ledger_is_backup", "the ledger was restored: it is the backup of {at}, and what was done since is not in it";
    /// What is kept beside the ledger is not there.
    MarkMissing = "mark_missing", "the file .generation that belongs beside the ledger is missing or unreadable: the ledger was restored or copied without it";
    /// Another ledger stood in its place.
    LedgerReplaced = "ledger_replaced", "another ledger was last at work in this one's place";
    /// A side holds other people under the ids that the ledger knows.
    OtherPeople = "other_people", "{side} is not the one the ledger knows: of {of} {what} it was asked for, {agree} are the same";
    /// An update by hand of fields that a record has come to map.
    FieldsMapped = "fields_mapped", "its fields come from record {record} of route {route} now: change them in the CRM";
    /// A call that is not told: it began too early.
    BeforeWriteBack = "before_write_back", "it began before the calls of this route went back into the CRM";
    /// A call that is not told: a test.
    TestCall = "test_call", "a test call: not told to the CRM";
    /// A call that cannot be told yet.
    CallUnderWay = "call_under_way", "the call has not ended yet";
    /// A call that cannot be told yet, because it could be told only once.
    ResultAwaited = "result_awaited", "its result is waited for: this CRM's activities cannot be changed once they are there";
    /// What is newer cannot be told.
    ActivityFixed = "activity_fixed", "the CRM has its activity and does not let it be changed; what is newer stands in the ledger only";
    /// A call of a route whose config makes nothing of calls any more.
    NotAsked = "not_asked", "the config of the route makes no activities of calls";
    /// The same request never had an answer to go by, while others had.
    NoUsableAnswer = "no_usable_answer", "{times} requests in a row had no usable answer, while others had";
    /// A result without a word of the CRM's for it.
    UnmappedResult = "unmapped_result", "its result {result} of campaign {campaign} is not mapped: add it to [route.{route}.results]";
    /// A result on another route that nobody mapped.
    HeldOut = "held_out", "held out: call {call} of {date} on route {route} ended with {result}, which is not mapped there: add it to [route.{route}.results], or `dialbridge results release {call}`";
    /// A final result on another route, not long ago.
    CoolingOff = "cooling_off", "left alone until {until}: call {call} of {date} on route {route} ended with {result}";
    /// Something in the CRM changes back what is written.
    WriteLoop = "write_loop", "its fields were written {times} times within an hour, or the same values brought back so often within a day: something may change them back (max_own_changes)";
    /// A person put it aside.
    Discarded = "discarded", "put aside by hand until it changes";
}

impl ReasonCode {
    /// The sentence for many at once: what differs from one to the next is left open.
    pub fn in_general(self) -> String {
        let mut rest = self.template();
        let mut text = String::new();
        while let Some((before, after)) = rest.split_once('{') {
            text.push_str(before);
            text.push('…');
            rest = after.split_once('}').map_or("", |(_, tail)| tail);
        }
        text.push_str(rest);
        text
    }
}

/// A code with its parameters.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Reason {
    /// The code.
    pub code: ReasonCode,
    /// Its parameters by name; may hold personal data, so never logged at the default level.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub params: BTreeMap<String, String>,
}

impl Reason {
    /// A reason without parameters.
    pub fn new(code: ReasonCode) -> Self {
        Self { code, params: BTreeMap::new() }
    }

    /// Adds a parameter.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl fmt::Display) -> Self {
        self.params.insert(name.to_owned(), value.to_string());
        self
    }

    /// A final result, and the call that a person names to let it go.
    pub fn final_result(call: HistoryId) -> Self {
        Self::new(ReasonCode::FinalResult).with("call", call)
    }

    /// Calls that nobody will ever tell of, and the contact that a person names to let its record go.
    pub fn calls_lost(contact: ContactId) -> Self {
        Self::new(ReasonCode::CallsLost).with("contact", contact)
    }

    /// A number on which somebody else was called to an end, and that call.
    pub fn number_ended(call: HistoryId) -> Self {
        Self::new(ReasonCode::NumberEnded).with("call", call)
    }

    /// The record is gone; with the one into which it was merged, where the CRM tells.
    pub fn gone(survivor: Option<&RecordId>) -> Self {
        let reason = Self::new(ReasonCode::RecordGone);
        match survivor {
            Some(survivor) => reason.with("record", survivor),
            None => reason,
        }
    }

    /// Whether a record is gone because it was merged into another one.
    pub fn is_merged(&self) -> bool {
        self.code == ReasonCode::RecordGone && self.params.contains_key("record")
    }

    /// Not eligible; with the name of consent in `only_if` that keeps the record out, if one does.
    pub fn not_eligible(says_no: Option<&str>) -> Self {
        let reason = Self::new(ReasonCode::NotEligible);
        match says_no {
            Some(name) => reason.with("name", name),
            None => reason,
        }
    }

    /// Whether a record is out for what the route's rules make of it, so that others could have made that alone. Not for
    /// what may be a no, and not where nobody can tell whether it may be called.
    pub fn rests_on_rules(&self) -> bool {
        match self.code {
            ReasonCode::NotEligible => !self.params.contains_key("name"),
            ReasonCode::NoName | ReasonCode::NoPhone => true,
            _ => false,
        }
    }

    /// The same without what may be personal: a number, a person's words, a value in an error. Names of fields, ids and
    /// counts stay.
    #[must_use]
    pub fn redacted(&self) -> Self {
        const STAY: [&str; 21] = [
            "field", "fields", "key", "name", "length", "max", "sent", "answered", "contact", "contacts",
            "campaign", "record", "route", "count", "days", "status", "times", "call", "sign", "date",
            "until",
        ];
        let params = self.params.iter().map(|(name, value)| {
            let stays =
                STAY.contains(&name.as_str()) || (name == "subject" && !value.starts_with("the number"));
            let value = match (stays, name.as_str()) {
                (true, _) => value.clone(),
                (false, "subject") => "a number".to_owned(),
                (false, _) => format!("<text of {} characters>", value.chars().count()),
            };
            (name.clone(), value)
        });
        Self { code: self.code, params: params.collect() }
    }

    /// Whether a record parked for it is locked as well: without a name or a number it cannot be called, and where a
    /// condition or the record itself cannot be read nobody knows whether it may be.
    pub fn parks_and_locks(&self) -> bool {
        let of_itself = matches!(
            self.code,
            ReasonCode::NoName
                | ReasonCode::NoPhone
                | ReasonCode::RecordUnreadable
                | ReasonCode::RecordTooLarge
        );
        let key = self.params.get("key").or_else(|| self.params.get("field"));
        of_itself || key.is_some_and(|key| key == "only_if" || key == "block_if")
    }

    /// The parameters as JSON, as the ledger stores them.
    pub fn params_json(&self) -> String {
        serde_json::Value::from_iter(self.params.clone()).to_string()
    }

    /// Reads what was stored; an unknown code (a newer ledger's) gives `None`.
    pub fn from_stored(code: &str, params_json: &str) -> Option<Self> {
        Some(Self { code: ReasonCode::parse(code)?, params: serde_json::from_str(params_json).ok()? })
    }
}

impl From<ReasonCode> for Reason {
    fn from(code: ReasonCode) -> Self {
        Self::new(code)
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.code.template();
        while let Some((before, after)) = rest.split_once('{') {
            let (name, tail) = after.split_once('}').unwrap_or((after, ""));
            f.write_str(before)?;
            match self.params.get(name) {
                Some(value) => f.write_str(value)?,
                None => write!(f, "({name})")?,
            }
            rest = tail;
        }
        f.write_str(rest)?;
        match self.params.get("record").filter(|_| self.is_merged()) {
            Some(survivor) => write!(f, ": it was merged into record {survivor}"),
            None => Ok(()),
        }
    }
}
