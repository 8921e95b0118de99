//! Which of the client's beta flags go on.

use std::borrow::Cow;
use std::collections::HashSet;

use super::wants::Wants;
use crate::bedrock::model_id;
use crate::dialect::forms::Elements;
use crate::dialect::parameter::{self, Path};
use crate::family::Changes;
use crate::family::Family;
use crate::family::betas::{EAGER, EXAMPLES, Flag, Member, SAFEGUARDS, TOOL_SEARCH};
use crate::json::text::Text;
use crate::plan::Headers;
use crate::refusal::Refusal;
use crate::settings::Betas as Choice;

/// The flags that go on.
#[derive(Debug, Default)]
pub struct Betas<'a> {
    sent: Vec<Cow<'a, str>>,
}

/// Who takes them.
#[derive(Clone, Copy, Debug)]
pub struct Taker<'a> {
    /// The model's family.
    pub family: &'a Family,
    /// The model.
    pub id: &'a str,
    /// Whether it is called through Converse.
    pub converse: bool,
}

impl Taker<'_> {
    fn takes(&self, flag: &Flag) -> bool {
        flag.is_taken(self.family, self.id, self.converse)
    }
}

impl<'a> Betas<'a> {
    /// Chooses among those of the body, `in_body`, and of the headers, in this order, each once. What is not sent is one of the
    /// `changes`.
    ///
    /// # Errors
    /// 400: what stands in the body is no list of strings, or a tool of Anthropic's own is none that the model knows.
    pub fn choose(
        in_body: Option<&'a str>,
        headers: Headers<'a>,
        choice: Choice<'_>,
        taker: Taker<'_>,
        wants: &Wants,
        changes: &mut Changes,
    ) -> Result<Self, Refusal> {
        let mut asked = Asked {
            betas: Self::default(),
            known: HashSet::new(),
            count: 0,
            choice,
            taker,
            wants,
            changes,
        };
        let list: Option<Elements<'a>> = match in_body {
            Some(list) => parameter::parse(list).map_err(|_| not_a_list())?,
            None => None,
        };
        if let Some(list) = list {
            let at = Path::Body;
            list.each(&at.member("anthropic_beta"), |Text(flag), _| {
                asked.take(flag)
            })
            .map_err(|refusal| match refusal.param.as_deref() {
                Some("anthropic_beta") => refusal,
                _ => not_a_list(),
            })?;
        }
        let values = headers
            .iter()
            .filter(|(name, _)| name.eq_ignore_ascii_case("anthropic-beta"))
            .flat_map(|(_, value)| value.split(','))
            .map(str::trim);
        for flag in values.filter(|flag| !flag.is_empty()) {
            asked.take(Cow::Borrowed(flag))?;
        }
        asked.with_what_tools_want()
    }

    /// They as a list; `None` if there are none.
    pub fn json(&self) -> Option<String> {
        match self.sent.as_slice() {
            [] => None,
            flags => serde_json::to_string(flags).ok(),
        }
    }

    /// Whether this list of the client's has just them.
    pub fn is_given(&self, list: &str) -> bool {
        let list: Option<Vec<Text>> = serde_json::from_str(list).ok();
        list.is_some_and(|list| list.iter().map(|Text(flag)| flag).eq(&self.sent))
    }

    /// Whether one of them allows this.
    pub fn allow(&self, member: Member) -> bool {
        self.sent
            .iter()
            .filter_map(|flag| Flag::like(flag))
            .any(|flag| flag.allows(member))
    }

    /// Whether this one is among them.
    pub fn has(&self, flag: &str) -> bool {
        self.sent.iter().any(|sent| sent == flag)
    }
}

/// A choice in the making.
struct Asked<'a, 'c> {
    betas: Betas<'a>,
    known: HashSet<Cow<'a, str>>,
    count: usize,
    choice: Choice<'c>,
    taker: Taker<'c>,
    wants: &'c Wants,
    changes: &'c mut Changes,
}

