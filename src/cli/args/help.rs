//! What `--help` adds to each verb: an example, and what its exit status says.

use clap::Command;

/// Done or failed.
const PLAIN: &str = "0 done, 1 failed, 2 usage or config";
/// Verbs whose runs may park something.
const PARKS: &str = "0 done, 1 failed, 2 usage or config, 3 done but this run parked something new";

/// Verb, example, exit statuses.
const VERBS: &[(&str, &str, &str)] = &[
    ("demo", "dialbridge demo --keep", PLAIN),
    (
        "run",
        "dialbridge run --config /etc/dialbridge/dialbridge.toml",
        "0 ended by a signal, 1 failed, 2 usage or config: nothing was started",
    ),
    (
        "check",
        "dialbridge check --offline",
        "0 it will work, 1 it will not work as it stands, 2 mistakes in the config",
    ),
    (
        "sync",
        "dialbridge sync pull --route leads (or: ... sync harvest --route leads --believe-missing)",
        PARKS,
    ),
    ("try", "dialbridge try --route leads 4711 --redact", PARKS),
    (
        "status",
        "dialbridge status --json",
        "0 said (also if it is not well: see `well` in --json), 1 failed, 2 usage or config",
    ),
    ("route list", "dialbridge route list", PLAIN),
    ("route on", "dialbridge route on leads --reason \"numbers checked\"", PLAIN),
    ("route dry", "dialbridge route dry leads --reason \"new mapping\"", PLAIN),
    ("route pause", "dialbridge route pause leads --reason \"audit until four\"", PLAIN),
    ("route pilot", "dialbridge route pilot leads --record 4711 --reason \"my own number\"", PLAIN),
    (
        "plan",
        "dialbridge plan --route leads",
        "0 shown, 1 a CRM or the ledger could not be read, 2 usage or config",
    ),
    ("plan list", "dialbridge plan list --all", PLAIN),
    ("plan show", "dialbridge plan show --route leads", PLAIN),
    ("plan approve", "dialbridge plan approve 3 --reason \"the list is meant\"", PLAIN),
    ("plan reject", "dialbridge plan reject 3 --reason \"a wrong filter\"", PLAIN),
    ("freeze", "dialbridge freeze --until 2h --reason \"the auditor is here\"", PLAIN),
    ("thaw", "dialbridge thaw --reason \"the auditor has left\"", PLAIN),
    (
        "reconcile",
        "dialbridge reconcile --route leads (or: ... --repair, ... --every-activity)",
        "0 everything agrees, 1 failed, 2 usage or config, 3 something does not agree",
    ),
    ("results", "dialbridge results --day yesterday --missing", PLAIN),
    ("results open", "dialbridge results open --route leads", PLAIN),
    ("results codes", "dialbridge results codes --route leads --init", PLAIN),
    ("results approve", "dialbridge results approve --route leads --reason \"the backlog is meant\"", PLAIN),
    (
        "results retry",
        "dialbridge results retry --route leads --reason \"the field is there now\" (or: ... --day yesterday --plan)",
        PLAIN,
    ),
    ("results remap", "dialbridge results remap --code CALLBACK --plan", PLAIN),
    ("results release", "dialbridge results release 9918 --reason \"he may be called again\"", PLAIN),
    ("results reopen", "dialbridge results reopen 9918 --reason \"asked to be called again\"", PLAIN),
    ("results discard", "dialbridge results discard 17 --reason \"entered by hand\"", PLAIN),
    ("backfill", "dialbridge backfill --route leads --from 2026-11-01 --to 2026-11-07 --plan", PLAIN),
    ("conflicts list", "dialbridge conflicts list --route leads", PLAIN),
    ("conflicts show", "dialbridge conflicts show 3", PLAIN),
    (
        "conflicts resolve",
        "dialbridge conflicts resolve 3 --take dialler --reason \"he said it himself\"",
        PLAIN,
    ),
    ("takeover", "dialbridge takeover --yes", PARKS),
    ("route resume", "dialbridge route resume leads --reason \"audit is over\"", PLAIN),
    ("ledger runs", "dialbridge ledger runs --limit 10", PLAIN),
    ("ledger show", "dialbridge ledger show 17", PLAIN),
    ("ledger contact", "dialbridge ledger contact leads-4711 (or: ... contact \"0171 2345678\")", PLAIN),
    ("ledger operations", "dialbridge ledger operations --all --route leads", PLAIN),
    ("ledger parked", "dialbridge ledger parked --reason no_phone", PLAIN),
    ("ledger skipped", "dialbridge ledger skipped --route leads", PLAIN),
    ("ledger calls", "dialbridge ledger calls --route leads --limit 200", PLAIN),
    (
        "ledger check",
        "dialbridge ledger check --json",
        "0 it is sound, 1 something is wrong or it cannot be read, 2 usage or config",
    ),
    (
        "ledger verify",
        "dialbridge ledger verify",
        "0 the trail is unbroken, 1 it is broken (the first row is named) or cannot be read, 2 usage or config",
    ),
    ("ledger backup", "dialbridge ledger backup /var/backups/dialbridge.sqlite", PLAIN),
    ("ledger retry", "dialbridge ledger retry --route leads --record 53", PLAIN),
    ("ledger discard", "dialbridge ledger discard --operation 12 --reason \"a test record\"", PLAIN),
    ("block add", "dialbridge block add --number \"0171 2345678\" --reason \"said no on the phone\"", PLAIN),
    ("block list", "dialbridge block list --ended", PLAIN),
    (
        "block remove",
        "dialbridge block remove --route leads --record 4711 --reason \"asked for a call\" \
         (or: ... --number N --source operator, ... --source file:/etc/dialbridge/robinson.csv --since 2027-01-31 --plan)",
        PLAIN,
    ),
    (
        "block seen",
        "dialbridge block seen --source file:/etc/dialbridge/robinson.csv --reason \"the list of November\"",
        PLAIN,
    ),
    (
        "block import",
        "dialbridge block import objections.csv --reason \"list of 3 November\"",
        "0 all lines are blocked, 1 failed or some lines could not be read, 2 usage or config",
    ),
    ("contacts list", "dialbridge contacts list --campaign \"Spring leads\"", PLAIN),
    ("contacts get", "dialbridge contacts get leads-4711", PLAIN),
    ("contacts history", "dialbridge contacts history 215220 --json", PLAIN),
    ("contacts import", "dialbridge contacts import --route leads 4711 --reason \"my own number\"", PARKS),
    (
        "contacts update",
        "dialbridge contacts update leads-4711 --set \"Comment=calls back\" --reason \"asked for it\"",
        PLAIN,
    ),
    ("contacts lock", "dialbridge contacts lock leads-4711 --reason \"complaint\"", PLAIN),
    ("contacts unlock", "dialbridge contacts unlock leads-4711 --reason \"complaint settled\"", PLAIN),
    ("contacts reset", "dialbridge contacts reset 215220 --reason \"to be called again\"", PLAIN),
    ("contacts delete", "dialbridge contacts delete 215220 --reason \"a double\"", PLAIN),
    (
        "token test",
        "dialbridge token test dialler --file /etc/dialbridge/secrets/dialler.new",
        "0 every token is taken, 1 one is refused or a side does not answer, 2 usage or config",
    ),
    ("simulate", "dialbridge simulate --agents", PLAIN),
];

