//! Follows the addresses of names: what `bedrock_resolve` asks for.
//!
//! The system's resolver is asked in threads of its own. What it says is kept in shared memory, where it outlives workers and
//! reloads; each worker looks there now and then, and one of them asks when it is time. Which requests get which addresses is
//! decided on the event loop.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::time::Duration;

use addresses::{Answer, Board, Finished, Lookups, MOST_NAMES, Question, all};

use crate::directives::upstream::UpstreamConf;
use crate::nginx::conf::Conf;
use crate::nginx::ffi::{
    NGX_ERROR, ngx_event_t, ngx_http_request_t, ngx_http_upstream_srv_conf_t, ngx_int_t,
};
use crate::nginx::guard::guard;
use crate::nginx::log::{Level, cycle_log, cycle_log_of};
use crate::nginx::lookup::look_up;
use crate::nginx::timer::{Instant, Timer};
use crate::nginx::upstream_block::UpstreamBlock;
use crate::nginx::wakeup::without_signals;
use crate::nginx::zone::Zone;

/// What is followed in a configuration.
pub struct Following {
    names: Vec<Name>,
    upstreams: Vec<Upstream>,
    zone: &'static Zone<Board>,
}

/// A name, for all upstreams that have it.
#[derive(Clone)]
struct Name {
    question: Question,
    /// Milliseconds; the shortest of those upstreams.
    valid: u64,
}

/// An upstream, and what we keep with it. Both are part of the configuration, and live as long as that.
#[derive(Clone, Copy)]
struct Upstream {
    block: UpstreamBlock,
    conf: &'static UpstreamConf,
}

/// Sees to all upstreams with `bedrock_resolve`: the configuration has been read, and their balancers are set up. The names are
/// looked up for the first time; nginx starts without an answer, too.
///
/// # Errors
/// An upstream in which it cannot work, which has been reported.
pub fn settle(cf: &Conf) -> Result<Option<Following>, ()> {
    let mut names: Vec<(Name, String)> = Vec::new();
    let mut upstreams = Vec::new();
    for block in UpstreamBlock::all(cf) {
        let Some(conf) = block.conf::<UpstreamConf>(crate::bedrock_module()) else {
            continue;
        };
        // SAFETY: made by create_srv_conf; only one callback runs at a time, and none keeps the reference.
        let settled = unsafe { settle_one(cf, block, &mut *conf, &mut names)? };
        if settled {
            // SAFETY: it lives as long as the configuration, and is only read from now on.
            let conf = unsafe { &*conf };
            conf.balancer.take_over(block, init_peer);
            upstreams.push(Upstream { block, conf });
        }
    }
    if upstreams.is_empty() {
        return Ok(None);
    }
    let (names, places): (Vec<Name>, Vec<String>) = names.into_iter().unzip();
    let questions: Vec<Question> = names.iter().map(|name| name.question.clone()).collect();
    let asked = Instant::now().milliseconds();
    let answers = without_signals(|| all(&questions, answer, LONGEST_START));
    for ((name, place), answer) in names.iter().zip(&places).zip(&answers) {
        if let Err(why) = answer {
            let host = &name.question.host;
            let message = format!(
                "host \"{host}\" could not be looked up ({why}); until it can be, its last known addresses are used, if there \
                 are any,"
            );
            cf.complain_at(Level::Warn, &message, place);
        }
    }
    let begin = move |board: &mut Board| {
        board.make_room(&questions);
        for (question, answer) in questions.iter().zip(&answers) {
            if let Some(slot) = board.slot(question) {
                slot.ask(asked);
                slot.answered(asked, answer.as_deref().ok());
            }
        }
    };
    let zone = Zone::add(cf, crate::bedrock_module(), c"bedrock_resolve", begin).ok_or(())?;
    Ok(Some(Following {
        names,
        upstreams,
        zone,
    }))
}

