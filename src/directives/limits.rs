//! Limits: what is limited in which zone, and where.

use std::sync::Arc;

use quota::{Limit, Parameters};
use zone::{Entry, Tenant};

use super::location::LocationConf;
use super::{MainConf, size_of};
use crate::nginx::conf::Conf;
use crate::nginx::log::Level;
use crate::nginx::value::Value;
use crate::zone::Zones;
use crate::zone::keys::Keys;

/// `bedrock_limit_zone`
pub struct LimitZone {
    /// Its name.
    pub name: String,
    /// What each request is counted for.
    pub key: Value,
    /// How many requests may be in progress for a key.
    pub most: Most,
    /// What is counted.
    pub keys: Keys,
    /// Where the directive stands.
    place: String,
}

/// `concurrency=`
pub enum Most {
    /// As it stands there.
    Number(u32),
    /// What variables give.
    Value(Value),
}

/// Of a key that nobody uses nothing is lost.
pub struct InProgress;

impl Tenant for InProgress {
    fn is_idle(&self, _: &Entry, _: u64) -> bool {
        true
    }

    fn may_forget(&self) -> bool {
        false
    }
}

/// `bedrock_limit_zone KEY zone=NAME:SIZE concurrency=N`
pub fn add_zone(main: &mut MainConf, cf: &Conf) -> Result<(), String> {
    let mut zone = None;
    let mut words = Vec::new();
    for word in (2..cf.arguments()).map(|index| cf.argument(index)) {
        match word.strip_prefix("zone=") {
            Some(given) if zone.replace(given).is_some() => {
                return Err("has \"zone=\" twice".to_owned());
            }
            Some(_) => {}
            None => words.push(word),
        }
    }
    let (name, size) = zone
        .and_then(|zone| zone.rsplit_once(':'))
        .filter(|(name, _)| !name.is_empty())
        .ok_or("needs \"zone=NAME:SIZE\", such as zone=teams:1m")?;
    if name.starts_with("bedrock_") {
        return Err(format!(
            "has zone \"{name}\": names that begin with \"bedrock_\" are those of the module's own zones"
        ));
    }
    let size = size_of(size)
        .filter(|size| *size >= SMALLEST)
        .ok_or_else(|| {
            format!(
                "has size \"{size}\" for zone \"{name}\": it must be a size from 64k, such as 1m"
            )
        })?;
    let wrong = |what| format!("is wrong: {what}");
    let parameters = Parameters::read(&words).map_err(wrong)?;
    let Parameters::Concurrency(most) = parameters.try_map(|text| Value::of(cf, text))? else {
        return Err("must have \"concurrency=\"".to_owned());
    };
    let most = match most {
        Value::Text(text) => Most::Number(concurrency(&text).map_err(wrong)?),
        value @ Value::Template(_) => Most::Value(value),
    };
    main.limits.push(LimitZone {
        name: name.to_owned(),
        key: Value::parse(cf, 1)?,
        most,
        keys: Keys::add(cf, name, size, InProgress)?,
        place: cf.place(),
    });
    Ok(())
}

/// How many requests may be in progress.
///
/// # Errors
/// It is no such number.
pub fn concurrency(text: &str) -> Result<u32, String> {
    match Parameters::Concurrency(text).limit()? {
        Limit::Concurrency(most) => Ok(most.get()),
        Limit::Rate(..) | Limit::Budget(..) => Err("is no concurrency".to_owned()),
    }
}

/// `bedrock_limit zone=NAME`
pub fn add(conf: &mut LocationConf, cf: &Conf) -> Result<(), String> {
    let main = crate::main_conf_of(cf).ok_or("is out of place")?;
    let name = cf
        .argument(1)
        .strip_prefix("zone=")
        .filter(|name| !name.is_empty() && cf.arguments() == 2)
        .ok_or("needs \"zone=NAME\", the name in a bedrock_limit_zone, and nothing else")?;
    let limits = Arc::make_mut(conf.limits.get_or_insert_default());
    if limits.iter().any(|known| known == name) {
        return Err(format!("names zone \"{name}\" twice"));
    }
    limits.push(name.to_owned());
    main.named_limits.push((name.to_owned(), cf.place()));
    Ok(())
}

/// The whole configuration has been read.
///
/// # Errors
/// A zone is missing; which has been said.
pub fn complete(cf: &Conf, main: &mut MainConf) -> Result<(), ()> {
    for (name, place) in &main.named_limits {
        if main.limit(name).is_none() {
            let text = format!(
                "\"bedrock_limit\" directive names zone \"{name}\", but there is no \"bedrock_limit_zone\" at http level that \
                 declares it,"
            );
            cf.complain_at(Level::Emerg, &text, place);
            return Err(());
        }
    }
    for zone in &main.limits {
        if !main.named_limits.iter().any(|(name, _)| *name == zone.name) {
            let text = format!(
                "\"bedrock_limit_zone\" directive limits nothing: no \"bedrock_limit\" names zone \"{}\",",
                zone.name
            );
            cf.complain_at(Level::Warn, &text, &zone.place);
        }
    }
    let zones = main
        .limits
        .iter()
        .map(|zone| (zone.name.clone(), zone.keys));
    main.zones = Zones::add(cf, zones.collect()).map_err(|what| cf.complain(&what))?;
    Ok(())
}

impl MainConf {
    /// The zone of this name.
    pub fn limit(&self, name: &str) -> Option<&LimitZone> {
        self.limits.iter().find(|zone| zone.name == name)
    }
}

/// Bytes that a zone has at least.
const SMALLEST: usize = 64 << 10;
