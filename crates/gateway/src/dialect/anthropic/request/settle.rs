//! What stands beside the conversation in a body for Claude: how much is to be said and thought, how freely, and which tool
//! must be called. What the model's family does not take is left out, or said as it wants to hear it.

use std::borrow::Cow;
use std::ops::Range;

use super::fit::{self, Fit, Format};
use crate::bedrock::converse::AskedReasoning;
use crate::body::Segment;
use crate::dialect::body::twice;
use crate::dialect::fields::{excess_in, refuse};
use crate::dialect::limits::cap_member;
use crate::dialect::thinking::{Fitted, fitted};
use crate::family::betas::Member as Allowed;
use crate::family::facts::{Forced, Samples, SchemaLimits, TopK};
use crate::family::reasoning::{Around, say};
use crate::family::structured::{self, Way};
use crate::family::{ANSWER_TOOL, AnswerText, Changes, Family, schema};
use crate::json::cursor::member_of;
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
    /// Whether the model has tools.
    pub has_tools: bool,
    /// What was left out.
    pub changes: &'s mut Changes,
}

/// What is settled.
#[derive(Debug, Default)]
pub struct Settled {
    /// The budget for thinking, if there is one.
    pub budget: Option<u64>,
    /// Where the answer's text will be.
    pub answer: AnswerText,
    /// What the model is to be told, beside its instructions.
    pub instruction: Option<String>,
}

impl<'s> Settling<'s, '_, '_> {
    /// Settles all of it. `cap` is the operator's limit.
    ///
    /// # Errors
    /// 400: a member occurs twice; 403: the limit cannot be made to hold.
    pub fn settle(mut self, cap: Option<u64>) -> Result<Settled, Refusal> {
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
            self.output(effort.as_deref(), Format::Stays)?;
            return Ok(Settled {
                budget,
                ..Settled::default()
            });
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
            calls_without_reasoning: self.fit.survey.calls_without,
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
        let (format, settled) = self.format(said.reasons)?;
        self.output(word.as_deref(), format)?;
        self.sampling(said.reasons, family)?;
        self.forced(choice, said.reasons, family);
        self.stop_sequences()?;
        Ok(Settled {
            budget: said.budget,
            ..settled
        })
    }

    /// The schema that the answer is to keep to, where it may stand now, or once stood.
    fn asked_format(&self) -> Result<Option<&'s str>, Refusal> {
        let now = self
            .value("output_config")?
            .and_then(|config| member_of(config, "format"));
        let format = match now {
            Some(format) => Some(format),
            None => self.value("output_format")?,
        };
        Ok(format.filter(|format| *format != "null"))
    }

    /// Holds the answer to its schema in the way that the family has for it.
    fn format(&mut self, reasons: bool) -> Result<(Format, Settled), Refusal> {
        let stays = (Format::Stays, Settled::default());
        let Some(format) = self.asked_format()? else {
            return Ok(stays);
        };
        // What is no schema is Bedrock's to refuse.
        let Some(schema) = member_of(format, "schema").filter(|schema| schema.starts_with('{'))
        else {
            return Ok(stays);
        };
        let survey = self.fit.survey;
        let around = structured::Around {
            streams: false,
            reasons,
            cites: survey.cites,
            tools: self.has_tools || survey.calls,
        };
        let mut settled = Settled::default();
        match structured::way(schema, self.fit.family, around) {
            Way::Native(fitted) if fitted == schema => return Ok(stays),
            Way::Native(fitted) => {
                let Ok(object) = object::parse(format) else {
                    return Ok(stays);
                };
                let mut edit = Edit::new(&object);
                edit.set("schema", &fitted);
                let pieces = edit.into_body(format.len());
                let bytes = pieces.pieces(format.as_bytes()).flatten().copied();
                let format = String::from_utf8(bytes.collect()).unwrap_or_default();
                return Ok((Format::Becomes(format), settled));
            }
            Way::Tool => {
                let input = schema::of_input(schema, SchemaLimits::Common);
                let input = input.as_deref().unwrap_or(schema);
                let about = serde_json::Value::from(structured::GIVES_ANSWER);
                self.edit.set_to(
                    "tools",
                    format!(r#"[{{"name":"{ANSWER_TOOL}","description":{about},"input_schema":{input}}}]"#),
                );
                let choice = format!(r#"{{"type":"tool","name":"{ANSWER_TOOL}"}}"#);
                self.edit.set("tool_choice", &choice);
                settled.answer = AnswerText::Tool;
            }
            Way::Instruction => {
                settled.instruction = Some(format!("{}{schema}", structured::INSTRUCTION));
                settled.answer = AnswerText::Fence;
            }
        }
        self.changes.change("output_config.format");
        Ok((Format::Goes, settled))
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
    fn output(&mut self, effort: Option<&str>, format: Format) -> Result<(), Refusal> {
        const NAME: &str = "output_config";
        let config = self.place(NAME)?;
        let old = self.place("output_format")?;
        let old = old.filter(|place| self.text.get(place.clone()) != Some("null"));
        let old = old.filter(|_| format != Format::Goes);
        let fitted = config.clone().and_then(|place| {
            let how = (self.fit, effort, &format);
            fit::output_config(self.text, place, how, self.changes)
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
        if let Some(place) = old.filter(|_| !has("format")) {
            self.changes.change("output_format");
            let value = match &format {
                Format::Becomes(json) => Segment::New(json.clone().into_bytes()),
                _ => Segment::Kept(place),
            };
            added.push(vec![Segment::New(b"\"format\":".to_vec()), value]);
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
