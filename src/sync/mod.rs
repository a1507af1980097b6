//! The decision about one record: pure and total, without clock, network or ledger.

mod adopt;
mod decide;
mod diff;
mod leave;
mod merge;
#[cfg(test)]
mod merge_table_tests;
#[cfg(test)]
mod merge_tests;
#[cfg(test)]
mod table_tests;

pub use adopt::{found_base, is_found, made_base, owned_by_crm};
pub use decide::decide;
pub use diff::{
    FieldChange, changed_fields, follow_up_fields, import_fields, pairs_after_import, pairs_after_update,
    says_the_same,
};
pub use merge::{Merged, Sides, alike_pairs, edited_base, merge, merged_changes};
