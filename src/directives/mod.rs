//! Text in nginx.conf to settings. Each directive is one line in [`DIRECTIVES`].

mod arguments;
mod check;
pub mod credentials;
pub mod limits;
pub mod location;
pub mod merge;
mod models;
pub mod observed;
mod prices;
pub mod rules;
pub mod servers;
mod state;
pub mod status;
pub mod upstream;

use std::ffi::{CStr, c_char, c_void};
use std::ptr;
use std::sync::Mutex;

use bedrock_credentials::Environment;

use crate::credentials::Sources;
use crate::nginx::commands;
use crate::nginx::conf::{Conf, ContentHandler, Handler};
use crate::nginx::ffi::{
    NGX_CONF_1MORE, NGX_CONF_2MORE, NGX_CONF_BLOCK, NGX_CONF_NOARGS, NGX_CONF_TAKE1,
    NGX_CONF_TAKE2, NGX_CONF_TAKE12, NGX_CONF_TAKE23, NGX_HTTP_LOC_CONF, NGX_HTTP_LOC_CONF_OFFSET,
    NGX_HTTP_MAIN_CONF, NGX_HTTP_MAIN_CONF_OFFSET, NGX_HTTP_SRV_CONF, NGX_HTTP_SRV_CONF_OFFSET,
    NGX_HTTP_UPS_CONF, NO_COMMAND, conf_error, ngx_command_t, ngx_conf_t, ngx_http_handler_pt,
    ngx_str_t, ngx_uint_t,
};
use crate::nginx::guard::guard;
use crate::nginx::task;
use crate::prices::Pricing;
use crate::resolve::Following;
use crate::zone::Zones;
use crate::zone::learned::Estimates;
use crate::zone::vault::Vault;
use arguments::{
    anthropic_beta, anthropic_via, api, auth, client_abort, endpoint_value, flag, frame_size,
    guardrail, large_bodies, model, ping, region, responses_via, service, size, time,
};
use limits::LimitZone;
use location::{Auth, LocationConf, Switch};
use rules::{AllowModels, MaxOutputTokens};
use status::StatusZone;
use upstream::UpstreamConf;

/// How `bedrock_auth` calls the source that is used where none is named.
pub const DEFAULT: &str = "default";

/// What is kept at http level.
pub struct MainConf {
    /// Credential sources.
    pub sources: Sources,
    /// Region from the environment.
    pub region: String,
    /// `bedrock on`, wherever it stands.
    pub switches: Vec<SwitchedOn>,
    /// What `proxy_pass` has nginx call for an answer.
    pub proxy_handler: ngx_http_handler_pt,
    /// Whether [`observed`] sees nginx's own directives.
    pub observes: bool,
    /// Whether one of them may use the default source.
    pub default_used: bool,
    /// nginx's thread pool, where it is used.
    pub pool: Option<task::Pool>,
    /// `bedrock_large_bodies`
    pub large_bodies: Option<usize>,
    /// The content handlers of all gateways.
    pub handlers: Vec<ContentHandler>,
    /// What upstreams with `bedrock_resolve` have looked up.
    pub following: Option<Following>,
    /// What is learned for the limits below.
    pub estimates: Option<Estimates>,
    /// `bedrock_prices`
    pub prices: Option<Pricing>,
    /// `bedrock_limit_zone`
    pub limits: Vec<LimitZone>,
    /// Names of zones in `bedrock_limit` as they were read: name, and where it stands.
    pub named_limits: Vec<(String, String)>,
    /// `bedrock_status_zone`
    pub status: Option<StatusZone>,
    /// Where `bedrock_status` stands.
    pub status_pages: Vec<String>,
    /// What the workers look after in shared memory.
    pub zones: Option<Zones>,
    /// `bedrock_credentials_zone`, in bytes; inside, `None` is `off`.
    pub credentials_zone: Option<Option<usize>>,
    /// Where the workers keep credentials that expire.
    pub vault: Option<&'static Vault>,
    /// Names of blocks in `bedrock_auth` as they were read: name, and where it stands.
    pub named_sources: Vec<(String, String)>,
}

impl MainConf {
    /// How many bytes of large bodies a worker works on at the same time.
    pub fn large_bodies(&self) -> usize {
        self.large_bodies.unwrap_or(64 << 20)
    }

    /// Whether a source is used.
    pub fn wants_source(&self, index: usize) -> bool {
        index != crate::credentials::DEFAULT || self.default_used
    }

