//! Changing parts of a value, however deep inside it, while every other byte stays. Changes come in the order in which they
//! stand, so that a value with millions of them costs no more than its own size.

use std::ops::Range;

use crate::body::Segment;

/// The new text of a value in the making.
#[derive(Debug)]
pub struct Splice<'a> {
    value: &'a str,
    /// Where the value stands in the document.
    start: usize,
    /// Up to where the old text is done with.
    done: usize,
    segments: Vec<Segment>,
    /// New text that follows the segments.
    new: Vec<u8>,
    changed: bool,
}

impl<'a> Splice<'a> {
    /// Nothing changed yet. `place` is where the value stands in `document`; what is said of places below counts from there.
    pub fn new(document: &'a str, place: Range<usize>) -> Self {
        Self {
            start: place.start,
            value: document.get(place).unwrap_or_default(),
            done: 0,
            segments: Vec::new(),
            new: Vec::new(),
            changed: false,
        }
    }

    /// Takes this part out.
    pub fn cut(&mut self, part: Range<usize>) {
        self.replace(part, b"");
    }

    /// Puts `new` in the place of this part.
    pub fn replace(&mut self, part: Range<usize>, new: &[u8]) {
        self.keep_up_to(part.start);
        self.done = self.done.max(part.end);
        self.new.extend_from_slice(new);
        self.changed = true;
    }

    /// Puts another part of the old text at `at`.
    pub fn copy(&mut self, at: usize, part: Range<usize>) {
        self.replace(at..at, b"");
        self.keep(part);
    }

    /// The pieces of the new text; `None` if nothing has changed.
    pub fn into_segments(mut self) -> Option<Vec<Segment>> {
        if !self.changed {
            return None;
        }
        self.keep_up_to(self.value.len());
        self.flush();
        Some(self.segments)
    }

    fn keep_up_to(&mut self, end: usize) {
        let kept = self.done..end.max(self.done);
        self.done = kept.end;
        self.keep(kept);
    }

    fn keep(&mut self, kept: Range<usize>) {
        if kept.len() >= WORTH_KEEPING {
            self.flush();
            let place = self.start + kept.start..self.start + kept.end;
            self.segments.push(Segment::Kept(place));
            return;
        }
        let text = self.value.get(kept).unwrap_or_default();
        self.new.extend_from_slice(text.as_bytes());
        if self.new.len() >= PIECE {
            self.flush();
        }
    }

    fn flush(&mut self) {
        if !self.new.is_empty() {
            let mut new = std::mem::take(&mut self.new);
            // There may be many of them.
            new.shrink_to_fit();
            self.segments.push(Segment::New(new));
        }
    }
}

/// The members of an object, or the elements of an array, of which some go: with each goes one comma.
#[derive(Debug, Default)]
pub struct Items {
    /// Whether one of those before stays.
    stays: bool,
    /// Where the first that goes begins, while none stays.
    first: Option<usize>,
    /// Where the one before ends.
    end: usize,
}

impl Items {
    /// The next one, which begins here, stays. To be said before anything inside it changes; [`Items::passed`] after that.
    pub fn keep(&mut self, start: usize, splice: &mut Splice<'_>) {
        if let Some(first) = self.first.take() {
            splice.cut(first..start);
        }
        self.stays = true;
    }

    /// The one that stays ends here.
    pub fn passed(&mut self, end: usize) {
        self.end = end;
    }

    /// The next one, which stands here, goes.
    pub fn cut(&mut self, place: Range<usize>, splice: &mut Splice<'_>) {
        match self.stays {
            true => splice.cut(self.end..place.end),
            false => {
                self.first.get_or_insert(place.start);
            }
        }
        self.end = place.end;
    }

    /// Whether one of those so far stays.
    pub fn any_stay(&self) -> bool {
        self.stays
    }

    /// There are no more; `instead` stands in the place of all of them, if all went. Where they end, in that case.
    pub fn close(self, instead: &[u8], splice: &mut Splice<'_>) -> Option<usize> {
        self.first?;
        splice.replace(self.first?..self.end, instead);
        Some(self.end)
    }
}

/// Shorter pieces cost less copied than as a buffer of their own.
const WORTH_KEEPING: usize = 512;

/// New text becomes pieces of about this size, so that none has to grow far, and that an allocator maps each by itself.
const PIECE: usize = 128 << 10;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::body::Body;
    use crate::json::cursor::Cursor;

    fn spliced(
        document: &str,
        place: Range<usize>,
        change: impl FnOnce(&mut Splice),
    ) -> Option<String> {
        let mut splice = Splice::new(document, place);
        change(&mut splice);
        let body = Body::Spliced(splice.into_segments()?);
        let bytes = body.pieces(document.as_bytes()).flatten().copied();
        Some(String::from_utf8(bytes.collect()).unwrap())
    }

    #[test]
    fn parts_go_or_are_replaced_and_the_rest_stays() {
        let document = "..abcdef..";
        let new = spliced(document, 2..8, |splice| {
            splice.cut(0..1);
            splice.replace(2..3, b"XY");
            splice.replace(6..6, b"!");
            splice.copy(6, 0..2);
        });
        assert_eq!(new.as_deref(), Some("bXYdef!ab"));
        assert_eq!(spliced(document, 2..8, |_| {}), None);
    }

    #[test]
    fn what_is_long_is_kept_where_it_stands() {
        let long = "x".repeat(1000);
        let document = format!("{long}-{long}");
        let mut splice = Splice::new(&document, 0..document.len());
        splice.cut(1000..1001);
        let segments = splice.into_segments().unwrap();
        assert_eq!(
            segments,
            [Segment::Kept(0..1000), Segment::Kept(1001..2001)]
        );
    }

    #[test]
    fn one_comma_goes_with_each_item() {
        let without_x = |text: &str| {
            spliced(text, 0..text.len(), |splice| {
                let mut cursor = Cursor::new(text);
                let mut items = Items::default();
                cursor.enter_list().unwrap();
                while cursor.element().unwrap() {
                    let start = cursor.position();
                    let place = start..start + cursor.value().unwrap().len();
                    match &text[place.clone()] {
                        "\"x\"" => items.cut(place, splice),
                        _ => {
                            items.keep(place.start, splice);
                            items.passed(place.end);
                        }
                    }
                }
                items.close(b"", splice);
            })
        };
        for (text, left) in [
            (r#"["x"]"#, Some("[]")),
            (r#"["x", "x"]"#, Some("[]")),
            (r#"[1, "x"]"#, Some("[1]")),
            (r#"["x", 1]"#, Some("[1]")),
            (r#"["x","x" , 1,"x", 2 ,"x"]"#, Some("[1, 2]")),
            (r#"[1, "x", 2]"#, Some("[1, 2]")),
            ("[1, 2]", None),
            ("[]", None),
        ] {
            assert_eq!(without_x(text).as_deref(), left, "{text}");
        }
    }
}
