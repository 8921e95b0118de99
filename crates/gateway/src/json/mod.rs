//! JSON handled in place: changing one member of a document and leaving the rest as it was, and reading a few members of
//! a document that passes by in pieces.

pub mod edit;
pub mod object;
pub mod tap;
