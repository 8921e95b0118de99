//! A state file: read as a whole, written beside itself and put in its place, so that it is always the one or the other.

use std::fs::{self, File, TryLockError};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use zone::{Flaw, State, check_magic};

/// Where it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateFile {
    /// Its directory.
    pub directory: PathBuf,
    /// The file itself.
    pub path: PathBuf,
}

/// What there is at its place.
pub enum Found {
    /// Nothing.
    Nothing,
    /// What it is to be.
    State(State),
    /// One that cannot be trusted.
    Broken(Flaw),
    /// A file of somebody else, or no file.
    Foreign,
}

/// A directory that nobody else writes in, of those that ask: other workers, and other nginx.
pub struct Door(File);

impl StateFile {
    /// The file of this name. Its directory exists.
    ///
    /// # Errors
    /// There is no such directory.
    pub fn at(path: &Path) -> io::Result<Self> {
        let path = fs::canonicalize(path).or_else(|_| {
            let name = path.file_name().ok_or(ErrorKind::InvalidFilename)?;
            let directory = path.parent().ok_or(ErrorKind::NotADirectory)?;
            Ok::<_, io::Error>(fs::canonicalize(directory)?.join(name))
        })?;
        let directory = path.parent().ok_or(ErrorKind::IsADirectory)?;
        if !fs::metadata(directory)?.is_dir() {
            return Err(ErrorKind::NotADirectory.into());
        }
        Ok(Self {
            directory: directory.to_owned(),
            path,
        })
    }

    /// What there is.
    ///
    /// # Errors
    /// The system's.
    pub fn read(&self) -> io::Result<Found> {
        let Some(mut file) = self.open()? else {
            return Ok(Found::Nothing);
        };
        // Anything else may never end, or never begin.
        if !file.metadata()?.is_file() {
            return Ok(Found::Foreign);
        }
        let mut bytes = Vec::new();
        let magic = State::MAGIC_LENGTH as u64;
        (&file).take(magic).read_to_end(&mut bytes)?;
        if check_magic(&bytes).is_err() {
            return Ok(Found::Foreign);
        }
        file.read_to_end(&mut bytes)?;
        Ok(State::decode(&bytes).map_or_else(Found::Broken, Found::State))
    }

    fn open(&self) -> io::Result<Option<File>> {
        let mut options = File::options();
        // A pipe is not waited for.
        match options
            .read(true)
            .custom_flags(libc::O_NONBLOCK)
            .open(&self.path)
        {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            opened => opened.map(Some),
        }
    }

    /// Waits until nobody else writes, but not for ever: a worker that ends is not to hang on one that stands still.
    ///
    /// # Errors
    /// The system's.
    pub fn enter(&self) -> io::Result<Door> {
        let directory = File::open(&self.directory)?;
        let begun = Instant::now();
        loop {
            match directory.try_lock() {
                Ok(()) => return Ok(Door(directory)),
                Err(TryLockError::Error(error)) => return Err(error),
                Err(TryLockError::WouldBlock) if begun.elapsed() > PATIENCE => {
                    return Err(ErrorKind::TimedOut.into());
                }
                Err(TryLockError::WouldBlock) => thread::sleep(A_MOMENT),
            }
        }
    }

    /// Puts a state in the file's place. After a loss of power there is the one or the other.
    ///
    /// # Errors
    /// The system's; the file is as it was.
    pub fn write(&self, door: &Door, state: &State) -> io::Result<()> {
        let new = self.beside("new");
        match fs::remove_file(&new) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut options = File::options();
        // Hashes of keys, and what they depend on: for the workers alone.
        let mut file = options
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&new)?;
        let written = file
            .write_all(&state.encode())
            .and_then(|()| file.sync_all())
            .and_then(|()| fs::rename(&new, &self.path));
        if written.is_err() {
            // A full disk has room again.
            let _ = fs::remove_file(&new);
        }
        written.and_then(|()| door.0.sync_all())
    }

    /// Puts the file where it is out of the way, and can be looked at.
    ///
    /// # Errors
    /// The system's; the file is where it was.
    pub fn set_aside(&self, _door: &Door) -> io::Result<()> {
        fs::rename(&self.path, self.aside())
    }

    /// Where that is.
    pub fn aside(&self) -> PathBuf {
        self.beside("broken")
    }

    fn beside(&self, ending: &str) -> PathBuf {
        let mut path = self.path.clone().into_os_string();
        path.push(".");
        path.push(ending);
        path.into()
    }
}

/// How long a writer is waited for.
const PATIENCE: Duration = Duration::from_secs(3);
/// How often is looked whether it is done.
const A_MOMENT: Duration = Duration::from_millis(5);
