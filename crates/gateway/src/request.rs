//! The first look at a request: what is asked, of which model.

use std::borrow::Cow;

use crate::bedrock::endpoint::Service;
use crate::bedrock::{Operation, VendorApi, path};
use crate::dialect::{Api, anthropic, body, cohere, openai, responses, unserved};
use crate::refusal::Refusal;
use crate::target::{Target, path_of};

/// A request as understood so far.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// What the client speaks.
    pub api: Api,
    /// Its method.
    pub method: Cow<'static, str>,
    /// What it wants; known from the path, or once the body has been read.
    pub operation: Option<Operation>,
    /// The model it named, decoded, before any alias.
    pub requested_model: Option<String>,
    /// The guardrail of an ApplyGuardrail request: id and version, decoded.
    pub guardrail: Option<(String, String)>,
    /// Whether it asked for a stream.
    pub stream: bool,
    /// What it was sent to.
    pub target: Target,
    /// Where in its path Bedrock's own begins, if it has that.
    pub prefix: usize,
}

impl Request {
    /// Whether the body has to be read to know model and operation.
    pub fn needs_body(&self) -> bool {
        self.operation.is_none()
    }
}

/// What a location is for, as its configuration says.
#[derive(Clone, Copy, Debug, Default)]
pub struct Purpose {
    /// What its clients speak; `None`: what the path shows, [`Api::of`].
    pub api: Option<Api>,
    /// What they speak to.
    pub service: Service,
}

impl From<Option<Api>> for Purpose {
    fn from(api: Option<Api>) -> Self {
        Self {
            api,
            service: Service::Runtime,
        }
    }
}

/// Recognises a request by its target (raw path, perhaps with a query), and where that does not say all, by its `body`.
///
/// Called without a body it never fails for want of one: see [`Request::needs_body`].
///
/// # Errors
/// A wrong method, a model id that cannot be decoded, a body that is not what the dialect asks for.
pub fn inspect(
    purpose: impl Into<Purpose>,
    method: &str,
    target: &str,
    body: Option<&[u8]>,
) -> Result<Request, Refusal> {
    let Purpose { api, service } = purpose.into();
    let api = api.unwrap_or_else(|| Api::of(target));
    let target = Target::read(target);
    let path = target.path();
    let mut request = Request {
        api,
        method: match method {
            "POST" => Cow::Borrowed("POST"),
            method => Cow::Owned(method.to_owned()),
        },
        operation: None,
        requested_model: None,
        guardrail: None,
        stream: false,
        target: target.clone(),
        prefix: 0,
    };
    if api == Api::Aws {
        of_aws(&mut request, service);
        return Ok(request);
    }
    if service == Service::Mantle {
        let of_body = of_mantle(&mut request)?;
        return with_body(request, of_body, body);
    }
    if api.is_translated() {
        if let Some((_, what)) = unserved::of(path) {
            return Err(unserved::refusal(what));
        }
        if api != Api::Cohere && cohere::is_path(path) {
            return Err(unserved::refusal(
                "rerank where bedrock_api names another API than cohere",
            ));
        }
    }
    // A browser, a probe, a client that looks whether there is anybody: nothing is there for them.
    if api == Api::Converse && matches!(method, "GET" | "HEAD") {
        return Err(unserved::refusal(
            "pages: at this path it takes POST requests only",
        ));
    }
    // Anthropic's Messages may yet go through invoke instead: that depends on the model that is called.
    let of_body = match api {
        Api::Native => {
            let found = path::recognise(path)?.ok_or_else(no_operation)?;
            request.prefix = found.prefix;
            request.operation = Some(found.operation);
            request.requested_model = found.model;
            request.guardrail = found.guardrail;
            request.stream = found.operation.streams();
            match found.operation {
                // The model is in the body, and whether it streams.
                Operation::VendorApi { api, .. } => {
                    request.operation = None;
                    Some(api.operation())
                }
                _ => None,
            }
        }
        Api::Converse => Some(conversing as OfBody),
        Api::OpenAi => match openai::endpoint(path) {
            openai::Endpoint::Chat => Some(conversing as OfBody),
            openai::Endpoint::Embeddings => Some((|_| Operation::Invoke) as OfBody),
            openai::Endpoint::Models(model) => list_models(&mut request, model)?,
        },
        Api::Responses => match responses::endpoint(path) {
            responses::Endpoint::Create => Some(conversing as OfBody),
            responses::Endpoint::InputTokens => Some(counting as OfBody),
            responses::Endpoint::Compact => {
                return Err(unserved::refusal("/v1/responses/compact"));
            }
            responses::Endpoint::Stored => return Err(nothing_stored()),
        },
        Api::Anthropic => match anthropic::endpoint(path) {
            anthropic::Endpoint::Messages => Some(conversing as OfBody),
            anthropic::Endpoint::CountTokens => Some(counting as OfBody),
            anthropic::Endpoint::Models(model) => list_models(&mut request, model)?,
        },
        Api::Cohere => Some((|_| Operation::Invoke) as OfBody),
        Api::Aws => None,
    };
    let methods = methods_of(api, path);
    if !methods.split(", ").any(|right| right == method) {
        return Err(Refusal::new(
            405,
            "UnknownOperationException",
            format!("This operation takes {methods} requests only."),
        ));
    }
    with_body(request, of_body, body)
}

