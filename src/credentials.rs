//! Keeps credentials fresh off the request path: what a worker knows of each source now, and which requests wait for one.
//!
//! The `bedrock-credentials` crate fetches in a thread of its own; what it finds arrives here through a channel, on the event loop,
//! so that no request ever waits for a lock.

use std::cell::RefCell;
use std::collections::HashMap;
use std::ptr;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::SystemTime;

use bedrock_credentials::{
    Credential, Current, Environment, Failure, Given, Keeper, Kept, Kind, Source, Update,
};
use gateway::Refusal;
use metrics::{Credentials, CredentialsState};

use crate::nginx::guard::{forced, guard_request};
use crate::nginx::is_first_worker;
use crate::nginx::log::{Level, cycle_log};
use crate::nginx::request::Request;
use crate::nginx::wakeup::{leave_children, set_environment, without_signals};
use crate::rewrite::{FAILED, resume};
use crate::zone::vault::{self, Vault};

/// All sources of a configuration.
pub struct Sources {
    environment: Environment,
    list: Vec<Known>,
    /// The places of those that have a block, by its name.
    blocks: HashMap<String, usize>,
}

/// A source, and what the configuration alone tells of it.
struct Known {
    called: Called,
    source: Source,
    /// A credential that is known for good.
    constant: Option<Arc<Credential>>,
    /// What files held when the configuration was read.
    first: Option<Arc<Credential>>,
}

/// What a source is called.
enum Called {
    /// `default`
    Default,
    /// By the name of its block.
    Block(String),
    /// Not at all: a key in a directive, at this file and line.
    Key(String),
}

/// `default`: it is always there.
pub const DEFAULT: usize = 0;

impl Sources {
    /// With the default source only.
    pub fn new(environment: Environment) -> Self {
        let mut sources = Self {
            environment,
            list: Vec::new(),
            blocks: HashMap::new(),
        };
        sources.add(Called::Default, Source::default_chain());
        sources
    }

    /// nginx's environment when it read the configuration.
    pub fn environment(&self) -> &Environment {
        &self.environment
    }

    /// Adds a block's source; `None` if there is one with its name.
    pub fn add_block(&mut self, name: &str, source: Source) -> Option<usize> {
        if self.blocks.contains_key(name) {
            return None;
        }
        let index = self.add(Called::Block(name.to_owned()), source);
        self.blocks.insert(name.to_owned(), index);
        Some(index)
    }

    /// Adds an API key that stands in a directive at `place`.
    pub fn add_key(&mut self, place: String, key: Given) -> usize {
        self.add(Called::Key(place), Source::api_key(key))
    }

    fn add(&mut self, called: Called, source: Source) -> usize {
        self.list.push(Known {
            called,
            constant: source.constant(&self.environment).map(Arc::new),
            first: source.at_first(&self.environment).map(Arc::new),
            source,
        });
        self.list.len() - 1
    }

    /// The place of the block's source that is called `name`.
    pub fn block(&self, name: &str) -> Option<usize> {
        self.blocks.get(name).copied()
    }

    /// The name of the source at a place; a key in a directive has none.
    pub fn name(&self, index: usize) -> Option<&str> {
        match &self.list.get(index)?.called {
            Called::Default => Some("default"),
            Called::Block(name) => Some(name),
            Called::Key(_) => None,
        }
    }

    /// What the status page calls the source at a place.
    fn shown(&self, index: usize) -> String {
        match self.list.get(index).map(|known| &known.called) {
            Some(Called::Key(place)) => format!("bedrock_auth at {place}"),
            _ => self.name(index).unwrap_or_default().to_owned(),
        }
    }

    /// What the log calls the source at a place.
    pub fn label(&self, index: usize) -> String {
        match self.list.get(index).map(|known| &known.called) {
            Some(Called::Key(place)) => format!("the key of bedrock_auth at {place}"),
            _ => format!("credentials \"{}\"", self.name(index).unwrap_or_default()),
        }
    }

    /// Whether a source gives API keys, so that nothing is signed.
    pub fn gives_api_key(&self, index: usize) -> bool {
        self.list.get(index).is_some_and(|known| {
            matches!(known.constant.as_deref(), Some(Credential::ApiKey(_)))
                || matches!(known.source.kind, Kind::ApiKey(_))
        })
    }

    /// How many sources have credentials that expire, or may have them.
    pub fn expiring(&self, wanted: impl Fn(usize) -> bool) -> usize {
        let expires = |(index, known): &(usize, &Known)| {
            wanted(*index) && known.constant.is_none() && known.source.may_expire()
        };
        self.list.iter().enumerate().filter(expires).count()
    }

