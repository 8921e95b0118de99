/*
 * Bitfields, read and written in C: the compiler that reads the headers of the nginx at hand knows where the bits are, and Rust
 * need not. ffi.rs has these functions without "bedrock_", and no other way to a bitfield.
 */

#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_http.h>

#define GET(name, type, bit)                                                                                          \
    unsigned bedrock_get_##name##_##bit(const type *name) { return name->bit; }
#define SET(name, type, bit)                                                                                          \
    void bedrock_set_##name##_##bit(type *name, unsigned bit) { name->bit = bit; }
#define BOTH(name, type, bit) GET(name, type, bit) SET(name, type, bit)

GET(buf, ngx_buf_t, temporary)
BOTH(buf, ngx_buf_t, memory)
GET(buf, ngx_buf_t, mmap)
BOTH(buf, ngx_buf_t, in_file)
BOTH(buf, ngx_buf_t, flush)
BOTH(buf, ngx_buf_t, last_buf)
BOTH(buf, ngx_buf_t, last_in_chain)

GET(connection, ngx_connection_t, error)

SET(event, ngx_event_t, cancelable)
BOTH(event, ngx_event_t, posted)
GET(event, ngx_event_t, ready)
BOTH(event, ngx_event_t, timer_set)

SET(peers, ngx_http_upstream_rr_peers_t, single)
SET(peers, ngx_http_upstream_rr_peers_t, weighted)

GET(server, ngx_http_upstream_server_t, backup)

GET(location, ngx_http_core_loc_conf_t, noname)

BOTH(headers_in, ngx_http_headers_in_t, chunked)

BOTH(request, ngx_http_request_t, aio)
SET(request, ngx_http_request_t, allow_ranges)
GET(request, ngx_http_request_t, background)
BOTH(request, ngx_http_request_t, blocked)
BOTH(request, ngx_http_request_t, buffered)
GET(request, ngx_http_request_t, cached)
BOTH(request, ngx_http_request_t, count)
BOTH(request, ngx_http_request_t, done)
GET(request, ngx_http_request_t, error_page)
BOTH(request, ngx_http_request_t, filter_finalize)
SET(request, ngx_http_request_t, filter_need_in_memory)
GET(request, ngx_http_request_t, header_only)
GET(request, ngx_http_request_t, http_major)
GET(request, ngx_http_request_t, http_minor)
SET(request, ngx_http_request_t, keepalive)
GET(request, ngx_http_request_t, plus_in_uri)
BOTH(request, ngx_http_request_t, post_action)
SET(request, ngx_http_request_t, preserve_body)
GET(request, ngx_http_request_t, quoted_uri)
BOTH(request, ngx_http_request_t, uri_changes)
BOTH(request, ngx_http_request_t, valid_unparsed_uri)

SET(upstream, ngx_http_upstream_t, buffering)
SET(upstream, ngx_http_upstream_t, cacheable)
SET(upstream, ngx_http_upstream_t, error)

SET(value, ngx_variable_value_t, escape)
SET(value, ngx_variable_value_t, len)
SET(value, ngx_variable_value_t, no_cacheable)
SET(value, ngx_variable_value_t, not_found)
SET(value, ngx_variable_value_t, valid)

/* Not a constant of Rust's, which would become part of the code that compares it: scripts/test-wrong-nginx.sh changes it. */
const char *bedrock_nginx_ver(void) { return NGINX_VER; }

/*
 * The TLS session that nginx keeps with an upstream's address, where it is built with TLS. The library is nginx's own, of which
 * the module knows nothing where it was built for another one of the same layout.
 */
#if (NGX_HTTP_SSL || NGX_COMPAT)

#if !(NGX_SSL)
void SSL_SESSION_free(void *session);
#endif
#pragma weak SSL_SESSION_free

void
bedrock_move_session(ngx_http_upstream_rr_peer_t *from, ngx_http_upstream_rr_peer_t *to)
{
    to->ssl_session = from->ssl_session;
    from->ssl_session = NULL;
}

void
bedrock_free_session(ngx_http_upstream_rr_peer_t *peer)
{
    if (peer->ssl_session && SSL_SESSION_free) {
        SSL_SESSION_free(peer->ssl_session);
    }
    peer->ssl_session = NULL;
}

#else

void bedrock_move_session(ngx_http_upstream_rr_peer_t *from, ngx_http_upstream_rr_peer_t *to) {}
void bedrock_free_session(ngx_http_upstream_rr_peer_t *peer) {}

#endif
