//! Ids of tools' uses, in the form that a family takes: always the same for the same original, and never the same for two.

use std::borrow::Cow;

use ring::digest::{SHA256, digest};

use crate::bedrock::converse::names::{changed, is_legal};
use crate::bedrock::converse::strings::{Str, Strings};
use crate::family::facts::Ids;

/// An id of a request for a family; the client's own if that will do.
pub fn fit(id: Str, ids: Ids, strings: &mut Strings<'_>) -> Str {
    let fitted = match fitted(&strings.text(id), ids) {
        Cow::Owned(fitted) => fitted,
        Cow::Borrowed(_) => return id,
    };
    strings.add(&fitted)
}

/// The same for an id by itself.
pub fn fitted(id: &str, ids: Ids) -> Cow<'_, str> {
    let legal = |byte: u8| match ids {
        Ids::Converse => byte.is_ascii_alphanumeric() || b"-_.:".contains(&byte),
        Ids::Claude => byte.is_ascii_alphanumeric() || b"-_".contains(&byte),
        Ids::Nine => byte.is_ascii_alphanumeric(),
    };
    match ids {
        Ids::Nine if id.len() == NINE && id.bytes().all(legal) => id.into(),
        Ids::Nine => nine_of(id).into(),
        _ if is_legal(id, legal) => id.into(),
        _ => changed(id, legal).into(),
    }
}

/// Nine letters and digits of the id's SHA-256. Cut off, two ids with the same beginning would be one.
fn nine_of(id: &str) -> String {
    let digest = digest(&SHA256, id.as_bytes());
    let mut number = digest
        .as_ref()
        .iter()
        .take(8)
        .fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
    let mut nine = String::with_capacity(NINE);
    for _ in 0..NINE {
        let place = usize::try_from(number % 62).unwrap_or_default();
        nine.push(SIGNS.get(place).map_or('0', |sign| char::from(*sign)));
        number /= 62;
    }
    nine
}

const NINE: usize = 9;
const SIGNS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_that_a_family_takes_stay() {
        for (id, ids) in [
            ("tooluse_aB-9.x:1", Ids::Converse),
            ("functions.bash:0", Ids::Converse),
            ("call_1-a", Ids::Claude),
            ("aB3456789", Ids::Nine),
        ] {
            assert!(matches!(fitted(id, ids), Cow::Borrowed(same) if same == id));
        }
    }

    #[test]
    fn others_are_changed_the_same_way_each_time() {
        // echo -n 'call|1' | sha256sum
        assert_eq!(fitted("call|1", Ids::Converse), "call_1_c26e9779");
        assert_eq!(
            fitted("functions.bash:0", Ids::Claude),
            "functions_bash_0_8497fe9c"
        );
        let long = "x".repeat(65);
        let changed = fitted(&long, Ids::Converse);
        assert_eq!(changed.len(), 64);
        assert!(changed.starts_with(&format!("{}_", "x".repeat(55))));
        assert_ne!(fitted("a|b", Ids::Converse), fitted("a/b", Ids::Converse));
        assert_eq!(fitted("é", Ids::Converse).len(), 10);
        let nine = fitted("tooluse_Ac", Ids::Nine);
        assert_eq!(nine.len(), 9);
        assert_eq!(nine, fitted("tooluse_Ac", Ids::Nine));
        assert_ne!(nine, fitted("tooluse_Ad", Ids::Nine));
        assert!(nine.bytes().all(|byte| byte.is_ascii_alphanumeric()));
        assert_eq!(fitted("", Ids::Nine).len(), 9);
    }
}