    /// With what the environment says, and `given`: the variables that nginx.conf gives a value.
    pub fn new(given: Vec<(String, String)>) -> Self {
        let environment = match ENVIRONMENT.lock() {
            Ok(mut kept) => kept.get_or_insert_with(Environment::capture).clone(),
            Err(_) => Environment::capture(),
        };
        let environment = environment.with(given);
        let region = environment
            .get("AWS_REGION")
            .or_else(|| environment.get("AWS_DEFAULT_REGION"));
        Self {
            region: region.unwrap_or_default().to_owned(),
            sources: Sources::new(environment),
            switches: Vec::new(),
            proxy_handler: None,
            observes: false,
            default_used: false,
            pool: None,
            large_bodies: None,
            handlers: Vec::new(),
            following: None,
            estimates: None,
            prices: None,
            limits: Vec::new(),
            named_limits: Vec::new(),
            status: None,
            status_pages: Vec::new(),
            zones: None,
            credentials_zone: None,
            vault: None,
            named_sources: Vec::new(),
        }
    }
}

/// A `bedrock on`.
pub struct SwitchedOn {
    /// File and line.
    pub place: String,
    /// Whether it has made a gateway, or was complained about.
    pub settled: bool,
}

/// A process that reads its configuration again may have lost its environment meanwhile.
static ENVIRONMENT: Mutex<Option<Environment>> = Mutex::new(None);

/// Wipes what was kept of the environment: the process ends.
pub fn forget_environment() {
    if let Ok(mut kept) = ENVIRONMENT.lock() {
        kept.take();
    }
}

/// A directive of any level.
struct Directive {
    name: &'static CStr,
    arguments: u32,
    set: Set,
}

enum Set {
    /// In http, server and location.
    Location(fn(&mut LocationConf, &Conf) -> Result<(), String>),
    /// In location only.
    InLocation(fn(&mut LocationConf, &Conf) -> Result<(), String>),
    /// In http only.
    Http(fn(&mut MainConf, &Conf) -> Result<(), String>),
    /// In http only, a block.
    HttpBlock(fn(&mut MainConf, &Conf) -> Result<(), String>),
    /// In upstream.
    Upstream(fn(&mut UpstreamConf, &Conf) -> Result<(), String>),
}

const fn location(
    name: &'static CStr,
    arguments: u32,
    set: fn(&mut LocationConf, &Conf) -> Result<(), String>,
) -> Directive {
    Directive {
        name,
        arguments,
        set: Set::Location(set),
    }
}

