//! Bindings for the nginx at hand (see `src/nginx/ffi.rs`): nginx's headers in `NGINX_SOURCE_DIR`, configured in `NGINX_BUILD_DIR`.

use std::env;
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

use bindgen::FieldVisibilityKind;
use bindgen::callbacks::{FieldInfo, ItemInfo, ParseCallbacks};

fn main() -> Result<(), Box<dyn Error>> {
    for name in ["NGINX_SOURCE_DIR", "NGINX_BUILD_DIR"] {
        println!("cargo:rerun-if-env-changed={name}");
    }
    let (source, build) = (
        directory("NGINX_SOURCE_DIR")?,
        directory("NGINX_BUILD_DIR")?,
    );
    let makefile = build.join("Makefile");
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed={}", makefile.display());
    let flags = compiler_flags(&fs::read_to_string(&makefile)?, &source);

    let bindings = bindgen::Builder::default()
        .header("src/nginx/ffi.h")
        .clang_args(&flags)
        .allowlist_item("ngx_.*|NGX_.*|nginx_version|bedrock_.*|BEDROCK_.*")
        .generate_cstr(true)
        .layout_tests(true)
        .parse_callbacks(Box::new(Callbacks))
        // Whichever header changes, the bindings are made anew.
        .parse_callbacks(Box::new(bindgen::CargoCallbacks::new()))
        .rust_target(
            env::var("CARGO_PKG_RUST_VERSION")?
                .parse()
                .map_err(|_| "rust-version")?,
        )
        .use_core()
        .generate()?;
    bindings.write_to_file(PathBuf::from(env::var("OUT_DIR")?).join("ffi.rs"))?;

    let mut bits = cc::Build::new();
    bits.file("src/nginx/bits.c")
        .warnings(false)
        .flag("-fvisibility=hidden");
    for flag in &flags {
        bits.flag(flag);
    }
    bits.compile("bedrock_bits");

    // nginx unloads its modules before a worker ends; but threads may be in this one then, and some cannot be stopped.
    println!("cargo:rustc-cdylib-link-arg=-Wl,-z,nodelete");
    Ok(())
}

/// What t/ was run on: see docs/trust.md.
const TESTED: [&str; 8] = [
    "nginx/1.22.1",
    "nginx/1.24.0",
    "nginx/1.26.3",
    "nginx/1.28.3",
    "nginx/1.29.8",
    "nginx/1.30.6",
    "nginx/1.31.4",
    "openresty/1.31.3.1",
];

fn directory(name: &str) -> Result<PathBuf, Box<dyn Error>> {
    let path = env::var_os(name)
        .ok_or_else(|| format!("{name} is not set: use `make build`, or `eval \"$(scripts/nginx-source.sh)\"` before cargo"))?;
    Ok(fs::canonicalize(&path).map_err(|error| format!("{name}: {}: {error}", path.display()))?)
}

/// Of what nginx's makefile gives the compiler: what decides how the headers are read.
fn compiler_flags(makefile: &str, source: &Path) -> Vec<String> {
    let lines = makefile.replace("\\\n", " ");
    let words = |variable: &str| {
        let value = lines
            .lines()
            .find_map(|line| line.strip_prefix(variable)?.trim_start().strip_prefix('='));
        shlex::split(value.unwrap_or_default()).unwrap_or_default()
    };
    let mut flags = Vec::new();
    let mut words = words("CFLAGS").into_iter().chain(words("ALL_INCS"));
    while let Some(word) = words.next() {
        let Some(kind) = KINDS.iter().find(|kind| word.starts_with(**kind)) else {
            continue;
        };
        // "-I dir" and "-Idir".
        let value = match word.get(kind.len()..) {
            Some(value) if !value.is_empty() => value.to_owned(),
            _ => words.next().unwrap_or_default(),
        };
        // The makefile is for nginx's own directory.
        let value = match *kind {
            "-D" | "-U" => value,
            _ => source.join(value).display().to_string(),
        };
        flags.extend(match *kind {
            "-include" | "-isystem" => vec![(*kind).to_owned(), value],
            _ => vec![format!("{kind}{value}")],
        });
    }
    flags
}

const KINDS: [&str; 5] = ["-D", "-U", "-include", "-isystem", "-I"];

#[derive(Debug)]
struct Callbacks;

impl ParseCallbacks for Callbacks {
    fn item_name(&self, item: ItemInfo) -> Option<String> {
        item.name.strip_prefix("bedrock_").map(str::to_owned)
    }

    fn str_macro(&self, name: &str, value: &[u8]) {
        let value = String::from_utf8_lossy(value);
        if name == "NGINX_VER" && !TESTED.contains(&&*value) {
            println!(
                "cargo:warning=the tests in t/ were not run on {value}, only on {}; its structs are right all the same",
                TESTED.join(", ")
            );
        }
    }

    /// Bitfields are of these types, and hardly anything else in nginx is.
    fn field_visibility(&self, field: FieldInfo<'_>) -> Option<FieldVisibilityKind> {
        matches!(field.field_type_name, Some("unsigned int" | "int"))
            .then_some(FieldVisibilityKind::Private)
    }
}
