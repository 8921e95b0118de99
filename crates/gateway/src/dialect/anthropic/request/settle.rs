//! What stands beside the conversation in a body for Claude: how much is to be said and thought, how freely, and which tool
//! must be called. What the model's family does not take is left out, or said as it wants to hear it.

use std::borrow::Cow;
use std::ops::Range;

use super::fit::{self, Fit, member_of};
use crate::bedrock::converse::AskedReasoning;
use crate::body::Segment;
use crate::dialect::body::twice;
use crate::dialect::fields::{excess_in, refuse};
use crate::dialect::limits::cap_member;
use crate::dialect::thinking::{Fitted, fitted};
use crate::family::betas::Member as Allowed;
use crate::family::facts::{Forced, Samples, TopK};
use crate::family::reasoning::{Around, say};
use crate::family::{Changes, Family};
use crate::json::edit::Edit;
use crate::json::object::{self, Object};
use crate::json::text::Literal;
use crate::refusal::Refusal;

/// A body, and what is decided of it.
pub struct Settling<'s, 'o, 'a> {
    /// What changes.
    pub edit: &'s mut Edit<'o, 'a>,
    /// The body.
    pub object: &'o Object<'a>,
    /// Its text.
    pub text: &'s str,
    /// By what the rest was decided.
    pub fit: Fit<'s>,
    /// What was left out.
    pub changes: &'s mut Changes,
}

impl<'s> Settling<'s, '_, '_> {
    /// Settles all of it; gives the budget for thinking, if there is one. `cap` is the operator's limit; `calls_without` says
    /// that the model's last turn calls a tool and does not think before that.
    ///
    /// # Errors
    /// 400: a member occurs twice; 403: the limit cannot be made to hold.
    pub fn settle(mut self, cap: Option<u64>, calls_without: bool) -> Result<Option<u64>, Refusal> {
        let max_tokens = self.max_tokens(cap)?;
        let family = self.fit.family;
        let effort = self.effort()?;
        let thinking = self.value("thinking")?.map(|thinking| {
            let place = 0..thinking.len();
            match fit::thinking(thinking, place, self.fit, self.changes) {
                Some(pieces) => Cow::Owned(fit::spelt(thinking, pieces)),
                None => Cow::Borrowed(thinking),
            }
        });
        let choice = self.choice()?;
        // Of a model that shows no family nothing is known but that the operator calls it so.
        if !family.claude {
            let effort = effort.map(Cow::into_owned);
            let budget = self.put_thinking(thinking, max_tokens, cap)?;
            self.output(effort.as_deref())?;
            return Ok(budget);
        }
        let by_flag = !family.takes_effort() && self.fit.betas.allow(Allowed::Effort);
        let asked = AskedReasoning {
            effort: effort.clone().filter(|_| !by_flag),
            effort_switches: false,
            thinking,
        };
        let around = Around {
            max_tokens,
            forced: choice.is_some_and(|choice| choice.forces),
            calls_without_reasoning: calls_without,
            is_limited: cap.is_some(),
        };
        let said = say(&asked, None, around, family, self.changes);
        let field = |wanted: &str| {
            let mut fields = said.fields.iter();
            fields
                .find(|(name, _)| *name == wanted)
                .map(|(_, json)| json.as_str())
        };
        let new = field("thinking").map(|json| Cow::Owned(json.to_owned()));
        self.put_thinking(new, max_tokens, cap)?;
        let word = match by_flag {
            // As much as it takes.
            true => effort.as_deref().map(|word| match word {
                "xhigh" | "max" => "high".to_owned(),
                word => word.to_owned(),
            }),
            false => field("output_config")
                .and_then(effort_in)
                .map(Cow::into_owned),
        };
        self.output(word.as_deref())?;
        self.sampling(said.reasons, family)?;
        self.forced(choice, said.reasons, family);
        self.stop_sequences()?;
        Ok(said.budget)
    }

    fn place(&self, name: &str) -> Result<Option<Range<usize>>, Refusal> {
        let member = self.object.only(name).map_err(twice)?;
        Ok(member.map(|member| member.value.clone()))
    }

