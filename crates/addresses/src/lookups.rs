//! Look-ups in threads. One may take for ever: the system's resolver has no limit for DNS over TCP, and cannot be stopped. So
//! each has a thread of its own, which is left alone when its answer is waited for no longer.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use crate::{MOST_ADDRESSES, Question};

/// Asks the system for the addresses of a name, and waits for them. The ports of the answer mean nothing.
pub type Lookup = fn(&Question) -> Answer;

/// Addresses, at least one, in an order that does not depend on how the answer was ordered; or a sentence about why there are
/// none.
pub type Answer = Result<Vec<SocketAddr>, String>;

/// Names, and the look-ups that are under way for them: at most one that is waited for, for each.
pub struct Lookups {
    lookup: Lookup,
    names: Vec<Name>,
    sender: Sender<Finished>,
    receiver: Receiver<Finished>,
    announce: Arc<dyn Fn() + Send + Sync>,
}

struct Name {
    question: Question,
    /// When the look-up was begun that is under way.
    since: Option<u64>,
    /// How many in a row were given up.
    given_up: u32,
}

/// A look-up that has come to its end.
pub struct Finished {
    /// Which name, by its place in the list given to [`Lookups::new`].
    pub index: usize,
    /// The time that was given to [`Lookups::start`].
    pub asked: u64,
    /// What came.
    pub answer: Answer,
}

impl Lookups {
    /// For `questions`, by `lookup`. After each answer `announce` is called, in the thread that has it.
    pub fn new(
        questions: Vec<Question>,
        lookup: Lookup,
        announce: impl Fn() + Send + Sync + 'static,
    ) -> Self {
        let (sender, receiver) = channel();
        let names = questions.into_iter().map(|question| Name {
            question,
            since: None,
            given_up: 0,
        });
        Self {
            lookup,
            names: names.collect(),
            sender,
            receiver,
            announce: Arc::new(announce),
        }
    }

    /// Whether an answer is waited for.
    pub fn is_under_way(&self, index: usize) -> bool {
        self.names
            .get(index)
            .is_some_and(|name| name.since.is_some())
    }

    /// Begins to look up a name; `now` in milliseconds.
    ///
    /// # Errors
    /// The system gives no thread.
    pub fn start(&mut self, index: usize, now: u64) -> io::Result<()> {
        let Some(name) = self.names.get_mut(index) else {
            return Ok(());
        };
        let announce = Arc::clone(&self.announce);
        let sender = self.sender.clone();
        in_thread(self.lookup, &name.question, move |answer| {
            let finished = Finished {
                index,
                asked: now,
                answer,
            };
            // Nobody listens any more when the worker is about to end.
            if sender.send(finished).is_ok() {
                announce();
            }
        })?;
        name.since = Some(now);
        Ok(())
    }

    /// The next look-up that has ended, or that is waited for no longer: 30 seconds, and twice as long each time in a row, as
    /// each leaves a thread behind. If its answer comes after all, that is one more.
    pub fn next_finished(&mut self, now: u64) -> Option<Finished> {
        if let Ok(finished) = self.receiver.try_recv() {
            if let Some(name) = self.names.get_mut(finished.index) {
                name.given_up = 0;
                if name.since == Some(finished.asked) {
                    name.since = None;
                }
            }
            return Some(finished);
        }
        let mut names = self.names.iter_mut().enumerate();
        names.find_map(|(index, name)| {
            let asked = name.since?;
            let patience = (PATIENCE << name.given_up.min(10)).min(LONGEST_PATIENCE);
            if now.saturating_sub(asked) < patience {
                return None;
            }
            name.since = None;
            name.given_up += 1;
            Some(Finished {
                index,
                asked,
                answer: Err(format!("no answer within {} seconds", patience / 1000)),
            })
        })
    }
}

/// Looks up all `questions` at once, and waits for the answers, `limit` at most.
pub fn all(questions: &[Question], lookup: Lookup, limit: Duration) -> Vec<Answer> {
    let until = Instant::now() + limit;
    let (sender, receiver) = channel();
    let late = || Err(format!("no answer within {} seconds", limit.as_secs()));
    let mut answers: Vec<Answer> = questions.iter().map(|_| late()).collect();
    for (index, question) in questions.iter().enumerate() {
        let sender = sender.clone();
        let tell = move |answer| {
            let _ = sender.send((index, answer));
        };
        if let Err(why) = in_thread(lookup, question, tell)
            && let Some(answer) = answers.get_mut(index)
        {
            *answer = Err(format!("no thread for it: {why}"));
        }
    }
    // Without those of the threads there is no sender left.
    drop(sender);
    let left = || until.saturating_duration_since(Instant::now());
    while let Ok((index, answer)) = receiver.recv_timeout(left()) {
        if let Some(place) = answers.get_mut(index) {
            *place = answer;
        }
    }
    answers
}

