//! PRECONTENT phase, after access control: read the body if it is not read yet, evaluate the directives' values, plan path
//! and body, sign, and have that sent.

use std::borrow::Cow;
use std::fs::File;
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bedrock_credentials::{ApiKey, Credential, Current};
use gateway::bedrock::Operation;
use gateway::dialect::models;
use gateway::{Api, Body, ErrorAnswer, Measure, Plan, Refusal, Segment, Sink, plan_large};
use zeroize::Zeroizing;

use crate::attempt::{Awaited, Expected, Local, Planned, Stage, Used};
use crate::content;
use crate::context::{self, Handle};
use crate::credentials::{self, Found, unavailable};
use crate::directives::MainConf;
use crate::directives::location::{Auth, LocationConf};
use crate::nginx::body::{self, Pieces};
use crate::nginx::ffi::{NGX_DECLINED, NGX_DONE, ngx_event_t};
use crate::nginx::guard::{forced, guard_request};
use crate::nginx::log::Level;
use crate::nginx::outgoing::Outgoing;
use crate::nginx::request::Request;
use crate::nginx::{headers, upstream};
use crate::rewrite::{FAILED, in_thread, read_body, resume};
use crate::room::Share;
use crate::values::{Values, evaluate};
use crate::{LARGE_BODY, admit, decode, local, location_conf, main_conf};

/// The phase handler.
pub fn handler(request: Request) -> isize {
    let (Some(conf), Some(main)) = (location_conf(request), main_conf(request)) else {
        return DECLINED;
    };
    let Some(mut context) = context::find(request).filter(|context| !context.is_elsewhere()) else {
        return DECLINED;
    };
    let awaited = context.attempt.stage.resumed();
    let overdue = matches!(awaited, Some(Awaited::Overdue));
    let (awaited, share) = match awaited {
        Some(Awaited::Room(place)) => (None, place.into_share()),
        Some(Awaited::Decoding(decoded)) => match decode::finish(request, context, &decoded) {
            Ok(()) => (None, None),
            Err(refusal) => return refuse(request, context, refusal),
        },
        awaited => (awaited, None),
    };
    let planned = match (awaited, &context.asked.inspected) {
        (_, None) => return DECLINED,
        (_, Some(Err(refusal))) => Err(refusal.clone()),
        (Some(Awaited::Planning(planned)), _) => {
            let planned = planned.take();
            planned.map_or_else(
                || Err(Refusal::from_status(500)),
                |planned| planned.map(Some),
            )
        }
        (_, Some(Ok(asked))) if asked.operation == Some(Operation::ListModels) => {
            return match list_models(request, conf, main, asked.requested_model.as_deref()) {
                Ok(body) => {
                    match admit::ask(request, context, conf, main, &admit::Planned::LOCAL) {
                        Ok(()) => {
                            let answer = Local {
                                status: 200,
                                headers: Vec::new(),
                                body,
                            };
                            local::take_over(request, context, answer);
                            DECLINED
                        }
                        Err(refusal) => refuse_finally(request, context, &refusal),
                    }
                }
                Err(refusal) => refuse(request, context, refusal),
            };
        }
        // A subrequest has its parent's body, or none: nginx would call back at once, again and again.
        _ if request.is_main() && !body::is_read(request) => {
            return read_body(request, context, Awaited::BodyToPlan);
        }
        _ => match decode::begin(request, context, share) {
            Ok(decode::Step::Waits) => return DONE,
            Ok(decode::Step::Ready(share)) => {
                match plan_or_wait(request, context, conf, main, share, overdue) {
                    Some(planned) => planned,
                    None => return DONE,
                }
            }
            Err(refusal) => Err(refusal),
        },
    };
    let sent = match planned {
        // A thread works on it.
        Ok(None) => return DONE,
        Ok(Some(planned)) => {
            let asks = admit::Planned {
                plan: Some(&planned.plan),
                measure: planned.measure,
            };
            match admit::ask(request, context, conf, main, &asks) {
                Ok(()) => send(request, context, conf, planned),
                Err(refusal) => return refuse_finally(request, context, &refusal),
            }
        }
        Err(refusal) => Err(refusal),
    };
    match sent {
        Ok(()) => DECLINED,
        Err(refusal) => refuse(request, context, refusal),
    }
}

