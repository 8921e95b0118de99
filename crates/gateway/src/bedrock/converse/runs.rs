//! Many short lists in one long one: a conversation of a million turns of one block each is two allocations.

/// One of the lists.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Run {
    from: u32,
    to: u32,
}

/// All of them.
#[derive(Clone, Debug)]
pub struct Runs<T> {
    items: Vec<T>,
}

impl Run {
    /// How many items it has.
    pub fn len(self) -> usize {
        (self.to.saturating_sub(self.from)) as usize
    }

    /// Whether it has none.
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// The first `count` items, and the rest.
    pub fn split_at(self, count: usize) -> (Self, Self) {
        let at = self.from + number(count.min(self.len()));
        (Self { to: at, ..self }, Self { from: at, ..self })
    }
}

impl<T: Copy> Runs<T> {
    /// The items of a list.
    pub fn get(&self, run: Run) -> &[T] {
        let range = run.from as usize..run.to as usize;
        self.items.get(range).unwrap_or_default()
    }

    /// The same, to be changed.
    pub fn get_mut(&mut self, run: Run) -> &mut [T] {
        let range = run.from as usize..run.to as usize;
        self.items.get_mut(range).unwrap_or_default()
    }

    /// A new list.
    pub fn add(&mut self, items: impl IntoIterator<Item = T>) -> Run {
        let mut run = self.start();
        for item in items {
            self.push(&mut run, item);
        }
        run
    }

    /// A new list without an item.
    pub fn start(&self) -> Run {
        let end = number(self.items.len());
        Run { from: end, to: end }
    }

    /// Adds an item at a list's end. The list that was added last grows where it is, another one is moved.
    pub fn push(&mut self, run: &mut Run, item: T) {
        self.bring_to_end(run);
        grow(&mut self.items);
        self.items.push(item);
        run.to = number(self.items.len());
    }

    /// Adds all of one list at the end of another.
    pub fn append(&mut self, run: &mut Run, more: Run) {
        if run.to == more.from {
            run.to = more.to;
            return;
        }
        self.bring_to_end(run);
        self.items
            .extend_from_within(more.from as usize..more.to as usize);
        run.to = number(self.items.len());
    }

    /// Changes a list as one would a `Vec`.
    pub fn edit(&mut self, run: &mut Run, change: impl FnOnce(&mut Vec<T>)) {
        let mut items = self.get(*run).to_vec();
        change(&mut items);
        let room = self.get_mut(*run);
        if let Some(room) = room.get_mut(..items.len()) {
            room.copy_from_slice(&items);
            run.to = run.from + number(items.len());
        } else {
            *run = self.add(items);
        }
    }

    /// Takes back the list that was added last.
    pub fn take_back(&mut self, run: Run) {
        if run.to as usize == self.items.len() {
            self.items.truncate(run.from as usize);
        }
    }

    fn bring_to_end(&mut self, run: &mut Run) {
        if run.to as usize == self.items.len() {
            return;
        }
        let from = number(self.items.len());
        self.items
            .extend_from_within(run.from as usize..run.to as usize);
        *run = Run {
            from,
            to: number(self.items.len()),
        };
    }
}

impl<T> Default for Runs<T> {
    fn default() -> Self {
        Self { items: Vec::new() }
    }
}

/// Makes room for one more. What is large grows by an eighth, not by as much again.
pub fn grow<T>(items: &mut Vec<T>) {
    if items.len() == items.capacity() && items.len() >= LARGE {
        items.reserve_exact(items.len() / 8);
    }
}

/// Makes room for so many bytes, in the same way.
pub fn make_room(text: &mut String, more: usize) {
    let length = text.len();
    if text.capacity() - length < more && length + more >= LARGE_TEXT {
        text.reserve_exact(more.max(length / 8));
    }
}

fn number(place: usize) -> u32 {
    u32::try_from(place).unwrap_or(u32::MAX)
}

const LARGE: usize = 4096;
const LARGE_TEXT: usize = 64 << 10;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_keep_their_items() {
        let mut runs = Runs::default();
        let mut first = runs.add([1, 2]);
        let mut second = runs.add([3]);
        runs.push(&mut second, 4);
        runs.push(&mut first, 5);
        assert_eq!(runs.get(first), [1, 2, 5]);
        assert_eq!(runs.get(second), [3, 4]);
        runs.get_mut(second)[0] = 6;
        runs.append(&mut second, first);
        assert_eq!(runs.get(second), [6, 4, 1, 2, 5]);
        let (left, right) = second.split_at(2);
        assert_eq!(runs.get(left), [6, 4]);
        assert_eq!(runs.get(right), [1, 2, 5]);
        assert_eq!(runs.start().len(), 0);
    }

    #[test]
    fn neighbours_join_where_they_are() {
        let mut runs = Runs::default();
        let mut first = runs.add([1, 2]);
        let second = runs.add([3]);
        runs.append(&mut first, second);
        assert_eq!(runs.items, [1, 2, 3]);
        assert_eq!(first.len(), 3);
    }

    #[test]
    fn a_list_is_edited_like_a_vec() {
        let mut runs = Runs::default();
        let mut first = runs.add([1, 2, 3]);
        let second = runs.add([4]);
        runs.edit(&mut first, |items| items.retain(|item| *item != 2));
        assert_eq!(runs.get(first), [1, 3]);
        runs.edit(&mut first, |items| items.insert(0, 9));
        runs.edit(&mut first, |items| items.extend([7, 8]));
        assert_eq!(runs.get(first), [9, 1, 3, 7, 8]);
        assert_eq!(runs.get(second), [4]);
    }

    #[test]
    fn what_was_added_last_is_taken_back() {
        let mut runs = Runs::default();
        let first = runs.add([1]);
        let second = runs.add([2]);
        runs.take_back(first);
        assert_eq!(runs.items, [1, 2]);
        runs.take_back(second);
        assert_eq!(runs.items, [1]);
    }
}