/// What the body says of a request, where it has to be asked.
fn with_body(
    mut request: Request,
    of_body: Option<OfBody>,
    body: Option<&[u8]>,
) -> Result<Request, Refusal> {
    if let (Some(operation), Some(body)) = (of_body, body) {
        let asked = body::asked(body::without_mark(body))?;
        let operation = operation(asked.stream);
        request.operation = Some(operation);
        request.requested_model = asked.model;
        request.stream = operation.streams();
    }
    if request
        .requested_model
        .as_deref()
        .is_some_and(|model| !is_name(model))
    {
        return Err(Refusal {
            param: Some("model".into()),
            ..Refusal::validation("The provided model identifier is invalid.")
        });
    }
    Ok(request)
}

/// The refusal of a request that wants to go on as a web socket, as `upgrade`, its header, says: OpenAI has its Responses
/// there, too, and their clients come back over HTTP at once if they are told so.
pub fn refuse_upgrade(api: Api, upgrade: Option<&str>) -> Option<Refusal> {
    let wants = upgrade.is_some_and(|upgrade| upgrade.eq_ignore_ascii_case("websocket"));
    (api == Api::Responses && wants).then(|| {
        Refusal::new(
            426,
            "UpgradeRequiredException",
            "This gateway has no web sockets: send the request as an HTTP POST.",
        )
    })
}

/// The methods that a request to `target` may have, as a list for `Allow`.
pub fn methods(api: Api, target: &str) -> &'static str {
    methods_of(api, path_of(target))
}

fn methods_of(api: Api, path: &str) -> &'static str {
    let lists_models = || matches!(openai::endpoint(path), openai::Endpoint::Models(_));
    match api {
        Api::OpenAi | Api::Anthropic if lists_models() => "GET, HEAD",
        // Only a refusal of the gateway's asks; AWS itself answers any method.
        _ => "POST",
    }
}

/// Whether a client may call something so: a model, which need be no id of Bedrock's yet, or its session. A name becomes a
/// variable of nginx's, and so a key, a header, a line of a log.
pub fn is_name(name: &str) -> bool {
    (1..=LONGEST_NAME).contains(&name.len()) && !name.contains(char::is_control)
}

/// Where Claude Code names its session.
pub const SESSION_ID: &str = "x-claude-code-session-id";
/// In bytes, as for an id of Bedrock's.
const LONGEST_NAME: usize = 2048;

/// Any of AWS's operations. Where the path, as it will be sent, is one of Bedrock's own it is known how to read the answer.
fn of_aws(request: &mut Request, service: Service) {
    request.operation = Some(Operation::Other);
    let Ok(sent) = path::spelt(request.target.path(), None) else {
        return;
    };
    let on_mantle = service == Service::Mantle && request.method == "POST";
    let decoded = path::decode_once(&sent).filter(|_| on_mantle);
    if let Some(api) = decoded.as_deref().and_then(VendorApi::of_mantle_path) {
        request.operation = Some(api.operation()(true));
        return;
    }
    let Ok(Some(found)) = path::recognise(&sent) else {
        return;
    };
    request.operation = Some(match found.operation {
        // What comes says whether it is a stream.
        Operation::VendorApi { api, .. } => api.operation()(true),
        operation => operation,
    });
    request.stream = found.operation.streams();
    request.requested_model = found.model.filter(|model| is_name(model));
}

/// Any of bedrock-mantle's paths, behind any prefix.
fn of_mantle(request: &mut Request) -> Result<Option<OfBody>, Refusal> {
    let path = request.target.path();
    // Whoever decodes more of it than others still reads this path.
    if request.method == "POST"
        && let Some(decoded) = path::decode_once(path)
        && let Some(api) = VendorApi::of_mantle_path(&decoded)
    {
        return Ok(Some(api.operation()));
    }
    let own = ["/openai/v1/", "/anthropic/v1/", "/v1/"];
    let begins = own.iter().find_map(|own| path.find(own));
    request.prefix = begins.ok_or_else(not_on_mantle)?;
    request.operation = Some(Operation::Other);
    Ok(None)
}

/// The refusal of what bedrock-mantle has not.
pub(crate) fn not_on_mantle() -> Refusal {
    Refusal::new(
        404,
        "UnknownOperationException",
        "bedrock-mantle, which this gateway calls, has no such operation: it has OpenAI's APIs at /v1/ and /openai/v1/, and \
         Anthropic's at /anthropic/v1/.",
    )
}

/// What a request is, by whether its body asks for a stream.
type OfBody = fn(bool) -> Operation;

fn conversing(stream: bool) -> Operation {
    match stream {
        true => Operation::ConverseStream,
        false => Operation::Converse,
    }
}

fn counting(_: bool) -> Operation {
    Operation::CountTokens
}

/// What the path says is all there is to know.
fn list_models(request: &mut Request, model: Option<&str>) -> Result<Option<OfBody>, Refusal> {
    request.operation = Some(Operation::ListModels);
    request.requested_model = model.map(path::decode).transpose()?;
    Ok(None)
}

fn nothing_stored() -> Refusal {
    Refusal::new(
        404,
        "ResourceNotFoundException",
        "Nothing is stored here, so there is no response of this id: send the whole conversation in \"input\".",
    )
}

fn no_operation() -> Refusal {
    Refusal::new(
        404,
        "UnknownOperationException",
        "This path is none of Bedrock's: use /model/{id}/converse, /converse-stream, /invoke, \
         /invoke-with-response-stream or /count-tokens; /openai/v1/chat/completions or /responses; or \
         /anthropic/v1/messages.",
    )
}
