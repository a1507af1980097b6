//! A route's rules as text, and what such rules of before make of a record: so that whom only a changed condition or mapping
//! puts out of a route is told from whoever left by himself.

use super::record::Condition;
use super::{Mapping, MappingSpec, PhoneFormat, RULES_VERSION, TooLong, numbers};
use crate::domain::scope::Before;
use crate::domain::{CrmSide, ReasonCode, Record, RouteName};
use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
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

/// Rules that held before the present ones.
#[derive(Debug)]
pub struct RulesBefore(Mapping);

impl RulesBefore {
    /// From their text; `None` where nothing can be told by them: the records were read otherwise then than for `present`.
    pub fn parse(text: &str, present: &str) -> Option<Self> {
        let before: Rules = serde_json::from_str(text).ok()?;
        let present: Rules = serde_json::from_str(present).ok()?;
        // Nothing but the reading changed: whatever comes out differently is its doing, which the rules do not see.
        if before.reading != present.reading || before.rules == present.rules {
            return None;
        }
        let kept: Kept = serde_json::from_value(before.rules).ok()?;
        Mapping::parse(&kept.spec()?).ok().map(Self)
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

    /// What their `only_if` alone makes of it on that day, where no more of the record is at hand.
    pub fn judge_condition(&self, record: &Record, today: NaiveDate) -> Before {
        match self.0.conditions_on(record, today).1 {
            Condition::True | Condition::NotAsked => Before::In,
            Condition::False => Before::Out,
            Condition::Broken(_) => Before::Untold,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::RecordId;
    use serde_json::{Value, json};

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
        assert!(RulesBefore::parse(&before, &text(&spec("stage", "mobile"), "odoo 2")).is_none());
        assert!(RulesBefore::parse(&before, &text(&spec("active", "phone"), "odoo 1")).is_none());
    }
}
