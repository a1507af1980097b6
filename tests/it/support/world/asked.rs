//! What a person asks for in a world.

use super::World;
use dialbridge::control::{Answer, Command, End, Line, RouteWord};
use dialbridge::domain::BlockSubject;
use dialbridge::domain::policy::RouteState;
use dialbridge::ledger::Pilot;

impl World {
    /// A command, as the socket carries it; how it ended and what was said.
    pub async fn command(&self, command: Command) -> (End, String) {
        let (answer, mut lines) = Answer::channel();
        self.parts().control.execute(command, "test".to_owned(), answer).await;
        let (mut end, mut said) = (End::Failed, Vec::new());
        while let Some(line) = lines.recv().await {
            match line {
                Line::Text(text) | Line::Error(text) => said.push(text),
                Line::Data(_) => {}
                Line::End { end: ended } => end = ended,
            }
        }
        (end, said.join("; "))
    }

    /// Sets all routes; one that leaves `dry` has decided everything anew when this returns.
    pub async fn switch(&self, state: RouteState) {
        for route in self.parts().routes.keys() {
            let command =
                Command::Route { route: route.clone(), word: word(state), reason: "a test".to_owned() };
            let (end, said) = self.command(command).await;
            assert_eq!(end, End::Done, "{said}");
        }
        self.idle().await;
    }

    /// Freezes, thaws, approves ... : what must work, and what it said.
    pub async fn must(&self, command: Command) -> String {
        let (end, said) = self.command(command).await;
        assert_eq!(end, End::Done, "{said}");
        self.idle().await;
        said
    }

    /// Blocks a number by hand and waits for what follows at once.
    pub async fn block_number(&self, number: &str) {
        self.block(BlockSubject::Number(number.to_owned())).await;
    }

    /// Blocks somebody by hand and waits for what follows at once.
    pub async fn block(&self, subject: BlockSubject) {
        let (end, said) = self
            .command(Command::BlockAdd {
                client: "default".to_owned(),
                subjects: vec![subject],
                reason: "said no".to_owned(),
                source: "operator".to_owned(),
                until: None,
            })
            .await;
        assert_eq!(end, End::Done, "{said}");
    }
}

fn word(state: RouteState) -> RouteWord {
    match state {
        RouteState::Dry => RouteWord::Dry,
        RouteState::Pilot => RouteWord::Pilot { whom: Pilot::First(1), until: None },
        RouteState::On => RouteWord::On,
        RouteState::Paused => RouteWord::Pause { until: None, harvest_too: false },
    }
}
