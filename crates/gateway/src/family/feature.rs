//! `bedrock_model_feature`: one fact of the table, as the operator knows it better.

use super::facts::*;
use super::table;

/// What the operator says about models whose ids fit a pattern.
#[derive(Clone, Debug, PartialEq)]
pub struct Feature {
    /// On ids or ARNs, with their region or without.
    pub pattern: String,
    changes: Vec<Change>,
}

/// A fact, and what it is.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Change {
    System(bool),
    StreamTools(bool),
    ToolChoice(Choice),
    ToolIds(Ids),
    BesideResult(Beside),
    Cache(Cache),
    CacheHour(bool),
    Effort(Switch, [Level; 7]),
    Back(Back),
    Structured(Structured),
    Strict(bool),
    WebSearch(bool),
    Sampling(Samples),
    TopK(TopK),
    Stop(u32),
    MaxTokens(MaxTokens),
    Tiers(Tiers),
}

impl Feature {
    /// For models whose ids fit `pattern`.
    pub fn new(pattern: String) -> Self {
        Self {
            pattern,
            changes: Vec::new(),
        }
    }

    /// Adds `key=value`.
    ///
    /// # Errors
    /// What is wrong with it, to follow the directive's name.
    pub fn add(&mut self, parameter: &str) -> Result<(), String> {
        let (key, value) = parameter
            .split_once('=')
            .ok_or_else(|| format!("has parameter \"{parameter}\": it must be KEY=VALUE"))?;
        let change = read(key, value).ok_or_else(|| {
            match LEGAL.iter().find(|(known, _)| *known == key) {
                Some((_, legal)) => {
                    format!("has value \"{value}\" for \"{key}\": it must be {legal}")
                }
                None => {
                    let keys: Vec<&str> = LEGAL.iter().map(|(key, _)| *key).collect();
                    format!(
                        "has no feature \"{key}\": it must be one of {}",
                        keys.join(", ")
                    )
                }
            }
        })?;
        let kind = std::mem::discriminant(&change);
        if self
            .changes
            .iter()
            .any(|known| std::mem::discriminant(known) == kind)
        {
            return Err(format!("has \"{key}\" twice"));
        }
        self.changes.push(change);
        Ok(())
    }

    /// Puts what is said here into the facts.
    pub(super) fn change(&self, family: &mut Family) {
        // What is true only together with another fact comes after that.
        let late = |change: &&Change| matches!(change, Change::CacheHour(_));
        let early = self.changes.iter().filter(|change| !late(change));
        for change in early.chain(self.changes.iter().filter(late)) {
            change.apply(family);
        }
    }
}

impl Change {
    fn apply(self, family: &mut Family) {
        match self {
            Self::StreamTools(on) => offered(family).stream = on,
            Self::ToolChoice(choice) => offered(family).choice = choice,
            Self::ToolIds(ids) => offered(family).ids = ids,
            Self::Strict(on) => offered(family).strict = on,
            Self::System(on) => family.system = on,
            Self::WebSearch(on) => family.web_search = on,
            Self::BesideResult(beside) => family.turns.beside_result = beside,
            Self::Cache(cache) => family.cache = cache,
            Self::CacheHour(on) => {
                family.cache = match (family.cache, on) {
                    (Cache::All, true) => Cache::AllAndHour,
                    (Cache::AllAndHour, false) => Cache::All,
                    (same, _) => same,
                }
            }
            Self::Effort(switch, levels) => {
                family.reasoning.switch = switch;
                family.reasoning.levels = levels;
                family.reasoning.budget = switch == Switch::ClaudeBudget;
            }
            Self::Back(back) => family.reasoning.back = back,
            Self::Structured(structured) => family.structured = structured,
            Self::Sampling(samples) => family.sampling.of = samples,
            Self::TopK(top_k) => family.sampling.top_k = top_k,
            Self::Stop(most) => family.stop = most,
            Self::MaxTokens(bounds) => family.max_tokens = bounds,
            Self::Tiers(tiers) => family.tiers = tiers,
        }
    }
}

/// Who says something of tools says that there are some.
fn offered(family: &mut Family) -> &mut Tools {
    family.tools.get_or_insert(table::TOOLS)
}

