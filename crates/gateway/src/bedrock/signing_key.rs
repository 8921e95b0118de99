//! The key that SigV4 signs with: it is derived for a day, a region and a service, which takes longer than to sign.
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html#derive-signing-key>

use std::cell::RefCell;
use std::time::SystemTime;

use aws_sigv4::sign::v4::generate_signing_key;
use zeroize::Zeroizing;

use super::signing::Signable;

/// A key, and all that it was derived from.
struct Derived {
    secret: Zeroizing<String>,
    date: String,
    region: String,
    service: String,
    key: Zeroizing<Vec<u8>>,
}

thread_local! {
    /// The one that was used last: requests one after the other are signed alike, as a rule.
    static LAST: RefCell<Option<Derived>> = const { RefCell::new(None) };
}

/// Calls `sign` with the key for a request at `now`, whose `date` is that of the scope.
pub fn of_day<T>(
    secret: &str,
    now: SystemTime,
    date: &str,
    signable: &Signable<'_>,
    sign: impl FnOnce(&[u8]) -> T,
) -> T {
    let (region, service) = (signable.region, signable.service);
    let fits = |last: &Derived| {
        last.secret.as_str() == secret
            && last.date == date
            && last.region == region
            && last.service == service
    };
    let derived = LAST.take().filter(fits).unwrap_or_else(|| Derived {
        secret: Zeroizing::new(secret.to_owned()),
        date: date.to_owned(),
        region: region.to_owned(),
        service: service.to_owned(),
        key: Zeroizing::new(
            generate_signing_key(secret, now, region, service)
                .as_ref()
                .to_vec(),
        ),
    });
    let signed = sign(&derived.key);
    LAST.set(Some(derived));
    signed
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_key_serves_only_what_it_was_derived_for() {
        let day = Duration::from_secs(86_400);
        let began = SystemTime::UNIX_EPOCH + day;
        let first = ("secret", began, "19700102", "us-east-1", "bedrock");
        let others = [
            ("other", began, "19700102", "us-east-1", "bedrock"),
            ("secret", began + day, "19700103", "us-east-1", "bedrock"),
            ("secret", began, "19700102", "us-west-2", "bedrock"),
            ("secret", began, "19700102", "us-east-1", "other"),
        ];
        for other in others {
            for (secret, now, date, region, service) in [first, first, other, first] {
                let signable = Signable {
                    method: "POST",
                    host: "",
                    target: "/",
                    headers: &[],
                    body_hash: "",
                    region,
                    service,
                };
                let derived = generate_signing_key(secret, now, region, service);
                of_day(secret, now, date, &signable, |key| {
                    assert_eq!(key, derived.as_ref());
                });
            }
        }
    }
}
