//! What nginx's workers may do: the master is root, and they are not.

use std::ffi::CString;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::ptr;

use libc::{
    AT_EACCESS, AT_FDCWD, R_OK, W_OK, X_OK, faccessat, getegid, geteuid, getgroups, initgroups,
    setegid, seteuid, setgroups,
};

use super::conf::Conf;
use super::ffi::{ngx_core_conf_t, ngx_core_module, ngx_cycle_t};

/// The workers of a configuration, for whoever reads that.
#[derive(Clone, Copy)]
pub struct Workers(*const ngx_cycle_t);

impl Workers {
    /// Those of the configuration that is read. Their user is known once all of it has been.
    pub fn of(cf: &Conf) -> Self {
        // SAFETY: cf is live.
        Self(unsafe { (*cf.raw()).cycle })
    }

    /// Whether they may read this file.
    pub fn may_read(self, file: &Path) -> bool {
        self.may(file, R_OK)
    }

    /// Whether they may make files in this directory, and open it.
    pub fn may_write_in(self, directory: &Path) -> bool {
        self.may(directory, R_OK | W_OK | X_OK)
    }

    /// The system is asked as their user, if this process may become another one.
    fn may(self, path: &Path, how: i32) -> bool {
        let Ok(path) = CString::new(path.as_os_str().as_bytes()) else {
            return false;
        };
        // SAFETY: the path ends in NUL.
        let may = || unsafe { faccessat(AT_FDCWD, path.as_ptr(), how, AT_EACCESS) == 0 };
        // SAFETY: the configuration is live, and the core module's is made before any other; its user name is null or ends in NUL.
        // There are no threads yet. Root becomes itself again whoever it was meanwhile.
        unsafe {
            let core: *const ngx_core_conf_t =
                (*(*self.0).conf_ctx.add(ngx_core_module.index)).cast();
            let (user, group) = ((*core).user, (*core).group);
            // A process without workers stays who it is.
            if geteuid() != 0 || user == 0 || (*core).master == 0 || (*core).username.is_null() {
                return may();
            }
            let own_group = getegid();
            let count = getgroups(0, ptr::null_mut());
            let mut own_groups = vec![0; usize::try_from(count).unwrap_or(0)];
            if getgroups(count, own_groups.as_mut_ptr()) != count {
                return false;
            }
            let may = initgroups((*core).username, group) == 0
                && setegid(group) == 0
                && seteuid(user) == 0
                && may();
            let again = seteuid(0) == 0
                && setegid(own_group) == 0
                && setgroups(own_groups.len(), own_groups.as_ptr()) == 0;
            may && again
        }
    }
}
