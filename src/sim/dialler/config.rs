//! How this dialler behaves where the API page is silent or depends on the release: one switch each.
//!
//! "Facts" is the collection of what else is known of the dialler; its section 8 lists what is
//! documented nowhere. The defaults are the likely or the more awkward behaviour.

use chrono_tz::Tz;
use std::time::Duration;

/// How a UserData asked for is matched with those stored (facts 8: collation not documented).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UserDataMatch {
    /// To the letter.
    Exact,
    /// Without regard to case.
    CaseInsensitive,
    /// Without regard to case and to blanks at both ends.
    CaseInsensitiveTrimmed,
    /// As SQL `LIKE`: case-insensitive, `%` and `_` in the value asked for are wildcards.
    Like,
}

/// Where an overwriting import looks for its duplicate (facts 3.4: not documented). The look-ups by
/// UserData always go over the tenant, as the API page says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UserDataScope {
    /// In the campaign of the import.
    Campaign,
    /// In all campaigns of the tenant.
    Tenant,
}

/// The server's release, as far as it matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Release {
    /// `resetContact` and `unlockContact` are not known: an overwriting import always unlocks.
    Before3_39,
    /// Both are honoured.
    From3_39,
}

/// What the two GETs answer when there is nothing (facts 7.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotFound {
    /// 404 with a JSON body.
    Json404,
    /// 200 with count 0.
    EmptyList,
}

/// What happens to a text longer than its column (facts 3.6: CSV cuts silently, REST unknown).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LongText {
    /// Cut to the column's length, without a word.
    Cut,
    /// 400.
    Reject,
    /// Stored whole.
    Keep,
}

/// What the server makes of a phone number (facts 3.7: unknown).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PhoneForm {
    /// Stored as sent.
    AsSent,
    /// A leading plus is dropped.
    StripPlus,
}

/// Which value empties a field (facts 7.12: not said). A value that does not clear is passed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Clearing {
    /// `null` does, `""` is passed over.
    Null,
    /// `""` does (and is answered as `""`), `null` is passed over.
    EmptyText,
    /// Both do.
    Both,
    /// Neither does.
    Neither,
}

/// What happens to body fields that the request does not take (facts 3.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ForeignFields {
    /// Passed over.
    Ignore,
    /// 400.
    Reject,
}

/// What an overwriting import does with fields its body leaves out (facts 3.4: not documented).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Omitted {
    /// They stay.
    Keep,
    /// They become null.
    Blank,
}

/// What an overwriting import that names another campaign does to a contact matched over the tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CampaignChange {
    /// It moves into the campaign named.
    Moves,
    /// It stays where it is.
    Stays,
}

/// What `overwriteDuplicates=false` does when the UserData exists: the API page says both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WithoutOverwrite {
    /// A second contact is made (the parameter's description).
    Doubles,
    /// The existing one is answered unchanged (the paragraph on responses).
    ReturnsExisting,
}

/// Which of several contacts with one UserData is "the first one found in the database".
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FirstFound {
    /// The one with the lowest ID.
    Oldest,
    /// The one with the highest ID.
    Newest,
    /// Any, by the simulator's seed.
    Any,
}

/// What the batch read does with keys it does not find (facts 3.3: not given).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BatchUnknown {
    /// Leaves them out.
    Drop,
    /// 404 with JSON for the whole request.
    Fail,
}

/// How a server without the batch read answers it (facts 3.3: the same path with GET is the list).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BatchMissing {
    /// 405 with an empty body.
    Status405,
    /// 404 with an empty body.
    Empty404,
}

/// How times are written (facts 3.8: a release upgrade may change it).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimeForm {
    /// Local time of the dialler, without a zone.
    Naive,
    /// Local time with its offset.
    Offset,
    /// UTC with `Z`.
    Utc,
}

/// Whether a contact is offered again before the result of its last call has come (facts 4: the row comes after the
/// call, nothing is said of the time until its result).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BeforeResult {
    /// It is kept back until then. A reset ends that too: "as if it was just imported".
    Waits,
    /// It is offered again after the usual time between tries, so that several results are outstanding.
    Offered,
}

/// What a lock does to a contact that an agent was offered and has not dialled yet (facts 6: unknown).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LockInPreview {
    /// It is taken away from the agent.
    Withdraws,
    /// The agent dials it.
    DialsOn,
}

/// How a long list is built while the contacts change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ListBuild {
    /// The contacts as they were when the request came: an answer that takes minutes is minutes old.
    Snapshot,
    /// It walks along the names while they change: a renamed contact can be listed twice or not at all.
    Walking,
}

