//! The thread that keeps credentials fresh: one task for each source, each fetching one at a time.

use std::pin::pin;
use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime};

use tokio::sync::{Notify, oneshot};

use crate::board::{Board, Known};
use crate::schedule::{refresh_in, retry_in};
use crate::{Credential, Current, Environment, Source};

/// News of one source.
#[derive(Debug)]
pub struct Update {
    /// Which, by its place in the list given to [`Keeper::start`].
    pub index: usize,
    /// The credential now in force, or why there is no new one.
    pub result: Result<Current, Failure>,
}

/// Why there is no new credential.
#[derive(Debug)]
pub struct Failure {
    /// A sentence for the error log, without any secret.
    pub why: String,
    /// This process may not read the files, and has not read them before. Who started it may have read them.
    pub is_denied: bool,
}

/// A source to be kept fresh.
pub struct Kept {
    /// What is fetched.
    pub source: Source,
    /// Where several processes keep it together; only for credentials that expire.
    pub board: Option<Board>,
}

/// A running thread. It ends when this is dropped.
pub struct Keeper {
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
    wanted: Vec<Arc<Notify>>,
}

impl Keeper {
    /// Starts to fetch. Each update goes to `updates`, and then `announce` is called, in the thread.
    ///
    /// # Errors
    /// The system gives no thread.
    pub fn start(
        sources: Vec<Kept>,
        environment: Environment,
        updates: Sender<Update>,
        announce: impl Fn() + Send + Sync + 'static,
    ) -> std::io::Result<Self> {
        let (stop, stopped) = oneshot::channel();
        let wanted: Vec<Arc<Notify>> = sources.iter().map(|_| Arc::default()).collect();
        let notifies = wanted.clone();
        let announce = Arc::new(announce);
        let run = move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build();
            let Ok(runtime) = runtime else {
                return;
            };
            for (index, (kept, wanted)) in sources.into_iter().zip(notifies).enumerate() {
                let updates = updates.clone();
                let announce = Arc::clone(&announce);
                let tell = move |result| {
                    // Nobody listens any more when the worker is about to end.
                    if updates.send(Update { index, result }).is_ok() {
                        announce();
                    }
                };
                runtime.spawn(keep(kept, environment.clone(), wanted, tell));
            }
            // The sender is dropped to stop.
            let _ = runtime.block_on(stopped);
            // A look-up of a name that hangs must not hold up a reload.
            runtime.shutdown_background();
        };
        let thread = std::thread::Builder::new()
            .name("bedrock-keys".to_owned())
            .spawn(run)?;
        Ok(Self {
            stop: Some(stop),
            thread: Some(thread),
            wanted,
        })
    }

    /// Asks for a new credential now: AWS says that the one in force has expired.
    pub fn refresh(&self, index: usize) {
        if let Some(wanted) = self.wanted.get(index) {
            wanted.notify_one();
        }
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.stop.take();
        if let Some(thread) = self.thread.take() {
            // A panic in the thread has nothing to tell here.
            let _ = thread.join();
        }
    }
}

/// Fetches, tells, waits; for ever.
async fn keep(
    kept: Kept,
    environment: Environment,
    wanted: Arc<Notify>,
    tell: impl Fn(Result<Current, Failure>),
) {
    let Kept { source, board } = kept;
    if source.local(&environment).is_some() && source.role.is_none() {
        return watch(source, environment, tell).await;
    }
    let mut fetcher = Fetcher::new(source, environment);
    let mut expires = None;
    let mut failures = 0;
    loop {
        if let Some(board) = &board
            && let Some(wait) = of_others(board, &mut expires, &mut failures, &tell).await
        {
            let _ = tokio::time::timeout(wait, wanted.notified()).await;
            continue;
        }
        let fetching = tokio::time::timeout(LONGEST_FETCH, fetcher.fetch());
        let fetched = claiming(board.as_ref(), fetching).await;
        let fetched = fetched.unwrap_or_else(|_| {
            Err(format!(
                "no answer within {} seconds",
                LONGEST_FETCH.as_secs()
            ))
        });
        let now = SystemTime::now();
        let fetched = fetched.and_then(|current| match current.is_valid(now) {
            true => Ok(current),
            false => Err(EXPIRED.to_owned()),
        });
        let wait = match &fetched {
            Ok(current) => {
                failures = 0;
                expires = current.expires;
                if let Some(board) = &board {
                    board.keep(current);
                }
                refresh_in(now, expires, fastrand::f64())
            }
            Err(_) => {
                let chance = fastrand::f64();
                let retry = |failures| retry_in(failures, now, expires, chance);
                let together = board.as_ref().and_then(|board| board.failed(now, retry));
                failures = together.unwrap_or(failures + 1);
                Some(retry(failures))
            }
        };
        tell(fetched.map_err(|why| Failure {
            why: one_line(&why),
            is_denied: false,
        }));
        // Keys without an end come from files or commands, which may have others later.
        let wait = wait.unwrap_or(LOOK_AGAIN);
        // What was asked for until now has come.
        let _ = tokio::time::timeout(Duration::ZERO, wanted.notified()).await;
        let soonest = tokio::time::Instant::now() + Duration::from_secs(1).min(wait);
        if tokio::time::timeout(wait, wanted.notified()).await.is_ok() {
            // However often AWS says so, one fetch a second is enough.
            tokio::time::sleep_until(soonest).await;
        }
    }
}