fn in_thread(
    lookup: Lookup,
    question: &Question,
    tell: impl FnOnce(Answer) + Send + 'static,
) -> io::Result<()> {
    let question = question.clone();
    thread::Builder::new()
        .name("bedrock-dns".to_owned())
        .spawn(move || tell(lookup(&question).and_then(in_order)))?;
    Ok(())
}

/// DNS rotates its answers, and may repeat an address.
fn in_order(mut addresses: Vec<SocketAddr>) -> Answer {
    for address in &mut addresses {
        address.set_port(0);
    }
    addresses.sort();
    addresses.dedup();
    addresses.truncate(MOST_ADDRESSES);
    match addresses.is_empty() {
        true => Err("the answer holds no address".to_owned()),
        false => Ok(addresses),
    }
}

const PATIENCE: u64 = 30_000;
const LONGEST_PATIENCE: u64 = 3_600_000;

#[cfg(test)]
mod tests {
    use super::*;

    fn question(host: &str) -> Question {
        Question {
            host: host.to_owned(),
            ipv6: false,
        }
    }

    /// "hang", "fail", or addresses with commas between them.
    fn pretend(question: &Question) -> Answer {
        match question.host.as_str() {
            "hang" => loop {
                thread::park();
            },
            "fail" => Err("no such name".to_owned()),
            list => Ok(list
                .split(',')
                .filter(|text| !text.is_empty())
                .map(|text| SocketAddr::new(text.parse().unwrap(), 7))
                .collect()),
        }
    }

    fn lookups(hosts: &[&str]) -> (Lookups, Receiver<()>) {
        let (sender, announced) = channel();
        let questions = hosts.iter().map(|host| question(host)).collect();
        let lookups = Lookups::new(questions, pretend, move || sender.send(()).unwrap());
        (lookups, announced)
    }

    #[test]
    fn answers_are_announced_and_in_order() {
        let (mut lookups, announced) = lookups(&["10.0.0.2,::1,10.0.0.1,10.0.0.2", "fail", ""]);
        for (index, expected) in [
            (0, Ok("10.0.0.1:0 10.0.0.2:0 [::1]:0")),
            (1, Err("no such name")),
            (2, Err("the answer holds no address")),
        ] {
            lookups.start(index, 5).unwrap();
            assert!(lookups.is_under_way(index));
            announced.recv().unwrap();
            let finished = lookups.next_finished(5).unwrap();
            assert_eq!((finished.index, finished.asked), (index, 5));
            let shown = finished.answer.map(|addresses| {
                let texts: Vec<_> = addresses.iter().map(ToString::to_string).collect();
                texts.join(" ")
            });
            assert_eq!(shown.as_deref().map_err(String::as_str), expected);
            assert!(!lookups.is_under_way(index) && lookups.next_finished(5).is_none());
        }
    }

    #[test]
    fn one_that_hangs_holds_up_no_other_and_is_given_up() {
        let (mut lookups, announced) = lookups(&["hang", "::1"]);
        lookups.start(0, 0).unwrap();
        lookups.start(1, 0).unwrap();
        announced.recv().unwrap();
        assert_eq!(lookups.next_finished(0).unwrap().index, 1);
        let mut now = 0;
        for patience in [30, 60, 120] {
            assert!(lookups.next_finished(now + patience * 1000 - 1).is_none());
            assert!(lookups.is_under_way(0));
            let finished = lookups.next_finished(now + patience * 1000).unwrap();
            assert_eq!(finished.asked, now);
            assert!(finished.answer.is_err() && !lookups.is_under_way(0));
            now += patience * 1000;
            lookups.start(0, now).unwrap();
        }
    }

    #[test]
    fn all_at_once_within_a_time() {
        let questions = ["hang", "127.0.0.1", "fail"].map(question);
        let answers = all(&questions, pretend, Duration::from_millis(300));
        assert_eq!(answers[0], Err("no answer within 0 seconds".to_owned()));
        assert_eq!(answers[1].as_ref().unwrap().len(), 1);
        assert_eq!(answers[2], Err("no such name".to_owned()));
        assert!(all(&[], pretend, Duration::from_secs(60)).is_empty());
        let started = Instant::now();
        all(&questions[1..], pretend, Duration::from_secs(60));
        assert!(started.elapsed() < Duration::from_secs(30));
    }
}
