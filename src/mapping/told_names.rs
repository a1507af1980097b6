//! What expressions over calls, blocks and standings may name.

/// What expressions over one call may name, beside `id`, the record's.
pub const CALL_NAMES: &[&str] = &[
    "agent",
    "answered",
    "by_system",
    "call",
    "campaign",
    "cause",
    "contact",
    "direction",
    "ended",
    "ended_local",
    "kind",
    "next_try",
    "next_try_local",
    "note",
    "number",
    "outcome",
    "recording",
    "result",
    "result_code",
    "result_key",
    "seconds",
    "started",
    "started_local",
];

/// What expressions over a record's calls may name, beside `id`: the newest call's values under `last_`, and sums.
pub const HISTORY_NAMES: &[&str] = &[
    "answered",
    "attempts",
    "calls",
    "first_started",
    "first_started_local",
    "last_agent",
    "last_answered",
    "last_direction",
    "last_ended",
    "last_ended_local",
    "last_note",
    "last_number",
    "last_outcome",
    "last_result",
    "last_result_code",
    "last_result_key",
    "last_seconds",
    "last_started",
    "last_started_local",
    "next_try",
    "next_try_local",
];

/// What expressions over a block may name, beside `id`.
pub const BLOCK_NAMES: &[&str] = &["numbers", "reason", "since", "since_local", "source", "who"];

/// What expressions over where a record stands in the dialler may name, beside `id`.
pub const STATUS_NAMES: &[&str] = &[
    "invalid_numbers",
    "next_try",
    "next_try_local",
    "number1_invalid",
    "number2_invalid",
    "number3_invalid",
    "number4_invalid",
    "number5_invalid",
    "number6_invalid",
    "reason",
    "since",
    "since_local",
    "status",
];
