//! `bedrock_credentials NAME { … }`

use std::collections::HashMap;
use std::ffi::{c_char, c_void};
use std::ptr;

use bedrock_credentials::Source;
use zeroize::Zeroizing;

use super::arguments::size_of;
use super::{DEFAULT, MainConf};
use crate::nginx::conf::Conf;
use crate::nginx::ffi::{conf_error, ngx_command_t, ngx_conf_t};
use crate::nginx::guard::guard;
use crate::zone::vault;

/// The lines of one block as they are read.
#[derive(Default)]
struct Block {
    source: Option<(String, Option<String>)>,
    parameters: HashMap<String, Zeroizing<String>>,
}

/// Reads a block and adds its source.
///
/// # Errors
/// What is wrong in the block; a misspelt parameter has been reported with its own line.
pub fn read_block(main: &mut MainConf, cf: &Conf) -> Result<(), String> {
    let name = cf.argument(1).to_owned();
    if [DEFAULT, "off", "bearer"].contains(&name.as_str()) {
        return Err(format!(
            "cannot be called \"{name}\": bedrock_auth gives that word a meaning of its own"
        ));
    }
    let mut block = Block::default();
    if !cf.read_block(parameter, ptr::from_mut(&mut block).cast()) {
        return Err(format!("\"{name}\" is not complete"));
    }
    let (source, argument) = block
        .source
        .ok_or_else(|| format!("\"{name}\": has no source: add \"source static;\" or another"))?;
    let source = Source::read(
        &source,
        argument.as_deref(),
        &block.parameters,
        main.sources.environment(),
    )
    .map_err(|what| format!("\"{name}\": {what}"))?;
    match main.sources.add_block(&name, source) {
        Some(_) => Ok(()),
        None => Err(format!("\"{name}\" is duplicate")),
    }
}

/// `bedrock_credentials_zone SIZE | off`
pub fn zone(cf: &Conf) -> Result<Option<usize>, String> {
    let text = cf.argument(1);
    if text == "off" {
        return Ok(None);
    }
    let size = size_of(text).filter(|size| *size >= SMALLEST_ZONE);
    size.map(Some).ok_or_else(|| {
        format!("has value \"{text}\": it must be \"off\" or a size from 64k, such as 1m")
    })
}

/// The whole configuration has been read: adds the zone, where a source has credentials that expire.
///
/// # Errors
/// What is wrong.
pub fn add_zone(main: &mut MainConf, cf: &Conf) -> Result<(), String> {
    let expiring = main.sources.expiring(|index| main.wants_source(index));
    let size = match main.credentials_zone {
        Some(None) => return Ok(()),
        _ if expiring == 0 || main.switches.is_empty() => return Ok(()),
        Some(Some(size)) => size,
        None => vault::enough_for(expiring),
    };
    main.vault = Some(vault::add(cf, size)?);
    Ok(())
}

/// Bytes.
const SMALLEST_ZONE: usize = 64 << 10;

/// Called by nginx for each parameter in a block.
unsafe extern "C" fn parameter(
    cf: *mut ngx_conf_t,
    _command: *mut ngx_command_t,
    block: *mut c_void,
) -> *mut c_char {
    guard(conf_error(), || {
        // SAFETY: cf is live, and nginx hands back the block that read_block gave it.
        let (cf, block) = unsafe { (Conf::from_raw(cf), &mut *block.cast::<Block>()) };
        let name = cf.argument(0);
        let words = cf.arguments();
        let problem = if !PARAMETERS.contains(&name) {
            Some(format!(
                "unknown parameter \"{name}\" in bedrock_credentials: it takes {}",
                PARAMETERS.join(", ")
            ))
        } else if (words != 2 && !(name == "source" && words == 3))
            || cf.argument(words - 1).is_empty()
        {
            Some(format!("\"{name}\" takes one value"))
        } else if name == "source" {
            let argument = (words == 3).then(|| cf.full_value(cf.argument(2)));
            let before = block.source.replace((cf.argument(1).to_owned(), argument));
            before.map(|_| "\"source\" is given twice".to_owned())
        } else {
            let value = match name {
                "token_file" => cf.full_path(cf.argument(1)),
                _ => cf.full_value(cf.argument(1)),
            };
            let value = Zeroizing::new(value);
            let before = block.parameters.insert(name.to_owned(), value);
            before.map(|_| format!("\"{name}\" is given twice"))
        };
        match problem {
            None => ptr::null_mut(),
            Some(what) => {
                cf.complain(&what);
                conf_error()
            }
        }
    })
}

const PARAMETERS: [&str; 10] = [
    "source",
    "access_key_id",
    "secret_access_key",
    "session_token",
    "role_arn",
    "session_name",
    "external_id",
    "token_file",
    "sts_region",
    "sts_endpoint",
];
