//! What do block lists in files do, which the config names?

use crate::support::world::{Setup, World, seconds};
use dialbridge::control::{Command, End};
use dialbridge::domain::{BlockSpan, BlockSubject};
use std::path::PathBuf;

async fn status(world: &World) -> String {
    dialbridge::cli::status_told(&world.settings, world.ledger(), world.now()).await.expect("a status")
}

/// As a clerk saves the file: from then on it is looked at, and what it locks is sent.
async fn saved(world: &World, file: &PathBuf, text: &str) {
    std::fs::write(file, text).expect("written");
    world.parts().block_files.look().await.expect("a look");
    world.push().await.expect("a push");
}

fn has(world: &World, id: u64) -> bool {
    !world.contacts(id).is_empty()
}

#[tokio::test(start_paused = true)]
async fn becomes_nobody_callable_while_a_list_is_taken_and_whom_it_names_is_locked_meanwhile() {
    let mut world =
        World::new(Setup { more: "[blocks.files]\ndefault = [\"no.csv\"]", ..Setup::default() }).await;
    let ada = world.record("Ada");
    world.sync_all().await;
    let (bert, carl) = (world.record("Bert"), world.record("Carl"));
    world.pull().await.expect("a pull");
    // A long list, written while the program is down, in which whoever is there stands last.
    let others = (0..1_200).map(|n| format!("+49 30 777 {n:04}\n")).collect::<String>();
    let text = format!("{others}{}\n{}\n", world.number(bert), world.number(ada));
    let list = world.settings.block_files[0].1.clone();
    std::fs::write(&list, text).expect("written");
    world.parts().block_files.begin().await.expect("begun");
    let mark = world.mark();
    world.push().await.expect("a push");
    assert_eq!(world.writes(mark), [""; 0], "nobody is imported before the list is known");
    world.parts().block_files.look().await.expect("a look");
    let newest_first = world.ledger().blocks_list(None, false, 2_000).await.expect("blocks");
    let first = newest_first.last().expect("blocks");
    assert_eq!(first.subject, BlockSubject::Number(world.number(ada)), "whoever is there is locked first");
    world.push().await.expect("a push");
    assert!(world.locked(ada) && world.dialler.len() == 2, "{}", world.story().await);
    assert_eq!((has(&world, bert), has(&world, carl)), (false, true));

    // One that holds again what it held before keeps nobody waiting, nor one that the config names no more, or that cannot be read, keeps nobody waiting.
    let before = std::fs::read_to_string(&list).expect("read");
    std::fs::write(&list, "+49 30 778 1\n").expect("written");
    world.parts().block_files.begin().await.expect("begun");
    std::fs::write(&list, before).expect("written");
    world.parts().block_files.look().await.expect("a look");
    let conny = world.record("Conny");
    world.sync_all().await;
    assert!(has(&world, conny), "{}", world.story().await);
    std::fs::write(&list, "+49 30 778 1\n").expect("written");
    world.parts().block_files.begin().await.expect("begun");
    std::fs::remove_file(&list).expect("removed");
    world.parts().block_files.look().await.expect("a look");
    let dora = world.record("Dora");
    world.sync_all().await;
    assert!(has(&world, dora));
    std::fs::write(&list, "+49 30 778 1\n").expect("written");
    world.parts().block_files.begin().await.expect("begun");
    world.configure(&Setup::default()).await;
    let emil = world.record("Emil");
    world.sync_all().await;
    assert!(has(&world, emil));
    world.ends().await;
}

#[tokio::test(start_paused = true)]
async fn is_whoever_stands_in_a_block_file_locked_and_freed_only_by_a_person() {
    let setup = Setup { more: "[blocks.files]\ndefault = [\"missing.csv\", \"no.csv\"]", ..Setup::default() };
    let mut world = World::new(setup).await;
    let (ada, bert, carl) = (world.record("Ada"), world.record("Bert"), world.record("Carl"));
    world.sync_all().await;
    let said = status(&world).await;
    assert!(
        said.contains("no.csv of client default cannot be read") && said.contains("nobody is blocked by it"),
        "{said}"
    );

    // Written while the program is down: nobody is called before it is heeded.
    let (number, list) = (world.number(ada), std::sync::Mutex::new(PathBuf::new()));
    world
        .restart_after(|folder| {
            *list.lock().expect("a lock") = folder.join("no.csv");
            std::fs::write(folder.join("no.csv"), format!("name;phone\nA;{number}\nX;12\n"))
                .expect("written");
        })
        .await;
    let list = list.into_inner().expect("a path");
    world.push().await.expect("a push");
    assert!(world.locked(ada) && !world.locked(bert));
    let said = status(&world).await;
    assert!(said.contains("1 lines of the block list") && said.contains("NOT blocked: line 3"), "{said}");
    assert!(said.contains("missing.csv of client default cannot be read"), "one list harms no other: {said}");

    // Read again when it changes; a line that went away frees nobody, nor does the file's end.
    let mark = world.mark();
    saved(&world, &list, &format!("{}\n", world.number(bert))).await;
    assert!(world.locked(ada) && world.locked(bert) && !world.locked(carl));
    assert_eq!(world.writes(mark).len(), 1, "nobody else is touched");
    assert!(!status(&world).await.contains("NOT blocked"));
    std::fs::remove_file(&list).expect("removed");
    world.parts().block_files.look().await.expect("a look");
    let said = status(&world).await;
    assert!(said.contains("the 1 numbers that it held before stay blocked"), "{said}");

    // A person does, and what the file no longer holds stays free, also when it is read again.
    let subject = BlockSubject::Number(world.number(ada));
    let reason = "changed her mind".to_owned();
    let (end, said) = world
        .command(Command::BlockRemove { client: "default".to_owned(), subject, source: None, reason })
        .await;
    assert_eq!(end, End::Done, "{said}");
    world.advance(seconds(61)).await;
    world.sync_all().await;
    saved(&world, &list, &format!("{}\n{}\n", world.number(bert), world.number(carl))).await;
    assert!(!world.locked(ada) && world.locked(bert) && world.locked(carl));
    world.ends().await;
}

