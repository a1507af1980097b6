//! A route's rules as text, and what such rules of before make of a record: so that whom only a changed condition or mapping
//! puts out of a route is told from whoever left by himself.

use super::record::Condition;
use super::{Mapping, MappingSpec, PhoneFormat, RULES_VERSION, TooLong, bare, numbers, roots};
use crate::domain::scope::Before;
use crate::domain::{CrmSide, ReasonCode, Record, RouteName};
use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// What of a spec decides what comes out for a record.
#[derive(Serialize, Deserialize)]
struct Kept {
    route: String,
    user_data: Option<String>,
    only_if: Option<String>,
    block_if: Option<String>,
    fields: BTreeMap<String, String>,
    zone: String,
    country: Option<String>,
    phone_format: String,
    too_long: String,
    append: BTreeSet<String>,
}

/// Rules, and how the records were read for them.
#[derive(Serialize, Deserialize)]
struct Rules {
    reading: String,
    rules: serde_json::Value,
}

/// The rules of a spec as they are kept.
pub(super) fn kept(spec: &MappingSpec) -> serde_json::Value {
    let kept = Kept {
        route: spec.route.0.clone(),
        user_data: spec.user_data.clone(),
        only_if: spec.only_if.clone(),
        block_if: spec.block_if.clone(),
        fields: spec.fields.clone(),
        zone: spec.time_zone.name().to_owned(),
        country: spec.country.clone(),
        phone_format: spec.phone_format.as_str().to_owned(),
        too_long: spec.too_long.as_str().to_owned(),
        append: spec.append.clone(),
    };
    serde_json::to_value(kept).unwrap_or_default()
}

impl Kept {
    fn spec(self) -> Option<MappingSpec> {
        Some(MappingSpec {
            user_data: self.user_data,
            only_if: self.only_if,
            block_if: self.block_if,
            fields: self.fields,
            country: self.country,
            phone_format: PhoneFormat::parse(&self.phone_format)?,
            too_long: TooLong::parse(&self.too_long)?,
            append: self.append,
            ..MappingSpec::new(RouteName(self.route), self.zone.parse().ok()?)
        })
    }
}

impl Mapping {
    /// The route's rules as text, for [`RulesBefore::parse`]; `connector` is the connector's version.
    pub fn rules_text(&self, connector: &str) -> String {
        let reading = format!("{RULES_VERSION} {} {connector}", numbers::METADATA_VERSION);
        serde_json::to_string(&Rules { reading, rules: self.kept_rules.clone() }).unwrap_or_default()
    }
}

/// Why nothing can be told by the rules of before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Untellable {
    /// The records were read otherwise then.
    ReadOtherwise,
    /// Their text is not one that this version of the program reads.
    Unreadable,
}

/// Rules that held before the present ones.
#[derive(Debug)]
pub struct RulesBefore(Mapping);

impl RulesBefore {
    /// From their text.
    ///
    /// # Errors
    /// Why nothing can be told by them.
    pub fn parse(text: &str, present: &str) -> Result<Self, Untellable> {
        let read = |text: &str| serde_json::from_str::<Rules>(text).map_err(|_unread| Untellable::Unreadable);
        let (before, present) = (read(text)?, read(present)?);
        // Nothing but the reading changed: whatever comes out differently is its doing, which the rules do not see.
        if before.reading != present.reading || before.rules == present.rules {
            return Err(Untellable::ReadOtherwise);
        }
        let kept = serde_json::from_value::<Kept>(before.rules).ok().and_then(Kept::spec);
        let mapping = kept.and_then(|spec| Mapping::parse(&spec).ok());
        mapping.map(Self).ok_or(Untellable::Unreadable)
    }

    /// What they make of a record as it is now.
    pub fn judge(&self, record: &Record, today: NaiveDate) -> Before {
        let mapped = self.0.map(record, today);
        match mapped.crm_side(record.deleted) {
            CrmSide::Eligible(_) => Before::In,
            CrmSide::Ineligible(_) | CrmSide::Gone(_) => Before::Out,
            CrmSide::Uncallable(reason)
                if matches!(reason.code, ReasonCode::NoName | ReasonCode::NoPhone) =>
            {
                Before::Out
            }
            // A field of theirs is not read any more: that keeps nobody out who has a number.
            CrmSide::Unusable(_) if !mapped.numbers.is_empty() => Before::In,
            CrmSide::Uncallable(_) | CrmSide::Unusable(_) => Before::Untold,
        }
    }

    /// What their `only_if` alone makes of it on that day, where no more of the record is at hand than was kept for the
    /// conditions of `present`.
    pub fn judge_condition(&self, record: &Record, present: &Mapping, today: NaiveDate) -> Before {
        if !self.may_judge(record, present) {
            return Before::Untold;
        }
        match self.0.conditions_on(record, today).1 {
            Condition::True | Condition::NotAsked => Before::In,
            Condition::False => Before::Out,
            Condition::Broken(_) => Before::Untold,
        }
    }

