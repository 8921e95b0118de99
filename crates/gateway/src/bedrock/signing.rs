//! SigV4, as Bedrock wants it. <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv.html>

use std::time::SystemTime;

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign as sign_v4};
use aws_sigv4::sign::v4;

/// What a signature covers.
#[derive(Clone, Copy, Debug)]
pub struct Signable<'a> {
    /// HTTP method.
    pub method: &'a str,
    /// Host as it will be sent, with its port if it has one.
    pub host: &'a str,
    /// Path and query as they will be sent, byte for byte.
    pub target: &'a str,
    /// Headers to sign besides `host`, `x-amz-date` and `x-amz-security-token`.
    pub headers: &'a [(&'a str, &'a str)],
    /// Lower-case hex SHA-256 of the body.
    pub body_hash: &'a str,
    /// Region of the scope.
    pub region: &'a str,
    /// Service of the scope.
    pub service: &'a str,
}

/// Signs a request; gives the headers to add: `x-amz-date`, `authorization`, and `x-amz-security-token` where the
/// credentials have one.
///
/// # Errors
/// Text for the error log when the request cannot be written down as a canonical request. It holds no secret.
pub fn sign(
    signable: &Signable<'_>,
    credentials: &Credentials,
    now: SystemTime,
) -> Result<Vec<(&'static str, String)>, String> {
    let identity = credentials.clone().into();
    let params = v4::SigningParams::builder()
        .identity(&identity)
        .region(signable.region)
        .name(signable.service)
        .time(now)
        .settings(SigningSettings::default())
        .build()
        .map_err(|error| error.to_string())?
        .into();
    let headers = signable.headers.iter().copied();
    let request = SignableRequest::new(
        signable.method,
        // The scheme is not signed.
        format!("https://{}{}", signable.host, signable.target),
        headers.chain([("host", signable.host)]),
        SignableBody::Precomputed(signable.body_hash.to_owned()),
    )
    .map_err(|error| error.to_string())?;
    let (instructions, _) = sign_v4(request, &params)
        .map_err(|error| error.to_string())?
        .into_parts();
    let (headers, _) = instructions.into_parts();
    Ok(headers
        .into_iter()
        .map(|header| (header.name(), header.value().to_owned()))
        .collect())
}
