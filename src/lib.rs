//! Amazon Bedrock behind stock nginx: the module's table, and the phases in the order in which a request meets them.
//!
//! ```text
//! REWRITE      rewrite    recognise the operation (and read the body where only it names the model)
//! …            nginx      limits and access control, on the client's own request
//! PRECONTENT   sign       plan the call, ask the limits (admit), sign it
//! CONTENT      content    have the planned call sent
//!              nginx      proxy_pass connects, sends, receives
//! filters      filter     decode the answer as it passes, count, translate, turn failures into errors
//! LOG          variables  $bedrock_* for log_format
//!              counted    metrics and the status page
//! ```
//!
//! What any of that means for Bedrock is decided in the `gateway` crate; this one connects it to nginx.

mod admit;
mod attempt;
mod background;
mod content;
mod context;
mod counted;
mod credentials;
mod decode;
mod directives;
#[cfg(not(feature = "linked-by-nginx"))]
mod exports;
mod filter;
mod local;
mod nginx;
mod prices;
mod resolve;
mod rewrite;
mod room;
mod sign;
mod started;
mod status;
mod values;
mod variables;
mod zone;

use std::ffi::{c_char, c_void};
use std::ptr;

use directives::MainConf;
use directives::location::LocationConf;
use directives::merge;
use directives::upstream::UpstreamConf;
use nginx::conf::Conf;
use nginx::ffi::{
    MODULE, NGX_ERROR, NGX_HTTP_INTERNAL_SERVER_ERROR, NGX_HTTP_MODULE, NGX_OK, conf_error,
    ngx_chain_t, ngx_command_t, ngx_conf_t, ngx_cycle_t, ngx_http_filter_finalize_request,
    ngx_http_module_t, ngx_http_phases_NGX_HTTP_LOG_PHASE,
    ngx_http_phases_NGX_HTTP_PRECONTENT_PHASE, ngx_http_phases_NGX_HTTP_REWRITE_PHASE,
    ngx_http_request_t, ngx_int_t, ngx_module_t, ngx_uint_t,
};
use nginx::guard::{forced, guard, quiet_panics};
use nginx::request::Request;

/// Bodies above this many bytes are read, planned and hashed in a thread, and answers written in another form; below, that takes
/// well under a millisecond.
pub const LARGE_BODY: usize = 256 << 10;

#[global_allocator]
static MEMORY: nginx::memory::Memory = nginx::memory::Memory;

// One position in nginx's module list cannot serve both halves. Phase handlers run in reverse order: the handlers are
// listed before mirror and rewrite, so they run after `set` and `if`, and a mirror gets the client's own request; and before
// the upstream module, so that `server` lines are seen first. Filters
// are listed before the copy filter, which has then read files into memory.
static mut COMMANDS: [ngx_command_t; directives::COMMANDS] = directives::commands();

static HANDLER_CONTEXT: ngx_http_module_t = ngx_http_module_t {
    preconfiguration: Some(before_configuration),
    postconfiguration: Some(add_handlers),
    create_main_conf: Some(create_main_conf),
    init_main_conf: None,
    create_srv_conf: Some(create_srv_conf),
    merge_srv_conf: None,
    create_loc_conf: Some(create_loc_conf),
    merge_loc_conf: Some(merge_loc_conf),
};

static FILTER_CONTEXT: ngx_http_module_t = ngx_http_module_t {
    preconfiguration: None,
    postconfiguration: Some(add_filters),
    create_main_conf: None,
    init_main_conf: None,
    create_srv_conf: None,
    merge_srv_conf: None,
    create_loc_conf: None,
    merge_loc_conf: None,
};

/// Configuration, variables and phase handlers.
#[unsafe(no_mangle)]
#[allow(non_upper_case_globals)]
pub static mut ngx_http_bedrock_module: ngx_module_t = ngx_module_t {
    ctx: (&raw const HANDLER_CONTEXT).cast_mut().cast(),
    commands: (&raw mut COMMANDS).cast(),
    type_: NGX_HTTP_MODULE as ngx_uint_t,
    init_module: Some(init_module),
    init_process: Some(init_process),
    exit_process: Some(exit_process),
    exit_master: Some(exit_master),
    ..MODULE
};