/// Whether there is something to follow in it.
fn settle_one(
    cf: &Conf,
    block: UpstreamBlock,
    conf: &mut UpstreamConf,
    names: &mut Vec<(Name, String)>,
) -> Result<bool, ()> {
    let Some(resolve) = &conf.resolve else {
        return Ok(false);
    };
    let upstream = block.name();
    if let Some((directive, place)) = conf.noted.first() {
        let message = format!(
            "\"{directive}\" directive in upstream \"{upstream}\" does not work with \"bedrock_resolve\": remove one of the two"
        );
        cf.complain_at(Level::Emerg, &message, place);
        return Err(());
    }
    if conf.servers.is_empty() {
        let message = format!(
            "\"bedrock_resolve\" directive does nothing in upstream \"{upstream}\": none of its servers has a name"
        );
        cf.complain_at(Level::Warn, &message, &resolve.place);
        return Ok(false);
    }
    let valid = u64::try_from(resolve.valid.as_millis()).unwrap_or(u64::MAX);
    for mut server in std::mem::take(&mut conf.servers) {
        let known = names
            .iter()
            .position(|(name, _)| name.question == server.question);
        let count = names.len();
        server.named.name = known.unwrap_or(count);
        match names.get_mut(server.named.name) {
            Some((name, _)) => name.valid = name.valid.min(valid),
            None if count == MOST_NAMES => {
                let message = format!(
                    "\"bedrock_resolve\" directive looks up {MOST_NAMES} names at most in all upstreams, and there are more"
                );
                cf.complain_at(Level::Emerg, &message, &server.place);
                return Err(());
            }
            None => {
                let question = server.question;
                names.push((Name { question, valid }, server.place));
            }
        }
        conf.named.push(server.named);
    }
    Ok(true)
}

fn answer(question: &Question) -> Answer {
    look_up(&question.host, question.ipv6)
}

/// Called by nginx for each request to an upstream whose names are looked up.
unsafe extern "C" fn init_peer(
    r: *mut ngx_http_request_t,
    us: *mut ngx_http_upstream_srv_conf_t,
) -> ngx_int_t {
    guard(NGX_ERROR as ngx_int_t, || {
        // SAFETY: nginx calls this with a live request, and an upstream that `settle` has seen to.
        unsafe {
            let block = UpstreamBlock::from_raw(us);
            match block.conf::<UpstreamConf>(crate::bedrock_module()) {
                Some(conf) => (*conf).balancer.init(r, us),
                None => NGX_ERROR as ngx_int_t,
            }
        }
    })
}

/// What a worker keeps.
struct Worker {
    names: Vec<Known>,
    upstreams: Vec<Upstream>,
    zone: &'static Zone<Board>,
    /// None if the event loop cannot be woken, which was reported: the addresses of other workers are followed all the same.
    lookups: Option<Lookups>,
    tick: Duration,
    timer: Option<Timer>,
}

/// A name as a worker knows it.
struct Known {
    name: Name,
    addresses: Vec<SocketAddr>,
    /// Which generation of the board's these are.
    generation: Option<u32>,
    /// Connections fail.
    urgent: bool,
}

thread_local! {
    static WORKER: RefCell<Option<Worker>> = const { RefCell::new(None) };
}

/// Begins in a worker: the addresses that are known are used at once. `announce` wakes the event loop, which then calls
/// [`take_answers`].
pub fn start(following: &Following, announce: Option<impl Fn() + Send + Sync + 'static>) {
    if announce.is_none() {
        cycle_log(
            Level::Error,
            "bedrock: no connection for the answers of the system's resolver: names are not looked up; raise worker_connections",
        );
    }
    let names = following.names.iter();
    let questions = names.clone().map(|name| name.question.clone()).collect();
    let shortest = names.clone().map(|name| name.valid).min().unwrap_or(0);
    let worker = Worker {
        names: names
            .map(|name| Known {
                name: name.clone(),
                addresses: Vec::new(),
                generation: None,
                urgent: false,
            })
            .collect(),
        upstreams: following.upstreams.clone(),
        zone: following.zone,
        lookups: announce.map(|announce| Lookups::new(questions, answer, announce)),
        tick: Duration::from_millis(shortest / 4).clamp(SHORTEST_TICK, LONGEST_TICK),
        timer: None,
    };
    WORKER.with_borrow_mut(|slot| slot.insert(worker).turn());
}

/// Forgets the addresses. Look-ups that are under way end by themselves, and tell nobody.
pub fn stop() {
    if let Some(worker) = WORKER.take() {
        for upstream in worker.upstreams {
            upstream.conf.balancer.forget();
        }
    }
}

/// Called on the event loop when a look-up has ended.
pub fn take_answers() {
    WORKER.with_borrow_mut(|worker| {
        if let Some(worker) = worker {
            worker.look();
        }
    });
}

