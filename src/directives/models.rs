//! What the operator says about models: their names, their families, what they take.

use std::sync::Arc;

use gateway::bedrock::model_id;
use gateway::family::{Directed, Feature};

use super::location::LocationConf;
use crate::nginx::conf::Conf;

/// `bedrock_alias NAME MODEL [as=ID|FAMILY]`
pub fn add_alias(conf: &mut LocationConf, cf: &Conf) -> Result<(), String> {
    let (name, model) = (cf.argument(1), cf.argument(2));
    if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(format!(
            "has name \"{name}\": it must be letters, digits and signs without blanks"
        ));
    }
    if model_id::check(model).is_err() {
        return Err(format!(
            "has model \"{model}\": it must be a model id or ARN"
        ));
    }
    let aliases = Arc::make_mut(conf.aliases.get_or_insert_default());
    if aliases.iter().any(|(known, _)| known == name) {
        return Err(format!("names \"{name}\" twice"));
    }
    aliases.push((name.to_owned(), model.to_owned()));
    if cf.arguments() > 3 {
        let parameter = cf.argument(3);
        let stands_for = parameter.strip_prefix("as=").ok_or_else(|| {
            format!("has parameter \"{parameter}\": it must be \"as=\" and a model id or a family")
        })?;
        let families = Arc::make_mut(conf.alias_families.get_or_insert_default());
        families.push((name.to_owned(), family(stands_for)?));
    }
    Ok(())
}

/// `bedrock_model_family PATTERN ID|FAMILY`
pub fn add_family(conf: &mut LocationConf, cf: &Conf) -> Result<(), String> {
    let pattern = pattern(cf.argument(1))?;
    let family = family(cf.argument(2))?;
    let families = Arc::make_mut(conf.model_families.get_or_insert_default());
    families.push((pattern, family));
    Ok(())
}

/// `bedrock_model_feature PATTERN KEY=VALUE …`
pub fn add_feature(conf: &mut LocationConf, cf: &Conf) -> Result<(), String> {
    let mut feature = Feature::new(pattern(cf.argument(1))?);
    for index in 2..cf.arguments() {
        feature.add(cf.argument(index))?;
    }
    Arc::make_mut(conf.model_features.get_or_insert_default()).push(feature);
    Ok(())
}

fn pattern(text: &str) -> Result<String, String> {
    match model_id::is_pattern(text) {
        true => Ok(text.to_owned()),
        false => Err(format!(
            "has pattern \"{text}\": it must be a model id or ARN, in which * and ? stand for any characters and for one"
        )),
    }
}

fn family(name: &str) -> Result<Directed, String> {
    Directed::read(name).ok_or_else(|| {
        format!("has model \"{name}\": it must be the id of a model whose family is known, or a family's name")
    })
}
