//! The demo's report, to the letter.

use super::house::{finish, program};
use std::path::Path;

/// The demo of 300 records ends well, and its report is the golden file.
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
    let report = report.replace(home, "FOLDER");
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/demo.txt");
    if std::env::var_os("DIALBRIDGE_BLESS").is_some() {
        std::fs::write(&golden, &report).expect("written");
    }
    assert_eq!(report, std::fs::read_to_string(&golden).expect("tests/golden/demo.txt"));
}
