//! What nginx's own directives say where a gateway is. They are read by their own modules; ours sees them first.

use std::ffi::{CStr, c_char, c_void};
use std::sync::Arc;

use super::location::LocationConf;
use crate::nginx::commands;
use crate::nginx::conf::Conf;
use crate::nginx::ffi::{conf_error, ngx_command_t, ngx_conf_t};
use crate::nginx::guard::guard;

/// The directives that are looked at.
pub const NAMES: [&CStr; 21] = [
    c"proxy_pass",
    c"fastcgi_pass",
    c"grpc_pass",
    c"memcached_pass",
    c"scgi_pass",
    c"uwsgi_pass",
    c"break",
    c"return",
    c"rewrite",
    c"try_files",
    c"proxy_cache",
    c"proxy_cache_convert_head",
    c"proxy_http_version",
    c"proxy_method",
    c"proxy_pass_request_body",
    c"proxy_pass_request_headers",
    c"proxy_set_body",
    c"proxy_set_header",
    c"proxy_ssl_name",
    c"proxy_ssl_server_name",
    c"proxy_ssl_verify",
];

/// Those of [`NAMES`] that nginx hands down to the levels below, unless they are given there.
fn is_inherited(name: &str) -> bool {
    name.starts_with("proxy_") && name != "proxy_pass"
}

/// A directive as it stands in the configuration.
pub struct Line {
    /// Its words, the name first.
    words: Vec<String>,
    /// File and line.
    pub place: String,
}

impl Line {
    /// A word after the name, from 1; empty if there is none.
    pub fn word(&self, index: usize) -> &str {
        self.words.get(index).map_or("", String::as_str)
    }

    /// The directive.
    pub fn name(&self) -> &str {
        self.word(0)
    }
}

/// The directives of one level.
#[derive(Default)]
pub struct Lines(Vec<Arc<Line>>);

impl Lines {
    /// Those of that name, in their order.
    pub fn of(&self, name: &str) -> impl Iterator<Item = &Line> {
        self.0
            .iter()
            .map(|line| &**line)
            .filter(move |line| line.name() == name)
    }

    /// The one of that name.
    pub fn one(&self, name: &str) -> Option<&Line> {
        self.of(name).next()
    }

    /// Takes from the level above what was not given here.
    pub fn inherit(&mut self, above: &Self) {
        let given = self.0.len();
        for line in above.0.iter().filter(|line| is_inherited(line.name())) {
            let here = self.0.get(..given).unwrap_or_default();
            if !here.iter().any(|known| known.name() == line.name()) {
                self.0.push(Arc::clone(line));
            }
        }
    }
}

/// Called by nginx for each line with one of [`NAMES`]: has its own module read it, and notes it.
pub unsafe extern "C" fn observe(
    cf: *mut ngx_conf_t,
    _command: *mut ngx_command_t,
    conf: *mut c_void,
) -> *mut c_char {
    guard(conf_error(), || {
        // SAFETY: nginx calls this with a live cf, and with our configuration of the level that the line is at.
        let (cf, conf) = unsafe { (Conf::from_raw(cf), &mut *conf.cast::<LocationConf>()) };
        let name = cf.argument(0).as_bytes();
        let Some(command) = commands::after(&cf, crate::bedrock_module(), name, true) else {
            return c"is not known".as_ptr().cast_mut();
        };
        // Their module may change the words.
        let words = (0..cf.arguments()).map(|index| cf.argument(index).to_owned());
        let line = Line {
            words: words.collect(),
            place: cf.place(),
        };
        let result = command.hand_over(&cf);
        if result.is_null() {
            if line.name() == "proxy_pass"
                && let Some(main) = crate::main_conf_of(&cf)
            {
                main.proxy_handler = cf.location().handler;
            }
            conf.lines.0.push(Arc::new(line));
        }
        result
    })
}
