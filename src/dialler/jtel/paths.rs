//! The addresses of the dialler's operations; each can be overridden, because the pages disagree with
//! themselves (a contact is read at `/contacts/{id}`, everything else by ID at `/contacts/contact/{id}`).

use crate::domain::Problem;
use std::collections::BTreeMap;

/// An operation's address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "each is named like the operation of the dialler's page it belongs to")]
pub enum Endpoint {
    Contacts,
    Contact,
    ContactByUserData,
    BatchRead,
    Import,
    Update,
    Delete,
    DeleteByUserData,
    Lock,
    LockByUserData,
    Unlock,
    UnlockByUserData,
    Reset,
    ResetByUserData,
    History,
    HistoryByUserData,
    Campaigns,
    Users,
}

/// Config name, endpoint, template.
const DEFAULTS: [(&str, Endpoint, &str); 18] = [
    ("contacts", Endpoint::Contacts, "/dialler/contacts"),
    ("contact", Endpoint::Contact, "/dialler/contacts/{id}"),
    ("contact_by_user_data", Endpoint::ContactByUserData, "/dialler/contacts/contact"),
    ("batch_read", Endpoint::BatchRead, "/dialler/contacts"),
    ("import", Endpoint::Import, "/dialler/contacts/import"),
    ("update", Endpoint::Update, "/dialler/contacts/update"),
    ("delete", Endpoint::Delete, "/dialler/contacts/contact/{id}"),
    ("delete_by_user_data", Endpoint::DeleteByUserData, "/dialler/contacts/contact"),
    ("lock", Endpoint::Lock, "/dialler/contacts/contact/{id}/lock"),
    ("lock_by_user_data", Endpoint::LockByUserData, "/dialler/contacts/contact/lock"),
    ("unlock", Endpoint::Unlock, "/dialler/contacts/contact/{id}/unlock"),
    ("unlock_by_user_data", Endpoint::UnlockByUserData, "/dialler/contacts/contact/unlock"),
    ("reset", Endpoint::Reset, "/dialler/contacts/contact/{id}/reset"),
    ("reset_by_user_data", Endpoint::ResetByUserData, "/dialler/contacts/contact/reset"),
    ("history", Endpoint::History, "/dialler/contacts/contact/{id}/history"),
    ("history_by_user_data", Endpoint::HistoryByUserData, "/dialler/contacts/contact/history"),
    ("campaigns", Endpoint::Campaigns, "/dialler/campaigns"),
    ("users", Endpoint::Users, "/users"),
];

/// The templates in use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paths(BTreeMap<Endpoint, String>);

impl Default for Paths {
    fn default() -> Self {
        Self(DEFAULTS.iter().map(|(_, endpoint, path)| (*endpoint, (*path).to_owned())).collect())
    }
}

impl Paths {
    /// The defaults with the config's overrides (`dialler.paths`).
    ///
    /// # Errors
    /// Every unknown name and every template that has an `{id}` too many or too few.
    pub fn parse<'a>(overrides: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<Self, Vec<Problem>> {
        let (mut paths, mut problems) = (Self::default(), Vec::new());
        for (name, template) in overrides {
            let key = format!("dialler.paths.{name}");
            let Some((_, endpoint, default)) = DEFAULTS.iter().find(|(known, ..)| *known == name) else {
                let known: Vec<_> = DEFAULTS.iter().map(|(name, ..)| *name).collect();
                problems.push(Problem::new(key, "an unknown operation", known.join(", ")));
                continue;
            };
            let fits = template.matches("{id}").count() == default.matches("{id}").count();
            let plain = template.replace("{id}", "1");
            let usable = plain.starts_with('/')
                && plain.bytes().all(|b| b.is_ascii_graphic() && !matches!(b, b'?' | b'#' | b'{' | b'}'));
            if fits && usable {
                paths.0.insert(*endpoint, template.to_owned());
            } else {
                problems.push(Problem::new(key, template, format!("a path like {default}")));
            }
        }
        if problems.is_empty() { Ok(paths) } else { Err(problems) }
    }

    /// The address of an operation under `base_url`, with an ID if it takes one, and its query. Without the ID that it
    /// takes it is no address at all, and never that of some contact.
    pub(super) fn url(
        &self,
        base_url: &str,
        endpoint: Endpoint,
        id: Option<i64>,
        query: &[(&str, &str)],
    ) -> String {
        let mut url = base_url.trim_end_matches('/').to_owned();
        let template = self.0.get(&endpoint).map_or("", String::as_str);
        match id {
            Some(id) => url.push_str(&template.replace("{id}", &id.to_string())),
            None => url.push_str(template),
        }
        for (index, (name, value)) in query.iter().enumerate() {
            url.push(if index == 0 { '?' } else { '&' });
            url.push_str(name);
            url.push('=');
            encode(value, &mut url);
        }
        url
    }
}

/// Percent-encodes everything but the unreserved characters, as UTF-8 (facts 7.10).
fn encode(text: &str, into: &mut String) {
    use std::fmt::Write as _;
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            into.push(char::from(byte));
        } else {
            // Writing into a String cannot fail.
            let _ = write!(into, "%{byte:02X}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn builds_addresses_and_encodes_the_key() {
        let paths = Paths::default();
        let base = "https://acd.example.com:8443/rest/v1.0/3/";
        assert_eq!(
            paths.url(base, Endpoint::Lock, Some(4711), &[]),
            "https://acd.example.com:8443/rest/v1.0/3/dialler/contacts/contact/4711/lock"
        );
        let nobody = paths.url(base, Endpoint::Lock, None, &[]);
        assert!(nobody.ends_with("/contact/{id}/lock"), "{nobody} addresses somebody");
        assert!(
            paths
                .url(base, Endpoint::ContactByUserData, None, &[("userData", "a+b&c#d/e ü")])
                .ends_with("/dialler/contacts/contact?userData=a%2Bb%26c%23d%2Fe%20%C3%BC")
        );
    }

    #[test]
    fn overrides_are_checked_all_at_once() {
        let good = Paths::parse([("contact", "/dialler/contacts/contact/{id}")]).unwrap();
        assert!(good.url("http://x", Endpoint::Contact, Some(7), &[]).ends_with("/contacts/contact/7"));
        let problems =
            Paths::parse([("contact", "/dialler/contacts"), ("contakt", "/x"), ("lock", "no slash {id}")]);
        assert_eq!(problems.unwrap_err().len(), 3);
    }
}
