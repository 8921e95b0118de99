//! Levels that are complete: with what they have from above, and looked at as a whole.

use std::ptr;

use super::location::{Auth, LocationConf, Switch};
use super::{MainConf, check, credentials, limits, servers, status};
use crate::content;
use crate::nginx::conf::Conf;
use crate::nginx::log::Level;
use crate::nginx::task;

/// What the level above says holds here, too; then this level is complete, and is looked at.
///
/// # Errors
/// No request can succeed here; why has been said.
pub fn level(
    cf: &Conf,
    main: &mut MainConf,
    above: &LocationConf,
    here: &mut LocationConf,
) -> Result<(), ()> {
    status::check(here, cf)?;
    let own = here.on;
    here.inherit(above);
    let handler = cf.content_handler();
    here.handler = handler.get().or(above.handler);
    let Some(Switch::On(switch)) = here.on else {
        return Ok(());
    };
    let location = cf.location();
    here.is_gateway = match (handler.get(), main.proxy_handler) {
        (None, _) => location.is_block && above.is_gateway,
        (Some(_), _) if !main.observes => true,
        (Some(handler), proxy) => proxy.is_some_and(|proxy| ptr::fn_addr_eq(handler, proxy)),
    };
    let place = main
        .switches
        .get(switch)
        .map(|switch| switch.place.clone())
        .unwrap_or_default();
    let found = if here.is_gateway {
        main.handlers.push(handler);
        main.default_used |= matches!(&here.auth, None | Some(Auth::Default));
        let mut found = check::gateway(here, &location, main, &place);
        found.extend(servers::check(here, main, cf));
        found
    } else if own.is_some() && !location.name.is_empty() {
        check::no_gateway(here, &location, &place)
            .into_iter()
            .collect()
    } else {
        Vec::new()
    };
    if let Some(switch) = main.switches.get_mut(switch) {
        switch.settled |= here.is_gateway || !found.is_empty();
    }
    for finding in &found {
        cf.complain_at(finding.level, &finding.text, &finding.place);
    }
    match found.iter().any(|finding| finding.level == Level::Emerg) {
        true => Err(()),
        false => Ok(()),
    }
}

/// The whole configuration has been read.
///
/// # Errors
/// No request can succeed; why has been said.
pub fn complete(cf: &Conf, main: &mut MainConf) -> Result<(), ()> {
    for (name, place) in &main.named_sources {
        if main.sources.block(name).is_none() {
            cf.complain(&format!(
                "bedrock_auth names \"{name}\" at {place}, but there is no \"bedrock_credentials {name} {{ … }}\" at http \
                 level"
            ));
            return Err(());
        }
    }
    status::complete(cf, main)?;
    limits::complete(cf, main)?;
    credentials::add_zone(main, cf).map_err(|what| cf.complain(&what))?;
    for switch in main.switches.iter().filter(|switch| !switch.settled) {
        let finding = check::no_gateway_below(&switch.place);
        cf.complain_at(finding.level, &finding.text, &finding.place);
    }
    // Now that all modules have set theirs.
    for handler in main.handlers.drain(..) {
        handler.replace(content::handler);
    }
    if !main.switches.is_empty() || main.status.is_some() {
        main.pool = task::Pool::require(cf);
    }
    Ok(())
}
