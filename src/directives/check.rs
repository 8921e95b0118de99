//! What is wrong with a gateway's location as a whole, so that nginx says it when it reads its configuration. A mistake that
//! makes every request fail ends that; one that may be meant is a warning.

use gateway::Api;
use gateway::bedrock::endpoint::{self, Service};
use gateway::request::Purpose;

use super::MainConf;
use super::limits::LimitZone;
use super::location::{Auth, LocationConf};
use super::observed::Line;
use crate::credentials;
use crate::nginx::conf::Location;
use crate::nginx::ffi::nginx_version;
use crate::nginx::log::Level;
use crate::nginx::value::Value;

/// What is wrong, and where.
pub struct Finding {
    /// [`Level::Emerg`]: no request can succeed. [`Level::Warn`]: it may be meant.
    pub level: Level,
    /// A sentence that says what would be right.
    pub text: String,
    /// File and line.
    pub place: String,
}

impl Finding {
    fn new(level: Level, place: &str, text: String) -> Self {
        let place = place.to_owned();
        Self { level, text, place }
    }

    /// A directive of nginx's that is wrong here.
    pub fn of(level: Level, line: &Line, text: String) -> Self {
        let text = format!("\"{}\" directive {text}", line.name());
        Self::new(level, &line.place, text)
    }
}

/// For a location that says `bedrock on` itself, at `place`, and is no gateway.
pub fn no_gateway(conf: &LocationConf, location: &Location, place: &str) -> Option<Finding> {
    let other = OTHER_PASSES.iter().find_map(|name| conf.lines.one(name));
    let leaves = ["return", "rewrite", "try_files"]
        .iter()
        .find_map(|name| conf.lines.one(name));
    let name = &location.name;
    let (level, reason) = match (other, leaves) {
        (Some(line), _) => (
            Level::Emerg,
            format!(
                "{} at {} cannot send what is signed",
                line.name(),
                line.place
            ),
        ),
        _ if location.handler.is_some() => (
            Level::Warn,
            "another directive makes the answer here, and nothing goes to Bedrock".to_owned(),
        ),
        // Locations in it may be gateways, or not: that is known when all are read.
        _ if location.has_locations => return None,
        (None, Some(line)) => (
            Level::Warn,
            format!("with {} alone it does nothing here", line.name()),
        ),
        (None, None) => (
            Level::Emerg,
            "without it nothing goes to Bedrock".to_owned(),
        ),
    };
    let text = format!(
        "\"bedrock on\" needs a proxy_pass in the same location \"{name}\": {reason}; add \"proxy_pass https://HOST;\", or \
         remove \"bedrock on\""
    );
    Some(Finding::new(level, place, text))
}

/// For `bedrock on` at `place`, below which there is no gateway at all.
pub fn no_gateway_below(place: &str) -> Finding {
    let text =
        "\"bedrock on\" does nothing: there is no proxy_pass in the locations that it holds for"
            .to_owned();
    Finding::new(Level::Warn, place, text)
}

/// For a gateway; `place` is that of its `bedrock on`.
pub fn gateway(
    conf: &LocationConf,
    location: &Location,
    main: &MainConf,
    place: &str,
) -> Vec<Finding> {
    let mut found = Vec::new();
    let name = &location.name;
    let pass = conf.lines.one("proxy_pass");
    // A block without one has its location's, which is looked at by itself.
    if pass.is_none() && location.is_block {
        return found;
    }
    if conf.region.is_none() && main.region.is_empty() {
        let text = format!(
            "\"bedrock on\" needs a region in location \"{name}\": set bedrock_region, or AWS_REGION in nginx's environment"
        );
        found.push(Finding::new(Level::Emerg, place, text));
    } else if conf.region.is_none() && endpoint::check_region(&main.region).is_err() {
        let text = format!(
            "\"bedrock on\" needs a region in location \"{name}\", and \"{}\" in nginx's environment is none: it must be a \
             name such as us-east-1",
            main.region.escape_debug()
        );
        found.push(Finding::new(Level::Emerg, place, text));
    }
    let Some(pass) = pass else {
        return found;
    };
    let signs = signs(conf, main);
    found.extend(path_of(pass.word(1)).filter(|path| !path.contains('$')).map(|path| {
        Finding::of(
            Level::Emerg,
            pass,
            format!(
                "has the path \"{path}\" in location \"{name}\", where Bedrock is called: give no path, not even \"/\", after \
                 the host, or nginx sends another path than the one that is signed; where something else is called, say \
                 \"bedrock off\""
            ),
        )
    }));
    let signed_host = signed_host(conf, main);
    let host = signed_host
        .as_deref()
        .and_then(|signed| host(conf, pass, signed, signs));
    if host.is_none() {
        found.extend(params(conf, location, pass, signed_host.as_deref()));
    }
    found.extend(host);
    found.extend(rules(conf, location, place));
    found.extend(money(conf, location, main, place));
    found.extend(request(conf, signs));
    found.extend(beside(conf, location));
    found
}