#[rustfmt::skip]
static DIRECTIVES: [Directive; 35] = [
    location(c"bedrock",                   NGX_CONF_TAKE1,  switch),
    location(c"bedrock_api",               NGX_CONF_TAKE1,  |conf, cf| once(&mut conf.api, api(cf)?)),
    location(c"bedrock_region",            NGX_CONF_TAKE1,  |conf, cf| once(&mut conf.region, region(cf)?)),
    location(c"bedrock_endpoint",          NGX_CONF_TAKE1,  |conf, cf| once(&mut conf.endpoint, endpoint_value(cf)?)),
    location(c"bedrock_service",           NGX_CONF_TAKE1,  |conf, cf| once(&mut conf.service, service(cf)?)),
    location(c"bedrock_model",             NGX_CONF_TAKE1,  |conf, cf| once(&mut conf.model, model(cf)?)),
    location(c"bedrock_alias",             NGX_CONF_TAKE23, models::add_alias),
    location(c"bedrock_model_family",      NGX_CONF_TAKE2,  models::add_family),
    location(c"bedrock_model_feature",     NGX_CONF_2MORE,  models::add_feature),
    location(c"bedrock_allow_models",      NGX_CONF_1MORE,  |conf, cf| once(&mut conf.allow_models, AllowModels::read(cf)?)),
    location(c"bedrock_max_output_tokens", NGX_CONF_TAKE1,  |conf, cf| once(&mut conf.max_output_tokens, MaxOutputTokens::read(cf)?)),
    location(c"bedrock_guardrail",         NGX_CONF_TAKE23, |conf, cf| once(&mut conf.guardrail, guardrail(cf)?)),
    location(c"bedrock_limit",             NGX_CONF_1MORE,  limits::add),
    location(c"bedrock_auth",              NGX_CONF_TAKE12, |conf, cf| once(&mut conf.auth, auth(cf)?)),
    location(c"bedrock_credentials_timeout", NGX_CONF_TAKE1, |conf, cf| once(&mut conf.credentials_timeout, time(cf)?)),
    location(c"bedrock_anthropic_via",     NGX_CONF_TAKE1,  |conf, cf| once(&mut conf.anthropic_via, anthropic_via(cf)?)),
    location(c"bedrock_responses_via",     NGX_CONF_TAKE1,  |conf, cf| once(&mut conf.responses_via, responses_via(cf)?)),
    location(c"bedrock_anthropic_beta",    NGX_CONF_1MORE,  |conf, cf| once(&mut conf.anthropic_beta, anthropic_beta(cf)?)),
    location(c"bedrock_client_abort",      NGX_CONF_TAKE1,  |conf, cf| once(&mut conf.client_abort, client_abort(cf)?)),
    location(c"bedrock_max_frame_size",    NGX_CONF_TAKE1,  |conf, cf| once(&mut conf.max_frame_size, frame_size(cf)?)),
    location(c"bedrock_hold_headers",      NGX_CONF_TAKE1,  |conf, cf| once(&mut conf.hold_headers, flag(cf)?)),
    location(c"bedrock_limit_reserve",     NGX_CONF_TAKE1,  |conf, cf| once(&mut conf.limit_reserve, limits::reserve(cf)?)),
    location(c"bedrock_limit_dry_run",     NGX_CONF_TAKE1,  |conf, cf| once(&mut conf.limit_dry_run, flag(cf)?)),
    location(c"bedrock_limit_headers",     NGX_CONF_TAKE1,  |conf, cf| once(&mut conf.limit_headers, flag(cf)?)),
    location(c"bedrock_price_unknown",     NGX_CONF_TAKE1,  |conf, cf| once(&mut conf.price_unknown_free, limits::price_unknown(cf)?)),
    location(c"bedrock_ping",              NGX_CONF_TAKE1,  |conf, cf| once(&mut conf.ping, ping(cf)?)),
    location(c"bedrock_response_text",     NGX_CONF_TAKE1,  |conf, cf| once(&mut conf.response_text, size(cf)?)),
    Directive { name: c"bedrock_large_bodies", arguments: NGX_CONF_TAKE1, set: Set::Http(|main, cf| once(&mut main.large_bodies, large_bodies(cf)?)) },
    Directive { name: c"bedrock_prices", arguments: NGX_CONF_TAKE1, set: Set::Http(prices::read) },
    Directive { name: c"bedrock_limit_zone", arguments: NGX_CONF_2MORE, set: Set::Http(limits::add_zone) },
    Directive { name: c"bedrock_status_zone", arguments: NGX_CONF_1MORE, set: Set::Http(status::add_zone) },
    Directive { name: c"bedrock_status", arguments: NGX_CONF_NOARGS, set: Set::InLocation(status::show) },
    Directive { name: c"bedrock_credentials_zone", arguments: NGX_CONF_TAKE1, set: Set::Http(|main, cf| once(&mut main.credentials_zone, credentials::zone(cf)?)) },
    Directive { name: c"bedrock_credentials", arguments: NGX_CONF_TAKE1, set: Set::HttpBlock(credentials::read_block) },
    Directive { name: c"bedrock_resolve", arguments: NGX_CONF_NOARGS | NGX_CONF_TAKE12, set: Set::Upstream(upstream::resolve) },
];

/// How many commands nginx may find: ours, those of [`observed`] and of [`upstream`], and an empty one.
pub const COMMANDS: usize = DIRECTIVES.len() + observed::NAMES.len() + upstream::NAMES.len() + 1;

