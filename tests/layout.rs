//! For every bitfield that the module uses: the bits that C sets are the bits that Rust sets, by the headers of the nginx
//! that the module is built for. For its other members: they are where C has them. A wrong one would load, and mostly work.

#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

#[allow(
    non_camel_case_types,
    non_snake_case,
    non_upper_case_globals,
    dead_code,
    clippy::all,
    clippy::undocumented_unsafe_blocks,
    clippy::indexing_slicing,
    clippy::panic,
    unsafe_op_in_unsafe_fn
)]
mod bits {
    include!(concat!(env!("OUT_DIR"), "/bits.rs"));
}

/// One line a bitfield: struct, field, and which bits of the struct Rust sets for it.
macro_rules! rust_bits {
    ($($name:ident . $($path:ident).+ : $set:ident),* $(,)?) => {
        vec![$({
            // SAFETY: these C structs are plain data, for which all zeroes is a value.
            let mut value: Box<bits::$name> = Box::new(unsafe { std::mem::zeroed() });
            rust_bits!(@set value, $($path).+, $set);
            (stringify!($name), stringify!($($path).+).replace(' ', ""), ones(&*value))
        }),*]
    };
    (@set $value:ident, $field:ident, $set:ident) => { $value.$set(!0) };
    (@set $value:ident, $outer:ident . $field:ident, $set:ident) => { $value.$outer.$set(!0) };
}

fn rust_side() -> Vec<(&'static str, String, Vec<usize>)> {
    rust_bits! {
        ngx_buf_t.temporary: set_temporary,
        ngx_buf_t.memory: set_memory,
        ngx_buf_t.mmap: set_mmap,
        ngx_buf_t.in_file: set_in_file,
        ngx_buf_t.flush: set_flush,
        ngx_buf_t.last_buf: set_last_buf,
        ngx_buf_t.last_in_chain: set_last_in_chain,
        ngx_connection_t.error: set_error,
        ngx_event_t.posted: set_posted,
        ngx_event_t.timer_set: set_timer_set,
        ngx_event_t.ready: set_ready,
        ngx_http_core_loc_conf_t.noname: set_noname,
        ngx_http_request_t.headers_in.chunked: set_chunked,
        ngx_http_request_t.count: set_count,
        ngx_http_request_t.cached: set_cached,
        ngx_http_request_t.blocked: set_blocked,
        ngx_http_request_t.aio: set_aio,
        ngx_http_request_t.valid_unparsed_uri: set_valid_unparsed_uri,
        ngx_http_request_t.uri_changes: set_uri_changes,
        ngx_http_request_t.preserve_body: set_preserve_body,
        ngx_http_request_t.keepalive: set_keepalive,
        ngx_http_request_t.header_only: set_header_only,
        ngx_http_request_t.done: set_done,
        ngx_http_request_t.buffered: set_buffered,
        ngx_http_request_t.filter_need_in_memory: set_filter_need_in_memory,
        ngx_http_request_t.filter_finalize: set_filter_finalize,
        ngx_http_request_t.post_action: set_post_action,
        ngx_http_request_t.background: set_background,
        ngx_http_request_t.allow_ranges: set_allow_ranges,
        ngx_http_request_t.error_page: set_error_page,
        ngx_http_upstream_t.buffering: set_buffering,
        ngx_http_upstream_t.cacheable: set_cacheable,
        ngx_variable_value_t.len: set_len,
        ngx_variable_value_t.valid: set_valid,
        ngx_variable_value_t.no_cacheable: set_no_cacheable,
        ngx_variable_value_t.not_found: set_not_found,
        ngx_variable_value_t.escape: set_escape,
    }
}

#[test]
fn every_bit_is_where_c_has_it() {
    let rust = rust_side();
    let c = c_side(&rust);
    assert_eq!(c.len(), rust.len());
    for ((name, field, bits), in_c) in rust.iter().zip(&c) {
        assert!(!bits.is_empty(), "{name}.{field}");
        assert_eq!(bits, in_c, "{name}.{field}");
    }
}

/// One line a member: struct, member, where nginx-sys has it, and the struct's size by nginx-sys.
macro_rules! rust_places {
    ($($name:ident: $($member:ident)+;)*) => {
        vec![$($((
            stringify!($name),
            stringify!($member),
            std::mem::offset_of!(ngx::ffi::$name, $member),
            size_of::<ngx::ffi::$name>(),
        )),+),*]
    };
}

