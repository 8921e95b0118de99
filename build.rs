//! Bindings for what must be right to the bit.
//!
//! nginx-sys makes its bindings with bindgen 0.72, which misplaces the bitfields of nginx 1.29.3 and later. So every
//! struct whose bits are used is bound again here, by a bindgen that places them right; `tests/layout.rs` compares
//! each with what C does.

use std::env;
use std::error::Error;
use std::path::PathBuf;

fn main() -> Result<(), Box<dyn Error>> {
    let version = told("VERSION");
    // "nginx/1.22.1" or "openresty/…"
    let version = version.rsplit('/').next().unwrap_or_default();
    if !PROVEN.contains(&version) && env::var_os("BEDROCK_UNPROVEN_NGINX").is_none() {
        return Err(format!(
            "nginx {version} is not one this module was proven on ({}). If tests/layout.rs passes for it, build with \
             BEDROCK_UNPROVEN_NGINX=1.",
            PROVEN.join(", ")
        )
        .into());
    }
    let features = told("FEATURES");
    for needed in ["http", "threads"] {
        if !features.split(',').any(|feature| feature == needed) {
            return Err(format!(
                "this nginx is built without {needed}; configure it --with-{needed}"
            )
            .into());
        }
    }
    let includes = told("INCLUDE");
    let clang_args: Vec<String> = env::split_paths(&includes)
        .map(|path| format!("-I{}", path.display()))
        .chain(told("CFLAGS").split_whitespace().map(str::to_owned))
        .collect();
    let mut builder = bindgen::Builder::default()
        .header_contents("nginx.h", HEADERS)
        .clang_args(&clang_args)
        .layout_tests(false)
        .use_core();
    for bound in TYPES {
        builder = builder.allowlist_type(bound);
    }
    for bound in FUNCTIONS {
        builder = builder.allowlist_function(bound);
    }
    let bindings = builder.generate()?;
    let out = PathBuf::from(env::var("OUT_DIR")?);
    bindings.write_to_file(out.join("bits.rs"))?;
    // For tests/layout.rs, which compiles C against the same headers.
    println!("cargo:rustc-env=NGINX_CLANG_ARGS={}", clang_args.join(" "));
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-env-changed=BEDROCK_UNPROVEN_NGINX");
    Ok(())
}

/// What nginx-sys's build script found out.
fn told(what: &str) -> String {
    env::var(format!("DEP_NGINX_{what}")).unwrap_or_default()
}

/// Versions on which tests/layout.rs and t/ were seen to pass: those of `make test-matrix`.
const PROVEN: [&str; 4] = ["1.22.1", "1.26.3", "1.28.3", "1.30.6"];

const HEADERS: &str = "#include <ngx_config.h>\n#include <ngx_core.h>\n#include <ngx_http.h>\n#include <ngx_thread_pool.h>\n";

const TYPES: [&str; 9] = [
    "ngx_buf_t",
    "ngx_connection_t",
    "ngx_event_t",
    "ngx_http_core_loc_conf_t",
    "ngx_http_headers_in_t",
    "ngx_http_request_t",
    "ngx_http_upstream_t",
    "ngx_thread_task_t",
    "ngx_variable_value_t",
];

/// nginx-sys does not bind the thread pool.
const FUNCTIONS: [&str; 3] = [
    "ngx_thread_pool_add",
    "ngx_thread_task_alloc",
    "ngx_thread_task_post",
];