/// Whether requests are signed with keys; `None` if that is decided for each.
fn signs(conf: &LocationConf, main: &MainConf) -> Option<bool> {
    let index = match &conf.auth {
        None | Some(Auth::Default) => credentials::DEFAULT,
        Some(Auth::Block(name)) => main.sources.block(name)?,
        Some(Auth::Bearer(_) | Auth::BearerValue(_)) => return Some(false),
        Some(Auth::Off | Auth::BlockValue(_)) => return None,
    };
    Some(!main.sources.gives_api_key(index))
}

/// A mistake that breaks signatures.
fn breaks(signs: Option<bool>) -> Level {
    match signs {
        Some(true) => Level::Emerg,
        _ => Level::Warn,
    }
}

/// The Host that is sent must be the one that is signed, where both can be told.
fn host(conf: &LocationConf, pass: &Line, signed: &str, signs: Option<bool>) -> Option<Finding> {
    let given = host_header(conf);
    let (sent, line) = match given.map(|line| (line.word(2), line)) {
        None => (host_of(pass.word(1)), pass),
        Some(("$proxy_host", line)) => (host_of(pass.word(1)), line),
        Some((value, line)) => (value, line),
    };
    if sent.contains('$') || sent == signed {
        return None;
    }
    let dropped = conf
        .lines
        .one("proxy_set_header")
        .filter(|_| given.is_none());
    let dropped = dropped.map_or_else(String::new, |line| {
        format!(
            " (the proxy_set_header at {} drops those of the level above)",
            line.place
        )
    });
    // What is not TLS is not Bedrock itself, and whatever is in between may send another Host on.
    let level = match is_tls(pass) {
        true => breaks(signs),
        false => Level::Warn,
    };
    Some(Finding::of(
        level,
        line,
        format!(
            "has nginx send the Host \"{sent}\", and \"{signed}\" is signed: include bedrock_params in this location, or add \
             \"proxy_set_header Host $bedrock_host;\"{dropped}"
        ),
    ))
}

/// The host that is signed, if it is the same for all requests.
pub fn signed_host(conf: &LocationConf, main: &MainConf) -> Option<String> {
    // A client that signs for itself has its own Host sent.
    if matches!(conf.auth, Some(Auth::Off)) {
        return None;
    }
    let service = match &conf.service {
        None => "bedrock",
        Some(Value::Text(service)) => service,
        Some(Value::Template(_)) if conf.endpoint.is_none() => return None,
        Some(Value::Template(_)) => "",
    };
    match (&conf.endpoint, &conf.region) {
        (Some(Value::Text(endpoint)), _) => Some(endpoint.clone()),
        (None, Some(Value::Text(region))) => Some(endpoint::host_of(service, region)),
        (None, None) => (!main.region.is_empty()).then(|| endpoint::host_of(service, &main.region)),
        (Some(Value::Template(_)), _) | (None, Some(Value::Template(_))) => None,
    }
}

fn host_header(conf: &LocationConf) -> Option<&Line> {
    let mut lines = conf.lines.of("proxy_set_header");
    lines.find(|line| line.word(1).eq_ignore_ascii_case("host"))
}

