//! `bedrock_status_zone` and `bedrock_status`: where it is counted what goes on, and where that is shown.

use metrics::{LONGEST_LABEL_NAME, MOST_LABELS, is_label_name};

use super::MainConf;
use super::arguments::size_of;
use super::location::LocationConf;
use crate::nginx::conf::Conf;
use crate::nginx::log::Level;
use crate::nginx::value::Value;
use crate::status;
use crate::zone::counting::{Counting, FEWEST};

/// `bedrock_status_zone`
pub struct StatusZone {
    /// Where it is counted.
    pub counting: Counting,
    /// The operator's labels: names, and their values for a request.
    pub labels: Vec<(String, Value)>,
}

/// `bedrock_status_zone NAME:SIZE [label=NAME VALUE]… [series=NUMBER]`
pub fn add_zone(main: &mut MainConf, cf: &Conf) -> Result<(), String> {
    if main.status.is_some() {
        return Err("is duplicate".to_owned());
    }
    let (name, size) = cf
        .argument(1)
        .rsplit_once(':')
        .filter(|(name, _)| !name.is_empty() && !name.starts_with("bedrock_"))
        .ok_or("needs \"NAME:SIZE\", such as status:4m, with a name that does not begin with \"bedrock_\"")?;
    let size = size_of(size)
        .filter(|size| *size >= SMALLEST)
        .ok_or_else(|| format!("has size \"{size}\": it must be a size from 256k, such as 4m"))?;
    let (mut labels, mut series) = (Vec::<(String, Value)>::new(), None);
    let mut words = (2..cf.arguments()).map(|index| cf.argument(index));
    while let Some(word) = words.next() {
        match word.split_once('=') {
            Some(("label", name)) => {
                if !is_label_name(name) || labels.iter().any(|(known, _)| known == name) {
                    return Err(format!(
                        "has label \"{name}\": it must be a name of up to {LONGEST_LABEL_NAME} letters, digits and \"_\" that no other label has"
                    ));
                }
                let value = words.next().filter(|value| !value.is_empty());
                let value = value.ok_or_else(|| {
                    format!("needs a value behind \"{word}\", such as label=team $team")
                })?;
                labels.push((name.to_owned(), Value::of(cf, value)?));
            }
            Some(("series", number)) if series.is_none() => {
                let number = number
                    .parse()
                    .ok()
                    .filter(|number| (FEWEST..=MOST_SERIES).contains(number));
                let wrong = || {
                    format!("has \"{word}\": it must be a number from {FEWEST} to {MOST_SERIES}")
                };
                series = Some(number.ok_or_else(wrong)?);
            }
            _ => {
                return Err(format!(
                    "has parameter \"{word}\": it must be \"label=NAME VALUE\", or \"series=NUMBER\" once"
                ));
            }
        }
    }
    if labels.len() > MOST_LABELS {
        return Err(format!(
            "has {} labels: at most {MOST_LABELS} are possible",
            labels.len()
        ));
    }
    let counting = Counting::add(cf, name, size, series)?;
    main.status = Some(StatusZone { counting, labels });
    Ok(())
}

/// `bedrock_status`
pub fn show(conf: &mut LocationConf, cf: &Conf) -> Result<(), String> {
    if conf.status.is_some() {
        return Err("is duplicate".to_owned());
    }
    let handler = cf.content_handler();
    if handler.get().is_some() {
        return Err(BESIDE.to_owned());
    }
    handler.set(status::handler);
    conf.status = Some(cf.location().name);
    if let Some(main) = crate::main_conf_of(cf) {
        main.status_pages.push(cf.place());
    }
    Ok(())
}

/// The location is complete.
///
/// # Errors
/// Something else answers there, too; which has been said.
pub fn check(conf: &LocationConf, cf: &Conf) -> Result<(), ()> {
    let is_ours =
        |known| std::ptr::fn_addr_eq(known, status::handler as unsafe extern "C" fn(_) -> _);
    if conf.status.is_some() && !cf.content_handler().get().is_some_and(is_ours) {
        cf.complain(&format!("\"bedrock_status\" directive {BESIDE}"));
        return Err(());
    }
    Ok(())
}

/// The whole configuration has been read.
///
/// # Errors
/// There is no zone; which has been said.
pub fn complete(cf: &Conf, main: &MainConf) -> Result<(), ()> {
    match main.status_pages.first() {
        Some(place) if main.status.is_none() => {
            let text = "\"bedrock_status\" directive has nothing to show: add \"bedrock_status_zone status:4m;\" at http level,";
            cf.complain_at(Level::Emerg, text, place);
            Err(())
        }
        _ => Ok(()),
    }
}

const BESIDE: &str = "stands beside another directive that answers, such as \"proxy_pass\": give it a location of its own";
/// Bytes that a zone has at least.
const SMALLEST: usize = 256 << 10;
/// More label sets than Prometheus likes to have of one nginx.
const MOST_SERIES: usize = 100_000;
