//! JSON handled in place: changing one member of a document and leaving the rest as it was, making a new document out of an
//! old one's pieces, and reading a few members of a document that passes by in pieces.

pub mod cursor;
pub mod edit;
pub mod known;
pub mod members;
pub mod object;
pub mod splice;
pub mod strict;
pub mod tap;
pub mod text;
pub mod tree;
pub mod values;
pub mod writer;