/// Plans the call with the credentials that there are: `Ok(None)` where a thread does so; `None` while credentials are awaited.
fn plan_or_wait(
    request: Request,
    context: Handle,
    conf: &LocationConf,
    main: &'static MainConf,
    share: Option<Share>,
    overdue: bool,
) -> Option<Result<Option<Planned>, Refusal>> {
    Some(match credentials_for(request, conf, main) {
        Ok(Some((index, Found::Awaited))) if !overdue => {
            wait(request, context, conf, index);
            return None;
        }
        Ok(Some((index, Found::Awaited))) => Err(unavailable(format!(
            "no {} yet: the first attempt to fetch them is still under way",
            main.sources.label(index)
        ))),
        Ok(Some((index, Found::Ready(current)))) => {
            planned(request, context, conf, main, Some((index, current)), share)
        }
        Ok(None) => planned(request, context, conf, main, None, share),
        Err(refusal) => Err(refusal),
    })
}

/// Holds the request until its source has credentials, or for so long.
fn wait(request: Request, mut context: Handle, conf: &LocationConf, index: usize) {
    let longest = conf.credentials_timeout.unwrap_or(Duration::from_secs(5));
    let expected = Expected::new(request, index, longest, waited);
    context.attempt.stage = Stage::Waits(Awaited::Credentials {
        _expected: expected,
    });
    request.park();
}

unsafe extern "C" fn waited(event: *mut ngx_event_t) {
    // SAFETY: the event's data is the request that waits; its context would have dropped the timer before the request.
    let request = unsafe { Request::from_raw((*event).data.cast()) };
    guard_request(request, FAILED, || {
        forced(request, "waited");
        let connection = request.connection();
        if let Some(mut context) = context::find(request) {
            context.attempt.stage.overdue();
        }
        resume(request);
        Request::run_posted(connection);
    });
}

/// Answers with this error, which no `error_page` takes to another attempt.
fn refuse_finally(request: Request, context: Handle, refusal: &Refusal) -> isize {
    log(request, refusal);
    let api = context.asked.api.unwrap_or(Api::Native);
    let ErrorAnswer {
        mut headers, body, ..
    } = api.error(refusal, None);
    if location_conf(request).is_some_and(|conf| conf.limit_headers != Some(false)) {
        headers.extend(admit::headers(&context.limits, api));
    }
    let answer = Local {
        status: refusal.status,
        headers,
        body,
    };
    local::take_over(request, context, answer);
    DECLINED
}

fn log(request: Request, refusal: &Refusal) {
    match &refusal.log {
        Some(log) => request.log(Level::Error, &format!("bedrock: {log}")),
        None => request.log(Level::Info, &format!("bedrock: refused with {refusal}")),
    }
}

/// Has the filters answer with this error, unless `error_page` takes it.
fn refuse(request: Request, mut context: Handle, refusal: Refusal) -> isize {
    log(request, &refusal);
    let status = isize::try_from(refusal.status).unwrap_or(FAILED);
    context.attempt.stage = Stage::Refused(refusal);
    status
}

fn list_models(
    request: Request,
    conf: &LocationConf,
    main: &'static MainConf,
    wanted: Option<&str>,
) -> Result<Vec<u8>, Refusal> {
    let values = Values::evaluate(request, conf, main, gateway::Auth::Sign)?;
    let (body, is_empty) = models::answer(&values.settings(), wanted)?;
    if is_empty && wanted.is_none() {
        request.log(Level::Warn, &format!("bedrock: {}", models::EMPTY));
    }
    Ok(body)
}

/// Plans the call; `None` if a thread does so, now or when it is its turn. `share` is what was waited for to do so.
fn planned(
    request: Request,
    context: Handle,
    conf: &LocationConf,
    main: &'static MainConf,
    credentials: Option<(usize, Current)>,
    share: Option<Share>,
) -> Result<Option<Planned>, Refusal> {
    let auth = match credentials
        .as_ref()
        .map(|(_, current)| &*current.credential)
    {
        None => gateway::Auth::Client,
        Some(Credential::ApiKey(_)) => gateway::Auth::Bearer,
        Some(Credential::Keys(_)) => gateway::Auth::Sign,
    };
    let values = Values::evaluate(request, conf, main, auth)?;
    let pieces = decode::pieces(request, context);
    let length = pieces.len();
    let asked = context.request().ok_or_else(|| Refusal::from_status(500))?;
    let headers = headers::of(request);
    let measures = admit::measures(conf, main);
    if length <= LARGE_BODY && !pieces.in_file() {
        let headers: Vec<_> = headers.collect();
        return plan(
            asked,
            &values,
            &headers,
            &pieces,
            None,
            credentials,
            measures,
        )
        .map(Some);
    }
    // What a thread uses must not be the request's own memory, which the event loop may touch meanwhile.
    let asked = asked.clone();
    let headers: Vec<_> = headers
        .map(|(name, value)| (name.into_owned().into(), value.into_owned().into()))
        .collect();
    let directory = request.core_conf().and_then(body::directory);
    let work = move || {
        let file = NewFile::in_directory(directory);
        plan(
            &asked,
            &values,
            &headers,
            &pieces,
            Some(file),
            credentials,
            measures,
        )
    };
    in_thread(request, context, length, share, work, |planned| {
        Awaited::Planning(planned)
    })?;
    Ok(None)
}