    fn constant(&self, index: usize) -> Option<Current> {
        self.list.get(index)?.constant.clone().map(lasting)
    }

    fn first(&self, index: usize) -> Option<Current> {
        self.list.get(index)?.first.clone().map(lasting)
    }
}

fn lasting(credential: Arc<Credential>) -> Current {
    Current {
        credential,
        expires: None,
    }
}

/// What a request finds.
pub enum Found {
    /// A credential in force.
    Ready(Current),
    /// None yet: the first attempt to fetch one is under way.
    Awaited,
}

/// What a worker keeps.
struct Worker {
    /// Whose sources these are.
    sources: *const Sources,
    slots: Vec<Slot>,
    updates: Receiver<Update>,
    keeper: Keeper,
}

#[derive(Default)]
struct Slot {
    /// Its place in the configuration.
    index: usize,
    /// For the log.
    name: String,
    current: Option<Current>,
    /// The last attempt to fetch any has failed.
    failed: bool,
    waiting: Vec<Request>,
}

thread_local! {
    static WORKER: RefCell<Option<Worker>> = const { RefCell::new(None) };
}

/// Starts to fetch what the configuration's sources `wanted` need, together with the other workers if there is a `vault`. Without such
/// sources there is no thread. What `announcer` gives wakes the event loop, which then calls [`take_updates`].
pub fn start<A: Fn() + Send + Sync + 'static>(
    sources: &Sources,
    vault: Option<&Vault>,
    wanted: impl Fn(usize) -> bool,
    announcer: impl FnOnce() -> Option<A>,
) {
    let slots: Vec<Slot> = (0..sources.list.len())
        .filter(|index| sources.constant(*index).is_none() && wanted(*index))
        .map(|index| Slot {
            index,
            name: sources.label(index),
            current: sources.first(index),
            ..Slot::default()
        })
        .collect();
    if slots.is_empty() {
        return;
    }
    let fetched: Vec<Kept> = slots
        .iter()
        .filter_map(|slot| {
            let source = sources.list.get(slot.index)?.source.clone();
            let board = vault.and_then(|vault| vault::board(vault, &source, &sources.environment));
            Some(Kept { source, board })
        })
        .collect();
    if fetched.iter().any(|kept| kept.source.runs_commands()) {
        leave_children();
    }
    // AWS's providers look into the environment, which nginx has emptied.
    set_environment(sources.environment.iter());
    let (sender, updates) = channel();
    let environment = sources.environment.clone();
    let started = announcer().and_then(|announce| {
        let keeper =
            without_signals(|| Keeper::start(fetched, environment, sender, announce)).ok()?;
        Some(Worker {
            sources,
            slots,
            updates,
            keeper,
        })
    });
    if started.is_none() {
        cycle_log(
            Level::Error,
            "bedrock: no thread or connection for fetching credentials; raise worker_connections",
        );
    }
    WORKER.with_borrow_mut(|worker| *worker = started);
}

/// Ends the thread, and waits for that: a few milliseconds.
pub fn stop() {
    let worker = WORKER.with_borrow_mut(Option::take);
    drop(worker);
}

/// The credential of a source now.
///
/// # Errors
/// 503: none could be fetched, or what there was has expired and no new one came; the log says why.
pub fn find(sources: &Sources, index: usize) -> Result<Found, Refusal> {
    if let Some(current) = sources.constant(index) {
        return Ok(Found::Ready(current));
    }
    WORKER.with_borrow(|worker| {
        let slot = worker
            .as_ref()
            .filter(|worker| ptr::eq(worker.sources, sources))
            .and_then(|worker| worker.slots.iter().find(|slot| slot.index == index));
        match slot {
            None => Err(Refusal::misconfigured(format!(
                "{} are not fetched by this worker; lines above say why",
                sources.label(index)
            ))),
            Some(slot) => match &slot.current {
                Some(current) if current.is_valid(SystemTime::now()) => {
                    Ok(Found::Ready(current.clone()))
                }
                Some(_) => Err(unavailable(format!(
                    "{} have expired and could not be renewed",
                    sources.label(index)
                ))),
                None if slot.failed => Err(unavailable(format!(
                    "no {}: they could not be fetched, a line above says why",
                    slot.name
                ))),
                None => Ok(Found::Awaited),
            },
        }
    })
}

