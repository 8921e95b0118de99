//! The servers that a gateway's `proxy_pass` leads to: those of its upstream, or the one that it names.

use super::MainConf;
use super::check::{self, Finding};
use super::location::LocationConf;
use crate::nginx::conf::Conf;
use crate::nginx::log::Level;
use crate::nginx::upstream_block::UpstreamBlock;

/// Servers of Bedrock's that are not those that requests are signed for, and TLS to the port of plain HTTP. There may be
/// something in between that minds neither, so these are warnings.
pub fn check(conf: &LocationConf, main: &MainConf, cf: &Conf) -> Option<Finding> {
    let pass = conf.lines.one("proxy_pass")?;
    let host = check::host_of(pass.word(1));
    let upstream = UpstreamBlock::all(cf)
        .into_iter()
        .find(|upstream| upstream.name() == host);
    let servers = upstream.map_or_else(|| vec![host.to_owned()], UpstreamBlock::server_names);
    let signed = check::signed_host(conf, main);
    servers.iter().find_map(|server| {
        let (name, port) = parts(server);
        let text = match &signed {
            Some(signed) if is_another(name, signed) => format!(
                "leads to \"{name}\", and requests are signed for \"{signed}\": name the same region in bedrock_region and in \
                 the address"
            ),
            _ if upstream.is_some() && port == Some("80") && check::is_tls(pass) => format!(
                "speaks TLS to \"{name}\" of upstream \"{host}\" at port 80: write \"server {name}:443\""
            ),
            _ => return None,
        };
        Some(Finding::of(Level::Warn, pass, text))
    })
}

/// Of a `server` line: name and port, which is 80 if none is said. A socket of the system's has no port.
fn parts(server: &str) -> (&str, Option<&str>) {
    if server.starts_with("unix:") {
        return (server, None);
    }
    match server.rsplit_once(':') {
        Some((name, port)) if !port.ends_with(']') => (name, Some(port)),
        _ => (server, Some("80")),
    }
}

/// The same service of Bedrock's, elsewhere.
fn is_another(name: &str, signed: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let (Some((service, _)), Some((own, _))) = (name.split_once('.'), signed.split_once('.'))
    else {
        return false;
    };
    service.starts_with("bedrock") && service == own && name != signed
}
