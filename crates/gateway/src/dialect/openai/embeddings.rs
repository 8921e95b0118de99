//! OpenAI's embeddings, through InvokeModel in the form of each vendor.
//! <https://platform.openai.com/docs/api-reference/embeddings>,
//! <https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters-titan-embed-text.html>,
//! <https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters-embed.html>

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde::de::Error as _;
use serde_json::value::RawValue;

use crate::body::Body;
use crate::dialect::Meta;
use crate::dialect::called::shown;
use crate::dialect::forms::{Given, OneOf};
use crate::dialect::parameter::{self, Path};
use crate::json::text::{Literal, Text};
use crate::json::writer::Writer;
use crate::refusal::Refusal;

/// What the request said about its answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// The model as the client called it.
    model: String,
    /// Whether each embedding is written as its bytes in base64.
    base64: bool,
    /// How many there must be.
    texts: usize,
}

/// A request, as far as it counts here.
#[derive(Deserialize)]
struct EmbeddingsRequest<'a> {
    #[serde(borrow)]
    input: OneOf<'a>,
    #[serde(borrow, default)]
    encoding_format: Option<Text<'a>>,
    #[serde(default)]
    dimensions: Option<u64>,
    /// Cohere's own.
    #[serde(borrow, default)]
    input_type: Option<Text<'a>>,
}

/// The embedding models whose form is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    TitanV1,
    TitanV2,
    CohereV3,
    CohereV4,
}

impl Form {
    fn of(model: &str) -> Result<Self, Refusal> {
        let id = shown(model)?;
        FORMS
            .iter()
            .find(|(prefix, _)| id.starts_with(prefix))
            .map(|(_, form)| *form)
            .ok_or_else(|| {
                let what = "must be one of Titan's text or Cohere's embedding models";
                Refusal::parameter("model", what)
            })
    }

    /// The lengths that an embedding may be asked to have.
    fn dimensions(self) -> &'static [u64] {
        match self {
            Self::TitanV1 | Self::CohereV3 => &[],
            Self::TitanV2 => &[256, 512, 1024],
            Self::CohereV4 => &[256, 512, 1024, 1536],
        }
    }
}

/// The body for Bedrock, and what the answer has to know of the request. `called` is the model that will be called.
///
/// # Errors
/// 400 that names the parameter which is wrong, or cannot be done.
pub fn translate(
    text: &str,
    requested_model: Option<&str>,
    called: &str,
) -> Result<(Body, Reply), Refusal> {
    let request: EmbeddingsRequest = parameter::parse(text)?;
    let form = Form::of(called)?;
    let texts = Texts::of(request.input)?;
    let base64 = match request.encoding_format.as_ref().map(|Text(text)| &**text) {
        None | Some("float") => false,
        Some("base64") => true,
        Some(_) => {
            return Err(Refusal::parameter(
                "encoding_format",
                "must be float or base64",
            ));
        }
    };
    check_dimensions(form, request.dimensions)?;
    let mut w = Writer::new(text);
    w.open('{');
    match form {
        Form::TitanV1 | Form::TitanV2 => {
            let ([Literal(only)], 1) = (texts.first.as_slice(), texts.count) else {
                let what =
                    "must be one text: this model takes one at a time, so send a request for each";
                return Err(Refusal::parameter("input", what));
            };
            w.key("inputText").json(only);
            if let Some(dimensions) = request.dimensions {
                w.key("dimensions").value(&dimensions);
            }
        }
        Form::CohereV3 | Form::CohereV4 => {
            if texts.count > MOST_TEXTS {
                let what = format!("must hold at most {MOST_TEXTS} texts for this model");
                return Err(Refusal::parameter("input", &what));
            }
            w.key("texts").open('[');
            for Literal(text) in &texts.first {
                w.item().json(text);
            }
            w.close(']');
            w.key("input_type")
                .value(input_type(request.input_type.as_ref())?);
            if let Some(dimensions) = request.dimensions {
                w.key("output_dimension").value(&dimensions);
            }
        }
    }
    w.close('}');
    let reply = Reply {
        model: requested_model.unwrap_or(called).to_owned(),
        base64,
        texts: texts.count,
    };
    Ok((w.into_body(), reply))
}

/// The texts to embed: one, or an array of them.
struct Texts<'a> {
    /// As many as a model takes.
    first: Vec<Literal<'a>>,
    /// How many there are.
    count: usize,
}

impl<'a> Texts<'a> {
    fn of(input: OneOf<'a>) -> Result<Self, Refusal> {
        let at = Path::Body;
        let at = at.member("input");
        let mut texts = Self {
            first: Vec::new(),
            count: 0,
        };
        match input {
            OneOf::Short(Given(text)) => texts.add(text, &at)?,
            OneOf::Long(list) => {
                list.elements(&at)?.each(&at, |text: &RawValue, _| {
                    match text.get().starts_with('"') {
                        true => texts.add(Literal(text.get()), &at),
                        false => Err(at
                            .refuse("must be text: Bedrock's models do not take arrays of tokens")),
                    }
                })?
            }
        }
        match texts.count {
            0 => Err(at.refuse("must not be empty")),
            _ => Ok(texts),
        }
    }