/// Waits for a fetch, and says meanwhile that it is still under way: a process that is killed says nothing more.
async fn claiming<T>(board: Option<&Board>, fetching: impl Future<Output = T>) -> T {
    let mut fetching = pin!(fetching);
    loop {
        match tokio::time::timeout(CLAIM / 3, &mut fetching).await {
            Ok(fetched) => return fetched,
            Err(_) => {
                if let Some(board) = board {
                    board.claim_on(SystemTime::now(), CLAIM);
                }
            }
        }
    }
}

/// Tells what another process has fetched, and gives how long that lets one wait; `None`: it is up to this one to fetch.
async fn of_others(
    board: &Board,
    expires: &mut Option<SystemTime>,
    failures: &mut u32,
    tell: &impl Fn(Result<Current, Failure>),
) -> Option<Duration> {
    loop {
        let now = SystemTime::now();
        match board.read(now) {
            Known::Fetched(current) if current.expires != *expires => {
                (*expires, *failures) = (current.expires, 0);
                let wait = refresh_in(now, *expires, fastrand::f64());
                tell(Ok(current));
                return Some(wait.unwrap_or(LOOK_AGAIN));
            }
            Known::Failed(count) if expires.is_none() && *failures == 0 => {
                *failures = count;
                tell(Err(Failure {
                    why: "another worker could not; a line of it says why".to_owned(),
                    is_denied: false,
                }));
            }
            _ => {}
        }
        if board.claim(now, CLAIM) {
            return None;
        }
        tokio::time::sleep(LOOK_AT_OTHERS).await;
    }
}

/// Tells the value of files, and again when they change.
async fn watch(source: Source, environment: Environment, tell: impl Fn(Result<Current, Failure>)) {
    let mut told = None;
    loop {
        let marks = source.marks();
        if told.as_ref() != Some(&marks)
            && let Some(read) = source.local(&environment)
        {
            tell(read.map(lasting).map_err(|why| Failure {
                why,
                is_denied: told.is_none() && source.is_denied(),
            }));
            told = Some(marks);
        }
        tokio::time::sleep(LOOK_AT_FILES).await;
    }
}

/// The error log is made of lines, and what endpoints say may have more.
fn one_line(text: &str) -> String {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let shown: Vec<String> = lines
        .map(|line| line.replace(char::is_control, "?"))
        .collect();
    shown.join("; ")
}

fn lasting(credential: Credential) -> Current {
    Current {
        credential: Arc::new(credential),
        expires: None,
    }
}

#[cfg(feature = "aws")]
use crate::aws::Fetcher;

/// Without AWS's providers there is nothing to ask: the configuration names no such source.
#[cfg(not(feature = "aws"))]
struct Fetcher;

#[cfg(not(feature = "aws"))]
impl Fetcher {
    fn new(_source: Source, _environment: Environment) -> Self {
        Self
    }

    async fn fetch(&mut self) -> Result<Current, String> {
        Err("no credentials: this module was built without AWS's credential providers, and AWS_ACCESS_KEY_ID and \
             AWS_SECRET_ACCESS_KEY are not set in nginx's environment"
            .to_owned())
    }
}

const LONGEST_FETCH: Duration = Duration::from_secs(20);
const EXPIRED: &str = "what came has expired already; is the clock of this machine right?";
const LOOK_AGAIN: Duration = Duration::from_secs(60);
const LOOK_AT_FILES: Duration = Duration::from_secs(1);
const CLAIM: Duration = Duration::from_secs(3);
const LOOK_AT_OTHERS: Duration = Duration::from_millis(100);