#[tokio::test(start_paused = true)]
async fn does_whoever_still_stands_in_a_corrected_file_stay_blocked_when_the_wrong_wave_is_lifted() {
    for corrected_first in [true, false] {
        let setup = Setup { more: "[blocks.files]\ndefault = \"no.csv\"", ..Setup::default() };
        let world = World::new(setup).await;
        let (wrong, right) = (world.record("Ada"), world.record("Bert"));
        world.sync_all().await;
        let [(_, list)] = &world.settings.block_files[..] else { panic!("one list") };
        let right_text = format!("{}\n", world.number(right));
        let correct = async || saved(&world, list, &right_text).await;
        let since = world.now();
        saved(&world, list, &format!("{}\n{right_text}", world.number(wrong))).await;
        assert!(world.locked(wrong) && world.locked(right));
        world.advance(seconds(30)).await;
        if corrected_first {
            correct().await;
        }
        let mark = world.mark();
        let source = format!("file:{}", list.display());
        let span = BlockSpan { source, since, until: world.now() };
        let (client, reason) = ("default".to_owned(), "the wrong export".to_owned());
        let (end, said) = world.command(Command::BlocksRemove { client, span, reason }).await;
        assert_eq!(end, End::Done, "{said}");
        if !corrected_first {
            // Its wrong line is blocked anew with the rest, and lifted once more when it is out.
            correct().await;
            let subject = BlockSubject::Number(world.number(wrong));
            let (client, reason) = ("default".to_owned(), "the wrong export".to_owned());
            let (end, said) =
                world.command(Command::BlockRemove { client, subject, source: None, reason }).await;
            assert_eq!(end, End::Done, "{said}");
        }
        world.advance(seconds(61)).await;
        world.sync_all().await;
        assert!(!world.locked(wrong) && world.locked(right), "corrected first: {corrected_first}");
        assert_eq!(world.writes(mark).len(), 1, "whoever still stands in it was never let go");
        world.ends().await;
    }
}

#[tokio::test(start_paused = true)]
async fn does_whoever_stands_in_a_file_that_cannot_be_read_stay_blocked_when_its_wave_is_lifted() {
    let setup = Setup { more: "[blocks.files]\ndefault = \"no.csv\"", ..Setup::default() };
    let mut world = World::new(setup).await;
    let (wrong, right) = (world.record("Ada"), world.record("Bert"));
    world.sync_all().await;
    let [(_, list)] = &world.settings.block_files[..] else { panic!("one list") };
    let (list, since) = (list.clone(), world.now());
    saved(&world, &list, &format!("{}\n{}\n", world.number(wrong), world.number(right))).await;
    world.advance(seconds(30)).await;
    let lift = async |world: &World| {
        let source = format!("file:{}", list.display());
        let span = BlockSpan { source, since, until: world.now() };
        let (client, reason) = ("default".to_owned(), "the wrong export".to_owned());
        world.command(Command::BlocksRemove { client, span, reason }).await
    };
    std::fs::remove_file(&list).expect("removed");
    let (end, said) = lift(&world).await;
    assert_eq!(end, End::Failed, "{said}");
    assert!(said.contains("cannot be read"), "{said}");
    world.advance(seconds(61)).await;
    world.sync_all().await;
    assert!(world.locked(wrong) && world.locked(right), "nobody knows whom it still names");
    world.parts().block_files.look().await.expect("a look");
    let said = status(&world).await;
    assert!(said.contains("the 2 numbers that it held before stay blocked"), "{said}");

    // There again, it says whom it still names; taken out of the config, it has no say.
    std::fs::write(&list, format!("{}\n", world.number(right))).expect("written");
    let (end, said) = lift(&world).await;
    assert_eq!(end, End::Done, "{said}");
    world.advance(seconds(61)).await;
    world.sync_all().await;
    assert!(!world.locked(wrong) && world.locked(right), "{}", world.story().await);
    std::fs::remove_file(&list).expect("removed");
    world.configure(&Setup::default()).await;
    let (end, said) = lift(&world).await;
    assert_eq!(end, End::Done, "{said}");
    world.ends().await;
}
