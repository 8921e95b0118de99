//! A value in the configuration, or in a file that may change.

use std::fs;
use std::hash::{Hash, Hasher};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use zeroize::Zeroizing;

/// A value given as it is, or as `file:PATH` that holds it.
#[derive(Clone)]
pub enum Given {
    /// As it is.
    Value(Zeroizing<String>),
    /// In a file, which is read again when it changes.
    File(PathBuf),
}

impl Hash for Given {
    fn hash<H: Hasher>(&self, state: &mut H) {
        match self {
            Self::Value(value) => (0_u8, value.as_str()).hash(state),
            Self::File(path) => (1_u8, path).hash(state),
        }
    }
}

impl Given {
    /// Understands `VALUE` or `file:PATH`; a file must be readable and hold something.
    ///
    /// # Errors
    /// A sentence for the administrator; it holds no part of the value.
    pub fn read(text: &str) -> Result<Self, String> {
        let Some(path) = text.strip_prefix("file:") else {
            let given = Self::Value(Zeroizing::new(text.to_owned()));
            given.get()?;
            return Ok(given);
        };
        let given = Self::File(PathBuf::from(path));
        given.get()?;
        Ok(given)
    }

    /// The value now.
    ///
    /// # Errors
    /// The file cannot be read, or what is in it cannot be a key.
    pub fn get(&self) -> Result<Zeroizing<String>, String> {
        match self {
            Self::Value(value) => check(value).map_err(|what| format!("the value {what}")),
            Self::File(path) => {
                let shown = path.display();
                let text = fs::read_to_string(path)
                    .map(Zeroizing::new)
                    .map_err(|error| format!("cannot read \"{shown}\": {error}"))?;
                check(&text).map_err(|what| format!("\"{shown}\" {what}"))
            }
        }
    }

    /// Whether it is in a file that this process may not read.
    pub(crate) fn is_denied(&self) -> bool {
        let denied = |error: std::io::Error| error.kind() == std::io::ErrorKind::PermissionDenied;
        match self {
            Self::Value(_) => false,
            Self::File(path) => fs::File::open(path).err().is_some_and(denied),
        }
    }

    /// What tells one state of the file from another; `None` for a value as it is.
    pub(crate) fn mark(&self) -> Option<Mark> {
        match self {
            Self::Value(_) => None,
            Self::File(path) => Some(Mark::of(path)),
        }
    }
}

/// A file's state: its time, length and place on the disk, or that it is not there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mark(Option<(SystemTime, u64, u64)>);

impl Mark {
    fn of(path: &Path) -> Self {
        use std::os::unix::fs::MetadataExt;
        let metadata = fs::metadata(path);
        Self(
            metadata.ok().and_then(|metadata| {
                Some((metadata.modified().ok()?, metadata.len(), metadata.ino()))
            }),
        )
    }
}

/// Keys and tokens are one word of visible ASCII; anything else would be sent as another header.
fn check(text: &str) -> Result<Zeroizing<String>, &'static str> {
    let word = text.trim();
    if word.is_empty() {
        return Err("is empty");
    }
    if !word.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err("is not one word of visible characters");
    }
    Ok(Zeroizing::new(word.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_read_and_trimmed_and_their_changes_seen() {
        let path = std::env::temp_dir().join(format!("secret-{}", std::process::id()));
        fs::write(&path, "one\n").unwrap();
        let given = Given::read(&format!("file:{}", path.display())).unwrap();
        assert_eq!(given.get().unwrap().as_str(), "one");
        let before = given.mark();
        assert_eq!(given.mark(), before);
        fs::write(&path, "three").unwrap();
        assert_ne!(given.mark(), before);
        assert_eq!(given.get().unwrap().as_str(), "three");
        fs::write(&path, "a b").unwrap();
        assert!(given.get().is_err());
        fs::remove_file(&path).unwrap();
        assert!(given.get().unwrap_err().contains("cannot read"));
        assert!(Given::read("").is_err());
        assert!(Given::read("a\r\nX: y").is_err());
    }
}
