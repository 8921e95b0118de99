//! What an answer is like where its request was made otherwise than the client asked for.

/// What has to be done to the answer before it is the one that the client asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Shape {
    /// Where its text is.
    pub text: AnswerText,
    /// The client wants a stream, and it comes whole.
    pub is_whole: bool,
}

/// Where the text of an answer is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AnswerText {
    /// In its texts.
    #[default]
    Texts,
    /// It is what the model calls [`ANSWER_TOOL`] with.
    Tool,
    /// In its texts, perhaps within a fence of Markdown's, and with words around that.
    Fence,
}

/// The tool that is made for an answer which must keep to a schema. No client's tool has this name.
pub const ANSWER_TOOL: &str = "answer_in_json";
