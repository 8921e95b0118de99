//! What is counted in a zone, kept in a file. It is read when the memory is new, and written every few seconds by one worker of all, and
//! by each that ends.
//!
//! There may be more than one memory: after `USR2` the old nginx and the new one each have theirs. Whoever finds that another one has
//! written takes over what that has counted, and writes the sum.

use std::fs;
use std::time::{SystemTime, UNIX_EPOCH};

use zone::{Asks, Clocks, MOST_USERS, Owner, State};

use super::carried::{self, Kind};
use super::file::{Door, Found, StateFile};
use super::keys::Memory;
use super::meter::Counted;
use crate::nginx::log::{Level, cycle_log};
use crate::nginx::shared::Say;
use crate::nginx::timer::Instant;
use crate::nginx::workers::Workers;

/// Keeps the state of a zone.
pub struct Keeper {
    file: StateFile,
    /// The zone's name.
    zone: String,
    /// What is counted in it.
    identity: String,
    kind: Kind,
    counted: Counted,
    /// Which start of the machine this is.
    boot: [u8; 16],
    /// Where the directive stands.
    place: String,
}

/// What the file of another memory is to this one.
enum Other {
    /// It was written here.
    Own,
    /// It was written from a memory that has taken over from this one.
    Successor,
    /// It counts the same keys.
    Neighbour,
    /// It has nothing to do with this one, and was begun later.
    Later,
    /// The same, earlier.
    Earlier,
}

impl Keeper {
    /// Keeps a zone's state in `file`; `what` is counted in the zone.
    pub fn new(
        file: StateFile,
        zone: &str,
        (kind, what): (Kind, &str),
        counted: Counted,
        place: String,
    ) -> Self {
        Self {
            file,
            zone: zone.to_owned(),
            identity: format!("zone \"{zone}\", {what}"),
            kind,
            counted,
            boot: boot().unwrap_or_default(),
            place,
        }
    }

    /// Whether another zone has the same file.
    pub fn has_file(&self, file: &StateFile) -> bool {
        self.file == *file
    }

    /// The name of the zone.
    pub fn zone(&self) -> &str {
        &self.zone
    }

    /// Whether the workers will be able to keep it; if not, says why.
    pub fn can_be_kept(&self, workers: Workers, say: Say<'_>) -> bool {
        let file = &self.file;
        let wrong = if !workers.may_write_in(&file.directory) {
            format!(
                "may not read and write its directory \"{}\"",
                file.directory.display()
            )
        } else if file.path.exists() && !workers.may_read(&file.path) {
            "may not read it".to_owned()
        } else {
            return true;
        };
        let what = format!("but the user of nginx's workers {wrong}: give it to that user");
        self.refuse(say, &what);
        false
    }

    fn refuse(&self, say: Say<'_>, what: &str) {
        let (path, place) = (self.file.path.display(), &self.place);
        let text = format!(
            "\"bedrock_limit_zone\" directive has state file \"{path}\", {what}, in {place}"
        );
        say(Level::Emerg, &text);
    }

    /// What there was, for a memory that is new. It changes nothing on the disk: `nginx -t` comes here, too. `None`: it cannot be told,
    /// which has been said.
    pub fn read(&self, say: Say<'_>) -> Option<Option<State>> {
        let flaw = match self.file.read() {
            Ok(Found::Nothing) => return Some(None),
            Ok(Found::State(state)) if state.identity == self.identity => {
                if state.clocks.wall > self.clocks().wall.saturating_add(A_MINUTE) {
                    self.tell(say, Level::Warn, "was written at a time that is still to come: where it has windows that have not begun, they are \
                                   counted on until the clock gets there");
                }
                return Some(Some(state));
            }
            Ok(Found::State(State { identity, .. })) => {
                format!("it is of {identity}, and not of {}", self.identity)
            }
            Ok(Found::Broken(flaw)) => flaw.to_string(),
            Ok(Found::Foreign) => {
                self.refuse(say, NOT_OURS);
                return None;
            }
            Err(error) => {
                self.refuse(say, &format!("which cannot be read: {error}"));
                return None;
            }
        };
        let text = format!(
            "is not used: {flaw}. Counting begins anew, and what there is will be kept as \"{}\"",
            self.file.aside().display()
        );
        self.tell(say, Level::Alert, &text);
        Some(None)
    }

    fn tell(&self, say: Say<'_>, level: Level, what: &str) {
        let (zone, path) = (&self.zone, self.file.path.display());
        say(
            level,
            &format!("bedrock: zone \"{zone}\": its state file \"{path}\" {what}"),
        );
    }

    /// Fills a new memory, which has the seed of `state`.
    pub fn restore(&self, memory: &Memory, state: State, say: Say<'_>) {
        let (then, now) = (state.clocks, self.clocks());
        let lost = memory.restore(state.records, &then, &now);
        for entry in memory.entries() {
            carried::begin(entry, self.kind, &then, &now);
        }
        if lost > 0 {
            let text = format!(
                "has {lost} keys more than the zone has room for: they are not counted any more; enlarge the zone"
            );
            self.tell(say, Level::Warn, &text);
        }
    }

    /// This moment of the event loop.
    pub fn clocks(&self) -> Clocks {
        Clocks {
            boot: self.boot,
            steady: Instant::now().milliseconds().saturating_mul(A_MILLISECOND),
            wall: wall(),
        }
    }