/// The table as nginx wants it, with room for the directives of other modules that are observed.
pub const fn commands() -> [ngx_command_t; COMMANDS] {
    let mut commands = [NO_COMMAND; COMMANDS];
    let mut index = 0;
    while index < DIRECTIVES.len() {
        // Evaluated when the crate is compiled, where an index out of bounds would not compile.
        #[allow(clippy::indexing_slicing)]
        let directive = &DIRECTIVES[index];
        let (place, offset) = match directive.set {
            Set::Location(_) => (
                NGX_HTTP_MAIN_CONF | NGX_HTTP_SRV_CONF | NGX_HTTP_LOC_CONF,
                NGX_HTTP_LOC_CONF_OFFSET,
            ),
            Set::InLocation(_) => (NGX_HTTP_LOC_CONF, NGX_HTTP_LOC_CONF_OFFSET),
            Set::Http(_) => (NGX_HTTP_MAIN_CONF, NGX_HTTP_MAIN_CONF_OFFSET),
            Set::HttpBlock(_) => (
                NGX_HTTP_MAIN_CONF | NGX_CONF_BLOCK,
                NGX_HTTP_MAIN_CONF_OFFSET,
            ),
            Set::Upstream(_) => (NGX_HTTP_UPS_CONF, NGX_HTTP_SRV_CONF_OFFSET),
        };
        #[allow(clippy::indexing_slicing)]
        let command = &mut commands[index];
        command.name = ngx_str_t {
            len: directive.name.count_bytes(),
            data: directive.name.as_ptr().cast_mut().cast(),
        };
        command.type_ = (place | directive.arguments) as ngx_uint_t;
        command.set = Some(set);
        command.conf = offset;
        command.post = ptr::from_ref(directive).cast_mut().cast();
        index += 1;
    }
    commands
}

/// Adds the directives that are observed to the table: nginx is about to read its http {}.
pub fn observe(cf: &Conf, table: &mut [ngx_command_t; COMMANDS]) {
    let Some(room) = table.get_mut(DIRECTIVES.len()..) else {
        return;
    };
    let observed = observed::NAMES.map(|name| (name, observed::observe as Handler));
    let names = observed.into_iter().chain(upstream::NAMES);
    commands::stand_before(cf, crate::bedrock_module(), names, room);
    if let Some(main) = crate::main_conf_of(cf) {
        let proxy_pass = c"proxy_pass".to_bytes();
        main.observes = commands::after(cf, crate::bedrock_module(), proxy_pass, false).is_some();
    }
}

/// Called by nginx for each directive it meets.
unsafe extern "C" fn set(
    cf: *mut ngx_conf_t,
    command: *mut ngx_command_t,
    conf: *mut c_void,
) -> *mut c_char {
    guard(conf_error(), || {
        // SAFETY: nginx calls this with a live cf, our own command, whose `post` is a line of DIRECTIVES, and the
        // configuration that the line's level says.
        let (cf, directive) =
            unsafe { (Conf::from_raw(cf), &*(*command).post.cast::<Directive>()) };
        let result = match directive.set {
            Set::Location(set) | Set::InLocation(set) => {
                // SAFETY: as above.
                let conf = unsafe { &mut *conf.cast::<LocationConf>() };
                set(conf, &cf).and_then(|()| note_sources(&cf, conf))
            }
            Set::Http(set) | Set::HttpBlock(set) => {
                // SAFETY: as above.
                let main = unsafe { &mut *conf.cast::<MainConf>() };
                set(main, &cf)
            }
            Set::Upstream(set) => {
                // SAFETY: as above.
                let conf = unsafe { &mut *conf.cast::<UpstreamConf>() };
                set(conf, &cf)
            }
        };
        match result {
            Ok(()) => ptr::null_mut(),
            Err(what) => {
                let name = directive.name.to_string_lossy();
                cf.complain(&format!("\"{name}\" directive {what}"));
                conf_error()
            }
        }
    })
}

/// Notes the sources that have to be there once the whole configuration is read.
fn note_sources(cf: &Conf, conf: &LocationConf) -> Result<(), String> {
    let Some(main) = crate::main_conf_of(cf) else {
        return Ok(());
    };
    if cf.argument(0) == "bedrock_auth"
        && let Some(Auth::Block(name)) = &conf.auth
    {
        main.named_sources.push((name.clone(), cf.place()));
    }
    Ok(())
}

fn once<T>(setting: &mut Option<T>, value: T) -> Result<(), String> {
    match setting {
        Some(_) => Err("is duplicate".to_owned()),
        None => {
            *setting = Some(value);
            Ok(())
        }
    }
}

/// `bedrock`
fn switch(conf: &mut LocationConf, cf: &Conf) -> Result<(), String> {
    let on = flag(cf)?;
    let main = crate::main_conf_of(cf).ok_or("is out of place")?;
    let place = cf.place();
    once(
        &mut conf.on,
        if on {
            Switch::On(main.switches.len())
        } else {
            Switch::Off
        },
    )?;
    if on {
        main.switches.push(SwitchedOn {
            place,
            settled: false,
        });
    }
    Ok(())
}
