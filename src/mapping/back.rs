//! The other direction of a two-way field: what a value of the dialler's is in the CRM.

use super::Mapping;
use super::expression::Inputs;
use crate::domain::{DesiredValue, FieldName, Reason, Record};
use chrono::NaiveDate;
use serde_json::Value;

impl Mapping {
    /// The CRM's name of a mapped field, where its expression is that name and nothing else (or the number in it).
    pub fn plain_name(&self, field: FieldName) -> Option<&str> {
        self.fields.get(&field)?.plain_name()
    }

    /// What one mapped field comes to for a record; `None`: the route does not map it.
    pub fn value_of(&self, field: FieldName, record: &Record) -> Option<Result<DesiredValue, Reason>> {
        let expression = self.fields.get(&field)?;
        // `today` stands in no field: parsing refuses it.
        let inputs = Inputs { record, today: NaiveDate::MIN, options: &self.options };
        Some(self.fitted(field, expression, &inputs).map(|fitted| fitted.value))
    }

    /// What a value of the dialler's is as the CRM writes it: what the field will map to once the CRM has it.
    ///
    /// # Errors
    /// It is no value for that field, such as a number that is none.
    pub fn value_back(&self, field: FieldName, dialler: &Value) -> Result<DesiredValue, Reason> {
        self.fitting.fit(field, dialler).map(|fitted| fitted.value)
    }
}

#[cfg(test)]
mod tests {
    use super::super::MappingSpec;
    use super::*;
    use crate::domain::RouteName;
    use serde_json::json;

    #[test]
    fn a_value_of_the_diallers_maps_to_itself_once_the_crm_has_it() {
        let mut spec = MappingSpec::new(RouteName::from("leads"), chrono_tz::UTC);
        spec.country = Some("DE".to_owned());
        for (field, source) in
            [("Name", "name"), ("PhoneNumber1", "phone | phone('DE')"), ("City", "city | trim")]
        {
            spec.fields.insert(field.to_owned(), source.to_owned());
        }
        let mapping = Mapping::parse(&spec).expect("a mapping");
        let field = |name| FieldName::parse(name).expect("a field");
        assert_eq!(mapping.plain_name(field("Name")), Some("name"));
        assert_eq!(mapping.plain_name(field("PhoneNumber1")), Some("phone"));
        assert_eq!(mapping.plain_name(field("City")), None, "what a filter changed cannot be turned back");
        assert_eq!(mapping.plain_name(field("Company")), None, "not mapped");
        for (name, crm, dialler) in
            [("Name", "name", json!(" Ada ")), ("PhoneNumber1", "phone", json!("4930123456"))]
        {
            let back = mapping.value_back(field(name), &dialler).expect("a value");
            let fields = json!({ crm: back.crm.clone() });
            let record = Record {
                id: crate::domain::RecordId("1".to_owned()),
                modified: None,
                deleted: false,
                fields: fields.as_object().cloned().expect("an object"),
            };
            assert_eq!(mapping.value_of(field(name), &record), Some(Ok(back)), "{name}");
        }
        assert!(mapping.value_back(field("PhoneNumber1"), &json!("12")).is_err());
    }
}
