//! The shop's picture folder on a disk that this process reaches (facts about OpenCart, section 6).
//!
//! A picture's file is named by its content, so a name never gets other bytes: thumbnails cannot go stale, and the same picture is
//! stored once. A file appears whole or not at all: written beside, flushed, renamed.

use std::{
    fs::{self, DirBuilder, File, OpenOptions, Permissions},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt},
    path::{Component, Path, PathBuf},
    time::{Duration, SystemTime},
};

use crate::domain::{ids, picture::Picture};

/// Beginning of the names of files that are still being written.
const UNFINISHED: &str = ".tradesync-";
/// After this an unfinished file belongs to a process that died.
const ABANDONED: Duration = Duration::from_secs(3_600);
/// Everybody may read: the web server is another user.
const FILE_MODE: u32 = 0o644;
const FOLDER_MODE: u32 = 0o755;
/// Longest path of the folder as the shop writes it: `oc_product.image` has 255 characters, a file's own part takes 40.
const LONGEST: usize = 200;
/// Hex digits of the content's hash in a name: 128 bits.
const DIGITS: usize = 32;

/// Below which folder pictures go, and how the shop calls it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageFolder {
    root: PathBuf,
    folder: PathBuf,
    /// From `catalog` on, as it stands in `oc_product.image`.
    shop_path: String,
}

/// `catalog/<folder>/ab/<hash>.<ending>`, given the folder.
pub(super) fn shop_file(folder: &str, picture: &Picture) -> String {
    let name = picture.hash.get(..DIGITS).unwrap_or(&picture.hash);
    format!("{folder}/{}/{name}.{}", name.get(..2).unwrap_or_default(), picture.kind.ending())
}

impl ImageFolder {
    /// The folder `dir` (absolute, or below `root`) as the settings name it; no disk is touched.
    ///
    /// `Err` says what is wrong with it and what would be right.
    pub fn new(root: Option<&Path>, dir: &str) -> Result<Self, String> {
        let Some(root) = root else {
            return Err("this service has no image root; set TRADESYNC_IMAGE_ROOT, or use opencart.bridge_url".into());
        };
        let folder = root.join(dir);
        let plain = |part: Component<'_>| matches!(part, Component::RootDir | Component::Normal(_));
        if dir.trim().is_empty() || dir.contains(['\0', '\\']) || !folder.components().all(plain) || !folder.starts_with(root) {
            return Err(format!("`{dir}` must lie under {} (TRADESYNC_IMAGE_ROOT), without `..`", root.display()));
        }
        let names: Vec<&str> = folder.components().filter_map(|part| part.as_os_str().to_str()).collect();
        let pair = names.windows(2).rposition(|pair| pair == ["image", "catalog"]).map(|at| at + 1);
        let from = pair.or_else(|| names.iter().rposition(|name| *name == "catalog"));
        let shop_path = from.and_then(|from| names.get(from..)).map(|names| names.join("/")).unwrap_or_default();
        if shop_path.is_empty() {
            return Err(format!("`{dir}` must lie in the shop's image/catalog, for example image/catalog/billz"));
        }
        if shop_path.chars().count() > LONGEST || !shop_path.chars().all(|letter| letter.is_ascii_alphanumeric() || "/-_.".contains(letter))
        {
            return Err(format!("`{shop_path}` must be at most {LONGEST} letters, digits, `-`, `_`, `.` and `/`"));
        }
        Ok(Self { root: root.to_owned(), folder, shop_path })
    }

    /// Where it is, for people and for telling places apart.
    pub fn place(&self) -> String {
        self.folder.display().to_string()
    }

    /// Makes sure that it is there, lies under the root even when links are followed, and can be written to; sweeps what dead
    /// processes left. `Err` says what is wrong.
    pub fn prepare(&self) -> Result<(), String> {
        let wrong = |what: &str, error: io::Error| format!("the picture folder {} {what}: {error}", self.folder.display());
        let root = self.root.canonicalize().map_err(|error| format!("the image root {} cannot be opened: {error}", self.root.display()))?;
        let folder = self.folder.canonicalize().map_err(|error| wrong("cannot be opened", error))?;
        if !folder.starts_with(&root) {
            return Err(format!("the picture folder {} leads out of the image root {}", self.folder.display(), root.display()));
        }
        let probe = folder.join(format!("{UNFINISHED}{}", ids::fresh()));
        File::create_new(&probe).map_err(|error| wrong("cannot be written to", error))?;
        fs::remove_file(&probe).map_err(|error| wrong("cannot be tidied", error))?;
        sweep(&folder).map_err(|error| wrong("cannot be listed", error))
    }

    /// Whether the shop's file is there.
    pub fn holds(&self, shop_file: &str) -> bool {
        let below = shop_file.strip_prefix(&self.shop_path).map(|rest| rest.trim_start_matches('/'));
        below.is_some_and(|below| self.folder.join(below).is_file())
    }