/// Header and body filter.
#[unsafe(no_mangle)]
#[allow(non_upper_case_globals)]
pub static mut ngx_http_bedrock_filter_module: ngx_module_t = ngx_module_t {
    ctx: (&raw const FILTER_CONTEXT).cast_mut().cast(),
    type_: NGX_HTTP_MODULE as ngx_uint_t,
    ..MODULE
};

/// This module, with the place in the configurations that nginx gave it.
fn bedrock_module() -> &'static ngx_module_t {
    // SAFETY: nginx fills the struct in while it loads the configuration; workers only read it.
    unsafe {
        let module: *const ngx_module_t = &raw const ngx_http_bedrock_module;
        &*module
    }
}

/// The settings of the request's location.
fn location_conf(request: Request) -> Option<&'static LocationConf> {
    request.location_conf(bedrock_module())
}

/// The settings of the http level.
fn main_conf(request: Request) -> Option<&'static MainConf> {
    request.main_conf(bedrock_module())
}

/// The settings of the http level while the configuration is read.
fn main_conf_of(cf: &Conf) -> Option<&'static mut MainConf> {
    cf.main_conf(bedrock_module())
}

unsafe extern "C" fn before_configuration(cf: *mut ngx_conf_t) -> ngx_int_t {
    guard(ERROR, || {
        // SAFETY: nginx calls this while it reads the configuration.
        let conf = unsafe { Conf::from_raw(cf) };
        if let Some(mismatch) = nginx::running::mismatch() {
            conf.complain(&mismatch);
            return ERROR;
        }
        // A filter module that was loaded later, such as Lua's, was listed between ours and the copy filter. It would get
        // Bedrock's frames, and no error that we make of them; what it is to see is the answer that the client gets.
        conf.list_before(
            &raw const ngx_http_bedrock_filter_module,
            c"ngx_http_copy_filter_module",
        );
        // SAFETY: nginx looks at the table when it meets the next directive, and nobody else does.
        if let Some(table) = unsafe { (&raw mut COMMANDS).as_mut() } {
            directives::observe(&conf, table);
        }
        match variables::add(&conf) {
            true => OK,
            false => ERROR,
        }
    })
}

unsafe extern "C" fn create_main_conf(cf: *mut ngx_conf_t) -> *mut c_void {
    guard(ptr::null_mut(), || {
        // SAFETY: nginx calls this while it reads the configuration.
        let conf = unsafe { Conf::from_raw(cf) };
        conf.keep(MainConf::new(nginx::environment::given(&conf)))
    })
}

unsafe extern "C" fn create_srv_conf(cf: *mut ngx_conf_t) -> *mut c_void {
    guard(ptr::null_mut(), || {
        // SAFETY: nginx calls this while it reads the configuration.
        unsafe { Conf::from_raw(cf) }.keep(UpstreamConf::default())
    })
}

unsafe extern "C" fn create_loc_conf(cf: *mut ngx_conf_t) -> *mut c_void {
    guard(ptr::null_mut(), || {
        // SAFETY: nginx calls this while it reads the configuration.
        unsafe { Conf::from_raw(cf) }.keep(LocationConf::default())
    })
}

unsafe extern "C" fn merge_loc_conf(
    cf: *mut ngx_conf_t,
    above: *mut c_void,
    here: *mut c_void,
) -> *mut c_char {
    guard(conf_error(), || {
        // SAFETY: both were made by create_loc_conf and are different levels.
        let (here, above) = unsafe {
            (
                &mut *here.cast::<LocationConf>(),
                &*above.cast::<LocationConf>(),
            )
        };
        // SAFETY: nginx calls this while it reads the configuration.
        let cf = unsafe { Conf::from_raw(cf) };
        let merged =
            main_conf_of(&cf).is_some_and(|main| merge::level(&cf, main, above, here).is_ok());
        if merged {
            ptr::null_mut()
        } else {
            conf_error()
        }
    })
}

