//! The keeper with files, with commands, and against an STS of a few lines.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used
)]

use std::fs;
#[cfg(feature = "aws")]
use std::io::{BufRead, BufReader, Read, Write};
#[cfg(feature = "aws")]
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;
#[cfg(feature = "aws")]
use std::time::{Instant, SystemTime};

use bedrock_credentials::{
    Credential, Environment, Failure, Given, Keeper, Kept, Kind, Source, Update,
};

/// How long anything may take here.
const SOON: Duration = Duration::from_secs(10);

fn source(kind: Kind) -> Source {
    Source {
        kind,
        ..Source::default_chain()
    }
}

fn start(source: Source) -> (Keeper, Receiver<Update>, Arc<AtomicUsize>) {
    let (sender, updates) = channel();
    let announced = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&announced);
    let kept = Kept {
        source,
        board: None,
    };
    let keeper = Keeper::start(vec![kept], Environment::default(), sender, move || {
        count.fetch_add(1, Ordering::SeqCst);
    })
    .unwrap();
    (keeper, updates, announced)
}

fn api_key(update: Update) -> Result<String, Failure> {
    update
        .result
        .map(|current| match current.credential.as_ref() {
            Credential::ApiKey(key) => key.as_str().to_owned(),
            Credential::Keys(_) => panic!("keys"),
        })
}

#[test]
fn a_file_is_told_at_once_and_when_it_changes() {
    let path = std::env::temp_dir().join(format!("keeper-{}", std::process::id()));
    fs::write(&path, "one\n").unwrap();
    let given = Given::read(&format!("file:{}", path.display())).unwrap();
    let (keeper, updates, announced) = start(source(Kind::ApiKey(given)));
    let next = || api_key(updates.recv_timeout(SOON).unwrap());
    assert_eq!(next().unwrap(), "one");
    // Replaced, as a kubelet does.
    let new = path.with_extension("new");
    fs::write(&new, "two\n").unwrap();
    fs::rename(&new, &path).unwrap();
    assert_eq!(next().unwrap(), "two");
    fs::remove_file(&path).unwrap();
    let gone = next().unwrap_err();
    assert!(gone.why.contains("cannot read") && !gone.is_denied);
    fs::write(&path, "three").unwrap();
    // The file may be seen while it is still empty.
    let told = next().or_else(|_| next());
    assert_eq!(told.unwrap(), "three");
    drop(keeper);
    assert!(updates.recv().is_err(), "the thread lives on");
    // It announces what it has told, so that all of it is announced only now.
    assert!(announced.load(Ordering::SeqCst) >= 4);
    fs::remove_file(&path).unwrap();
}

#[cfg(feature = "aws")]
mod process {
    use bedrock_credentials::{Board, Identity, Lock, Slot};

    use super::*;

    #[test]
    fn what_a_command_prints_and_why_it_did_not() {
        let command = r#"echo '{"Version":1,"AccessKeyId":"A","SecretAccessKey":"S"}'"#;
        let (_keeper, updates, _) = start(source(Kind::Process(command.to_owned())));
        let update = updates.recv_timeout(SOON).unwrap();
        let current = update.result.unwrap();
        assert!(
            matches!(current.credential.as_ref(), Credential::Keys(keys) if keys.access_key_id() == "A")
        );
        assert_eq!(current.expires, None);

        let command = "printf 'first\\nno \\033 luck\\n' >&2; exit 3";
        let (_keeper, updates, _) = start(source(Kind::Process(command.to_owned())));
        let why = updates.recv_timeout(SOON).unwrap().result.unwrap_err().why;
        assert!(
            why.contains("no") && why.contains("luck") && why.contains('3'),
            "{why}"
        );
        assert!(!why.contains(char::is_control), "{why:?}");
    }

    #[test]
    fn what_came_expired_is_an_error() {
        let command = r#"echo '{"Version":1,"AccessKeyId":"A","SecretAccessKey":"S","Expiration":"2020-01-01T00:00:00Z"}'"#;
        let (_keeper, updates, _) = start(source(Kind::Process(command.to_owned())));
        let why = updates.recv_timeout(SOON).unwrap().result.unwrap_err().why;
        assert!(why.contains("expired already"), "{why}");
        // And it is not asked for again without a pause.
        let began = Instant::now();
        updates.recv_timeout(SOON).unwrap().result.unwrap_err();
        assert!(began.elapsed() > Duration::from_millis(300));
    }

