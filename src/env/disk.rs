//! How much room a disk has, and whether it is ours to write on: the one place that asks.

use super::Env;
use std::path::Path;

impl Env {
    /// The bytes that are free for us where this folder lies.
    ///
    /// # Errors
    /// The system does not tell.
    pub fn free_bytes(&self, folder: &Path) -> std::io::Result<u64> {
        if let Some(bytes) = self.free_bytes {
            return Ok(bytes);
        }
        let disk = rustix::fs::statvfs(folder)?;
        Ok(disk.f_bavail.saturating_mul(disk.f_frsize))
    }

    /// Whether this process may make files in a folder.
    pub fn may_write_in(&self, folder: &Path) -> bool {
        use rustix::fs::Access;
        rustix::fs::access(folder, Access::WRITE_OK | Access::EXEC_OK).is_ok()
    }

    /// The same surroundings on a disk with so much room.
    #[must_use]
    pub fn with_free_bytes(&self, bytes: u64) -> Self {
        Self { free_bytes: Some(bytes), ..self.clone() }
    }
}
