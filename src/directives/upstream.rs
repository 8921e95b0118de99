//! `bedrock_resolve`, and what nginx's own directives say in the same upstream.

use std::ffi::{CStr, c_char, c_void};
use std::time::Duration;

use addresses::Question;

use super::arguments::time_of;
use crate::nginx::balancer::Balancer;
use crate::nginx::commands;
use crate::nginx::conf::{Conf, Handler};
use crate::nginx::ffi::{conf_error, ngx_command_t, ngx_conf_t};
use crate::nginx::guard::guard;
use crate::nginx::peers::Named;
use crate::nginx::upstream_block::UpstreamBlock;

/// The directives of other modules that are seen first.
pub const NAMES: [(&CStr, Handler); 4] = [
    (c"server", server),
    (c"random", note),
    (c"sticky", note),
    (c"zone", note),
];

/// What an upstream has of ours.
#[derive(Default)]
pub struct UpstreamConf {
    /// `bedrock_resolve`
    pub resolve: Option<Resolve>,
    /// Its servers with names that are looked up, and what they ask for.
    pub servers: Vec<Server>,
    /// The same servers, once it is settled which names are looked up.
    pub named: Vec<Named>,
    /// Directives that do not go with it: name, and file and line.
    pub noted: Vec<(String, String)>,
    /// The upstream's balancer.
    pub balancer: Balancer,
}

/// How names are looked up.
pub struct Resolve {
    /// How long an answer is taken for true.
    pub valid: Duration,
    /// Whether IPv6 addresses are wanted.
    pub ipv6: bool,
    /// File and line.
    pub place: String,
}

/// A server whose name is looked up.
pub struct Server {
    /// What is asked for.
    pub question: Question,
    /// As nginx's balancers want it; which name it is is not known yet.
    pub named: Named,
    /// File and line.
    pub place: String,
}

/// `bedrock_resolve`
pub fn resolve(conf: &mut UpstreamConf, cf: &Conf) -> Result<(), String> {
    let block = UpstreamBlock::of(cf).ok_or("is out of place")?;
    if !block.servers().is_empty() {
        return Err("must stand before the \"server\" lines of its upstream".to_owned());
    }
    let (mut valid, mut ipv6) = (None, None);
    for index in 1..cf.arguments() {
        let parameter = cf.argument(index);
        let known = match parameter.split_once('=') {
            Some(("valid", value)) => {
                let time = time_of(value).filter(|time| *time >= SHORTEST);
                let time = time.ok_or_else(|| {
                    format!("has parameter \"{parameter}\": it must be a time of at least 100ms, such as 10s or 1m")
                })?;
                valid.replace(time).is_none()
            }
            Some(("ipv6", value @ ("on" | "off"))) => ipv6.replace(value == "on").is_none(),
            _ => {
                return Err(format!(
                    "has parameter \"{parameter}\": it must be \"valid=TIME\" or \"ipv6=on|off\""
                ));
            }
        };
        if !known {
            return Err(format!("has a second parameter \"{parameter}\""));
        }
    }
    let settings = Resolve {
        valid: valid.unwrap_or(USUAL),
        ipv6: ipv6.unwrap_or(true),
        place: cf.place(),
    };
    super::once(&mut conf.resolve, settings)
}

/// Called by nginx for each `server` of an upstream. nginx reads the line; but where names are looked up, it gets an address in
/// place of the name.
unsafe extern "C" fn server(
    cf: *mut ngx_conf_t,
    _command: *mut ngx_command_t,
    _conf: *mut c_void,
) -> *mut c_char {
    guard(conf_error(), || {
        // SAFETY: nginx calls this with a live cf.
        let cf = unsafe { Conf::from_raw(cf) };
        let Some(conf) = own(&cf) else {
            return conf_error();
        };
        let Some(command) = commands::after(&cf, crate::bedrock_module(), b"server", true) else {
            return c"is not known".as_ptr().cast_mut();
        };
        let Some(resolve) = &conf.resolve else {
            return command.hand_over(&cf);
        };
        let asked = Question::of_server(cf.argument(1), resolve.ipv6);
        let (Some((question, port)), Some(word)) = (asked, cf.raw_argument(1)) else {
            return command.hand_over(&cf);
        };
        for index in 2..cf.arguments() {
            let parameter = cf.argument(index);
            if parameter == "resolve" || parameter.starts_with("service=") {
                cf.complain(&format!(
                    "\"server\" directive has parameter \"{parameter}\" beside \"bedrock_resolve\", which looks its name up \
                     already: remove one of the two"
                ));
                return conf_error();
            }
        }
        let Some(stand_in) = cf.text(&format!("127.0.0.1:{port}")) else {
            return conf_error();
        };
        let line = UpstreamBlock::of(&cf).map_or(0, |block| block.servers().len());
        // SAFETY: a word of the line that is read, in which nginx finds an address now.
        let name = unsafe { std::ptr::replace(word, stand_in) };
        let result = command.hand_over(&cf);
        // SAFETY: as above.
        unsafe { word.write(name) };
        if !result.is_null() {
            return result;
        }
        let Some(down) = UpstreamBlock::of(&cf).and_then(|block| block.disarm_last(name)) else {
            return conf_error();
        };
        conf.servers.push(Server {
            question,
            named: Named {
                line,
                name: 0,
                port,
                down,
            },
            place: cf.place(),
        });
        result
    })
}

/// Called by nginx for a directive that does not go with `bedrock_resolve`, which may follow.
unsafe extern "C" fn note(
    cf: *mut ngx_conf_t,
    _command: *mut ngx_command_t,
    _conf: *mut c_void,
) -> *mut c_char {
    guard(conf_error(), || {
        // SAFETY: nginx calls this with a live cf.
        let cf = unsafe { Conf::from_raw(cf) };
        let name = cf.argument(0).to_owned();
        let command = commands::after(&cf, crate::bedrock_module(), name.as_bytes(), true);
        match (command, own(&cf)) {
            (Some(command), Some(conf)) => {
                conf.noted.push((name, cf.place()));
                command.hand_over(&cf)
            }
            _ => c"is not known".as_ptr().cast_mut(),
        }
    })
}

/// What we have of the upstream that is read. What nginx gives to the handler of another module's directive may be of another
/// level: some name none.
fn own(cf: &Conf) -> Option<&'static mut UpstreamConf> {
    let conf = cf.server_conf::<UpstreamConf>(crate::bedrock_module())?;
    // SAFETY: made by create_srv_conf; only one callback runs at a time, and none keeps the reference.
    unsafe { conf.as_mut() }
}

const USUAL: Duration = Duration::from_secs(10);
const SHORTEST: Duration = Duration::from_millis(100);
