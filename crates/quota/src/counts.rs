//! What a request used, as far as it is known.

/// What Bedrock counted for one request. `None` is "not said", which is never the same as 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Tokens read, without those read from the cache or written to it.
    pub input: Option<u64>,
    /// Tokens generated.
    pub output: Option<u64>,
    /// Tokens read from the prompt cache. Where nothing was cached the service does not say so: not said is none.
    pub cache_read: Option<u64>,
    /// Tokens written to the prompt cache, for whatever time. Not said is none.
    pub cache_write: Option<u64>,
    /// Of these, tokens that are kept for an hour. Not said is none.
    pub cache_write_1h: Option<u64>,
    /// Images generated.
    pub images: Option<u64>,
    /// Search units of a rerank request.
    pub search_units: Option<u64>,
}

/// One of the counts, as messages and prices name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counted {
    /// [`Counts::input`]
    Input,
    /// [`Counts::output`]
    Output,
    /// [`Counts::cache_read`]
    CacheRead,
    /// [`Counts::cache_write`], without those of an hour.
    CacheWrite,
    /// [`Counts::cache_write_1h`]
    CacheWrite1h,
    /// [`Counts::images`]
    Image,
    /// [`Counts::search_units`]
    SearchUnit,
}

impl Counted {
    /// All of them, in the order in which a price list has them.
    pub const ALL: [Self; 7] = [
        Self::Input,
        Self::Output,
        Self::CacheRead,
        Self::CacheWrite,
        Self::CacheWrite1h,
        Self::Image,
        Self::SearchUnit,
    ];

    /// Its price's name in the price file.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Input => "input",
            Self::Output => "output",
            Self::CacheRead => "cache_read",
            Self::CacheWrite => "cache_write",
            Self::CacheWrite1h => "cache_write_1h",
            Self::Image => "per_image",
            Self::SearchUnit => "per_search_unit",
        }
    }
}

impl Counts {
    /// Input and output, and nothing cached.
    pub fn of(input: u64, output: u64) -> Self {
        Self {
            input: Some(input),
            output: Some(output),
            ..Self::default()
        }
    }

    /// All tokens of the prompt, the cached ones included; unknown if the input is.
    pub fn prompt(&self) -> Option<u64> {
        let cached = self.cache_read.unwrap_or(0);
        let cached = cached.saturating_add(self.cache_write.unwrap_or(0));
        Some(self.input?.saturating_add(cached))
    }
}
