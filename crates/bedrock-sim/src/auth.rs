//! Who is asking: which signatures and API keys are let in, and what the others are told.

use crate::{
    clock::{epoch, iso8601},
    errors::Refusal,
    request::Head,
    signature::{ALGORITHM, Authorization, Calculation, incomplete, invalid},
};

/// Whom the stand-in knows.
#[derive(Debug, Clone, Default)]
pub struct Keyring {
    /// Access keys that may sign.
    pub keys: Vec<Key>,
    /// API keys that may be sent as `Authorization: Bearer`.
    pub api_keys: Vec<String>,
    /// Regions a signature may be for; none means any.
    pub regions: Vec<String>,
    /// Lets everyone in.
    pub open: bool,
}

/// An access key.
#[derive(Debug, Clone)]
pub struct Key {
    /// The access key id.
    pub id: String,
    /// The secret access key.
    pub secret: String,
    /// The session token that temporary keys come with.
    pub token: Option<String>,
}

/// Who a request says it is from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Claim {
    /// `sigv4`, `bearer` or `none`.
    pub auth: &'static str,
    /// The region of the credential scope.
    pub region: Option<String>,
    /// The access key id.
    pub key_id: Option<String>,
    /// The service of the credential scope.
    pub service: Option<String>,
}

/// Reads the claim without checking it.
pub fn claim(head: &Head) -> Claim {
    match head.text("authorization") {
        Some(text) if text.starts_with("Bearer ") => Claim {
            auth: "bearer",
            ..Claim::default()
        },
        Some(text) if text.starts_with(ALGORITHM) => {
            let scope = Authorization::parse(text).ok().map(|a| a.scope);
            Claim {
                auth: "sigv4",
                region: scope.as_ref().map(|s| s.region.to_owned()),
                key_id: scope.as_ref().map(|s| s.key_id.to_owned()),
                service: scope.as_ref().map(|s| s.service.to_owned()),
            }
        }
        _ => Claim {
            auth: "none",
            ..Claim::default()
        },
    }
}

/// Checks that the request is from someone on the keyring. `now` is in seconds since the epoch.
pub fn check(head: &Head, body: &[u8], keyring: &Keyring, now: i64) -> Result<(), Refusal> {
    if keyring.open {
        return Ok(());
    }
    let Some(authorization) = head.text("authorization") else {
        return Err(Refusal::forbidden(
            "MissingAuthenticationTokenException",
            "Missing Authentication Token",
        ));
    };
    match authorization.strip_prefix("Bearer ") {
        Some(key) if keyring.api_keys.iter().any(|known| known == key) => Ok(()),
        Some(_) => Err(Refusal::forbidden(
            "AccessDeniedException",
            "Authentication failed: Please make sure your API Key is valid.",
        )),
        None => check_signature(
            head,
            body,
            &Authorization::parse(authorization)?,
            keyring,
            now,
        ),
    }
}

fn check_signature(
    head: &Head,
    body: &[u8],
    authorization: &Authorization<'_>,
    keyring: &Keyring,
    now: i64,
) -> Result<(), Refusal> {
    let signed = |name: &str| authorization.signed_headers.split(';').any(|n| n == name);
    if !authorization.signed_headers.split(';').is_sorted() {
        return Err(incomplete("SignedHeaders must be sorted."));
    }
    for name in ["host", "x-amz-date", "x-amz-security-token"] {
        let present = head.values(name).next().is_some();
        if !signed(name) && (present || name != "x-amz-security-token") {
            return Err(invalid(format!(
                "'{name}' must be a 'SignedHeader' in the AWS Authorization."
            )));
        }
        if !present && signed(name) {
            return Err(incomplete(&format!(
                "Authorization header requires existence of '{name}'."
            )));
        }
    }
    let time = head.text("x-amz-date").unwrap_or_default();
    check_time(time, authorization.scope.date, now)?;
    let region = authorization.scope.region;
    if !keyring.regions.is_empty() && !keyring.regions.iter().any(|known| known == region) {
        return Err(invalid(
            "Credential should be scoped to a valid region.".to_owned(),
        ));
    }
    let token = head.text("x-amz-security-token");
    let Some(key) = (keyring.keys.iter())
        .find(|key| key.id == authorization.scope.key_id && key.token.as_deref() == token)
    else {
        return Err(Refusal::forbidden(
            "UnrecognizedClientException",
            "The security token included in the request is invalid.",
        ));
    };
    let ours = Calculation::new(
        head,
        body,
        &authorization.scope,
        authorization.signed_headers,
        time,
        &key.secret,
    );
    if ours.signature == authorization.signature {
        return Ok(());
    }
    Err(invalid(format!(
        "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access \
         Key and signing method. Consult the service documentation for details.\n\n\
         The Canonical String for this request should have been\n'{}'\n\n\
         The String-to-Sign should have been\n'{}'\n",
        ours.canonical_request, ours.string_to_sign
    )))
}

fn check_time(time: &str, scope_date: &str, now: i64) -> Result<(), Refusal> {
    let Some(at) = epoch(time) else {
        return Err(incomplete(&format!(
            "Date must be in ISO-8601 'basic format'. Got '{time}'."
        )));
    };
    if time.get(..8) != Some(scope_date) {
        return Err(invalid(format!(
            "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '{scope_date}' \
             != '{}', from '{time}'.",
            time.get(..8).unwrap_or_default()
        )));
    }
    let (now_text, allowed) = (iso8601(now), CLOCK_SKEW / 60);
    if at < now - CLOCK_SKEW {
        let oldest = iso8601(now - CLOCK_SKEW);
        return Err(invalid(format!(
            "Signature expired: {time} is now earlier than {oldest} ({now_text} - {allowed} min.)"
        )));
    }
    if at > now + CLOCK_SKEW {
        let newest = iso8601(now + CLOCK_SKEW);
        return Err(invalid(format!(
            "Signature not yet current: {time} is still later than {newest} ({now_text} + {allowed} min.)"
        )));
    }
    Ok(())
}

