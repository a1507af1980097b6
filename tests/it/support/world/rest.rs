//! A further run writes nothing: every world is asked at its end.

use super::{World, minutes};

/// How often everything may run until both sides are at rest.
const ROUNDS_TO_REST: usize = 8;

/// What is known of whether a further run would write something.
#[derive(Debug, Clone, Copy)]
pub(super) enum Rest {
    /// Nothing: nobody asked yet.
    Unasked,
    /// Nothing was written by a further run, and this was written until then.
    Found {
        /// The number of the dialler's journal.
        dialler: u64,
        /// Writes into the CRMs.
        crm: usize,
    },
}

impl Drop for World {
    /// A scenario that never asked whether a further run writes nothing fails: see [`World::ends`].
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        let rest = *self.rest.lock().expect("nobody panicked");
        match rest {
            Rest::Unasked => panic!("the scenario never asked whether a further run writes nothing"),
            Rest::Found { dialler, crm } => {
                assert_eq!(self.writes(dialler), Vec::<&str>::new(), "written since it was found at rest");
                assert_eq!(self.crm_writes(), crm, "the CRM was written to since it was found at rest");
            }
        }
    }
}

impl World {
    /// Nothing is written by a further run, on either side.
    pub async fn assert_at_rest(&self) {
        let run = async {
            self.sync_all().await;
            if !self.parts().control.runners.write_backs.is_empty() {
                self.write_back().await.expect("a write-back");
                self.sync_all().await;
            }
        };
        let written = self.writes_of(run).await;
        assert!(written.is_empty(), "a run with nothing changed wrote {written:?}\n{}", self.story().await);
    }

    /// The end of a scenario, whatever it was about: faults are over, both sides come to rest, and then a further run
    /// writes nothing on either side. Runs may fail (a route may be stopped for good); what they write counts.
    pub async fn ends(&self) {
        self.crm.faults.clear();
        self.second_crm.faults.clear();
        self.dialler.faults().clear();
        let mut written = self.further_run().await;
        for _ in 0..ROUNDS_TO_REST {
            if written.is_empty() {
                break;
            }
            self.advance(minutes(3)).await;
            written = self.further_run().await;
        }
        assert!(written.is_empty(), "a further run wrote {written:?}\n{}", self.story().await);
    }

    async fn further_run(&self) -> Vec<String> {
        let run = async {
            self.try_all().await;
            let _whatever = self.write_back().await;
        };
        self.writes_of(run).await
    }

    /// What a run of everything writes, on either side; with nothing written the world was found at rest.
    pub async fn writes_of(&self, run: impl Future<Output = ()>) -> Vec<String> {
        let (crms, mark) = ([&self.crm, &self.second_crm], self.mark());
        let marks = crms.map(|crm| crm.journal.mark());
        run.await;
        let mut written: Vec<String> =
            self.writes(mark).iter().map(|name| format!("dialler: {name}")).collect();
        for (crm, mark) in crms.into_iter().zip(marks) {
            let since = crm.journal.requests_where(|asked| asked.seq >= mark && asked.kind.write);
            written.extend(since.iter().map(|asked| format!("CRM: {} {}", asked.kind.name, asked.path)));
        }
        if written.is_empty() {
            self.set_rest(Rest::Found { dialler: self.mark(), crm: self.crm_writes() });
        }
        written
    }

    pub(super) fn set_rest(&self, rest: Rest) {
        *self.rest.lock().expect("nobody panicked") = rest;
    }
}
