//! The system's resolver.

use std::ffi::{CStr, CString};
use std::mem::zeroed;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};
use std::ptr;

use libc::{addrinfo, sockaddr_in, sockaddr_in6};

/// The addresses of a host, as the system knows them: `/etc/hosts`, search domains, DNS. It waits for the answer, maybe for
/// ever. With `ipv6`: those of the kinds of network that this machine has addresses in, as nginx itself asks.
///
/// # Errors
/// The resolver's own words.
pub fn look_up(host: &str, ipv6: bool) -> Result<Vec<SocketAddr>, String> {
    let host = CString::new(host).map_err(|_| "no name holds a NUL".to_owned())?;
    // SAFETY: an empty addrinfo is what hints begin with.
    let mut hints: addrinfo = unsafe { zeroed() };
    hints.ai_socktype = libc::SOCK_STREAM;
    match ipv6 {
        true => {
            hints.ai_family = libc::AF_UNSPEC;
            hints.ai_flags = libc::AI_ADDRCONFIG;
        }
        // With AI_ADDRCONFIG it would fail on a machine that has loopback addresses alone.
        false => hints.ai_family = libc::AF_INET,
    }
    let mut list = ptr::null_mut();
    // SAFETY: the name ends in NUL, and the hints are filled in.
    let code =
        unsafe { libc::getaddrinfo(host.as_ptr(), ptr::null(), &raw const hints, &raw mut list) };
    if code != 0 {
        if code == libc::EAI_SYSTEM {
            return Err(std::io::Error::last_os_error().to_string());
        }
        // SAFETY: the texts are constants.
        let text = unsafe { CStr::from_ptr(libc::gai_strerror(code)) };
        return Err(text.to_string_lossy().into_owned());
    }
    let mut addresses = Vec::new();
    let mut next: *const addrinfo = list;
    // SAFETY: a list that ends in null, each address of the kind that its family says; it is freed once.
    unsafe {
        while let Some(info) = next.as_ref() {
            addresses.extend(address(info));
            next = info.ai_next;
        }
        libc::freeaddrinfo(list);
    }
    Ok(addresses)
}

/// # Safety
/// `info` is of a list that getaddrinfo made.
unsafe fn address(info: &addrinfo) -> Option<SocketAddr> {
    // SAFETY: the family says what the address is.
    unsafe {
        match info.ai_family {
            libc::AF_INET => {
                let v4 = info.ai_addr.cast::<sockaddr_in>().as_ref()?;
                let ip = Ipv4Addr::from(u32::from_be(v4.sin_addr.s_addr));
                Some(SocketAddr::from((ip, 0)))
            }
            libc::AF_INET6 => {
                let v6 = info.ai_addr.cast::<sockaddr_in6>().as_ref()?;
                let ip = Ipv6Addr::from(v6.sin6_addr.s6_addr);
                Some(SocketAddrV6::new(ip, 0, 0, v6.sin6_scope_id).into())
            }
            _ => None,
        }
    }
}
