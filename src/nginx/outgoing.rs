//! The call to Bedrock as nginx sends it. It stands on the request only while `proxy_pass` writes it out: all else, the access
//! log first of all, sees what the client sent.

use super::body::{self, NewBody};
use super::ffi::{ngx_http_request_t, ngx_int_t, ngx_str_t};
use super::headers::{self, NewHeaders};
use super::request::Request;

/// What writes the request to an upstream (`create_request` of an `ngx_http_upstream_t`).
pub type CreateRequest = Option<unsafe extern "C" fn(*mut ngx_http_request_t) -> ngx_int_t>;

/// Headers, body and target of a call. All of it is in the request's pool.
pub struct Outgoing {
    headers: NewHeaders,
    body: NewBody,
    target: ngx_str_t,
    /// The upstream module's own writer, once there is an upstream.
    pub create: CreateRequest,
    /// The client's request, while this stands in its place.
    client: Option<Client>,
}

struct Client {
    headers: headers::Saved,
    body: body::Saved,
    target: (ngx_str_t, bool),
}

impl Outgoing {
    /// A call that is not sent yet.
    pub fn new(headers: NewHeaders, body: NewBody, target: ngx_str_t) -> Self {
        Self {
            headers,
            body,
            target,
            create: None,
            client: None,
        }
    }

    /// Puts the call in the place of the client's request.
    pub fn put_on(&mut self, request: Request) {
        if self.client.is_some() {
            return;
        }
        self.client = Some(Client {
            headers: headers::save(request),
            body: body::save(request),
            target: request.raw_target(),
        });
        headers::put(request, &self.headers);
        body::put(request, self.body);
        request.set_raw_target((self.target, true));
    }

    /// Puts the client's request back as it came.
    pub fn take_off(&mut self, request: Request) {
        let Some(client) = self.client.take() else {
            return;
        };
        headers::restore(request, &client.headers);
        body::restore(request, client.body);
        // A path that error_page has set meanwhile stays.
        let (target, valid) = client.target;
        let unchanged = request.raw_target().1;
        request.set_raw_target((target, valid && unchanged));
    }
}