unsafe extern "C" fn add_handlers(cf: *mut ngx_conf_t) -> ngx_int_t {
    guard(ERROR, || {
        // SAFETY: nginx calls this once it has read the configuration.
        let conf = unsafe { Conf::from_raw(cf) };
        let Some(main) = main_conf_of(&conf) else {
            return ERROR;
        };
        if merge::complete(&conf, main).is_err() {
            return ERROR;
        }
        match resolve::settle(&conf) {
            Ok(following) => main.following = following,
            Err(()) => return ERROR,
        }
        let mut added = conf
            .add_phase_handler(ngx_http_phases_NGX_HTTP_REWRITE_PHASE, rewrite_handler)
            && conf.add_phase_handler(ngx_http_phases_NGX_HTTP_PRECONTENT_PHASE, sign_handler);
        if main.status.is_some() {
            added &= conf.add_phase_handler(ngx_http_phases_NGX_HTTP_LOG_PHASE, log_handler);
        }
        if added { OK } else { ERROR }
    })
}

unsafe extern "C" fn rewrite_handler(r: *mut ngx_http_request_t) -> ngx_int_t {
    // SAFETY: nginx gives the handler a live request.
    let request = unsafe { Request::from_raw(r) };
    guard(FAILED, || {
        forced(request, "rewrite");
        rewrite::handler(request)
    })
}

unsafe extern "C" fn sign_handler(r: *mut ngx_http_request_t) -> ngx_int_t {
    // SAFETY: nginx gives the handler a live request.
    let request = unsafe { Request::from_raw(r) };
    guard(FAILED, || {
        forced(request, "sign");
        sign::handler(request)
    })
}

unsafe extern "C" fn log_handler(r: *mut ngx_http_request_t) -> ngx_int_t {
    // SAFETY: nginx gives the handler a live request.
    let request = unsafe { Request::from_raw(r) };
    guard(OK, || {
        forced(request, "log");
        counted::request_ended(request);
        OK
    })
}

unsafe extern "C" fn add_filters(_cf: *mut ngx_conf_t) -> ngx_int_t {
    guard(ERROR, || {
        nginx::filters::add(header_filter, body_filter);
        OK
    })
}

unsafe extern "C" fn header_filter(r: *mut ngx_http_request_t) -> ngx_int_t {
    // SAFETY: nginx gives the filter a live request.
    let request = unsafe { Request::from_raw(r) };
    guard(None, || {
        forced(request, "every-header");
        Some(filter::header(request))
    })
    .unwrap_or_else(|| {
        // The answer below passes here again: a panic in that, too, must not go on for ever.
        if request.is_filter_finalized() {
            return ERROR;
        }
        if let Some(mut context) = context::find(request) {
            context.step_aside(request);
        }
        // A plain error here would give the client an empty reply.
        // SAFETY: the request is live and its header not sent.
        unsafe {
            ngx_http_filter_finalize_request(
                r,
                (&raw mut ngx_http_bedrock_filter_module).cast(),
                502,
            )
        }
    })
}

unsafe extern "C" fn body_filter(r: *mut ngx_http_request_t, input: *mut ngx_chain_t) -> ngx_int_t {
    // SAFETY: nginx gives the filter a live request, and a chain of it.
    let request = unsafe { Request::from_raw(r) };
    guard(ERROR, || {
        forced(request, "body");
        filter::body(request, input)
    })
}

/// The whole of nginx.conf has been read, and nginx starts or reloads with it.
unsafe extern "C" fn init_module(cycle: *mut ngx_cycle_t) -> ngx_int_t {
    guard(ERROR, || {
        // SAFETY: nginx calls this with the new cycle, whose log is open.
        unsafe { started::announce(cycle) };
        OK
    })
}

unsafe extern "C" fn init_process(cycle: *mut ngx_cycle_t) -> ngx_int_t {
    guard(ERROR, || {
        quiet_panics();
        // SAFETY: nginx calls this in a new process with its cycle.
        let main: Option<&MainConf> =
            unsafe { nginx::conf::main_conf_of_worker(cycle, bedrock_module()) };
        if let Some(main) = main {
            background::start(main);
        }
        OK
    })
}

unsafe extern "C" fn exit_process(_cycle: *mut ngx_cycle_t) {
    guard((), || {
        background::stop();
        directives::forget_environment();
    });
}

unsafe extern "C" fn exit_master(_cycle: *mut ngx_cycle_t) {
    guard((), directives::forget_environment);
}

const OK: ngx_int_t = NGX_OK as ngx_int_t;
const ERROR: ngx_int_t = NGX_ERROR as ngx_int_t;
const FAILED: ngx_int_t = NGX_HTTP_INTERNAL_SERVER_ERROR as ngx_int_t;