    /// Stores a picture, unless it stands there; its path as the shop writes it. Safe to repeat.
    pub fn store(&self, picture: &Picture) -> io::Result<String> {
        let shop = shop_file(&self.shop_path, picture);
        let target = self.folder.join(shop.get(self.shop_path.len() + 1..).unwrap_or_default());
        if fs::metadata(&target).is_ok_and(|known| known.is_file() && known.len() == picture.bytes.len() as u64) {
            return Ok(shop);
        }
        let folder = target.parent().unwrap_or(&self.folder);
        match DirBuilder::new().mode(FOLDER_MODE).create(folder) {
            Ok(()) => fs::set_permissions(folder, Permissions::from_mode(FOLDER_MODE))?,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
        let beside = folder.join(format!("{UNFINISHED}{}", ids::fresh()));
        let written = write(&beside, &picture.bytes).and_then(|()| fs::rename(&beside, &target));
        if let Err(error) = written {
            let _ = fs::remove_file(&beside);
            return Err(error);
        }
        // The name is durable only with its folder.
        File::open(folder)?.sync_all()?;
        Ok(shop)
    }
}

fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(FILE_MODE).open(path)?;
    file.write_all(bytes)?;
    // Whatever mask this process was given.
    file.set_permissions(Permissions::from_mode(FILE_MODE))?;
    file.sync_all()
}

/// Takes away unfinished files of dead processes: in the folder and one level below it.
fn sweep(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let kind = entry.file_type()?;
        if kind.is_dir() && entry.file_name().len() == 2 {
            sweep(&entry.path())?;
        } else if kind.is_file() && entry.file_name().to_string_lossy().starts_with(UNFINISHED) {
            let age = entry.metadata()?.modified()?;
            if SystemTime::now().duration_since(age).is_ok_and(|age| age > ABANDONED) {
                fs::remove_file(entry.path())?;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::picture::Kind;

    fn folder() -> (PathBuf, ImageFolder) {
        let root = std::env::temp_dir().join(format!("tradesync-images-{}", ids::fresh()));
        fs::create_dir_all(root.join("image/catalog/billz")).unwrap();
        (root.clone(), ImageFolder::new(Some(&root), "image/catalog/billz").unwrap())
    }

    fn picture(text: &str) -> Picture {
        Picture { kind: Kind::Jpeg, bytes: text.into(), hash: format!("{:0>64}", text) }
    }

    #[test]
    fn a_folder_lies_under_the_root_and_in_the_shops_catalogue() {
        let root = Path::new("/srv/shops");
        let path = |dir: &str| ImageFolder::new(Some(root), dir).map(|folder| folder.shop_path);
        assert_eq!(path("/srv/shops/kmall/image/catalog/billz").unwrap(), "catalog/billz");
        assert_eq!(path("kmall/image/catalog/billz/").unwrap(), "catalog/billz");
        assert_eq!(path("kmall/catalog").unwrap(), "catalog");
        assert_eq!(path("catalog/image/catalog/a/catalog").unwrap(), "catalog/a/catalog");
        for wrong in [
            "",
            "/srv/shop/image/catalog",
            "/etc",
            "../image/catalog",
            "a/../../image/catalog",
            "kmall/image/cache",
            "image/catalog/a b",
            "image/catalog/Я",
        ] {
            assert!(path(wrong).is_err(), "{wrong}");
        }
        assert!(ImageFolder::new(None, "image/catalog").is_err());
        assert!(path(&format!("image/catalog/{}", "a".repeat(300))).is_err());
    }

    #[test]
    fn a_picture_is_stored_once_whole_and_readable_by_the_web_server() {
        let (root, folder) = folder();
        folder.prepare().unwrap();
        let one = picture("abc");
        let shop = folder.store(&one).unwrap();
        assert_eq!(shop, format!("catalog/billz/00/{:0>32}.jpg", ""));
        let file = root.join("image").join(&shop);
        let before = fs::metadata(&file).unwrap();
        assert_eq!((fs::read(&file).unwrap(), before.permissions().mode() & 0o777), (b"abc".to_vec(), 0o644));
        assert_eq!(fs::metadata(file.parent().unwrap()).unwrap().permissions().mode() & 0o777, 0o755);
        assert_eq!(folder.store(&one).unwrap(), shop);
        assert_eq!(fs::metadata(&file).unwrap().modified().unwrap(), before.modified().unwrap());
        // Cut off by a full disk of long ago: written anew.
        fs::write(&file, "a").unwrap();
        folder.store(&one).unwrap();
        assert_eq!(fs::read(&file).unwrap(), b"abc");
        assert!(folder.holds(&shop) && !folder.holds("catalog/billz/00/x.jpg") && !folder.holds("catalog/other.jpg"));
        assert_eq!(fs::read_dir(file.parent().unwrap()).unwrap().count(), 1, "nothing unfinished is left");
        fs::remove_dir_all(root).unwrap();
    }

    #[test]
    fn a_folder_that_is_missing_closed_or_led_away_is_named() {
        let (root, folder) = folder();
        fs::remove_dir(root.join("image/catalog/billz")).unwrap();
        assert!(folder.prepare().unwrap_err().contains("cannot be opened"));
        std::os::unix::fs::symlink("/tmp", root.join("image/catalog/billz")).unwrap();
        assert!(folder.prepare().unwrap_err().contains("leads out"));
        fs::remove_dir_all(root).unwrap();
    }

    #[test]
    fn what_dead_processes_left_is_swept_and_nothing_else() {
        let (root, folder) = folder();
        let below = root.join("image/catalog/billz/ab");
        fs::create_dir(&below).unwrap();
        let old = SystemTime::now() - 2 * ABANDONED;
        for (name, age) in [(".tradesync-old", old), (".tradesync-new", SystemTime::now()), ("old.jpg", old)] {
            File::create(below.join(name)).unwrap().set_modified(age).unwrap();
        }
        folder.prepare().unwrap();
        let mut left: Vec<_> = fs::read_dir(&below).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        left.sort();
        assert_eq!(left, [".tradesync-new", "old.jpg"]);
        fs::remove_dir_all(root).unwrap();
    }
}
