//! What the event loop alone knows, for a thread that puts it together with what was counted.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use metrics::{Credentials, KeyUse, LimitKind, LimitUnit, LimitZone, PriceFile, Snapshot};
use quota::{Limit, Unit};

use crate::directives::MainConf;
use crate::nginx::running;
use crate::variables::VERSION;
use crate::zone::counting::Reader;
use crate::zone::keys;
use crate::zone::meter::Now;
use crate::{credentials, zone};

/// What is known on the event loop.
pub struct Gathered {
    counters: Reader,
    labels: Vec<String>,
    prices: Option<PriceFile>,
    credentials: Vec<Credentials>,
    limits: Vec<Limited>,
    now: Now,
}

/// A zone of limits.
struct Limited {
    name: String,
    kind: LimitKind,
    unit: LimitUnit,
    /// Where it is the same for all requests.
    limit: Option<Arc<Limit>>,
    keys: keys::Reader,
}

impl Gathered {
    /// `None` if the memory of the counters is gone with its configuration.
    pub fn of(main: &'static MainConf) -> Option<Self> {
        let status = main.status.as_ref()?;
        let zones: &'static zone::Zones = main.zones.as_ref()?;
        let limits = main.limits.iter().filter_map(|zone| {
            let limit = zone.fixed_limit();
            let (kind, unit) = shown(limit.as_deref()?);
            Some(Limited {
                name: zone.name.clone(),
                kind,
                unit,
                limit,
                keys: zone.keys.reader()?,
            })
        });
        Some(Self {
            counters: status.counting.reader(zones.living)?,
            labels: status.labels.iter().map(|(name, _)| name.clone()).collect(),
            prices: main.prices.as_ref().map(crate::prices::Pricing::file),
            credentials: credentials::standings(&main.sources, |index| main.wants_source(index)),
            limits: limits.collect(),
            now: Now::get(),
        })
    }

    /// All of it, read in whatever thread this is called in.
    pub fn snapshot(self) -> Snapshot {
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        let today = now.as_secs() / A_DAY.as_secs();
        Snapshot {
            version: VERSION.to_owned(),
            nginx: running::version(),
            time: u64::try_from(now.as_millis()).unwrap_or(0),
            labels: self.labels,
            counted: self.counters.read(),
            today: self.prices.is_some().then(|| self.counters.spent(today)),
            prices: self.prices,
            limits: self
                .limits
                .into_iter()
                .map(|limited| limited.read(self.now))
                .collect(),
            credentials: self.credentials,
        }
    }
}

impl Limited {
    fn read(self, now: Now) -> LimitZone {
        let mut keys = 0;
        let mut top: Vec<KeyUse> = Vec::new();
        for share in self.keys.shares(self.limit.as_deref(), now) {
            keys += 1;
            let Some(share) = share else {
                continue;
            };
            let place = top.partition_point(|fuller| fuller.ratio() >= share.ratio());
            if place < SHOWN {
                top.insert(place, share);
                top.truncate(SHOWN);
            }
        }
        LimitZone {
            name: self.name,
            kind: self.kind,
            unit: self.unit,
            results: self.keys.results(),
            keys,
            capacity: self.keys.capacity(),
            evictions: self.keys.evictions(),
            top,
        }
    }
}

/// What a limit is, and in what.
fn shown(limit: &Limit) -> (LimitKind, LimitUnit) {
    let unit = |unit: &Unit| match unit {
        Unit::Requests => LimitUnit::Requests,
        Unit::Tokens(_) => LimitUnit::Tokens,
        Unit::Usd => LimitUnit::Usd,
    };
    match limit {
        Limit::Rate(of, _) => (LimitKind::Rate, unit(of)),
        Limit::Budget(of, _) => (LimitKind::Budget, unit(of)),
        Limit::Concurrency(_) => (LimitKind::Concurrency, LimitUnit::Requests),
    }
}

/// How many keys of a zone are shown.
const SHOWN: usize = 20;
const A_DAY: Duration = Duration::from_secs(86_400);