/// Every feature, with the values that it may have.
#[rustfmt::skip]
const LEGAL: [(&str, &str); 17] = [
    ("system",         "\"on\" or \"off\""),
    ("stream_tools",   "\"on\" or \"off\""),
    ("tool_choice",    "\"auto\", \"any\" or \"tool\""),
    ("tool_ids",       "\"converse\", \"claude\" or \"mistral\""),
    ("tool_result",    "\"alone\" or \"shared\""),
    ("cache",          "\"off\", \"messages\" or \"all\""),
    ("cache_ttl",      "\"off\" or \"1h\""),
    ("effort",         "\"off\", \"adaptive\", \"budget\", or \"output_config.effort\", \"reasoning_effort\", \"reasoning.effort\", \
                        \"reasoning_config\" or \"reasoningConfig\", each with its levels after a colon if they are not \
                        low,medium,high"),
    ("reasoning_back", "\"none\", \"signed\" or \"unsigned\""),
    ("structured",     "\"native\", \"tool\" or \"prompt\""),
    ("strict",         "\"on\" or \"off\""),
    ("web_search",     "\"on\" or \"off\""),
    ("sampling",       "\"on\", \"one\" or \"off\""),
    ("top_k",          "\"off\", \"claude\" or \"nova\""),
    ("stop",           "\"on\", \"off\" or the largest number of sequences"),
    ("max_tokens",     "MIN:MAX, whole numbers from 1"),
    ("tier",           "\"off\", \"priority\" or \"flex\", which takes priority, too"),
];

/// A value of a feature; `None` if it is no legal one.
fn read(key: &str, value: &str) -> Option<Change> {
    let on = || match value {
        "on" => Some(true),
        "off" => Some(false),
        _ => None,
    };
    Some(match (key, value) {
        ("system", _) => Change::System(on()?),
        ("stream_tools", _) => Change::StreamTools(on()?),
        ("tool_choice", "auto") => Change::ToolChoice(Choice::Auto),
        ("tool_choice", "any") => Change::ToolChoice(Choice::Any),
        ("tool_choice", "tool") => Change::ToolChoice(Choice::Tool),
        ("tool_ids", "converse") => Change::ToolIds(Ids::Converse),
        ("tool_ids", "claude") => Change::ToolIds(Ids::Claude),
        ("tool_ids", "mistral") => Change::ToolIds(Ids::Nine),
        ("tool_result", "alone") => Change::BesideResult(Beside::Nothing),
        ("tool_result", "shared") => Change::BesideResult(Beside::TextAndImages),
        ("cache", "off") => Change::Cache(Cache::None),
        ("cache", "messages") => Change::Cache(Cache::Messages),
        ("cache", "all") => Change::Cache(Cache::All),
        ("cache_ttl", "off") => Change::CacheHour(false),
        ("cache_ttl", "1h") => Change::CacheHour(true),
        ("effort", _) => effort(value)?,
        ("reasoning_back", "none") => Change::Back(Back::None),
        ("reasoning_back", "signed") => Change::Back(Back::Signed),
        ("reasoning_back", "unsigned") => Change::Back(Back::Unsigned),
        ("structured", "native") => structured(Native::Yes, Fallback::Instruction),
        ("structured", "tool") => structured(Native::No, Fallback::Tool),
        ("structured", "prompt") => structured(Native::No, Fallback::Instruction),
        ("strict", _) => Change::Strict(on()?),
        ("web_search", _) => Change::WebSearch(on()?),
        ("sampling", "one") => Change::Sampling(Samples::One),
        ("sampling", _) => Change::Sampling(match on()? {
            true => Samples::Both,
            false => Samples::None,
        }),
        ("top_k", "off") => Change::TopK(TopK::None),
        ("top_k", "claude") => Change::TopK(TopK::Claude),
        ("top_k", "nova") => Change::TopK(TopK::Nova),
        ("stop", "on") => Change::Stop(MOST_STOPS),
        ("stop", "off") => Change::Stop(0),
        ("stop", _) => Change::Stop(
            value
                .parse()
                .ok()
                .filter(|most| (1..=MOST_STOPS).contains(most))?,
        ),
        ("max_tokens", _) => {
            let (min, max) = value.split_once(':')?;
            let (min, max) = (min.parse().ok()?, max.parse().ok()?);
            Change::MaxTokens(MaxTokens {
                min: Some(min).filter(|min| (1..=max).contains(min))?,
                limit: Some(max),
            })
        }
        ("tier", "off") => Change::Tiers(Tiers::None),
        ("tier", "priority") => Change::Tiers(Tiers::Priority),
        ("tier", "flex") => Change::Tiers(Tiers::PriorityAndFlex),
        _ => return None,
    })
}

fn structured(native: Native, fallback: Fallback) -> Change {
    Change::Structured(Structured { native, fallback })
}

