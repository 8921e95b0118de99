//! Limits: what is limited in which zone, and where.

use std::sync::Arc;

use quota::{Limit, Parameters, Percent, Unit};

use super::MainConf;
use super::arguments::size_of;
use super::location::LocationConf;
use super::state;
use crate::nginx::conf::Conf;
use crate::nginx::log::Level;
use crate::nginx::request::Request;
use crate::nginx::value::Value;
use crate::zone::keys::Keys;
use crate::zone::learned::Estimates;
use crate::zone::meter::Counted;
use crate::zone::{Keeper, One, Zones};

/// `bedrock_limit_zone`
pub struct LimitZone {
    /// Its name.
    pub name: String,
    /// What each request is counted for.
    pub key: Value,
    /// What its key is shown as; without it, what nobody can tell the key from.
    pub label: Option<Value>,
    /// Where it is counted.
    pub keys: Keys,
    /// What is counted there.
    pub counted: Counted,
    /// `state=`
    keeper: Option<Arc<Keeper>>,
    limit: Given,
    /// Where the directive stands.
    place: String,
}

/// The parameters that are a limit.
enum Given {
    /// As they stand there.
    Fixed(Arc<Limit>),
    /// As variables give them.
    Values(Parameters<Value>),
}

/// `bedrock_limit`
#[derive(Clone)]
pub struct LimitUse {
    /// The name of the zone.
    pub zone: String,
    /// `soft=`
    pub soft: Option<Percent>,
    /// `keep=`
    pub keep: Option<Value>,
}

/// `bedrock_limit_reserve`
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub enum Reserve {
    /// What earlier answers were like.
    #[default]
    Learned,
    /// All that the request allows.
    Max,
    /// Nothing: what was used is counted afterwards.
    Off,
}

