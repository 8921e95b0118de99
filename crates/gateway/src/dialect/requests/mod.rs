//! What requests of OpenAI's two APIs, Chat Completions and Responses, have in common once each has read its own form.

pub mod calls;
pub mod media;
pub mod parameters;
pub mod tools;