/// Rules about models, where requests need not be about any.
fn rules(conf: &LocationConf, location: &Location, place: &str) -> Option<Finding> {
    if conf.api != Some(Some(Api::Aws)) {
        return None;
    }
    let given = [
        ("bedrock_model", conf.model.is_some()),
        ("bedrock_allow_models", conf.allow_models.is_some()),
        (
            "bedrock_max_output_tokens",
            conf.max_output_tokens.is_some(),
        ),
        ("bedrock_guardrail", conf.guardrail.is_some()),
    ];
    let (name, _) = given.iter().find(|(_, is_given)| *is_given)?;
    let text = format!(
        "\"{name}\" cannot hold in location \"{}\", where bedrock_api is \"aws\": requests there may be for anything of AWS's; \
         move it to the locations that are for models, or use another bedrock_api",
        location.name
    );
    Some(Finding::new(Level::Emerg, place, text))
}

/// A limit in money that never learns what clients have spent who go away.
fn money(
    conf: &LocationConf,
    location: &Location,
    main: &MainConf,
    place: &str,
) -> Option<Finding> {
    if conf.drains() {
        return None;
    }
    let mut uses = conf.limits.iter().flat_map(|limits| limits.iter());
    let of_money = uses.find(|of| main.limit(&of.zone).is_some_and(LimitZone::is_in_money))?;
    let text = format!(
        "\"bedrock_limit\" counts money in zone \"{}\" in location \"{}\", where a client that goes away leaves a cost that nobody knows: \
         add \"bedrock_client_abort drain\"",
        of_money.zone, location.name
    );
    Some(Finding::new(Level::Warn, place, text))
}

/// What else of the request is not sent as it was signed.
fn request(conf: &LocationConf, signs: Option<bool>) -> Vec<Finding> {
    let mut found = Vec::new();
    let mut find = |level, line: &Line, text: &str| {
        found.push(Finding::of(level, line, text.to_owned()));
    };
    let given = |name, value: &str| conf.lines.one(name).filter(|line| line.word(1) == value);
    let Purpose { api, service } = conf.purpose();
    let takes_any = api == Some(Api::Aws) || service == Service::Mantle;
    if let Some(line) = conf.lines.one("proxy_method") {
        match line.word(1) {
            _ if takes_any => find(
                Level::Emerg,
                line,
                "changes the method, which is signed as the client sends it: remove it",
            ),
            "POST" => {}
            method if method.contains('$') => {}
            _ => find(
                Level::Emerg,
                line,
                "changes the method, and Bedrock takes POST only: remove it",
            ),
        }
    }
    let caches = conf
        .lines
        .one("proxy_cache")
        .filter(|line| line.word(1) != "off");
    if let Some(line) = caches.filter(|_| takes_any)
        && given("proxy_cache_convert_head", "off").is_none()
    {
        find(
            Level::Warn,
            line,
            "makes a GET of a HEAD, which is signed as the client sends it: add \"proxy_cache_convert_head off\"",
        );
    }
    if let Some(line) = given("proxy_pass_request_headers", "off") {
        let text = "keeps back the headers that authorize requests to Bedrock: remove it";
        find(Level::Emerg, line, text);
    }
    if let Some(line) = given("proxy_pass_request_body", "off") {
        find(
            Level::Emerg,
            line,
            "keeps back the body that Bedrock is asked with: remove it",
        );
    }
    if let Some(line) = conf.lines.one("proxy_set_body") {
        let level = match line.word(1).contains('$') {
            true => Level::Warn,
            false => breaks(signs),
        };
        find(level, line, "replaces the body that was signed: remove it");
    }
    for line in conf.lines.of("proxy_set_header") {
        let (name, value) = (line.word(1).to_ascii_lowercase(), line.word(2));
        let fixed = !value.contains('$');
        let level = match name.as_str() {
            "content-length" if fixed => Level::Emerg,
            "x-amz-date" if fixed => breaks(signs),
            "authorization" if value.is_empty() => breaks(signs),
            // What is signed for all operations but invoke.
            "content-type" if value == "application/json" => continue,
            // nginx's own default, for a body whose length is known.
            "transfer-encoding" if value.is_empty() => continue,
            "authorization" | "content-length" | "content-type" | "transfer-encoding" => {
                Level::Warn
            }
            name if name.starts_with("x-amz-") || name.starts_with("x-amzn-bedrock-") => {
                Level::Warn
            }
            _ => continue,
        };
        let text = format!(
            "overrides \"{}\", which the module signs and sends: remove it",
            line.word(1)
        );
        find(level, line, &text);
    }
    found
}

