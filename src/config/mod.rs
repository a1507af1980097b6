//! The config as it stands in its files: every value with its place, nothing of its meaning.
//!
//! Layers, later ones win key by key: the compiled-in `config/defaults.toml`, the file, `conf.d/*.toml`
//! beside it in order of name, the environment (`DIALBRIDGE__SECTION__KEY`). Each file is checked
//! with exact types *before* the `config` crate joins the layers: that crate turns `1.9` into `2`,
//! `"8080"` into a number and forgets the lines. What the values mean is `check`'s business.

mod cool_off;
pub mod duration;

mod environment;
mod keys;
mod kind;
mod layers;
mod sources;
mod tree;

pub use keys::{
    RawBlocks, RawConfig, RawControl, RawCrm, RawDialler, RawHarvest, RawLedger, RawLog, RawPush, RawRoute,
    SECTIONS,
};
pub use kind::{KeySpec, Kind, NameOrNumber, Need, SectionSpec};
pub use layers::{Loaded, Places, load};
pub use sources::{DEFAULTS, SourceFile, Sources};

use crate::domain::Place;

/// A value and where it stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Setting<T> {
    /// The value, of exactly the type its key asks for.
    pub value: T,
    /// Where it stands; `(defaults)` where no file says anything.
    pub place: Place,
}

impl<T> std::ops::Deref for Setting<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

#[cfg(test)]
mod tests;