    /// Whether no value that `only_if` asks more of was kept as no more than whether it holds anything.
    fn may_judge(&self, record: &Record, present: &Mapping) -> bool {
        let Some(only_if) = &self.0.only_if else { return true };
        let (asked, kept) = (bare::bare(&[only_if.source.as_str()]), present.kept_bare());
        roots(std::iter::once(only_if)).iter().all(|name| {
            let Some(texts) = kept.get(name) else { return true };
            match (record.fields.get(name), asked.get(name)) {
                // Some other text than those it was compared with.
                (Some(Value::Bool(true)), Some(compared)) => compared.is_subset(texts),
                (Some(Value::Bool(_)), None) => false,
                (Some(_) | None, _) => true,
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::RecordId;
    use serde_json::json;

    fn spec(only_if: &str, phone: &str) -> MappingSpec {
        let fields = [("Name", "name"), ("PhoneNumber1", phone)];
        let mut spec = MappingSpec::new(RouteName::from("leads"), chrono_tz::Europe::Berlin);
        spec.only_if = Some(only_if.to_owned());
        spec.country = Some("DE".to_owned());
        spec.fields =
            fields.iter().map(|(name, source)| ((*name).to_owned(), (*source).to_owned())).collect();
        spec
    }

    fn text(spec: &MappingSpec, connector: &str) -> String {
        Mapping::parse(spec).expect("a mapping").rules_text(connector)
    }

    #[test]
    fn a_record_is_judged_once_more_by_the_rules_of_before() {
        let before = text(&spec("active", "phone"), "odoo 1");
        let present = text(&spec("active and stage == 'new'", "mobile"), "odoo 1");
        let rules = RulesBefore::parse(&before, &present).expect("rules");
        let today = NaiveDate::from_ymd_opt(2030, 1, 7).expect("a day");
        for (fields, judged) in [
            (json!({"name": "A", "active": true, "phone": "030 123456", "mobile": null}), Before::In),
            (json!({"name": "A", "active": false, "phone": "030 123456"}), Before::Out),
            (json!({"name": "A", "active": true, "phone": null}), Before::Out),
            // What they name is not read any more.
            (json!({"name": "A", "stage": "new", "phone": "030 123456"}), Before::Untold),
            (json!({"name": "A", "active": true}), Before::Untold),
            (json!({"active": true, "phone": "030 123456"}), Before::In),
        ] {
            let Value::Object(fields) = fields else { unreachable!() };
            let record = Record { id: RecordId::from("1"), modified: None, deleted: false, fields };
            assert_eq!(rules.judge(&record, today), judged, "{record:?}");
        }
        // Read by another connector, or by nothing but another one, they say nothing.
        for present in [text(&spec("stage", "mobile"), "odoo 2"), text(&spec("active", "phone"), "odoo 1")] {
            assert_eq!(RulesBefore::parse(&before, &present).err(), Some(Untellable::ReadOtherwise));
        }
        for unread in
            ["", "{}", &before.replace("too_long", "too_wide"), &before.replace("Europe/Berlin", "Nowhere")]
        {
            assert_eq!(RulesBefore::parse(unread, &present).err(), Some(Untellable::Unreadable), "{unread}");
        }
    }

    /// Of a name that the present condition only asks whether it holds anything, no more is kept.
    #[test]
    fn what_was_kept_for_the_present_condition_is_not_taken_for_the_value() {
        let mut of = spec("stage and until >= today", "phone");
        of.fields.insert("City".to_owned(), "city".to_owned());
        let present = Mapping::parse(&of).expect("a mapping");
        let today = NaiveDate::from_ymd_opt(2030, 1, 7).expect("a day");
        for (condition, stage, judged) in [
            ("stage == 'new'", json!("new"), Before::Untold),
            ("stage != 'new'", json!("won"), Before::Untold),
            ("stage == 'new'", json!(""), Before::Out),
            ("stage | length > 2", json!("new"), Before::Untold),
            ("stage", json!("new"), Before::In),
            ("not stage", json!("new"), Before::Out),
            ("until == '2030-01-08'", json!("new"), Before::In),
        ] {
            let before = text(&spec(condition, "phone"), "odoo 1");
            let rules = RulesBefore::parse(&before, &present.rules_text("odoo 1")).expect("rules");
            let Value::Object(fields) = json!({"stage": stage, "until": "2030-01-08"}) else {
                unreachable!()
            };
            let whole = Record { id: RecordId::from("1"), modified: None, deleted: false, fields };
            let kept = Record { fields: present.kept(&whole), ..whole };
            assert_eq!(rules.judge_condition(&kept, &present, today), judged, "{condition} {stage}");
        }
    }
}
