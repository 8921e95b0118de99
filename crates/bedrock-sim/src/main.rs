//! The stand-in as a program. `bedrock-sim --help` lists its options.

use std::{
    collections::HashMap,
    env, fs,
    io::{self, Write},
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
    time::Duration,
};

use bedrock_sim::{
    Sim,
    auth::{Key, Keyring},
    server,
};
use hyper::body::Bytes;
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
};

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    if arguments
        .iter()
        .any(|argument| argument == "--help" || argument == "-h")
    {
        print!("{USAGE}");
        return ExitCode::SUCCESS;
    }
    let ended = Options::parse(arguments)
        .and_then(|options| run(options).map_err(|fault| fault.to_string()));
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => {
            eprintln!("bedrock-sim: {fault}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: Options) -> io::Result<()> {
    let sim = Sim {
        keyring: options.keyring,
        strict: options.strict,
        behind: options.behind,
        recordings: match &options.recorded {
            Some(directory) => recordings(directory)?,
            None => HashMap::new(),
        },
        ..Sim::default()
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let mut terminated = signal(SignalKind::terminate())?;
        let listener = TcpListener::bind(&options.listen).await?;
        let address = listener.local_addr()?;
        if let Some(file) = &options.port_file {
            write_atomically(file, &format!("{}\n", address.port()))?;
        }
        writeln!(io::stdout(), "listening on {address}")?;
        tokio::select! {
            _ = server::serve(listener, Arc::new(sim)) => {}
            _ = terminated.recv() => {}
            interrupted = tokio::signal::ctrl_c() => interrupted?,
            () = parent_gone(), if options.with_parent => {}
        }
        Ok(())
    })
}

/// The command line.
#[derive(Debug)]
struct Options {
    listen: String,
    port_file: Option<PathBuf>,
    keyring: Keyring,
    strict: bool,
    behind: HashMap<String, String>,
    recorded: Option<PathBuf>,
    with_parent: bool,
}

impl Options {
    fn parse(arguments: impl IntoIterator<Item = String>) -> Result<Self, String> {
        let mut options = Self {
            listen: "127.0.0.1:0".to_owned(),
            port_file: None,
            keyring: Keyring::default(),
            strict: false,
            behind: HashMap::new(),
            recorded: None,
            with_parent: false,
        };
        let mut arguments = arguments.into_iter();
        while let Some(name) = arguments.next() {
            let mut value = || {
                arguments
                    .next()
                    .ok_or_else(|| format!("{name} needs a value"))
            };
            match name.as_str() {
                "--listen" => options.listen = value()?,
                "--port-file" => options.port_file = Some(value()?.into()),
                "--region" => options.keyring.regions.push(value()?),
                "--key" => options.keyring.keys.push(key(&value()?)?),
                "--api-key" => options.keyring.api_keys.push(value()?),
                "--no-auth" => options.keyring.open = true,
                "--strict" => options.strict = true,
                "--behind" => {
                    let value = value()?;
                    let (id, model) = value
                        .split_once('=')
                        .ok_or("--behind is ID=MODEL: the model that stands behind an id or ARN")?;
                    options.behind.insert(id.to_owned(), model.to_owned());
                }
                "--recorded" => options.recorded = Some(value()?.into()),
                "--with-parent" => options.with_parent = true,
                _ => return Err(format!("unknown option {name}; try --help")),
            }
        }
        if options.keyring.keys.is_empty() {
            options.keyring.keys.push(key(DEFAULT_KEY)?);
        }
        if options.keyring.api_keys.is_empty() {
            options.keyring.api_keys.push(DEFAULT_API_KEY.to_owned());
        }
        Ok(options)
    }
}

/// Reads `ID:SECRET[:TOKEN]`.
fn key(text: &str) -> Result<Key, String> {
    let mut parts = text.splitn(3, ':').map(str::to_owned);
    match (parts.next(), parts.next(), parts.next()) {
        (Some(id), Some(secret), token) => Ok(Key { id, secret, token }),
        _ => Err("a key is ACCESS_KEY_ID:SECRET[:SESSION_TOKEN]".to_owned()),
    }
}

/// The `.bin` files of a directory by the names that model ids give them.
fn recordings(directory: &Path) -> io::Result<HashMap<String, Bytes>> {
    let mut found = HashMap::new();
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "bin")
            && let Some(name) = path.file_stem().and_then(|stem| stem.to_str())
        {
            found.insert(
                name.replace('_', "-").to_ascii_lowercase(),
                Bytes::from(fs::read(&path)?),
            );
        }
    }
    Ok(found)
}

fn write_atomically(file: &Path, text: &str) -> io::Result<()> {
    let mut draft = file.as_os_str().to_owned();
    draft.push(".new");
    fs::write(&draft, text)?;
    fs::rename(&draft, file)
}

/// Returns when the process that started this one is gone.
async fn parent_gone() {
    let parent = std::os::unix::process::parent_id();
    while std::os::unix::process::parent_id() == parent {
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

const DEFAULT_KEY: &str = "AKIDEXAMPLE:wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
const DEFAULT_API_KEY: &str = "bedrock-api-key-EXAMPLE";
const USAGE: &str = "\
A stand-in for Amazon Bedrock's runtime API; the model id in a request chooses the answer (see the crate's docs).

  --listen ADDRESS:PORT         where to listen; port 0 picks one (127.0.0.1:0)
  --port-file FILE              writes the port there once it accepts connections
  --region REGION               a region signatures may be for; repeatable (any)
  --key ID:SECRET[:TOKEN]       an access key that may sign; repeatable (AWS's example key)
  --api-key KEY                 an API key that may be sent as a bearer; repeatable (bedrock-api-key-EXAMPLE)
  --no-auth                     lets everyone in
  --strict                      refuses what the model's family refuses, and headers that a gateway should have removed
  --behind ID=MODEL             the model that stands behind an id or ARN that does not show it; repeatable
  --recorded DIRECTORY          streams to replay: sim.recorded.NAME is NAME.bin, with - for _
  --with-parent                 ends when the process that started it does
";

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Options, String> {
        Options::parse(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn defaults_are_the_examples() {
        let options = parse("").unwrap();
        assert_eq!(options.keyring.keys[0].id, "AKIDEXAMPLE");
        assert_eq!(options.keyring.api_keys, [DEFAULT_API_KEY]);
        assert!(!options.keyring.open && !options.strict && options.keyring.regions.is_empty());
    }

    #[test]
    fn options_are_read() {
        let options =
            parse("--key A:b --key C:d:e:f --region r1 --region r2 --api-key k --strict").unwrap();
        assert_eq!(options.keyring.keys.len(), 2);
        assert_eq!(options.keyring.keys[1].token.as_deref(), Some("e:f"));
        assert_eq!(options.keyring.regions, ["r1", "r2"]);
        assert!(options.strict);
        let options = parse("--behind arn:x=us.a.b-v1:0").unwrap();
        assert_eq!(options.behind["arn:x"], "us.a.b-v1:0");
    }

    #[test]
    fn faults_are_named() {
        assert_eq!(parse("--listen").unwrap_err(), "--listen needs a value");
        assert_eq!(
            parse("--lisen x").unwrap_err(),
            "unknown option --lisen; try --help"
        );
        assert!(parse("--key A").is_err() && parse("--behind x").is_err());
    }
}