#[test]
fn every_member_is_where_c_has_it() {
    let rust = rust_places! {
        ngx_buf_t: pos last file_pos file_last start end tag file;
        ngx_chain_t: buf next;
        ngx_command_t: name type_ set conf offset post;
        ngx_conf_t: args cycle pool conf_file log ctx cmd_type handler handler_conf;
        ngx_connection_t: data read write fd log;
        ngx_cycle_t: conf_ctx pool modules modules_n conf_prefix;
        ngx_event_t: data handler log queue;
        ngx_file_t: fd name log;
        ngx_http_core_loc_conf_t: name handler locations error_pages client_body_temp_path client_max_body_size;
        ngx_http_core_main_conf_t: phases;
        ngx_http_request_body_t: temp_file bufs buf rest;
        ngx_http_request_t: connection ctx main_conf srv_conf loc_conf read_event_handler write_event_handler upstream pool
            headers_in headers_out request_body http_version start_sec start_msec method request_line uri unparsed_uri method_name out
            main parent posted_requests phase_handler content_handler variables cleanup err_status;
        ngx_http_upstream_t: headers_in request_bufs create_request busy_bufs cleanup conf;
        ngx_list_t: last part size nalloc pool;
        ngx_log_t: log_level;
        ngx_module_t: ctx_index index name signature ctx commands type_ init_process exit_process exit_master;
        ngx_pool_t: chain cleanup log;
        ngx_table_elt_t: hash key value lowcase_key;
    };
    let mut program = String::from(PREAMBLE);
    for (name, member, _, _) in &rust {
        // `type` is no name in Rust.
        let member = member.trim_end_matches('_');
        writeln!(
            program,
            "printf(\"%zu %zu\\n\", offsetof({name}, {member}), sizeof({name}));"
        )
        .unwrap();
    }
    let c = run_c("places", program);
    assert_eq!(c.len(), rust.len());
    for ((name, member, place, size), in_c) in rust.iter().zip(&c) {
        assert_eq!(
            &[*place, *size],
            in_c.as_slice(),
            "{name}.{member}: place in the struct, the struct's size"
        );
    }
}

#[test]
fn every_bitfield_in_use_is_checked() {
    let source: String = std::fs::read_dir(root().join("src/nginx"))
        .unwrap()
        .chain(std::fs::read_dir(root().join("src")).unwrap())
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|kind| kind == "rs"))
        .map(|path| std::fs::read_to_string(path).unwrap())
        .collect();
    let generated = include_str!(concat!(env!("OUT_DIR"), "/bits.rs"));
    let bitfields: BTreeSet<&str> = generated
        .lines()
        .filter_map(|line| line.trim().strip_prefix("pub fn set_"))
        .filter(|rest| rest.contains("(&mut self, val: "))
        .filter_map(|rest| rest.split('(').next())
        .collect();
    let checked: BTreeSet<String> = rust_side()
        .into_iter()
        .map(|(_, field, _)| field.rsplit('.').next().unwrap().to_owned())
        .collect();
    let used: BTreeSet<&str> = bitfields
        .iter()
        .copied()
        .filter(|field| {
            source.contains(&format!(").set_{field}(")) || source.contains(&format!(").{field}()"))
        })
        // Names that only look like it: methods of std's types.
        .filter(|field| !["len", "error"].contains(field))
        .collect();
    let missing: Vec<_> = used
        .iter()
        .filter(|field| !checked.contains(**field))
        .collect();
    assert!(missing.is_empty(), "used but not checked: {missing:?}");
    assert!(used.len() > 20, "the search for uses found only {used:?}");
}

/// The positions of the bits that are set.
fn ones<T>(value: &T) -> Vec<usize> {
    let size = size_of::<T>();
    // SAFETY: the value was zeroed as a whole, so every byte of it is initialised.
    let bytes = unsafe { std::slice::from_raw_parts(std::ptr::from_ref(value).cast::<u8>(), size) };
    (0..size * 8)
        .filter(|bit| bytes[bit / 8] >> (bit % 8) & 1 == 1)
        .collect()
}

/// The same by C: a program that sets each field and prints the bits.
fn c_side(fields: &[(&str, String, Vec<usize>)]) -> Vec<Vec<usize>> {
    let mut program = String::from(PREAMBLE);
    for (name, field, _) in fields {
        writeln!(
            program,
            "{{ static {name} v; v.{field} = ~0; show((void *)&v, sizeof v); }}"
        )
        .unwrap();
    }
    run_c("bits", program)
}

/// Ends the program, compiles it against nginx's headers, and reads the numbers of each line that it prints.
fn run_c(name: &str, mut program: String) -> Vec<Vec<usize>> {
    program.push_str("return 0; }\n");
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let (source, binary) = (directory.join(format!("{name}.c")), directory.join(name));
    std::fs::write(&source, program).unwrap();
    let compiled = Command::new("cc")
        .args(["-w", "-o"])
        .args([&binary, &source])
        .args(env!("NGINX_CLANG_ARGS").split_whitespace())
        .status()
        .expect("a C compiler");
    assert!(compiled.success());
    let output = Command::new(binary).output().unwrap();
    String::from_utf8(output.stdout)
        .unwrap()
        .lines()
        .map(|line| {
            line.split_whitespace()
                .map(|number| number.parse().unwrap())
                .collect()
        })
        .collect()
}

/// The beginning of each C program.
const PREAMBLE: &str = "#include <ngx_config.h>\n#include <ngx_core.h>\n#include <ngx_http.h>\n#include <stdio.h>\n\
    #include <stddef.h>\n\
    static void show(const unsigned char *p, size_t n) { for (size_t i = 0; i < n * 8; i++) if (p[i / 8] >> (i % 8) & 1) \
    printf(\"%zu \", i); puts(\"\"); }\nint main(void) {\n";

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}