/// All switches of a simulated dialler.
#[derive(Debug, Clone, PartialEq)]
pub struct DiallerConfig {
    /// The tenant's number, a part of every path.
    pub client_id: i64,
    /// The tokens that are accepted at the beginning.
    pub tokens: Vec<String>,
    /// The zone of its naive times.
    pub time_zone: Tz,
    /// How times are written.
    pub time_form: TimeForm,
    /// The release.
    pub release: Release,
    /// Whether the batch read is there.
    pub batch_read: bool,
    /// How it is answered where it is not.
    pub batch_missing: BatchMissing,
    /// The most keys a batch read takes; more are a 400.
    pub batch_limit: Option<usize>,
    /// It answers so many contacts and leaves out the others without a word (facts 3.3: no limit is given).
    pub batch_shows: Option<usize>,
    /// Unknown keys in a batch read.
    pub batch_unknown: BatchUnknown,
    /// How UserData match.
    pub userdata_match: UserDataMatch,
    /// Where an overwriting import looks.
    pub userdata_scope: UserDataScope,
    /// Whether contacts without UserData match an import without UserData.
    pub empty_userdata_matches: bool,
    /// Which one is meant among several.
    pub first_found: FirstFound,
    /// What `overwriteDuplicates` is when it is left out.
    pub overwrite_default: bool,
    /// What `overwriteDuplicates=false` does.
    pub without_overwrite: WithoutOverwrite,
    /// Fields left out of an overwriting import.
    pub omitted: Omitted,
    /// Campaign change by an overwriting import.
    pub campaign_change: CampaignChange,
    /// From an import's look for its duplicate to the making of the contact: two imports at once double
    /// within it, because there is no unique key.
    pub import_race: Duration,
    /// Whether contacts carry `DiallerCampaignsResultCodesID` outside the batch read.
    pub result_in_list: bool,
    /// Whether contacts carry `DiallerCampaignsID`; no sample shows it on a contact.
    pub campaign_in_answers: bool,
    /// The name under which answers show the lock; `None`: no answer shows it.
    pub lock_field: Option<&'static str>,
    /// Nothing found by the two GETs.
    pub not_found: NotFound,
    /// Texts longer than their column.
    pub long_text: LongText,
    /// Columns narrower than the page says: the field and how many characters fit.
    pub narrow: Option<(&'static str, usize)>,
    /// Phone numbers.
    pub phones: PhoneForm,
    /// Clearing of fields.
    pub clearing: Clearing,
    /// Fields the request does not take.
    pub foreign_fields: ForeignFields,
    /// Whether a reset unlocks too: "as if it was just imported", and what was just imported is unlocked.
    pub reset_unlocks: bool,
    /// Whether a reset keeps the history rows.
    pub history_survives_reset: bool,
    /// What becomes of a contact between its call and the result.
    pub before_result: BeforeResult,
    /// What a lock does to a contact that was offered.
    pub lock_in_preview: LockInPreview,
    /// How long lists are built.
    pub list_build: ListBuild,
    /// `DiallerResultCodesTypesID` of done, aborted, delayed, appointment (facts 4: no table found; the
    /// sample's 3 was probably a delay).
    pub result_type_ids: [i64; 4],
}

impl Default for DiallerConfig {
    fn default() -> Self {
        Self {
            client_id: 3,
            tokens: vec!["sim-token".to_owned()],
            time_zone: chrono_tz::Europe::Berlin,
            time_form: TimeForm::Naive,
            release: Release::From3_39,
            batch_read: true,
            batch_missing: BatchMissing::Status405,
            batch_limit: None,
            batch_shows: None,
            batch_unknown: BatchUnknown::Drop,
            userdata_match: UserDataMatch::CaseInsensitive,
            userdata_scope: UserDataScope::Tenant,
            empty_userdata_matches: false,
            first_found: FirstFound::Oldest,
            overwrite_default: false,
            without_overwrite: WithoutOverwrite::Doubles,
            omitted: Omitted::Keep,
            campaign_change: CampaignChange::Moves,
            import_race: Duration::ZERO,
            result_in_list: false,
            campaign_in_answers: true,
            lock_field: None,
            not_found: NotFound::Json404,
            long_text: LongText::Cut,
            narrow: None,
            phones: PhoneForm::AsSent,
            clearing: Clearing::Null,
            foreign_fields: ForeignFields::Ignore,
            reset_unlocks: true,
            history_survives_reset: true,
            before_result: BeforeResult::Waits,
            lock_in_preview: LockInPreview::DialsOn,
            list_build: ListBuild::Snapshot,
            result_type_ids: [1, 2, 3, 4],
        }
    }
}