/// The command line with its examples.
pub fn with_examples(command: Command) -> Command {
    VERBS.iter().fold(command, |command, (verb, example, status)| {
        let text = format!("Example: {example}\nExit status: {status}");
        match verb.split_once(' ') {
            None => command.mut_subcommand(verb, |verb| verb.after_help(text)),
            Some((group, verb)) => command
                .mut_subcommand(group, |group| group.mut_subcommand(verb, |verb| verb.after_help(text))),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::super::Cli;
    use super::*;
    use clap::CommandFactory as _;

    fn leaves(command: &Command, path: &str, found: &mut Vec<(String, String)>) {
        for verb in command.get_subcommands() {
            let path = format!("{path} {}", verb.get_name()).trim().to_owned();
            if verb.has_subcommands() {
                leaves(verb, &path, found);
            }
            // Also a verb that does something by itself beside those below it.
            if !verb.is_subcommand_required_set() {
                found.push((path, verb.clone().render_help().to_string()));
            }
        }
    }

    #[test]
    fn every_verb_has_an_example_that_can_be_typed_and_its_exit_statuses() {
        let command = with_examples(Cli::command());
        let mut found = Vec::new();
        leaves(&command, "", &mut found);
        assert!(found.len() >= VERBS.len(), "{} verbs", found.len());
        for (verb, help) in found {
            assert!(
                help.contains("Example: dialbridge ") && help.contains("Exit status: 0 "),
                "{verb}: {help}"
            );
        }
        for (verb, example, _) in VERBS {
            assert!(example.contains(verb), "{example} is no example of {verb}");
            let line = example.split(" (or").next().expect("a line");
            let words = shell_words(line);
            let parsed = with_examples(Cli::command()).try_get_matches_from(words);
            assert!(parsed.is_ok(), "{line}: {}", parsed.expect_err("refused"));
        }
    }

    /// Words as a shell cuts them, quotes taken off.
    fn shell_words(line: &str) -> Vec<String> {
        let parts = line.split('"').enumerate();
        let words = parts.flat_map(|(turn, part)| match turn % 2 {
            0 => part.split_whitespace().map(str::to_owned).collect::<Vec<_>>(),
            _ => vec![part.to_owned()],
        });
        words.collect()
    }
}
