//! The demo's report, to the letter.

use super::house::{finish, program};
use std::path::Path;

/// The demo of 300 records ends well, and its report is the golden file; what it says to type next works.
#[tokio::test]
async fn the_demo_ends_well_and_reports_the_same_every_time() {
    let folder = tempfile::tempdir().expect("a folder");
    let home = folder.path().join("demo");
    let home = home.to_str().expect("a plain name");
    let args = ["demo", "--records", "300", "--folder", home];
    let ran = finish(program(Path::new("/nonexistent"), &args)).await.expect(0);
    assert_eq!(ran.err, "", "nothing is to complain about");
    // What comes before is progress: how many runs a push takes is a matter of timing.
    let report = &ran.out[ran.out.find("Report\n").expect("a report")..];
    let (pushes, lines): (Vec<&str>, Vec<&str>) =
        report.lines().partition(|line| line.starts_with("  push   "));
    assert!(!pushes.is_empty() && pushes.iter().all(|line| line.contains(" taken = ")), "{report}");
    let exe = env!("CARGO_BIN_EXE_dialbridge");
    for typed in lines.iter().filter(|line| line.contains("--config")) {
        let mut shell = std::process::Command::new("sh");
        // It would be taken for a key of the config.
        let ran = shell.args(["-c", typed]).env_remove("DIALBRIDGE_BLESS").output().expect("a shell");
        assert!(ran.status.success(), "{typed}: {}", String::from_utf8_lossy(&ran.stderr));
    }
    let report = format!("{}\n", lines.join("\n")).replace(exe, "PROGRAM").replace(home, "FOLDER");
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/demo.txt");
    if std::env::var_os("DIALBRIDGE_BLESS").is_some() {
        std::fs::write(&golden, &report).expect("written");
    }
    assert_eq!(report, std::fs::read_to_string(&golden).expect("tests/golden/demo.txt"));
}
