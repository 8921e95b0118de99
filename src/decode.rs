//! A body that the client has compressed. A thread decodes it, once for all attempts; from then on it stands for the client's,
//! which stays what the log sees.

use std::fs::File;
use std::io::{self, Write};
use std::path::PathBuf;

use gateway::encoding::{Coding, unsupported};
use gateway::{Api, Refusal};

use crate::attempt::Awaited;
use crate::context::Handle;
use crate::directives::location::Auth;
use crate::nginx::body::{self, Pieces};
use crate::nginx::headers;
use crate::nginx::request::Request;
use crate::nginx::task::Outcome;
use crate::rewrite::in_thread;
use crate::room::Share;
use crate::{LARGE_BODY, location_conf};

/// What a body decodes to.
pub enum Decoded {
    /// Little enough for memory.
    Memory(Vec<u8>),
    /// More: a file without a name, and how long it is.
    File(File, usize),
}

/// Whether the body can be looked at.
pub enum Step {
    /// Yes; what was waited for to work on it was not used.
    Ready(Option<Share>),
    /// Not yet: a thread decodes it, or will when it is its turn.
    Waits,
}

/// Has the body of a request decoded, if that is not done and the client says that it is compressed. The body has been read.
///
/// # Errors
/// 415: not in a way that is known here. 500: no thread takes it.
pub fn begin(request: Request, context: Handle, share: Option<Share>) -> Result<Step, Refusal> {
    if context.asked.decoded.is_some() {
        return Ok(Step::Ready(share));
    }
    // It goes on as it came.
    if location_conf(request).is_some_and(|conf| conf.api == Some(Some(Api::Aws))) {
        return Ok(Step::Ready(share));
    }
    let Some(coding) = Coding::of(headers::first(request, "content-encoding").as_deref())? else {
        return Ok(Step::Ready(share));
    };
    if location_conf(request).is_some_and(|conf| matches!(conf.auth, Some(Auth::Off))) {
        return Err(unsupported(
            "where the client signs, what it has signed is sent, and Bedrock takes no Content-Encoding",
        ));
    }
    let core = request.core_conf();
    let limit = core.and_then(|core| u64::try_from(core.client_max_body_size).ok());
    let limit = limit.filter(|limit| *limit > 0);
    let directory = core.and_then(body::directory);
    let pieces = body::pieces(request);
    let length = pieces.len();
    let work = move || decode(&pieces, coding, limit, directory);
    in_thread(request, context, length, share, work, |decoded| {
        Awaited::Decoding(decoded)
    })?;
    Ok(Step::Waits)
}

/// Takes what the thread has left.
///
/// # Errors
/// What is wrong with the body: 400, or 413 where it is too large. 500: it could not be kept.
pub fn finish(
    request: Request,
    mut context: Handle,
    decoded: &Outcome<Result<Decoded, Refusal>>,
) -> Result<(), Refusal> {
    let decoded = decoded
        .take()
        .unwrap_or_else(|| Err(Refusal::from_status(500)))?;
    let body = match decoded {
        Decoded::Memory(bytes) => body::of_bytes(request, &bytes),
        Decoded::File(file, length) => body::of_file(request, file, length),
    };
    let body = body.ok_or_else(|| Refusal::misconfigured("out of memory"))?;
    context.asked.decoded = Some(body);
    Ok(())
}

/// The body as it is to be understood.
pub fn pieces(request: Request, context: Handle) -> Pieces {
    match context.asked.decoded {
        Some(decoded) => body::pieces_of(decoded),
        None => body::pieces(request),
    }
}

fn decode(
    pieces: &Pieces,
    coding: Coding,
    limit: Option<u64>,
    directory: Option<PathBuf>,
) -> Result<Decoded, Refusal> {
    let failed = |error: io::Error| {
        Refusal::misconfigured(format!(
            "a compressed request body cannot be handled: {error}"
        ))
    };
    let body = pieces.read().map_err(failed)?;
    let mut kept = Kept {
        memory: Vec::new(),
        file: None,
        length: 0,
        directory,
    };
    coding.decode(&body, limit, &mut kept)?;
    Ok(match kept.file {
        Some(file) => Decoded::File(file, kept.length),
        None => Decoded::Memory(kept.memory),
    })
}

/// Takes bytes into memory, and when they become many, into a file.
struct Kept {
    memory: Vec<u8>,
    file: Option<File>,
    length: usize,
    directory: Option<PathBuf>,
}

impl Write for Kept {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.length += bytes.len();
        match &mut self.file {
            Some(file) => file.write_all(bytes)?,
            None if self.length <= LARGE_BODY => self.memory.extend_from_slice(bytes),
            None => {
                let mut file = body::new_file(self.directory.as_deref())?;
                file.write_all(&self.memory)?;
                file.write_all(bytes)?;
                self.memory = Vec::new();
                self.file = Some(file);
            }
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