/// `bedrock_limit_zone KEY zone=NAME:SIZE rate=… | budget=… | concurrency=… [state=FILE]`
pub fn add_zone(main: &mut MainConf, cf: &Conf) -> Result<(), String> {
    let (mut zone, mut label, mut state) = (None, None, None);
    let mut words = Vec::new();
    for word in (2..cf.arguments()).map(|index| cf.argument(index)) {
        let (name, value) = word.split_once('=').unwrap_or((word, ""));
        let own = match name {
            "zone" => &mut zone,
            "label" => &mut label,
            "state" => &mut state,
            _ => {
                words.push(word);
                continue;
            }
        };
        if own.replace(value).is_some() {
            return Err(format!("has \"{name}=\" twice"));
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
    let limit = match words.iter().any(|word| word.contains('$')) {
        false => Given::Fixed(Arc::new(parameters.limit().map_err(wrong)?)),
        true => Given::Values(parameters.try_map(|text| Value::of(cf, text))?),
    };
    let counted = Counted {
        may_forget: matches!(parameters, Parameters::Rate { .. }),
    };
    let others = main.limits.iter().filter_map(|zone| zone.keeper.as_deref());
    let fixed = match &limit {
        Given::Fixed(limit) => Some(&**limit),
        Given::Values(_) => None,
    };
    let keeper = state
        .map(|path| state::keeper(cf, path, (name, &parameters, fixed), counted, others))
        .transpose()?
        .map(Arc::new);
    main.limits.push(LimitZone {
        name: name.to_owned(),
        key: Value::parse(cf, 1)?,
        label: label.map(|label| Value::of(cf, label)).transpose()?,
        keys: Keys::add(cf, name, size, counted, keeper.clone())?,
        counted,
        keeper,
        limit,
        place: cf.place(),
    });
    Ok(())
}

impl LimitZone {
    /// The limit for this request.
    ///
    /// # Errors
    /// Variables give none; the sentence says why.
    pub fn limit(&self, request: Request) -> Result<Arc<Limit>, String> {
        match &self.limit {
            Given::Fixed(limit) => Ok(Arc::clone(limit)),
            Given::Values(values) => {
                let text = |value: &Value| {
                    let text = value.evaluate(request).unwrap_or_default();
                    // It may be the client's word.
                    Ok::<_, String>(text.escape_debug().to_string())
                };
                values.as_ref().try_map(text)?.limit().map(Arc::new)
            }
        }
    }

    /// The limit, where it is the same for all requests.
    pub fn fixed_limit(&self) -> Option<Arc<Limit>> {
        match &self.limit {
            Given::Fixed(limit) => Some(Arc::clone(limit)),
            Given::Values(_) => None,
        }
    }

    /// Whether it counts tokens or money, so that it matters how large a request is; as far as that can be told before there are
    /// requests.
    pub fn counts_size(&self) -> bool {
        match &self.limit {
            Given::Fixed(limit) => match &**limit {
                Limit::Concurrency(_) => false,
                Limit::Rate(unit, _) | Limit::Budget(unit, _) => *unit != Unit::Requests,
            },
            Given::Values(_) => true,
        }
    }

    /// Whether it is in money, as far as that can be told before there are requests.
    pub fn is_in_money(&self) -> bool {
        match &self.limit {
            Given::Fixed(limit) => {
                matches!(
                    **limit,
                    Limit::Rate(Unit::Usd, _) | Limit::Budget(Unit::Usd, _)
                )
            }
            Given::Values(_) => false,
        }
    }
}

/// `bedrock_limit zone=NAME [soft=PERCENT] [keep=PERCENT]`
pub fn add(conf: &mut LocationConf, cf: &Conf) -> Result<(), String> {
    let main = crate::main_conf_of(cf).ok_or("is out of place")?;
    let (mut zone, mut soft, mut keep) = (None, None, None);
    for word in (1..cf.arguments()).map(|index| cf.argument(index)) {
        let is_new = match word.split_once('=') {
            Some(("zone", name)) if !name.is_empty() => zone.replace(name.to_owned()).is_none(),
            Some(("soft", part)) => soft.replace(Percent::read(part)?).is_none(),
            Some(("keep", part)) => {
                let value = Value::of(cf, part)?;
                if let Value::Text(part) = &value {
                    Percent::read(part)?;
                }
                keep.replace(value).is_none()
            }
            _ => {
                return Err(format!(
                    "has parameter \"{word}\": it must be \"zone=\" with the name of a bedrock_limit_zone, \"soft=\" or \"keep=\""
                ));
            }
        };
        if !is_new {
            return Err(format!("has \"{word}\" after another of its kind"));
        }
    }
    let zone = zone.ok_or("needs \"zone=NAME\", the name in a bedrock_limit_zone")?;
    let limits = Arc::make_mut(conf.limits.get_or_insert_default());
    if limits.iter().any(|known| known.zone == zone) {
        return Err(format!("names zone \"{zone}\" twice"));
    }
    main.named_limits.push((zone.clone(), cf.place()));
    limits.push(LimitUse { zone, soft, keep });
    Ok(())
}

/// `bedrock_limit_reserve learned | max | off`
pub fn reserve(cf: &Conf) -> Result<Reserve, String> {
    match cf.argument(1) {
        "learned" => Ok(Reserve::Learned),
        "max" => Ok(Reserve::Max),
        "off" => Ok(Reserve::Off),
        other => Err(format!(
            "has value \"{other}\": it must be \"learned\", \"max\" or \"off\""
        )),
    }
}

/// `bedrock_price_unknown refuse | free`
pub fn price_unknown(cf: &Conf) -> Result<bool, String> {
    match cf.argument(1) {
        "refuse" => Ok(false),
        "free" => Ok(true),
        other => Err(format!(
            "has value \"{other}\": it must be \"refuse\" or \"free\""
        )),
    }
}

/// The whole configuration has been read.
///
/// # Errors
/// A zone or the prices are missing; which has been said.
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
        if zone.is_in_money() && main.prices.is_none() {
            let text = format!(
                "\"bedrock_limit_zone\" directive limits zone \"{}\" in money, but there are no prices: add \"bedrock_prices\",",
                zone.name
            );
            cf.complain_at(Level::Emerg, &text, &zone.place);
            return Err(());
        }
    }
    let zones = main.limits.iter().map(|zone| One {
        name: zone.name.clone(),
        keys: zone.keys,
        keeper: zone.keeper.clone(),
    });
    let counts_size = main.limits.iter().any(LimitZone::counts_size);
    let estimates = counts_size.then(|| Estimates::add(cf)).transpose();
    main.estimates = estimates.map_err(|what| cf.complain(&what))?;
    let counting = main.status.as_ref().map(|status| status.counting);
    main.zones = Zones::add(cf, zones.collect(), counting).map_err(|what| cf.complain(&what))?;
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