    fn value(&self, name: &str) -> Result<Option<&'s str>, Refusal> {
        Ok(self.place(name)?.and_then(|place| self.text.get(place)))
    }

    /// At most what the family and the operator allow.
    fn max_tokens(&mut self, cap: Option<u64>) -> Result<Option<u64>, Refusal> {
        const NAME: &str = "max_tokens";
        let given = self.value(NAME)?.and_then(|number| number.parse().ok());
        let wanted = match cap {
            Some(cap) => Some(cap_member(self.edit, self.object, self.text, NAME, cap)),
            None => given,
        };
        let family = self.fit.family;
        let more = self.fit.betas.has("output-128k-2025-02-19");
        let limit = family.max_tokens.limit.filter(|_| family.claude && !more);
        match (wanted, limit) {
            (Some(wanted), Some(limit)) if wanted > limit => {
                self.changes.change(NAME);
                self.edit.set(NAME, &limit.to_string());
                Ok(Some(limit))
            }
            _ => Ok(wanted),
        }
    }

    fn effort(&self) -> Result<Option<Cow<'s, str>>, Refusal> {
        Ok(self.value("output_config")?.and_then(effort_in))
    }

    /// Puts in what is to be said of thinking, below the operator's limit.
    fn put_thinking(
        &mut self,
        new: Option<Cow<'_, str>>,
        max_tokens: Option<u64>,
        cap: Option<u64>,
    ) -> Result<Option<u64>, Refusal> {
        const NAME: &str = "thinking";
        let new = match (&new, cap) {
            (Some(thinking), Some(cap)) => match fitted(thinking, max_tokens.unwrap_or(cap), cap) {
                Fitted::As(thinking) => {
                    refuse(excess_in(&thinking, cap))?;
                    Some(thinking)
                }
                Fitted::Out => None,
            },
            (new, _) => new.as_deref().map(Cow::Borrowed),
        };
        let given = self.value(NAME)?;
        match &new {
            Some(new) if given == Some(new.as_ref()) => {}
            Some(new) => self.edit.set(NAME, new),
            None if given.is_some() => self.edit.remove(NAME),
            None => {}
        }
        Ok(new.and_then(|thinking| budget_in(&thinking)))
    }

    fn sampling(&mut self, reasons: bool, family: &Family) -> Result<(), Refusal> {
        let samples = match reasons && family.reasoning.drops_sampling {
            true => Samples::None,
            false => family.sampling.of,
        };
        let none = samples == Samples::None;
        let cool = self.value("temperature")?.is_some();
        for (name, goes) in [
            ("temperature", none),
            ("top_p", none || (samples == Samples::One && cool)),
            ("top_k", none || family.sampling.top_k == TopK::None),
        ] {
            if goes && self.value(name)?.is_some() {
                self.changes.leave_out(name);
                self.edit.remove(name);
            }
        }
        Ok(())
    }

    fn choice(&self) -> Result<Option<Choice>, Refusal> {
        let Some(choice) = self.value("tool_choice")? else {
            return Ok(None);
        };
        Ok(Some(Choice {
            forces: string_in(choice, "type")
                .is_some_and(|kind| matches!(kind.as_ref(), "any" | "tool")),
            one_at_a_time: member_of(choice, "disable_parallel_tool_use") == Some("true"),
        }))
    }

    /// A tool that must be called is refused by some, and by some while they think.
    fn forced(&mut self, choice: Option<Choice>, reasons: bool, family: &Family) {
        let refused = match family.reasoning.forced_tool {
            Forced::Never => true,
            Forced::NotWhileReasoning => reasons,
            Forced::Called | Forced::Silences => false,
        };
        let Some(choice) = choice.filter(|choice| refused && choice.forces) else {
            return;
        };
        self.changes.leave_out("tool_choice");
        match choice.one_at_a_time {
            true => self.edit.set(
                "tool_choice",
                r#"{"type":"auto","disable_parallel_tool_use":true}"#,
            ),
            false => self.edit.remove("tool_choice"),
        }
    }

    fn stop_sequences(&mut self) -> Result<(), Refusal> {
        if let Some(place) = self.place("stop_sequences")?
            && let Some(pieces) = fit::stop_sequences(self.text, place, self.fit, self.changes)
        {
            self.edit.set_pieces("stop_sequences", pieces);
        }
        Ok(())
    }

    /// `output_config`, with this effort, and with the `format` that once was a member of its own.
    fn output(&mut self, effort: Option<&str>) -> Result<(), Refusal> {
        const NAME: &str = "output_config";
        let config = self.place(NAME)?;
        let format = self.place("output_format")?;
        let format = format.filter(|place| self.text.get(place.clone()) != Some("null"));
        let fitted = config.clone().and_then(|place| {
            fit::output_config(self.text, place, (self.fit, effort), self.changes)
        });
        let left: Cow<'_, str> = match (&config, &fitted) {
            (_, Some(pieces)) => fit::spelt(self.text, pieces.clone()).into(),
            (Some(place), None) => self.text.get(place.clone()).unwrap_or_default().into(),
            (None, None) => "{}".into(),
        };
        let Ok(object) = object::parse(&left) else {
            return Ok(());
        };
        let has = |name: &str| object.members.iter().any(|member| member.name == name);
        let mut added = Vec::new();
        if let Some(effort) = effort.filter(|_| !has("effort")) {
            let effort = serde_json::Value::from(effort);
            added.push(vec![Segment::New(
                format!("\"effort\":{effort}").into_bytes(),
            )]);
        }
        if let Some(place) = format.filter(|_| !has("format")) {
            self.changes.change("output_format");
            added.push(vec![
                Segment::New(b"\"format\":".to_vec()),
                Segment::Kept(place),
            ]);
        }
        if added.is_empty() {
            match fitted {
                Some(_) if object.members.is_empty() => self.edit.remove(NAME),
                Some(pieces) => self.edit.set_pieces(NAME, pieces),
                None => {}
            }
            return Ok(());
        }
        let mut pieces = vec![Segment::New(left.get(..object.close).unwrap_or("{").into())];
        for (index, member) in added.into_iter().enumerate() {
            if index > 0 || !object.members.is_empty() {
                pieces.push(Segment::New(b",".to_vec()));
            }
            pieces.extend(member);
        }
        pieces.push(Segment::New(b"}".to_vec()));
        self.edit.set_pieces(NAME, pieces);
        Ok(())
    }
}

/// `tool_choice`, as far as it counts here.
#[derive(Clone, Copy)]
struct Choice {
    /// Whether a tool must be called.
    forces: bool,
    one_at_a_time: bool,
}

fn effort_in(config: &str) -> Option<Cow<'_, str>> {
    string_in(config, "effort")
}

fn budget_in(thinking: &str) -> Option<u64> {
    member_of(thinking, "budget_tokens")?.parse().ok()
}

/// A string in an object.
fn string_in<'j>(json: &'j str, name: &str) -> Option<Cow<'j, str>> {
    Literal::of_value(member_of(json, name)?)
}
