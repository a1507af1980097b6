//! What a server without a toolchain gets: the units as systemd judges them, and the tarball installed into a folder
//! that stands for a machine. The gate runs these; they need systemd's tools, and a release build.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn ran(command: &mut Command) -> Output {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let said =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {}\n{said}", output.status);
    output
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

/// The unit with a program that is there, which `verify` insists on.
fn unit(folder: &Path) -> PathBuf {
    let text = std::fs::read_to_string(root().join("systemd/dialbridge.service")).expect("the unit");
    let path = folder.join("dialbridge.service");
    std::fs::write(&path, text.replace("/usr/local/bin/dialbridge", env!("CARGO_BIN_EXE_dialbridge")))
        .expect("written");
    path
}

#[test]
fn the_unit_makes_the_folder_of_the_socket_that_the_config_and_check_propose() {
    let read = |path: &str| std::fs::read_to_string(root().join(path)).expect("a file");
    let unit = read("systemd/dialbridge.service");
    let value = |key: &str| {
        unit.lines()
            .find_map(|line| line.strip_prefix(key)?.strip_prefix('='))
            .unwrap_or_else(|| panic!("no {key}"))
    };
    let proposed = format!("/run/{}/control.sock", value("RuntimeDirectory"));
    for path in ["config/defaults.toml", "src/check/offline.rs"] {
        assert!(read(path).contains(&proposed), "{path} proposes another place than {proposed}");
    }
    // The group gives commands, nobody else.
    assert_eq!(value("RuntimeDirectoryMode"), "0750");
    assert_eq!(value("RuntimeDirectoryPreserve"), "restart");
}

#[test]
#[ignore = "needs systemd-analyze; the gate runs it"]
fn systemd_understands_the_unit_and_finds_it_hardened() {
    let folder = tempfile::tempdir().expect("a folder");
    let unit = unit(folder.path());
    let verified = ran(Command::new("systemd-analyze").arg("verify").arg(&unit));
    assert_eq!(said(&verified), "", "verify has something to say");
    // 15 stands for 1.5.
    let judged = ran(Command::new("systemd-analyze")
        .args(["security", "--offline=true", "--threshold=15"])
        .arg(&unit));
    let level = said(&judged);
    let level = level.lines().find(|line| line.contains("Overall exposure level")).expect("a level");
    eprintln!("{}", level.trim());
}

#[test]
#[ignore = "needs systemd's tools; the gate runs it"]
fn the_user_and_the_folders_are_made_as_the_unit_needs_them() {
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
    let folder = tempfile::tempdir().expect("a folder");
    let machine = folder.path();
    std::fs::create_dir(machine.join("etc")).expect("a folder");
    let at = format!("--root={}", machine.display());
    let file = |name: &str| root().join("systemd").join(name);
    ran(Command::new("systemd-sysusers").arg(&at).arg(file("dialbridge.sysusers.conf")));
    ran(Command::new("systemd-tmpfiles").arg(&at).arg("--create").arg(file("dialbridge.tmpfiles.conf")));
    let passwd = std::fs::read_to_string(machine.join("etc/passwd")).expect("users");
    let user: Vec<&str> =
        passwd.lines().find(|line| line.starts_with("dialbridge:")).expect("the user").split(':').collect();
    for (path, mode, of_user) in [
        ("etc/dialbridge", 0o750, false),
        ("etc/dialbridge/secrets", 0o750, false),
        ("var/lib/dialbridge", 0o750, true),
    ] {
        let found = std::fs::metadata(machine.join(path)).expect("a folder");
        assert_eq!(found.permissions().mode() & 0o777, mode, "{path}");
        assert_eq!(found.gid().to_string(), user[3], "{path}");
        assert_eq!(found.uid().to_string() == user[2], of_user, "{path}");
    }
}

