/* What build.rs binds for ffi.rs. */

#if !__has_include(<ngx_http.h>)
#error this nginx is built without its http modules: configure it without --without-http
#endif

#include "bits.c"
#include <ngx_thread_pool.h>

#if !(NGX_THREADS)
#error this nginx is built without threads: configure it --with-threads
#endif

/* A macro that only C can put together. */
const char *BEDROCK_SIGNATURE = NGX_MODULE_SIGNATURE;
