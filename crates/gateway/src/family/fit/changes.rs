//! What becomes of a request that a family would not take as it is: names only, never what stands there.

use std::borrow::Cow;

/// Names of what was left out of a request, put otherwise, or completed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    left_out: Vec<Cow<'static, str>>,
    changed: Vec<Cow<'static, str>>,
    completed: Vec<Cow<'static, str>>,
}

impl Changes {
    /// This was left out.
    pub fn leave_out(&mut self, name: impl Into<Cow<'static, str>>) {
        add(&mut self.left_out, name.into());
    }

    /// This was put otherwise.
    pub fn change(&mut self, name: impl Into<Cow<'static, str>>) {
        add(&mut self.changed, name.into());
    }

    /// This was missing.
    pub fn complete(&mut self, name: impl Into<Cow<'static, str>>) {
        add(&mut self.completed, name.into());
    }

    /// What was done later.
    pub fn join(&mut self, later: Self) {
        for (names, more) in [
            (&mut self.left_out, later.left_out),
            (&mut self.changed, later.changed),
            (&mut self.completed, later.completed),
        ] {
            for name in more {
                add(names, name);
            }
        }
    }

    /// A line for the log; `None` if nothing became of anything.
    pub fn line(&self, family: &str) -> Option<String> {
        let parts: Vec<String> = [
            ("left out", &self.left_out),
            ("changed", &self.changed),
            ("completed", &self.completed),
        ]
        .into_iter()
        .filter(|(_, names)| !names.is_empty())
        .map(|(what, names)| format!("{what} {}", names.join(", ")))
        .collect();
        (!parts.is_empty()).then(|| format!("for {family}: {}", parts.join("; ")))
    }
}

/// A line of the log has an end.
fn add(names: &mut Vec<Cow<'static, str>>, name: Cow<'static, str>) {
    if names.len() < MOST && !names.contains(&name) {
        names.push(name);
    }
}

const MOST: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_named_once() {
        let mut changes = Changes::default();
        assert_eq!(changes.line("nova-1"), None);
        changes.leave_out("temperature");
        changes.leave_out("top_p");
        changes.leave_out("temperature");
        changes.complete("toolConfig");
        assert_eq!(
            changes.line("nova-1").as_deref(),
            Some("for nova-1: left out temperature, top_p; completed toolConfig")
        );
        let mut later = Changes::default();
        later.leave_out("top_k".to_owned());
        later.change("temperature");
        changes.join(later);
        assert_eq!(
            changes.line("nova-1").as_deref(),
            Some(
                "for nova-1: left out temperature, top_p, top_k; changed temperature; completed toolConfig"
            )
        );
        for number in 0..1000 {
            changes.leave_out(number.to_string());
        }
        assert!(changes.line("x").unwrap().len() < 300);
    }
}
