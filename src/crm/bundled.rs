//! The connector files that come with the program.

const FILES: &[(&str, &str)] = &[
    ("odoo", include_str!("../../config/connectors/odoo.toml")),
    ("sim-cursor", include_str!("../../config/connectors/sim-cursor.toml")),
    ("sim-id", include_str!("../../config/connectors/sim-id.toml")),
    ("sim-link", include_str!("../../config/connectors/sim-link.toml")),
    ("sim-next", include_str!("../../config/connectors/sim-next.toml")),
    ("sim-offset", include_str!("../../config/connectors/sim-offset.toml")),
    ("sim-page", include_str!("../../config/connectors/sim-page.toml")),
];

/// The text of a bundled connector file.
pub fn bundled(name: &str) -> Option<&'static str> {
    FILES.iter().find(|(known, _)| *known == name).map(|(_, text)| *text)
}

/// The names that [`bundled`] knows.
pub fn bundled_names() -> impl Iterator<Item = &'static str> {
    FILES.iter().map(|(name, _)| *name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_bundled_file_is_right_and_bears_its_name() {
        for name in bundled_names() {
            let text = bundled(name).unwrap();
            let file =
                super::super::parse(text, name).unwrap_or_else(|problems| panic!("{name}: {problems:#?}"));
            assert_eq!(file.name, name);
            assert_eq!(file.companions().count(), 1, "{name}");
        }
        assert!(bundled("salesforce").is_none());
    }
}
