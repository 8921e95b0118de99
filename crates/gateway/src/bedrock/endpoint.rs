//! Hosts of Bedrock's services. <https://docs.aws.amazon.com/general/latest/gr/bedrock.html>

use crate::refusal::Refusal;

/// What Bedrock serves models with, by the name of the service in the signature's scope.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Service {
    /// bedrock-runtime, or another of AWS's services.
    #[default]
    Runtime,
    /// bedrock-mantle: OpenAI's and Anthropic's own APIs, and no other.
    Mantle,
}

impl Service {
    /// By the name in the scope.
    pub fn of(name: &str) -> Self {
        match name {
            MANTLE => Self::Mantle,
            _ => Self::Runtime,
        }
    }
}

/// The region's public endpoint of a service, `{service}.{region}.{suffix of its partition}`; what signs as `bedrock` is
/// bedrock-runtime, unless the operator names the host.
pub fn host_of(service: &str, region: &str) -> String {
    let suffix = SUFFIXES
        .iter()
        .find(|(prefix, _)| region.starts_with(prefix))
        .map_or("amazonaws.com", |(_, suffix)| suffix);
    match service {
        MANTLE => format!("{MANTLE}.{region}.api.aws"),
        "bedrock" => format!("bedrock-runtime.{region}.{suffix}"),
        service => format!("{service}.{region}.{suffix}"),
    }
}

/// Checks a region's name, so that nothing else gets into a host or a signature's scope.
///
/// # Errors
/// The operator's fault: 500, with what to mend in the log.
pub fn check_region(region: &str) -> Result<(), Refusal> {
    if region.is_empty() {
        return Err(Refusal::misconfigured(
            "no region: set bedrock_region, or AWS_REGION in nginx's environment",
        ));
    }
    if !is_scope_name(region) {
        return Err(Refusal::misconfigured(format!(
            "bedrock_region: \"{}\" is not a region name such as us-east-1",
            region.escape_debug()
        )));
    }
    Ok(())
}

/// Checks a service's name, which stands in the signature's scope and so in a header.
///
/// # Errors
/// The operator's fault: 500, with what to mend in the log.
pub fn check_service(service: &str) -> Result<(), Refusal> {
    if is_scope_name(service) {
        Ok(())
    } else {
        Err(Refusal::misconfigured(format!(
            "bedrock_service: \"{}\" is not a service name such as bedrock",
            service.escape_debug()
        )))
    }
}

fn is_scope_name(name: &str) -> bool {
    let legal = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=64).contains(&name.len()) && name.bytes().all(legal)
}

/// Checks a `host[:port]`. The text says what is wrong with it.
///
/// # Errors
/// A scheme, a path, or characters that no host has.
pub fn check_host(host: &str) -> Result<(), String> {
    let shown = host.escape_debug();
    if host.contains("://") {
        return Err(format!(
            "\"{shown}\" has a scheme: give host[:port] alone, the scheme belongs in proxy_pass"
        ));
    }
    if host.contains('/') {
        return Err(format!("\"{shown}\" has a path: give host[:port] alone"));
    }
    let (name, port) = match host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, "")) => (address, None),
        // Without its colon it is no port, and an empty one is refused below.
        Some((address, rest)) => (address, Some(rest.strip_prefix(':').unwrap_or_default())),
        None => match host.rsplit_once(':') {
            Some((name, port)) => (name, Some(port)),
            None => (host, None),
        },
    };
    let legal = |byte: u8| {
        byte.is_ascii_alphanumeric()
            || matches!(byte, b'-' | b'.' | b'_')
            || (host.starts_with('[') && byte == b':')
    };
    if name.is_empty() || host.len() > 255 || !name.bytes().all(legal) {
        return Err(format!("\"{shown}\" is not a host name"));
    }
    // `parse` takes a sign too.
    let is_port =
        |port: &str| port.bytes().all(|b| b.is_ascii_digit()) && port.parse::<u16>().is_ok();
    if port.is_some_and(|port| !is_port(port)) {
        return Err(format!(
            "\"{shown}\" has a port that is no number up to 65535"
        ));
    }
    Ok(())
}

/// Its service, and its host's first label.
const MANTLE: &str = "bedrock-mantle";

/// Partitions other than `aws` and `aws-us-gov`, by how their regions begin.
const SUFFIXES: [(&str, &str); 6] = [
    ("cn-", "amazonaws.com.cn"),
    ("eusc-", "amazonaws.eu"),
    ("us-isob-", "sc2s.sgov.gov"),
    ("us-isof-", "csp.hci.ic.gov"),
    ("us-iso-", "c2s.ic.gov"),
    ("eu-isoe-", "cloud.adc-e.uk"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_partition_has_its_suffix() {
        for (region, host) in [
            ("us-east-1", "bedrock-runtime.us-east-1.amazonaws.com"),
            (
                "us-gov-west-1",
                "bedrock-runtime.us-gov-west-1.amazonaws.com",
            ),
            ("cn-north-1", "bedrock-runtime.cn-north-1.amazonaws.com.cn"),
            (
                "eusc-de-east-1",
                "bedrock-runtime.eusc-de-east-1.amazonaws.eu",
            ),
            ("us-iso-east-1", "bedrock-runtime.us-iso-east-1.c2s.ic.gov"),
            (
                "us-isob-east-1",
                "bedrock-runtime.us-isob-east-1.sc2s.sgov.gov",
            ),
            (
                "eu-isoe-west-1",
                "bedrock-runtime.eu-isoe-west-1.cloud.adc-e.uk",
            ),
        ] {
            assert_eq!(host_of("bedrock", region), host);
        }
        for (service, host) in [
            ("bedrock-mantle", "bedrock-mantle.eu-west-1.api.aws"),
            (
                "bedrock-agentcore",
                "bedrock-agentcore.eu-west-1.amazonaws.com",
            ),
        ] {
            assert_eq!(host_of(service, "eu-west-1"), host);
        }
    }

    #[test]
    fn nothing_but_names_gets_into_hosts() {
        for good in [
            "localhost",
            "127.0.0.1:8080",
            "[::1]:443",
            "vpce-1.bedrock-runtime.us-east-1.vpce.amazonaws.com",
        ] {
            assert_eq!(check_host(good), Ok(()), "{good}");
        }
        for bad in [
            "",
            "https://x",
            "x/y",
            "a b",
            "a\r\nb",
            "a:b",
            "a:99999",
            "a@b",
            "::1",
            "[::1]x",
            "[::1]x:80",
            "[::1]\r\nX: y",
            "[::1]80",
            "a:+80",
        ] {
            assert!(check_host(bad).is_err(), "{bad}");
        }
        assert!(check_region("us-east-1").is_ok());
        for bad in ["", "US-EAST-1", "us-east-1.evil.com", "a/b", "a\nb"] {
            assert_eq!(check_region(bad).unwrap_err().status, 500, "{bad}");
        }
    }
}