/// What `bedrock_params` would set, and nobody has.
fn params(
    conf: &LocationConf,
    location: &Location,
    pass: &Line,
    signed_host: Option<&str>,
) -> Option<Finding> {
    let has = |name| conf.lines.one(name).is_some();
    let mut missing = Vec::new();
    // nginx's own is the host of proxy_pass, which is right if that is the endpoint's name.
    let own_host = host_of(pass.word(1));
    let is_wrong = !own_host.contains('$') && signed_host != Some(own_host);
    if is_wrong && host_header(conf).is_none() {
        missing.push("proxy_set_header Host $bedrock_host");
    }
    let version = conf
        .lines
        .one("proxy_http_version")
        .map(|line| line.word(1));
    let default = if nginx_version >= WITH_HTTP_1_1 {
        "1.1"
    } else {
        "1.0"
    };
    if version.unwrap_or(default) == "1.0" {
        missing.push("proxy_http_version 1.1");
    }
    if is_tls(pass) {
        let tls = [
            ("proxy_ssl_server_name", "proxy_ssl_server_name on"),
            ("proxy_ssl_name", "proxy_ssl_name $bedrock_host"),
            ("proxy_ssl_verify", "proxy_ssl_verify on"),
        ];
        let unset = tls.iter().filter(|(name, _)| !has(*name));
        let unset = unset.filter(|(name, _)| is_wrong || *name != "proxy_ssl_name");
        missing.extend(unset.map(|(_, line)| line));
    }
    (!missing.is_empty()).then(|| {
        let text = format!(
            "is in location \"{}\" without bedrock_params: include it there or above, or set what it would: \"{}\"",
            location.name,
            missing.join("; ")
        );
        Finding::of(Level::Warn, pass, text)
    })
}

/// What takes requests away from the gateway, or never gets any.
fn beside(conf: &LocationConf, location: &Location) -> Vec<Finding> {
    let name = &location.name;
    let dead = OTHER_PASSES.iter().filter_map(|name| conf.lines.one(name));
    let dead = dead.map(|line| {
        let text =
            format!("does nothing beside proxy_pass in location \"{name}\": remove one of them");
        Finding::of(Level::Warn, line, text)
    });
    // An `if`, `rewrite` or `break` before it may lead past it.
    let passed = location.has_locations
        || ["break", "rewrite"]
            .iter()
            .any(|name| conf.lines.one(name).is_some());
    let answers = conf.lines.one("return").filter(|_| !passed).map(|line| {
        let text = format!("answers every request in location \"{name}\", so none goes to Bedrock: remove it, or \"bedrock on\"");
        Finding::of(Level::Warn, line, text)
    });
    dead.chain(answers).collect()
}

/// Whether the `proxy_pass` is to a server with TLS.
pub fn is_tls(pass: &Line) -> bool {
    pass.word(1).starts_with("https://")
}

/// What stands after the host in a `proxy_pass`, if anything does.
fn path_of(url: &str) -> Option<&str> {
    let rest = after_scheme(url);
    let path = match rest.strip_prefix("unix:") {
        Some(socket) => socket.split_once(':').map_or("", |(_, path)| path),
        None => rest.get(rest.find(['/', '?'])?..)?,
    };
    Some(path).filter(|path| !path.is_empty())
}

/// nginx's `$proxy_host`.
pub fn host_of(url: &str) -> &str {
    let rest = after_scheme(url);
    let host = match rest.starts_with("unix:") {
        true => "localhost",
        false => rest.split(['/', '?']).next().unwrap_or_default(),
    };
    let port = if url.starts_with("https://") {
        ":443"
    } else {
        ":80"
    };
    host.strip_suffix(port).unwrap_or(host)
}

fn after_scheme(url: &str) -> &str {
    url.split_once("://").map_or(url, |(_, rest)| rest)
}

/// Directives that make the answer in proxy_pass's place.
const OTHER_PASSES: [&str; 5] = [
    "fastcgi_pass",
    "grpc_pass",
    "memcached_pass",
    "scgi_pass",
    "uwsgi_pass",
];

/// nginx 1.29.7, from which on `proxy_http_version` is 1.1 unless it is set.
const WITH_HTTP_1_1: u32 = 1_029_007;