    fn add(&mut self, text: Literal<'a>, at: &Path<'_>) -> Result<(), Refusal> {
        if text.is_empty() {
            return Err(at.refuse("must hold no empty string"));
        }
        if self.count < MOST_TEXTS {
            self.first.push(text);
        }
        self.count += 1;
        Ok(())
    }
}

fn check_dimensions(form: Form, asked: Option<u64>) -> Result<(), Refusal> {
    let (possible, Some(asked)) = (form.dimensions(), asked) else {
        return Ok(());
    };
    if possible.contains(&asked) {
        return Ok(());
    }
    let what = match possible {
        [] => "cannot be chosen for this model".to_owned(),
        some => {
            let some: Vec<String> = some.iter().map(u64::to_string).collect();
            format!("must be one of {} for this model", some.join(", "))
        }
    };
    Err(Refusal::parameter("dimensions", &what))
}

/// What the texts are for, in Cohere's word.
fn input_type(asked: Option<&Text<'_>>) -> Result<&'static str, Refusal> {
    let Some(Text(asked)) = asked else {
        return Ok(INPUT_TYPES[0]);
    };
    INPUT_TYPES
        .into_iter()
        .find(|known| known == asked)
        .ok_or_else(|| {
            let what = format!("must be one of {}", INPUT_TYPES.join(", "));
            Refusal::parameter("input_type", &what)
        })
}

/// An answer of Titan's or Cohere's.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answer<'a> {
    /// Titan's only one.
    #[serde(borrow, default)]
    embedding: Option<&'a RawValue>,
    #[serde(default)]
    input_text_token_count: Option<u64>,
    /// Cohere's: a list, or lists by their types.
    #[serde(borrow, default)]
    embeddings: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct ByType<'a> {
    #[serde(borrow)]
    float: Vec<&'a RawValue>,
}

/// Writes the answer `body`.
///
/// # Errors
/// It is no answer of an embedding model, or not for all texts.
pub(crate) fn write(
    reply: &Reply,
    meta: &Meta,
    body: &str,
    out: &mut Vec<u8>,
) -> Result<(), serde_json::Error> {
    let answer: Answer = serde_json::from_str(body)?;
    let embeddings = match (answer.embedding, answer.embeddings) {
        (Some(only), _) => vec![only],
        (None, Some(list)) if list.get().starts_with('[') => serde_json::from_str(list.get())?,
        (None, Some(by_type)) => serde_json::from_str::<ByType<'_>>(by_type.get())?.float,
        (None, None) => Vec::new(),
    };
    if embeddings.len() != reply.texts {
        return Err(serde_json::Error::custom("not an embedding for each text"));
    }
    let mut w = Writer::new(body);
    w.open('{');
    w.key("object").value("list");
    w.key("data").open('[');
    for (index, embedding) in embeddings.into_iter().enumerate() {
        w.item().open('{');
        w.key("object").value("embedding");
        w.key("index").value(&index);
        w.key("embedding");
        match reply.base64 {
            true => w.value(&base64(embedding)?),
            false if embedding.get().starts_with('[') => w.json(embedding.get()),
            false => {
                return Err(serde_json::Error::custom(
                    "an embedding is no list of numbers",
                ));
            }
        }
        w.close('}');
    }
    w.close(']');
    w.key("model").value(&reply.model);
    if let Some(tokens) = answer.input_text_token_count.or(meta.input_tokens) {
        w.key("usage").open('{');
        w.key("prompt_tokens").value(&tokens);
        w.key("total_tokens").value(&tokens);
        w.close('}');
    }
    w.close('}');
    w.write_to(out);
    Ok(())
}

/// The numbers as OpenAI's SDKs read them from base64: little-endian, four bytes each.
fn base64(embedding: &RawValue) -> Result<String, serde_json::Error> {
    let numbers: Vec<f32> = serde_json::from_str(embedding.get())?;
    let bytes: Vec<u8> = numbers.into_iter().flat_map(f32::to_le_bytes).collect();
    Ok(STANDARD.encode(bytes))
}

const FORMS: [(&str, Form); 5] = [
    ("amazon.titan-embed-text-v2", Form::TitanV2),
    ("amazon.titan-embed-text", Form::TitanV1),
    ("amazon.titan-embed-g1-text", Form::TitanV1),
    ("cohere.embed-v4", Form::CohereV4),
    ("cohere.embed-", Form::CohereV3),
];
/// The first is taken where the client says nothing.
const INPUT_TYPES: [&str; 4] = [
    "search_document",
    "search_query",
    "classification",
    "clustering",
];
const MOST_TEXTS: usize = 96;