unsafe extern "C" fn on_timer(_event: *mut ngx_event_t) {
    guard((), || {
        WORKER.with_borrow_mut(|worker| {
            if let Some(worker) = worker {
                worker.turn();
            }
        });
    });
}

impl Worker {
    /// Looks around, and again after a while.
    fn turn(&mut self) {
        self.timer = Some(Timer::that_nobody_waits_for(
            self.tick,
            on_timer,
            cycle_log_of(),
        ));
        for upstream in &self.upstreams {
            if upstream.conf.balancer.take_failed() {
                for named in &upstream.conf.named {
                    if let Some(known) = self.names.get_mut(named.name) {
                        known.urgent = true;
                    }
                }
            }
        }
        self.look();
    }

    /// Takes what came, asks where it is time to, and uses what is new.
    fn look(&mut self) {
        let now = Instant::now().milliseconds();
        while let Some(finished) = self.lookups.as_mut().and_then(|it| it.next_finished(now)) {
            self.take(finished);
        }
        let mut due = Vec::new();
        let mut changed = Vec::new();
        if let Some(mut board) = self.zone.lock() {
            for (index, known) in self.names.iter_mut().enumerate() {
                // Another configuration may need the place more.
                let Some(slot) = board.slot(&known.name.question) else {
                    continue;
                };
                if known.generation != Some(slot.generation()) {
                    known.generation = Some(slot.generation());
                    known.addresses = slot.addresses();
                    changed.push(index);
                }
                let asks = self
                    .lookups
                    .as_ref()
                    .is_some_and(|lookups| !lookups.is_under_way(index));
                if asks && slot.is_due(now, known.name.valid, known.urgent) {
                    slot.ask(now);
                    known.urgent = false;
                    due.push(index);
                }
            }
        }
        self.exchange(&changed);
        for index in due {
            let Some(lookups) = &mut self.lookups else {
                continue;
            };
            if let Err(why) = without_signals(|| lookups.start(index, now)) {
                let answer = Err(format!("no thread for it: {why}"));
                self.take(Finished {
                    index,
                    asked: now,
                    answer,
                });
            }
        }
    }

    /// Keeps what came, and says so if it is a change for the better or the worse.
    fn take(&self, finished: Finished) {
        let Some(known) = self.names.get(finished.index) else {
            return;
        };
        let host = &known.name.question.host;
        let (outcome, count) = {
            let Some(mut board) = self.zone.lock() else {
                return;
            };
            let Some(slot) = board.slot(&known.name.question) else {
                return;
            };
            let outcome = slot.answered(finished.asked, finished.answer.as_deref().ok());
            (outcome, slot.addresses().len())
        };
        if let (true, Err(why)) = (outcome.failed, &finished.answer) {
            let meanwhile = match count {
                0 => "requests to it fail with 502 until it can be".to_owned(),
                count => format!("the last addresses go on to be used, {count} of them"),
            };
            let message =
                format!("bedrock: host \"{host}\" could not be looked up: {why}; {meanwhile}");
            cycle_log(Level::Warn, &message);
        }
        if outcome.recovered {
            let message =
                format!("bedrock: host \"{host}\" can be looked up again: {count} addresses");
            cycle_log(Level::Warn, &message);
        }
    }

    /// Gives upstreams the addresses of the names that have others.
    fn exchange(&self, changed: &[usize]) {
        let found: Vec<Vec<SocketAddr>> = match changed {
            [] => return,
            _ => self
                .names
                .iter()
                .map(|known| known.addresses.clone())
                .collect(),
        };
        for upstream in &self.upstreams {
            let named = &upstream.conf.named;
            if named.iter().any(|line| changed.contains(&line.name)) {
                upstream
                    .conf
                    .balancer
                    .exchange(upstream.block, named, &found);
                let count: usize = named
                    .iter()
                    .filter_map(|line| found.get(line.name))
                    .map(Vec::len)
                    .sum();
                let message = format!(
                    "bedrock: upstream \"{}\" has {count} addresses by name now",
                    upstream.block.name()
                );
                cycle_log(Level::Info, &message);
            }
        }
    }
}

/// How long nginx waits at its start and at a reload; a resolver that does not answer usually needs this long for one server.
const LONGEST_START: Duration = Duration::from_secs(5);
const SHORTEST_TICK: Duration = Duration::from_millis(50);
const LONGEST_TICK: Duration = Duration::from_secs(1);