/// How the sources `wanted` stand.
pub fn standings(sources: &Sources, wanted: impl Fn(usize) -> bool) -> Vec<Credentials> {
    let now = SystemTime::now();
    WORKER.with_borrow(|worker| {
        let worker = worker
            .as_ref()
            .filter(|worker| ptr::eq(worker.sources, sources));
        let standing = |index| {
            let slot =
                worker.and_then(|worker| worker.slots.iter().find(|slot| slot.index == index));
            let current = slot.and_then(|slot| slot.current.as_ref());
            let is_good = sources.constant(index).is_some()
                || current.is_some_and(|current| current.is_valid(now));
            let state = match (is_good, slot.is_some_and(|slot| slot.failed)) {
                (_, true) => CredentialsState::Failing,
                (true, false) => CredentialsState::Good,
                (false, false) => CredentialsState::None,
            };
            let expires = current.and_then(|current| current.expires);
            Credentials {
                name: sources.shown(index),
                state,
                expires_in: expires.map(|expires| {
                    expires
                        .duration_since(now)
                        .unwrap_or_default()
                        .as_secs_f64()
                }),
            }
        };
        (0..sources.list.len())
            .filter(|index| wanted(*index))
            .map(standing)
            .collect()
    })
}

/// 503 for a client that would have to wait longer; `log` is for the operator.
pub fn unavailable(log: String) -> Refusal {
    Refusal {
        log: Some(log),
        ..Refusal::from_status(503)
    }
}

/// Resumes `request` when the first attempt to fetch a credential is over.
pub fn wait(index: usize, request: Request) {
    WORKER.with_borrow_mut(|worker| {
        let slots = worker.iter_mut().flat_map(|worker| &mut worker.slots);
        if let Some(slot) = slots.into_iter().find(|slot| slot.index == index) {
            slot.waiting.push(request);
        }
    });
}

/// Forgets a request that waits no longer.
pub fn forget(request: Request) {
    WORKER.with_borrow_mut(|worker| {
        for slot in worker.iter_mut().flat_map(|worker| &mut worker.slots) {
            slot.waiting.retain(|waiting| *waiting != request);
        }
    });
}

/// Fetches anew, because AWS says that the credential has expired.
pub fn refresh(index: usize) {
    WORKER.with_borrow(|worker| {
        if let Some(worker) = worker
            && let Some(place) = worker.slots.iter().position(|slot| slot.index == index)
        {
            worker.keeper.refresh(place);
        }
    });
}

/// Called on the event loop when the thread has news.
pub fn take_updates() {
    WORKER.with_borrow_mut(|worker| {
        let Some(worker) = worker else {
            return;
        };
        while let Ok(Update { index, result }) = worker.updates.try_recv() {
            let Some(slot) = worker.slots.get_mut(index) else {
                continue;
            };
            match result {
                Ok(current) => {
                    if std::mem::take(&mut slot.failed) {
                        cycle_log(
                            Level::Info,
                            &format!("bedrock: {} is well again", slot.name),
                        );
                    }
                    slot.current = Some(current);
                }
                // What the master has read serves, as long as the files stay as they are.
                Err(failure) if failure.is_denied && slot.current.is_some() => {
                    if is_first_worker() {
                        cycle_log(
                            Level::Notice,
                            &format!(
                                "bedrock: {} are those that nginx read when it started: its workers may not read the files, \
                                 so new keys need a reload ({})",
                                slot.name, failure.why
                            ),
                        );
                    }
                }
                Err(Failure { why, .. }) => {
                    slot.failed = true;
                    let last = match &slot.current {
                        Some(current) if current.is_valid(SystemTime::now()) => {
                            "; the last ones serve until they expire"
                        }
                        _ => "",
                    };
                    let name = &slot.name;
                    cycle_log(
                        Level::Error,
                        &format!("bedrock: {name} could not be fetched{last}: {why}"),
                    );
                }
            }
        }
    });
    // One at a time: what one request does may end another that waits.
    while let Some(request) = next_answered() {
        guard_request(request, FAILED, || {
            forced(request, "served");
            let connection = request.connection();
            resume(request);
            Request::run_posted(connection);
        });
    }
}

/// Takes a request out of those that wait for a source which has a credential now, or is known to have none.
fn next_answered() -> Option<Request> {
    WORKER.with_borrow_mut(|worker| {
        let slots = worker.iter_mut().flat_map(|worker| &mut worker.slots);
        slots
            .filter(|slot| slot.current.is_some() || slot.failed)
            .find_map(|slot| slot.waiting.pop())
    })
}
