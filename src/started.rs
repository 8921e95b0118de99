//! What the error log says when nginx starts, or reloads: which module this is, and what of nginx.conf it has not seen.

use crate::nginx::ffi::{ngx_cycle_t, ngx_test_config};

use crate::directives::MainConf;
use crate::nginx::conf::main_conf_of_cycle;
use crate::nginx::environment;
use crate::nginx::log::{self, Level};
use crate::variables::VERSION;

/// One [notice], and a [warn] for each `env` that comes too late.
///
/// # Safety
/// `cycle` is live, and its configuration read to its end.
pub unsafe fn announce(cycle: *mut ngx_cycle_t) {
    // SAFETY: as promised by the caller.
    let (log, given, main) = unsafe {
        let main: Option<&MainConf> = main_conf_of_cycle(cycle, crate::bedrock_module());
        ((*cycle).log, environment::given_in(cycle), main)
    };
    // SAFETY: the cycle's log is live.
    let say = |level, text: &str| unsafe { log::write(log, level, text) };
    let environment = main.map(|main| main.sources.environment());
    let mut looked_at = Vec::new();
    for (name, value) in &given {
        // A process sees the first of two.
        let is_first = !looked_at.contains(&name);
        looked_at.push(name);
        let seen = environment.map(|environment| environment.get(name).unwrap_or_default());
        if is_first
            && bedrock_credentials::is_relevant(name)
            && seen.is_some_and(|seen| seen != value)
        {
            let text = format!(
                "bedrock: \"env {name}=…;\" stands behind \"http\", where it comes too late: move it above \"http\""
            );
            say(Level::Warn, &text);
        }
    }
    // SAFETY: nginx sets this before it reads its configuration.
    if unsafe { ngx_test_config } == 0 {
        let providers = match cfg!(feature = "aws") {
            true => "with AWS's credential providers",
            false => "without AWS's credential providers",
        };
        let text = format!("bedrock: module nginx-bedrock/{VERSION}, {providers}");
        say(Level::Notice, &text);
    }
}