/// Plans the call. `file` is there for a large body, and takes it where it is changed.
fn plan(
    asked: &gateway::Request,
    values: &Values,
    headers: &[(Cow<'_, str>, Cow<'_, str>)],
    pieces: &Pieces,
    mut file: Option<NewFile>,
    credentials: Option<(usize, Current)>,
    measures: bool,
) -> Result<Planned, Refusal> {
    let headers: Vec<(&str, &str)> = headers
        .iter()
        .map(|(name, value)| (name.as_ref(), value.as_ref()))
        .collect();
    let failed = |error: io::Error| {
        Refusal::misconfigured(format!("a large request body cannot be handled: {error}"))
    };
    let bytes = pieces.read().map_err(failed)?;
    let sink = file.as_mut().map(|file| -> &mut dyn Sink { file });
    let mut plan = plan_large(asked, &values.settings(), &headers, &bytes, sink)?;
    let body_hash = match values.auth {
        gateway::Auth::Sign => plan.body.sha256_hex(&bytes),
        _ => String::new(),
    };
    if let (Some(file), Body::Spliced(segments)) = (&mut file, &plan.body)
        && (pieces.in_file() || !is_for_memory(segments))
    {
        let length = plan.body.len(bytes.len());
        for piece in plan.body.pieces(&bytes) {
            file.write(piece);
        }
        plan.body = Body::Written {
            length,
            sha256: body_hash.clone(),
        };
    }
    if measures {
        plan = plan.measured();
    }
    let file = match file {
        Some(file) => file.done().map_err(failed)?,
        None => None,
    };
    Ok(Planned {
        plan,
        measure: match measures {
            true => Measure::of(&bytes),
            false => Measure::default(),
        },
        body_hash,
        file,
        credentials,
    })
}

/// Has the plan sent, with the authorization it needs.
fn send(
    request: Request,
    mut context: Handle,
    conf: &LocationConf,
    planned: Planned,
) -> Result<(), Refusal> {
    let Planned {
        plan,
        measure: _,
        body_hash,
        file,
        credentials,
    } = planned;
    let current = credentials.as_ref().map(|(_, current)| current);
    let authorization = authorize(&plan, &body_hash, current)?;
    context.attempt.credentials = credentials.map(|(index, current)| Used {
        index,
        expires: current.expires,
    });
    let failed = || Refusal::misconfigured("out of memory");
    let old = context
        .asked
        .decoded
        .unwrap_or_else(|| body::of_client(request));
    let length = plan.body.len(body::pieces_of(old).len());
    if let Some(note) = &plan.note {
        request.log(Level::Info, &format!("bedrock: {note}"));
    }
    let planned = plan
        .headers
        .iter()
        .map(|(name, value)| (name.as_ref(), value.as_str()));
    let authorized = authorization
        .iter()
        .map(|(name, value)| (name.as_ref(), value.as_str()));
    let headers: Vec<(&str, &str)> = planned.chain(authorized).collect();
    let has_body = length > 0 || !matches!(plan.method.as_ref(), "GET" | "HEAD" | "DELETE");
    let body_length = has_body.then_some(length);
    let headers = headers::make(request, headers.into_iter(), body_length).ok_or_else(failed)?;
    let body = match file {
        Some(file) => body::of_file(request, file, length),
        None => body::splice(request, old, &plan.body),
    };
    let target = request.copy(plan.target.as_bytes());
    let (Some(body), Some(target)) = (body, target) else {
        return Err(failed());
    };
    context.attempt.outgoing = Some(Outgoing::new(headers, body, target));
    // Within `if` the handler may be that of a location around it, which is no gateway.
    request.set_content_handler(content::handler);
    request.preserve_body();
    if conf.drains() {
        upstream::ignore_client_abort(request);
    }
    // A stream may stay for long.
    context.attempt.plan = Some(plan.for_answer());
    context.attempt.stage = Stage::Called;
    Ok(())
}

