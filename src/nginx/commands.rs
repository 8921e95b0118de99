//! Directives of other modules, seen as they are read.
//!
//! nginx gives a line to the first module in its list that has a directive of that name. So a module that is listed above
//! another one can stand before its directives: it looks at the line, and hands it on.

use std::ffi::{CStr, c_char, c_void};
use std::ptr;

use super::conf::{Conf, Handler};
use super::ffi::{
    NGX_HTTP_MODULE, NO_COMMAND, conf_error, ngx_command_t, ngx_module_t, ngx_uint_t,
};

/// A directive of another module.
pub struct Command {
    module: &'static ngx_module_t,
    command: *mut ngx_command_t,
}

impl Command {
    /// Has the module read the line. Gives nginx's own result: null, or what is wrong.
    pub fn hand_over(&self, conf: &Conf) -> *mut c_char {
        // SAFETY: cf is live, and this is what nginx does with a line of an http module: the level's configurations are
        // at the offset in cf->ctx that the command names, that of the module at its index.
        unsafe {
            let context: *const u8 = (*conf.raw()).ctx.cast();
            let level: *const *const *mut c_void = context.add((*self.command).conf).cast();
            let own = *(*level).add(self.module.ctx_index);
            match (*self.command).set {
                Some(set) => set(conf.raw(), self.command, own),
                None => conf_error(),
            }
        }
    }
}

/// The directive of that name in the http modules that are listed after `ours`; at the level that is read, if `here`.
pub fn after(conf: &Conf, ours: &ngx_module_t, name: &[u8], here: bool) -> Option<Command> {
    // SAFETY: the cycle's modules are an array of modules_n; a table of commands ends with an empty name.
    unsafe {
        let (cycle, level) = ((*conf.raw()).cycle, (*conf.raw()).cmd_type);
        let modules = std::slice::from_raw_parts((*cycle).modules, (*cycle).modules_n);
        let place = modules.iter().position(|module| ptr::eq(*module, ours))?;
        let below = modules.get(place + 1..)?.iter();
        below
            .filter_map(|module| module.as_ref())
            .filter(|module| module.type_ == NGX_HTTP_MODULE as ngx_uint_t)
            .find_map(|module| {
                let mut command = module.commands;
                while command.as_ref()?.name.len > 0 {
                    let fits = !here || (*command).type_ & level != 0;
                    if fits && super::bytes(&(*command).name) == name {
                        return Some(Command { module, command });
                    }
                    command = command.add(1);
                }
                None
            })
    }
}

/// Fills `table` with those of `names` that other modules have, each to be handed to its handler first; an empty one ends it.
pub fn stand_before(
    conf: &Conf,
    ours: &ngx_module_t,
    names: impl Iterator<Item = (&'static CStr, Handler)>,
    table: &mut [ngx_command_t],
) {
    let found = names.filter_map(|(name, handler)| {
        let theirs = after(conf, ours, name.to_bytes(), false)?;
        // SAFETY: a command of a module that is loaded.
        let mut command = unsafe { *theirs.command };
        // What nginx reads of it later is ours: their module may have been unloaded by then.
        command.name.data = name.as_ptr().cast_mut().cast();
        command.set = Some(handler);
        command.post = ptr::null_mut();
        Some(command)
    });
    let found = found.chain(std::iter::repeat(NO_COMMAND));
    for (slot, command) in table.iter_mut().zip(found) {
        *slot = command;
    }
}