    #[test]
    fn refreshes_that_are_asked_for_at_once_are_one() {
        let path = std::env::temp_dir().join(format!("keeper-runs-{}", std::process::id()));
        let _ = fs::remove_file(&path);
        let command = format!(
            r#"echo run >>{}; sleep 0.2; echo '{{"Version":1,"AccessKeyId":"A","SecretAccessKey":"S"}}'"#,
            path.display()
        );
        let (keeper, updates, _) = start(source(Kind::Process(command)));
        updates.recv_timeout(SOON).unwrap().result.unwrap();
        // Until the next fetch has begun, and while it runs.
        let runs = || fs::read_to_string(&path).unwrap().lines().count();
        while runs() < 2 {
            keeper.refresh(0);
            std::thread::sleep(Duration::from_millis(1));
        }
        for _ in 0..100 {
            keeper.refresh(0);
        }
        updates.recv_timeout(SOON).unwrap().result.unwrap();
        assert!(updates.recv_timeout(Duration::from_millis(1500)).is_err());
        assert_eq!(runs(), 2);
        fs::remove_file(&path).unwrap();
    }

    struct Alone(std::sync::Mutex<()>);

    impl Lock for Alone {
        fn hold(&self, work: &mut dyn FnMut()) -> bool {
            let _guard = self.0.lock().unwrap();
            work();
            true
        }
    }

    /// Workers of one nginx.
    fn workers(
        command: &str,
        slots: &'static [Slot],
        count: usize,
    ) -> Vec<(Keeper, Receiver<Update>)> {
        let lock: Arc<dyn Lock> = Arc::new(Alone(std::sync::Mutex::new(())));
        let environment = Environment::default();
        let start = |_| {
            let source = source(Kind::Process(command.to_owned()));
            let identity = Identity::of(&source, &environment);
            let board = Board::find(slots, Arc::clone(&lock), identity);
            let (sender, updates) = channel();
            let kept = Kept { source, board };
            let keeper = Keeper::start(vec![kept], environment.clone(), sender, || {}).unwrap();
            (keeper, updates)
        };
        (0..count).map(start).collect()
    }

    fn slots() -> &'static [Slot] {
        Vec::from([Slot::default()]).leak()
    }

    #[test]
    fn one_of_many_workers_fetches_and_later_ones_have_it_though_the_source_fails() {
        let path = std::env::temp_dir().join(format!("keeper-shared-{}", std::process::id()));
        let _ = fs::remove_file(&path);
        let works = path.with_extension("works");
        fs::write(&works, "").unwrap();
        let expiration = "$(date -u -d '+1 hour' +%FT%TZ)";
        let command = format!(
            r#"echo run >>{}; test -e {} || exit 1; sleep 0.2; echo "{{\"Version\":1,\"AccessKeyId\":\"A$$\",\"SecretAccessKey\":\"S\",\"Expiration\":\"{expiration}\"}}""#,
            path.display(),
            works.display()
        );
        let slots = slots();
        let id = |updates: &Receiver<Update>| {
            let current = updates.recv_timeout(SOON).unwrap().result.unwrap();
            match current.credential.as_ref() {
                Credential::Keys(keys) => keys.access_key_id().to_owned(),
                Credential::ApiKey(_) => panic!("no keys"),
            }
        };
        let first = workers(&command, slots, 8);
        let ids: Vec<String> = first.iter().map(|(_, updates)| id(updates)).collect();
        assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
        let runs = || fs::read_to_string(&path).unwrap().lines().count();
        assert_eq!(runs(), 1);
        // A reload, with the source out of order.
        fs::remove_file(&works).unwrap();
        drop(first);
        let second = workers(&command, slots, 8);
        let again: Vec<String> = second.iter().map(|(_, updates)| id(updates)).collect();
        assert_eq!((again, runs()), (ids, 1));
        // AWS says that it has expired: one asks for another, and the last one goes on serving.
        second[0].0.refresh(0);
        let failed = second[0].1.recv_timeout(SOON).unwrap().result;
        assert!(failed.unwrap_err().why.contains("exit"));
        fs::remove_file(&path).unwrap();
    }

    #[test]
    fn a_failure_is_known_to_all_and_tried_again_by_one() {
        let path = std::env::temp_dir().join(format!("keeper-fails-{}", std::process::id()));
        let _ = fs::remove_file(&path);
        let command = format!("echo run >>{}; exit 1", path.display());
        let workers = workers(&command, slots(), 4);
        let whys: Vec<String> = workers
            .iter()
            .map(|(_, updates)| updates.recv_timeout(SOON).unwrap().result.unwrap_err().why)
            .collect();
        assert_eq!(
            whys.iter()
                .filter(|why| why.contains("another worker"))
                .count(),
            3,
            "{whys:?}"
        );
        std::thread::sleep(Duration::from_millis(1200));
        // Each alone would have tried twice or three times by now.
        let runs = fs::read_to_string(&path).unwrap().lines().count();
        assert!(runs <= 4, "{runs}");
        fs::remove_file(&path).unwrap();
    }

    #[test]
    fn the_end_does_not_wait_for_a_command_nor_leave_it() {
        let path = std::env::temp_dir().join(format!("keeper-pid-{}", std::process::id()));
        let _ = fs::remove_file(&path);
        let command = format!("echo $$ >{}; sleep 60; true", path.display());
        let (keeper, updates, _) = start(source(Kind::Process(command)));
        let end = Instant::now() + SOON;
        let pid = loop {
            let text = fs::read_to_string(&path).unwrap_or_default();
            if text.ends_with('\n') {
                break text.trim().to_owned();
            }
            assert!(Instant::now() < end, "the command was not run");
            std::thread::sleep(Duration::from_millis(5));
        };
        let began = Instant::now();
        drop(keeper);
        assert!(began.elapsed() < Duration::from_secs(1));
        assert!(updates.recv().is_err());
        let alive = || {
            let state = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            !state.is_empty() && !state.contains(") Z ")
        };
        while alive() {
            assert!(Instant::now() < end, "the command lives on");
            std::thread::sleep(Duration::from_millis(5));
        }
        fs::remove_file(&path).unwrap();
    }
}

