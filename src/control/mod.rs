//! Every command a person can give: one room, called by the socket, the command line and, later, the console.

mod answer;
mod blocks;
mod by_hand;
mod command;
mod conflicts;
mod contacts;
mod execute;
mod reconcile;
mod results;
mod routes;
mod socket;
mod sync;
mod takeover;

pub use answer::Answer;
pub use blocks::left_in_words;
pub use command::{Command, ContactAct, End, Line, Parked, ResultsWord, RouteWord, WaveOrder};
pub use execute::{Control, Runners};
pub use reconcile::LostActivities;
pub use results::{backfilled, remapped, retry_planned};
pub use socket::{Socket, ask};
