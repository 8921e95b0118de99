//! Planning in one step, and what comes of it.

use gateway::{Plan, Refusal, Settings, inspect, plan};

/// The content type of most requests.
pub const JSON: (&str, &str) = ("content-type", "application/json");

/// Inspects and plans.
pub fn planned(
    target: &str,
    settings: &Settings<'_>,
    headers: &[(&str, &str)],
    body: &str,
) -> Result<Plan, Refusal> {
    let request = inspect(None, "POST", target, Some(body.as_bytes()))?;
    plan(&request, settings, headers, body.as_bytes())
}

/// The body that goes out.
pub fn sent(plan: &Plan, body: &str) -> String {
    let bytes: Vec<u8> = plan
        .body
        .pieces(body.as_bytes())
        .flatten()
        .copied()
        .collect();
    assert_eq!(bytes.len(), plan.body.len(body.len()));
    String::from_utf8(bytes).unwrap()
}

/// The value of a header, which is sent once.
pub fn header<'p>(plan: &'p Plan, name: &str) -> Option<&'p str> {
    let mut found = plan.headers.iter().filter(|(known, _)| known == name);
    let first = found.next().map(|(_, value)| value.as_str());
    assert_eq!(found.next(), None, "{name} is sent twice");
    first
}
