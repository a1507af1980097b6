//! The values everything else speaks in. Pure: no IO, no clock, nothing of ours imported.

pub mod append;
pub mod block;
pub mod contact;
pub mod counts;
pub mod decision;
pub mod desired;
pub mod drift;
pub mod ended;
pub mod field;
pub mod hold;
pub mod identity;
pub mod ids;
pub mod leave;
pub mod limits;
pub mod moment;
pub mod operation;
pub mod permit;
pub mod policy;
pub mod problem;
pub mod reason;
pub mod record;
pub mod result_words;
pub mod scope;
pub mod suggest;
pub mod two_way;
pub mod write_back;

pub use block::{Block, BlockSpan, BlockSubject, RecordKey};
pub use contact::{Contact, HistoryRow, e164_as_sent};
pub use counts::Counts;
pub use decision::{
    Anew, CrmSide, Decision, DecisionInput, Deletion, DiallerSide, Intent, Lane, LastResult, LinkView,
    LockState, PinnedCampaign, Policy, Stands, Verdict, Wish,
};
pub use desired::{Base, Desired, DesiredValue, Pair};
pub use drift::{DriftKind, SUSPECTS, Suspect, Suspects};
pub use ended::Ended;
pub use field::{FieldKind, FieldName, FieldSpec, Taken};
pub use ids::{
    ActivityId, CallKey, CampaignId, ContactId, FoldedUserData, HistoryId, LinkId, OperationId, RecordId,
    RouteName, RunId, Seq, UserData, UserDataError,
};
pub use moment::{CallTimes, ReadTime, TimeReading};
pub use operation::{OperationKind, OperationState};
pub use permit::Permit;
pub use problem::{Place, Problem};
pub use reason::{Reason, ReasonCode};
pub use record::{BadRecord, Record};
pub use suggest::suggest;
pub use two_way::{Appended, ConflictRule, ConflictWord, Edit, Edits, Kept, Owner, SeenOn, Take, TwoWay};
pub use write_back::{
    Activities, BlockFacts, BlocksTold, CallFacts, CallResult, HistoryFacts, InDialler, InvalidNumber,
    Shapes, StandingFacts, TellRule, Told, ToldBefore, WriteBackId,
};

/// An instant in UTC. The ledger stores microseconds.
pub type Timestamp = chrono::DateTime<chrono::Utc>;

/// Field values by dialler field name.
pub type Values = std::collections::BTreeMap<FieldName, serde_json::Value>;