/// Headers whose values are wiped when they have been copied to the request.
type SecretHeaders = Vec<(Cow<'static, str>, Zeroizing<String>)>;

/// The headers that authorize the call; none where the client's own do.
fn authorize(
    plan: &Plan,
    body_hash: &str,
    current: Option<&Current>,
) -> Result<SecretHeaders, Refusal> {
    let now = SystemTime::now();
    match current.map(|current| &*current.credential) {
        None => Ok(Vec::new()),
        // It may have expired while a large body was planned.
        Some(_) if !current.is_some_and(|current| current.is_valid(now)) => Err(unavailable(
            "the credentials expired while the request was planned".to_owned(),
        )),
        Some(Credential::ApiKey(key)) => {
            let value = Zeroizing::new(format!("Bearer {}", key.as_str()));
            Ok(vec![(Cow::Borrowed("authorization"), value)])
        }
        Some(Credential::Keys(keys)) => plan
            .sign(keys, body_hash, now)
            .map(|headers| {
                headers
                    .into_iter()
                    .map(|(name, value)| (Cow::Borrowed(name), Zeroizing::new(value)))
                    .collect()
            })
            .map_err(|error| {
                Refusal::misconfigured(format!("the request cannot be signed: {error}"))
            }),
    }
}

/// The source that authorizes here, by its place, and what it has; `None` where the client authorizes itself.
fn credentials_for(
    request: Request,
    conf: &LocationConf,
    main: &'static MainConf,
) -> Result<Option<(usize, Found)>, Refusal> {
    let index = match &conf.auth {
        Some(Auth::Off) => return Ok(None),
        Some(Auth::BearerValue(value)) => {
            let key = Zeroizing::new(evaluate(request, value, "bedrock_auth")?);
            return api_key(key).map(|current| Some((NO_SOURCE, Found::Ready(current))));
        }
        Some(Auth::Bearer(index)) => *index,
        Some(Auth::Block(name)) => block(main, name)?,
        // What it gives may be the client's word, so it names what the operator has named, and nothing else.
        Some(Auth::BlockValue(value)) => block(main, &evaluate(request, value, "bedrock_auth")?)?,
        None | Some(Auth::Default) => credentials::DEFAULT,
    };
    credentials::find(&main.sources, index).map(|found| Some((index, found)))
}

/// The place of a block's source.
fn block(main: &MainConf, name: &str) -> Result<usize, Refusal> {
    main.sources.block(name).ok_or_else(|| {
        Refusal::misconfigured(format!(
            "bedrock_auth: there is no bedrock_credentials \"{}\"",
            name.escape_debug()
        ))
    })
}

/// A key that variables gave; one that is no word is none.
fn api_key(key: Zeroizing<String>) -> Result<Current, Refusal> {
    if key.is_empty() || !key.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(Refusal::new(
            403,
            "MissingAuthenticationTokenException",
            "Missing Authentication Token",
        ));
    }
    Ok(Current {
        credential: Arc::new(Credential::ApiKey(ApiKey::new(key))),
        expires: None,
    })
}

/// Whether a changed body costs nginx little more memory than it has: a buffer for each piece, and what is new.
fn is_for_memory(segments: &[Segment]) -> bool {
    let new = segments
        .iter()
        .filter(|segment| matches!(segment, Segment::New(_)))
        .map(Segment::len)
        .sum::<usize>();
    segments.len() <= MOST_PIECES && new <= MOST_NEW
}

/// A changed body in a new file without a name, which is made when there is something to write.
struct NewFile {
    directory: Option<PathBuf>,
    file: Option<io::Result<File>>,
}

impl NewFile {
    fn in_directory(directory: Option<PathBuf>) -> Self {
        Self {
            directory,
            file: None,
        }
    }

    /// The file, if anything was written.
    fn done(self) -> io::Result<Option<File>> {
        self.file.transpose()
    }
}

impl Sink for NewFile {
    fn write(&mut self, bytes: &[u8]) {
        let directory = &self.directory;
        let file = self
            .file
            .get_or_insert_with(|| body::new_file(directory.as_deref()));
        if let Ok(open) = file
            && let Err(error) = open.write_all(bytes)
        {
            *file = Err(error);
        }
    }
}

const MOST_PIECES: usize = 1024;
const MOST_NEW: usize = 1 << 20;
/// The place of a credential that no source of the configuration gave.
const NO_SOURCE: usize = usize::MAX;
const DECLINED: isize = NGX_DECLINED as isize;
const DONE: isize = NGX_DONE as isize;
