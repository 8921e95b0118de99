//! A call that the client has signed itself.

use super::headers::{
    OF_THE_CONNECTION, bad_header, can_be_sent, signed_headers, takes_guardrail_headers, value,
};
use super::{Headers, Plan};
use crate::bedrock::{Operation, endpoint};
use crate::body::Body;
use crate::dialect::Api;
use crate::refusal::Refusal;
use crate::request::Request;
use crate::settings::Settings;

impl Plan {
    /// The client signed for itself, so nothing it signed may change.
    pub(super) fn with_clients_authorization(
        mut self,
        request: &Request,
        settings: &Settings<'_>,
        headers: Headers<'_>,
    ) -> Result<Self, Refusal> {
        let Some(authorization) = value(headers, "authorization") else {
            return Err(Refusal::new(
                403,
                "MissingAuthenticationTokenException",
                "Missing Authentication Token",
            ));
        };
        let changed = self.body != Body::Unchanged
            || (settings.guardrail.is_some() && takes_guardrail_headers(self.operation, settings))
            || self.model != request.requested_model;
        let prefix = match self.operation {
            _ if request.api == Api::Aws => Some(request.prefix),
            Operation::Other => Some(request.prefix),
            Operation::VendorApi { .. } => {
                let called = self.target.split('?').next().unwrap_or_default();
                let prefix = request.target.path().strip_suffix(called);
                prefix.map(str::len)
            }
            _ => (request.api == Api::Native).then_some(request.prefix),
        };
        let Some(prefix) = prefix.filter(|_| !changed) else {
            return Err(Refusal::denied(
                "This gateway does not sign, so it cannot change this request as its rules demand.",
            ));
        };
        let target = request.target.from(prefix);
        if !target.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(Refusal::validation(
                "The path or the query has characters that must be percent-encoded.",
            ));
        }
        target.clone_into(&mut self.target);
        let signed = signed_headers(authorization);
        if signed.clone().any(|name| name.eq_ignore_ascii_case("host"))
            && let Some(host) = value(headers, "host")
            && endpoint::check_host(host).is_ok()
        {
            host.clone_into(&mut self.host);
        }
        for (name, value) in headers {
            let lower = name.to_ascii_lowercase();
            let sent = lower == "authorization"
                || lower.starts_with("x-amz-")
                || signed.clone().any(|name| name.eq_ignore_ascii_case(&lower));
            if sent && !OF_THE_CONNECTION.contains(&lower.as_str()) {
                if !can_be_sent(value) {
                    return Err(bad_header(&lower));
                }
                self.headers.retain(|(known, _)| *known != lower);
                self.headers.push((lower.into(), (*value).to_owned()));
            }
        }
        Ok(self)
    }
}
