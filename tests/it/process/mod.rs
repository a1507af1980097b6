//! The real program as a user meets it: child processes, real signals, simulators over real HTTP.

mod by_hand;
mod careless;
mod clock;
mod config_cli;
mod contacts;
mod daemon;
mod damage;
mod demo;
mod house;
mod identity;
mod judge;
mod kill_commits;
mod kill_points;
mod kill_random;
mod names;
mod network;
mod output;
mod plans;
mod service;
mod status;
mod surroundings;
mod sync;
mod trial;
mod verbs;
mod work;