/// How far a signature's time may be from ours, in seconds.
const CLOCK_SKEW: i64 = 300;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vectors::{Vector, first, vectors};

    fn exception(v: &Vector) -> String {
        check(&v.head, &v.body, &v.keyring, v.now)
            .unwrap_err()
            .exception
    }

    fn set(v: &mut Vector, name: &str, change: impl Fn(&str) -> String) {
        for (n, value) in &mut v.head.headers {
            if n == name {
                *value = change(std::str::from_utf8(value).unwrap()).into_bytes();
            }
        }
    }

    #[test]
    fn all_vectors_verify() {
        let vectors = vectors();
        assert_eq!(vectors.len(), 22);
        for v in vectors {
            check(&v.head, &v.body, &v.keyring, v.now).unwrap();
            assert_eq!(iso8601(v.now), v.json["x_amz_date"]);
        }
    }

    #[test]
    fn a_flipped_byte_does_not_verify() {
        for mut v in vectors() {
            v.head.target.push('x');
            assert_eq!(exception(&v), "InvalidSignatureException", "{}", v.name);
            v.head.target.pop();
            v.body.push(b' ');
            assert_eq!(exception(&v), "InvalidSignatureException", "{}", v.name);
            v.body.pop();
            set(&mut v, "Host", |host| format!("{host}x"));
            assert_eq!(exception(&v), "InvalidSignatureException", "{}", v.name);
        }
        let mut v = first();
        v.body[3] ^= 1;
        assert_eq!(exception(&v), "InvalidSignatureException");
    }

    #[test]
    fn the_canonical_request_is_told() {
        let mut v = first();
        v.keyring.keys[0].secret.push('x');
        let refusal = check(&v.head, &v.body, &v.keyring, v.now).unwrap_err();
        assert!(
            refusal
                .message
                .starts_with("The request signature we calculated does not match")
        );
        assert!(
            refusal
                .message
                .contains(v.json["canonical_request"].as_str().unwrap())
        );
    }

    #[test]
    fn the_time_must_be_near() {
        for (offset, text) in [
            (301, "Signature expired: "),
            (-301, "Signature not yet current: "),
        ] {
            let v = first();
            let refusal = check(&v.head, &v.body, &v.keyring, v.now + offset).unwrap_err();
            assert_eq!(refusal.exception, "InvalidSignatureException");
            assert!(refusal.message.starts_with(text), "{}", refusal.message);
            check(
                &v.head,
                &v.body,
                &v.keyring,
                v.now + offset - offset.signum(),
            )
            .unwrap();
        }
    }

    #[test]
    fn tokens_keys_and_regions_are_checked() {
        let mut v = first();
        v.keyring.keys[0].token = None;
        assert_eq!(exception(&v), "UnrecognizedClientException");
        v.keyring.keys[0].token = Some("another".to_owned());
        assert_eq!(exception(&v), "UnrecognizedClientException");
        let mut v = first();
        v.keyring.keys[0].id.push('X');
        assert_eq!(exception(&v), "UnrecognizedClientException");
        let mut v = first();
        v.keyring.regions = vec!["eu-west-1".to_owned()];
        assert_eq!(exception(&v), "InvalidSignatureException");
        v.keyring.regions.push("us-east-1".to_owned());
        check(&v.head, &v.body, &v.keyring, v.now).unwrap();
    }

    #[test]
    fn malformed_authorizations_are_told_apart() {
        type Change = fn(&str) -> String;
        let faults: [(Change, &str); 6] = [
            (
                |a| a.replace("AWS4", "AWS3"),
                "IncompleteSignatureException",
            ),
            (
                |a| a.replace("Signature=", "Sig="),
                "IncompleteSignatureException",
            ),
            (
                |a| a.replace("/bedrock/", "/"),
                "IncompleteSignatureException",
            ),
            (
                |a| a.replace("/bedrock/", "/s3/"),
                "InvalidSignatureException",
            ),
            (
                |a| a.replace(";x-amz-security-token", ""),
                "InvalidSignatureException",
            ),
            (|a| a.replace("host;", ""), "InvalidSignatureException"),
        ];
        for (fault, expected) in faults {
            let mut v = first();
            set(&mut v, "Authorization", fault);
            assert_eq!(exception(&v), expected);
        }
        let mut v = first();
        v.head.headers.retain(|(name, _)| name != "Authorization");
        assert_eq!(exception(&v), "MissingAuthenticationTokenException");
        v.keyring.open = true;
        check(&v.head, &v.body, &v.keyring, v.now).unwrap();
    }

    #[test]
    fn api_keys_are_checked() {
        let mut v = first();
        v.keyring.api_keys = vec!["good".to_owned()];
        set(&mut v, "Authorization", |_| "Bearer good".to_owned());
        check(&v.head, &v.body, &v.keyring, 0).unwrap();
        assert_eq!(claim(&v.head).auth, "bearer");
        set(&mut v, "Authorization", |_| "Bearer goo".to_owned());
        assert_eq!(exception(&v), "AccessDeniedException");
    }

    #[test]
    fn a_claim_is_read_unchecked() {
        let claim = claim(&first().head);
        assert_eq!(claim.auth, "sigv4");
        assert_eq!(claim.region.as_deref(), Some("us-east-1"));
        assert_eq!(claim.key_id.as_deref(), Some("AKIDEXAMPLE"));
    }
}
