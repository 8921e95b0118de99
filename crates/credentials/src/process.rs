//! A command that prints credentials. AWS's own provider would leave one that hangs behind, at each attempt another.
//! <https://docs.aws.amazon.com/sdkref/latest/guide/feature-process-credentials.html>

use std::fmt;
use std::process::Stdio;
use std::time::SystemTime;

use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, future};
use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format;
use rustix::process::{Pid, Signal, kill_process_group};
use serde_json::Value;
use tokio::process::Command;
use zeroize::Zeroizing;

/// Runs a command for its credentials.
pub struct Process(pub String);

impl ProvideCredentials for Process {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(async {
            self.run().await.map_err(CredentialsError::provider_error)
        })
    }
}

/// The command may hold a secret.
impl fmt::Debug for Process {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Process(…)")
    }
}

impl Process {
    async fn run(&self) -> Result<Credentials, String> {
        let failed = |error| format!("the command cannot be run: {error}");
        let child = Command::new("sh")
            .args(["-c", &self.0])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .spawn()
            .map_err(failed)?;
        let mut group = Group(child.id());
        let output = child.wait_with_output().await.map_err(failed)?;
        group.0 = None;
        let printed = Zeroizing::new(output.stdout);
        if output.status.success() {
            return read(&printed);
        }
        let complaint = String::from_utf8_lossy(&output.stderr);
        let last = complaint.trim().lines().last().unwrap_or_default();
        Err(format!(
            "the command ended with {}: {}",
            output.status,
            last.escape_debug()
        ))
    }
}

/// The processes of a command that runs; killed when nobody waits for it any more.
struct Group(Option<u32>);

impl Drop for Group {
    fn drop(&mut self) {
        let pid = self.0.and_then(|pid| Pid::from_raw(pid.try_into().ok()?));
        if let Some(pid) = pid {
            // It may have ended by itself.
            let _ = kill_process_group(pid, Signal::KILL);
        }
    }
}

/// Understands what the command printed.
fn read(printed: &[u8]) -> Result<Credentials, String> {
    let answer: Value = serde_json::from_slice(printed)
        .map_err(|error| format!("the command did not print JSON: {error}"))?;
    if answer.get("Version").and_then(Value::as_u64) != Some(1) {
        return Err("the command did not print \"Version\": 1".to_owned());
    }
    let text = |name: &str| answer.get(name).and_then(Value::as_str);
    let needed = |name| text(name).ok_or_else(|| format!("the command did not print {name}"));
    let expires = text("Expiration")
        .map(|text| {
            DateTime::from_str(text, Format::DateTimeWithOffset)
                .ok()
                .and_then(|time| SystemTime::try_from(time).ok())
                .ok_or("the command printed an Expiration that is no time")
        })
        .transpose()?;
    Ok(Credentials::new(
        needed("AccessKeyId")?,
        needed("SecretAccessKey")?,
        text("SessionToken").map(str::to_owned),
        expires,
        "process",
    ))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn what_is_printed_is_read() {
        let keys = read(
            br#"{"Version":1,"AccessKeyId":"A","SecretAccessKey":"S","SessionToken":"T","Expiration":"1970-01-01T01:00:10+01:00"}"#,
        )
        .unwrap();
        assert_eq!((keys.access_key_id(), keys.secret_access_key()), ("A", "S"));
        assert_eq!(keys.session_token(), Some("T"));
        let ten = SystemTime::UNIX_EPOCH + Duration::from_secs(10);
        assert_eq!(keys.expiry(), Some(ten));
        let keys = read(br#"{"Version":1,"AccessKeyId":"A","SecretAccessKey":"S"}"#).unwrap();
        assert_eq!((keys.session_token(), keys.expiry()), (None, None));
    }

    #[test]
    fn what_is_wrong_is_said_without_the_secret() {
        for (printed, says) in [
            ("", "did not print JSON"),
            (r#"{"SecretAccessKey":"HUSH"#, "did not print JSON"),
            (r#"{"SecretAccessKey":"HUSH"}"#, "\"Version\": 1"),
            (r#"{"Version":1,"SecretAccessKey":"HUSH"}"#, "AccessKeyId"),
            (r#"{"Version":1,"AccessKeyId":"A"}"#, "SecretAccessKey"),
            (
                r#"{"Version":1,"AccessKeyId":"A","SecretAccessKey":"HUSH","Expiration":"soon"}"#,
                "no time",
            ),
        ] {
            let error = read(printed.as_bytes()).unwrap_err();
            assert!(error.contains(says) && !error.contains("HUSH"), "{error}");
        }
    }
}