    /// Writes what there is, if it has changed, and takes over what others have written. It waits for the disk.
    pub fn sync(&self, memory: &Memory, owner: Owner, now: &Clocks) {
        let (zone, path) = (&self.zone, self.file.path.display());
        match self.try_sync(memory, owner, now) {
            Ok(()) => {
                if memory.header().is_news(0) {
                    let text =
                        format!("bedrock: zone \"{zone}\": its state is kept in \"{path}\" again");
                    cycle_log(Level::Notice, &text);
                }
            }
            Err(what) => {
                let (trouble, _) = memory.key(0, what.as_bytes()).halves();
                if memory.header().is_news(trouble.max(1)) {
                    let text = format!(
                        "bedrock: zone \"{zone}\": its state cannot be kept in \"{path}\": {what}. What is counted meanwhile is lost when nginx ends"
                    );
                    cycle_log(Level::Error, &text);
                }
            }
        }
    }

    fn try_sync(&self, memory: &Memory, owner: Owner, now: &Clocks) -> Result<(), String> {
        let failed = |error: std::io::Error| error.to_string();
        let door = self.file.enter().map_err(failed)?;
        let header = memory.header();
        let last = match self.file.read().map_err(failed)? {
            Found::Nothing => None,
            Found::Foreign => return Err("there is something else".to_owned()),
            Found::Broken(flaw) => {
                self.set_aside(&door, &flaw.to_string())?;
                None
            }
            Found::State(state) => match self.what_is(&state, memory) {
                Other::Own => Some(state),
                Other::Successor => return Ok(()),
                Other::Neighbour => {
                    self.absorb(memory, owner, &state, now);
                    Some(state)
                }
                Other::Later => {
                    return Err(
                        "another nginx, which was started later, keeps its own there".to_owned(),
                    );
                }
                Other::Earlier => {
                    let what = format!(
                        "it is of {} in another memory, which was begun earlier",
                        state.identity
                    );
                    self.set_aside(&door, &what)?;
                    None
                }
            },
        };
        let entries = memory.records();
        let records = entries.iter().map(|(record, _)| carried::for_file(*record));
        let state = State {
            identity: self.identity.clone(),
            seed: header.seed(),
            writer: header.writer(),
            clocks: *now,
            records: records.collect(),
        };
        let is_same = |last: State| {
            State {
                clocks: *now,
                ..last
            } == state
        };
        if !last.is_some_and(is_same) {
            self.file.write(&door, &state).map_err(failed)?;
        }
        // Whoever wrote it may have died before this.
        for (record, entry) in entries {
            memory.exclusively(|| carried::synced(entry, self.kind, &record));
        }
        Ok(())
    }

    fn what_is(&self, state: &State, memory: &Memory) -> Other {
        let (own, theirs) = (memory.header().writer(), state.writer);
        if theirs.instance == own.instance {
            return match theirs.memory > own.memory {
                true => Other::Successor,
                false => Other::Own,
            };
        }
        match (state.seed, &state.identity) == (memory.header().seed(), &self.identity) {
            true => Other::Neighbour,
            false if theirs.instance > own.instance => Other::Later,
            false => Other::Earlier,
        }
    }

    fn absorb(&self, memory: &Memory, owner: Owner, state: &State, now: &Clocks) {
        let mut lost = 0;
        for record in &state.records {
            let asks = Asks {
                key: record.key,
                label: &[],
                most: MOST_USERS,
                now: now.steady / A_MILLISECOND,
            };
            // In use it stays its key's.
            let Ok(place) = memory.enter(asks, owner, &self.counted) else {
                lost += 1;
                continue;
            };
            if let Some(entry) = memory.entry(place) {
                let clocks = (&state.clocks, now);
                carried::absorb(entry, self.kind, record, clocks, &|work| {
                    memory.exclusively(work).is_some()
                });
            }
            memory.leave(place);
        }
        let minute = now.steady / A_MINUTE;
        if lost > 0 && memory.header().is_turn_to_complain(minute) {
            let text = format!(
                "bedrock: zone \"{}\": another nginx counts {lost} keys that the zone has no room for; enlarge the zone",
                self.zone
            );
            cycle_log(Level::Warn, &text);
        }
    }

    fn set_aside(&self, door: &Door, why: &str) -> Result<(), String> {
        let aside = self.file.aside();
        self.file
            .set_aside(door)
            .map_err(|error| format!("{why}, and it cannot be renamed: {error}"))?;
        let text = format!(
            "bedrock: zone \"{}\": what was in its state file is kept as \"{}\": {why}",
            self.zone,
            aside.display()
        );
        cycle_log(Level::Notice, &text);
        Ok(())
    }
}

/// Nanoseconds since 1970.
pub fn wall() -> u64 {
    let wall = SystemTime::now().duration_since(UNIX_EPOCH);
    u64::try_from(wall.unwrap_or_default().as_nanos()).unwrap_or(u64::MAX)
}

/// Which start of the machine this is, as Linux names it.
fn boot() -> Option<[u8; 16]> {
    let text = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    let digits = text.trim().replace('-', "");
    let number = u128::from_str_radix(&digits, 16).ok()?;
    Some(number.to_le_bytes())
}

/// What is said of a file that is nobody's state.
pub const NOT_OURS: &str = "which is something else: name another file";
const A_MILLISECOND: u64 = 1_000_000;
const A_MINUTE: u64 = 60_000 * A_MILLISECOND;
