//! What becomes of a request that a family would not take as it is: names only, never what stands there.

/// Names of what was left out of a request, put otherwise, or completed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    left_out: Vec<&'static str>,
    changed: Vec<&'static str>,
    completed: Vec<&'static str>,
}

impl Changes {
    /// This was left out.
    pub fn leave_out(&mut self, name: &'static str) {
        add(&mut self.left_out, name);
    }

    /// This was put otherwise.
    pub fn change(&mut self, name: &'static str) {
        add(&mut self.changed, name);
    }

    /// This was missing.
    pub fn complete(&mut self, name: &'static str) {
        add(&mut self.completed, name);
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

fn add(names: &mut Vec<&'static str>, name: &'static str) {
    if !names.contains(&name) {
        names.push(name);
    }
}

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
    }
}