/// `PLACE[:LEVEL,…]`
fn effort(value: &str) -> Option<Change> {
    let (place, levels) = match value.split_once(':') {
        Some((place, levels)) => (place, Some(levels)),
        None => (value, None),
    };
    let switch = match place {
        "off" => {
            return levels
                .is_none()
                .then_some(Change::Effort(Switch::None, [Level::Out; 7]));
        }
        "budget" => {
            return levels
                .is_none()
                .then_some(Change::Effort(Switch::ClaudeBudget, table::BUDGETS));
        }
        "adaptive" => Switch::ClaudeAdaptive,
        "output_config.effort" => Switch::ClaudeEffort,
        "reasoning_effort" => Switch::Flat,
        "reasoning.effort" => Switch::Nested,
        "reasoning_config" => Switch::QwenConfig,
        "reasoningConfig" => Switch::NovaConfig,
        _ => return None,
    };
    let mut known = [false; WORDS.len()];
    for level in levels.unwrap_or("low,medium,high").split(',') {
        let place = WORDS.iter().position(|word| *word == level)?;
        *known.get_mut(place)? = true;
    }
    Some(Change::Effort(switch, nearest(known, switch)))
}

/// For each of OpenAI's words the nearest level below it that there is, or the lowest.
fn nearest(known: [bool; WORDS.len()], switch: Switch) -> [Level; WORDS.len()] {
    let has_switch = matches!(switch, Switch::ClaudeAdaptive | Switch::NovaConfig);
    std::array::from_fn(|wanted| {
        let is_known = |place: &usize| known.get(*place).copied().unwrap_or(false);
        if wanted == 0 {
            return match (has_switch, is_known(&0)) {
                (true, _) => Level::Quiet,
                (false, true) => Level::Word("none"),
                (false, false) => Level::Out,
            };
        }
        let below = (1..=wanted).rev().find(is_known);
        below
            .or_else(|| (wanted..WORDS.len()).find(is_known))
            .and_then(|place| WORDS.get(place))
            .map_or(Level::Out, |word| Level::Word(word))
    })
}

/// As many as Converse takes.
const MOST_STOPS: u32 = 2500;

#[cfg(test)]
mod tests {
    use super::*;

    fn changed(parameters: &[&str]) -> Family {
        let mut feature = Feature::new("*".to_owned());
        for parameter in parameters {
            feature.add(parameter).unwrap();
        }
        let mut family = table::UNKNOWN;
        feature.change(&mut family);
        family
    }

    #[test]
    fn every_feature_can_be_said() {
        for parameter in [
            "system=off",
            "stream_tools=off",
            "tool_choice=any",
            "tool_ids=mistral",
            "tool_result=shared",
            "cache=messages",
            "effort=reasoning.effort:low,high",
            "reasoning_back=unsigned",
            "structured=native",
            "strict=on",
            "web_search=on",
            "sampling=one",
            "top_k=nova",
            "stop=off",
            "max_tokens=16:1000",
            "tier=flex",
        ] {
            assert_ne!(changed(&[parameter]), table::UNKNOWN, "{parameter}");
        }
        assert_eq!(
            changed(&["cache_ttl=1h", "cache=all"]).cache,
            Cache::AllAndHour
        );
        assert_eq!(changed(&["cache=off", "cache_ttl=1h"]).cache, Cache::None);
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (parameter, what) in [
            ("cache", "KEY=VALUE"),
            ("colour=red", "one of system, stream_tools"),
            ("cache=some", "it must be \"off\", \"messages\" or \"all\""),
            ("max_tokens=5:4", "MIN:MAX"),
            ("max_tokens=0:4", "MIN:MAX"),
            ("stop=0", "largest"),
            ("effort=reasoning.effort:much", "after a colon"),
            ("effort=off:low", "after a colon"),
        ] {
            let error = Feature::new("*".to_owned()).add(parameter).unwrap_err();
            assert!(error.contains(what), "{parameter}: {error}");
        }
        let mut feature = Feature::new("*".to_owned());
        feature.add("stop=off").unwrap();
        assert!(feature.add("stop=3").is_err());
    }

    #[test]
    fn levels_that_are_missing_become_the_nearest() {
        let reasoning = changed(&["effort=reasoning.effort:low,medium,high,max"]).reasoning;
        let word = |word| Level::Word(word);
        assert_eq!(reasoning.switch, Switch::Nested);
        assert_eq!(
            reasoning.levels,
            [
                Level::Out,
                word("low"),
                word("low"),
                word("medium"),
                word("high"),
                word("high"),
                word("max")
            ]
        );
        assert_eq!(
            changed(&["effort=adaptive"]).reasoning.levels[0],
            Level::Quiet
        );
    }
}
