//! The shop's file cache: its modules keep whole product rows for an hour (facts section 7).

use std::{path::Path, time::Duration};

use super::session::Writer;
use crate::fault::{Code, Fault};

/// Most time for the bridge to clear. More would keep the shop's other runs waiting for what only shows an hour earlier.
const BRIDGE: Duration = Duration::from_secs(15);

/// What to forget.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Forget {
    /// Also the lists of manufacturers; products always.
    pub manufacturers: bool,
}

impl Writer {
    /// Deletes the shop's cached products from `cache_dir`, and says how many files; without one the bridge is asked, and the answer is `None`.
    ///
    /// Errors: `ConfigInvalid` if the directory is missing or closed to us, those of [`super::Bridge::clear_cache`]: worth a warning, prices
    /// then show after an hour.
    pub async fn clear_cache(&mut self, forget: Forget) -> Result<Option<usize>, Fault> {
        let Some(folder) = self.options.cache_dir.clone() else {
            let Some(bridge) = &self.options.bridge else { return Ok(None) };
            return tokio::time::timeout(BRIDGE, bridge.clear_cache(forget))
                .await
                .unwrap_or_else(|_| Err(Fault::new(Code::RemoteUnavailable, "the bridge did not clear the shop's cache in time")))
                .map(|()| None);
        };
        tokio::task::spawn_blocking(move || clear(&folder, forget))
            .await
            .map_err(|panic| Fault::internal("clearing the shop's cache ended unexpectedly").caused_by(panic))?
            .map(Some)
    }
}

/// Deletes plain files of the directory itself by their names' beginnings; follows no link and enters no folder.
fn clear(folder: &Path, forget: Forget) -> Result<usize, Fault> {
    let wrong = |error: std::io::Error| {
        Fault::new(Code::ConfigInvalid, format!("opencart.cache_dir {} cannot be cleared: {error}", folder.display())).caused_by(error)
    };
    let mut deleted = 0;
    for entry in std::fs::read_dir(folder).map_err(wrong)? {
        let entry = entry.map_err(wrong)?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        let ours = name.starts_with("cache.product.") || (forget.manufacturers && name.starts_with("cache.manufacturer."));
        if !ours || !entry.file_type().is_ok_and(|kind| kind.is_file()) {
            continue;
        }
        match std::fs::remove_file(entry.path()) {
            Ok(()) => deleted += 1,
            // The shop itself drops what has expired.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(wrong(error)),
        }
    }
    Ok(deleted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_cached_products_go_and_nothing_outside() {
        let folder = std::env::temp_dir().join(format!("tradesync-cache-{}", std::process::id()));
        let cache = folder.join("cache");
        std::fs::create_dir_all(cache.join("cache.product.folder")).unwrap();
        std::fs::write(folder.join("cache.product.outside.1"), "x").unwrap();
        for name in [
            "cache.product.latest.1.0.1.4.1700000000",
            "cache.product.popular.1",
            "cache.productive",
            "cache.manufacturer.0.1",
            "cache.currency.1",
        ] {
            std::fs::write(cache.join(name), "x").unwrap();
        }
        assert_eq!(clear(&cache, Forget::default()).unwrap(), 2);
        assert_eq!(clear(&cache, Forget { manufacturers: true }).unwrap(), 1);
        assert!(
            cache.join("cache.productive").exists()
                && cache.join("cache.product.folder").exists()
                && folder.join("cache.product.outside.1").exists()
        );
        std::fs::remove_dir_all(&folder).unwrap();
        assert!(clear(&cache, Forget::default()).is_err_and(|fault| fault.code == Code::ConfigInvalid));
    }
}