impl<'a> Asked<'a, '_> {
    fn take(&mut self, flag: Cow<'a, str>) -> Result<(), Refusal> {
        self.count += 1;
        if self.count > MOST {
            return Err(Refusal::parameter(
                "anthropic_beta",
                "has more flags than there are",
            ));
        }
        if !self.known.insert(flag.clone()) {
            return Ok(());
        }
        match self.choose(&flag) {
            Some(sent) => self.send(sent.map_or(flag, Cow::Borrowed)),
            None => self.drop(&flag),
        }
        Ok(())
    }

    /// Whether a flag goes on, and by which other name.
    fn choose(&self, flag: &str) -> Option<Option<&'static str>> {
        let known = Flag::named(flag);
        match self.choice {
            Choice::Pass => Some(None),
            Choice::Only(patterns) => {
                let mut patterns = patterns.iter();
                let passes = patterns.any(|pattern| model_id::matches(pattern, flag));
                // What Bedrock calls otherwise it is known to refuse.
                passes.then(|| known.map(|known| known.sent))
            }
            Choice::Auto => known
                .filter(|known| self.taker.takes(known) || self.is_left_to_bedrock(known.sent))
                .filter(|known| known.sent != SAFEGUARDS || self.wants.safeguards)
                .map(|known| Some(known.sent)),
        }
    }

    /// Whether a tool wants this flag of a model of which nothing is known.
    fn is_left_to_bedrock(&self, flag: &str) -> bool {
        let mut wanted = self.wants.flags.iter();
        !self.taker.family.claude && wanted.any(|(wanted, _)| *wanted == flag)
    }

    fn send(&mut self, flag: Cow<'a, str>) {
        if !self.betas.has(&flag) {
            self.betas.sent.push(flag);
        }
    }

    /// A name that is none may be anything, and has no place in a log.
    fn drop(&mut self, flag: &str) {
        let is_name = flag.len() <= 64 && model_id::is_pattern(flag);
        let name = match is_name {
            true => format!("beta {flag}"),
            false => "beta flags that are none".to_owned(),
        };
        self.changes.leave_out(name);
    }

    /// What a client puts into its tools says that it wants the flag, too: without it the tool would be refused.
    ///
    /// # Errors
    /// 400: the model does not know the tool.
    fn with_what_tools_want(mut self) -> Result<Betas<'a>, Refusal> {
        if self.choice != Choice::Auto {
            return Ok(self.betas);
        }
        let taken = |name: &str| Flag::named(name).is_some_and(|flag| self.taker.takes(flag));
        let mut wanted = Vec::new();
        for (flag, tool) in &self.wants.flags {
            if !taken(flag) && !self.is_left_to_bedrock(flag) {
                return Err(Refusal::parameter(
                    format!("tools[{tool}].type"),
                    &format!(
                        "must be a tool that the model knows: the family {} does not have those of {flag}",
                        self.taker.family.name
                    ),
                ));
            }
            wanted.push(*flag);
        }
        if self.wants.eager && taken(EAGER) {
            wanted.push(EAGER);
        }
        if self.wants.tool_search && !self.betas.has(TOOL_SEARCH) && taken(TOOL_SEARCH) {
            wanted.push(TOOL_SEARCH);
        }
        // Anthropic has one flag for both.
        if self.wants.examples && self.betas.has(TOOL_SEARCH) && taken(EXAMPLES) {
            wanted.push(EXAMPLES);
        }
        for flag in wanted {
            if !self.betas.has(flag) {
                self.changes.complete(format!("beta {flag}"));
                self.send(Cow::Borrowed(flag));
            }
        }
        Ok(self.betas)
    }
}

fn not_a_list() -> Refusal {
    Refusal::parameter("anthropic_beta", "must be a list of strings")
}

/// There are some forty.
const MOST: usize = 256;