#[cfg(feature = "aws")]
#[test]
fn short_keys_are_refreshed_in_time() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for (number, client) in listener.incoming().enumerate() {
            answer(client.unwrap(), number);
        }
    });
    let path = std::env::temp_dir().join(format!("keeper-token-{}", std::process::id()));
    fs::write(&path, "token").unwrap();
    let source = Source {
        sts_endpoint: Some(endpoint),
        ..source(Kind::WebIdentity {
            token_file: path.display().to_string(),
            role: bedrock_credentials::Role {
                arn: "arn:aws:iam::123456789012:role/x".to_owned(),
                session_name: "me".to_owned(),
                external_id: None,
            },
        })
    };
    let (_keeper, updates, _) = start(source);
    let mut before: Option<bedrock_credentials::Current> = None;
    for number in 0..5 {
        let current = updates.recv_timeout(SOON).unwrap().result.unwrap();
        if let Some(before) = before {
            assert!(before.is_valid(SystemTime::now()), "too late");
        }
        assert!(
            matches!(current.credential.as_ref(), Credential::Keys(keys) if keys.access_key_id() == format!("KEY{number}"))
        );
        before = Some(current);
    }
    fs::remove_file(&path).unwrap();
}

/// Answers AssumeRoleWithWebIdentity with keys for two seconds.
#[cfg(feature = "aws")]
fn answer(mut client: TcpStream, number: usize) {
    let mut reader = BufReader::new(client.try_clone().unwrap());
    let mut length = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            length = value.trim().parse().unwrap();
        }
        if line.trim().is_empty() {
            break;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    let expires = SystemTime::now() + Duration::from_secs(2);
    let seconds = expires
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap()
        .as_secs();
    let expires = aws_smithy_types::DateTime::from_secs(i64::try_from(seconds).unwrap());
    let expires = expires
        .fmt(aws_smithy_types::date_time::Format::DateTime)
        .unwrap();
    let text = format!(
        "<AssumeRoleWithWebIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">\
         <AssumeRoleWithWebIdentityResult><Credentials><AccessKeyId>KEY{number}</AccessKeyId>\
         <SecretAccessKey>S</SecretAccessKey><SessionToken>T</SessionToken><Expiration>{expires}</Expiration>\
         </Credentials></AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>"
    );
    write!(
        client,
        "HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{text}",
        text.len()
    )
    .unwrap();
}
