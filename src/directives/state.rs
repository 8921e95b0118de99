//! `state=FILE` of `bedrock_limit_zone`: where what is counted outlives nginx.

use std::path::Path;

use quota::{Limit, Parameters, Period, Unit};

use crate::nginx::conf::Conf;
use crate::zone::meter::Counted;
use crate::zone::{Found, Keeper, Kind, NOT_OURS, StateFile};

/// Keeps the state of the zone that is read in the file of this name. None of `others` has the same one.
///
/// # Errors
/// What is wrong with it.
pub fn keeper<'a, T>(
    cf: &Conf,
    path: &str,
    (zone, parameters, limit): (&str, &Parameters<T>, Option<&Limit>),
    counted: Counted,
    others: impl Iterator<Item = &'a Keeper>,
) -> Result<Keeper, String> {
    if path.is_empty() {
        return Err("needs a file: \"state=…\"".to_owned());
    }
    let kind = match parameters {
        Parameters::Rate { .. } => Kind::Rate,
        Parameters::Budget { .. } => Kind::Budget,
        Parameters::Concurrency(_) => {
            return Err(format!(
                "has \"state=\" for zone \"{zone}\", which counts requests in progress: none of them outlives nginx, so remove it"
            ));
        }
    };
    let path = cf.full_path_of_data(path);
    let file = StateFile::at(Path::new(&path)).map_err(|error| {
        format!("has state file \"{path}\", whose directory cannot be used: {error}; make the directory, for the user of nginx's workers")
    })?;
    match file.read() {
        Ok(Found::Foreign) => return Err(format!("has state file \"{path}\", {NOT_OURS}")),
        Ok(_) => {}
        Err(error) => {
            return Err(format!(
                "has state file \"{path}\", which cannot be read: {error}"
            ));
        }
    }
    for other in others {
        if other.has_file(&file) {
            return Err(format!(
                "has state file \"{path}\", which is that of zone \"{}\": name another file",
                other.zone()
            ));
        }
    }
    let what = what(kind, limit);
    Ok(Keeper::new(file, zone, (kind, &what), counted, cf.place()))
}

/// What the words of a zone mean, in words. How much a rate is does not matter.
fn what(kind: Kind, limit: Option<&Limit>) -> String {
    match (kind, limit) {
        (Kind::Rate, _) => "a rate".to_owned(),
        (Kind::Budget, Some(Limit::Budget(unit, budget))) => {
            let unit = match unit {
                Unit::Requests => "requests",
                Unit::Tokens(_) => "tokens",
                Unit::Usd => "usd",
            };
            let period = match budget.calendar.period() {
                Period::Hour => "an hour",
                Period::Day => "a day",
                Period::Week => "a week",
                Period::Month => "a month",
                Period::Total => "in total",
            };
            format!("a budget in {unit} {period}")
        }
        (Kind::Budget, _) => "a budget that variables give".to_owned(),
    }
}