#[test]
#[ignore = "needs a release build; the gate runs it"]
fn the_tarball_installs_checks_and_updates_without_touching_a_config() {
    let folder = tempfile::tempdir().expect("a folder");
    let packed =
        ran(Command::new(root().join("systemd/package.sh")).arg(folder.path()).current_dir(folder.path()));
    let tarball =
        said(&packed).lines().rev().find(|line| line.ends_with(".tar.gz")).expect("its name").to_owned();
    ran(Command::new("tar").args(["xzf", &tarball, "-C"]).arg(folder.path()));
    let unpacked = tarball.trim_end_matches(".tar.gz").to_owned();
    let machine = folder.path().join("machine");
    let install = || {
        let installed = ran(Command::new(format!("{unpacked}/install.sh")).arg("--root").arg(&machine));
        said(&installed)
    };
    let first = install();
    assert!(first.contains("is an example: write your own into it"), "{first}");
    let program = machine.join("usr/local/bin/dialbridge");
    assert!(said(&ran(Command::new(&program).arg("--version"))).starts_with("dialbridge "));
    for path in [
        "etc/systemd/system/dialbridge.service",
        "usr/local/share/doc/dialbridge/defaults.toml",
        "usr/local/share/doc/dialbridge/docs/connectors.md",
        "usr/local/lib/sysusers.d/dialbridge.conf",
    ] {
        assert!(machine.join(path).exists(), "{path}");
    }
    // The example names tokens that are not there yet: all that is missing is said, nothing starts.
    let config = machine.join("etc/dialbridge/dialbridge.toml");
    let checked = Command::new(&program)
        .arg("--config")
        .arg(&config)
        .args(["check", "--offline"])
        .output()
        .expect("it runs");
    assert_eq!(checked.status.code(), Some(2), "{}", said(&checked));
    assert!(said(&checked).contains("token_file"), "{}", said(&checked));
    // The administrator's own; neither side is there, which is no reason not to start.
    let lies = |path: &str| machine.join(path);
    write_secret(&lies("etc/dialbridge/secrets/dialler.token"), "a-dialler-token\n");
    write_secret(&lies("etc/dialbridge/secrets/sales.token"), "a-crm-token\n");
    std::fs::write(&config, GOOD).expect("written");
    let starts = || {
        let checked = ran(Command::new(&program).arg("--config").arg(&config).args(["check", "--offline"]));
        start_and_stop(&program, &config);
        said(&checked)
    };
    starts();
    let kept = [
        "etc/dialbridge/dialbridge.toml",
        "etc/dialbridge/secrets/dialler.token",
        "etc/dialbridge/secrets/sales.token",
        "var/lib/dialbridge/ledger.sqlite",
        "var/lib/dialbridge/ledger.sqlite.generation",
    ];
    let before: Vec<_> = kept.iter().map(|path| state_of(&lies(path))).collect();
    // An update keeps what the administrator wrote and what the daemon remembers, and the daemon starts on it.
    let second = install();
    assert!(second.contains("is as it was"), "{second}");
    for (path, before) in kept.iter().zip(&before) {
        assert!(state_of(&lies(path)) == *before, "{path} was touched");
    }
    starts();
    assert!(!lies("etc/dialbridge/dialbridge.toml.new").exists());
}

/// A config as an administrator writes it, for sides that are not there.
const GOOD: &str = r#"
[dialler]
base_url   = "http://127.0.0.1:9/rest/v1.0/3"
token_file = "secrets/dialler.token"
time_zone  = "Europe/Berlin"
country    = "DE"
allow_http = true

[crm.sales]
connector  = "sim-id"
base_url   = "http://127.0.0.1:9"
token_file = "secrets/sales.token"
allow_http = true

[route.leads]
crm        = "sales"
campaign   = "Spring leads"
block_if   = "phone_blacklisted"

[route.leads.fields]
Name         = "name"
PhoneNumber1 = "phone | phone('DE')"

[ledger]
path = "../../var/lib/dialbridge/ledger.sqlite"
"#;

fn write_secret(path: &Path, text: &str) {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::write(path, text).expect("written");
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o640)).expect("set");
}

/// Whatever an installer could change of a file.
fn state_of(path: &Path) -> (Vec<u8>, u32, std::time::SystemTime, u64) {
    use std::os::unix::fs::MetadataExt as _;
    let meta = std::fs::metadata(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    (std::fs::read(path).expect("read"), meta.mode(), meta.modified().expect("a time"), meta.ino())
}

/// The daemon as the unit starts it, and as systemd stops it.
fn start_and_stop(program: &Path, config: &Path) {
    use std::io::{BufRead as _, BufReader};
    let mut command = Command::new(program);
    command.arg("--config").arg(config).arg("run").stderr(std::process::Stdio::piped());
    let mut child = command.spawn().expect("it starts");
    let mut log = BufReader::new(child.stderr.take().expect("a pipe")).lines();
    let mut seen = Vec::new();
    while !seen.last().is_some_and(|line: &String| line.contains("started")) {
        match log.next() {
            Some(line) => seen.push(line.expect("text")),
            None => panic!("it ended before it had started: {seen:#?}"),
        }
    }
    ran(Command::new("kill").args(["-TERM", &child.id().to_string()]));
    // Read to its end, so that it never waits for a reader.
    seen.extend(log.map(|line| line.expect("text")));
    assert!(child.wait().expect("it ends").success(), "{seen:#?}");
}
