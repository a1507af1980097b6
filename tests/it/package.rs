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
    // An update keeps what the administrator wrote.
    std::fs::write(&config, "# mine\n").expect("written");
    let second = install();
    assert!(second.contains("is as it was"), "{second}");
    assert_eq!(std::fs::read_to_string(&config).expect("the config"), "# mine\n");
}
