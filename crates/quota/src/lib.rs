//! Limits and prices, as arithmetic on integers: no nginx, no I/O, no clock. Time is a parameter.
//!
//! ```text
//! text of bedrock_prices ── grammar::directives ── PriceFile ──> Prices ── find(model) ──> Rule
//! Rule + Counts + region + tier ── Rule::cost ──> Cost                 exact until it is printed
//!
//! words of bedrock_limit_zone ── Parameters::read, limit ──> Limit     Rate, Budget or Concurrency, of some Unit
//! Rate:   arrival time ── admit, settle, charge ──> arrival time       one u64 of a key, for compare-and-swap
//! Budget: Spent        ── admit, settle, charge ──> Spent              two u64 of a key: window and used
//! Calendar ── at, roll ──> Window                                      which window it is, and when it ends
//! Counts + Weights ──> tokens of a limit
//! ```
//!
//! Amounts are whole numbers: tokens, requests, pico-dollars (10^-12 USD). Whoever keeps them (shared memory, a store) decides how; the
//! functions here take the old value and give the new one.
#![forbid(unsafe_code)]

mod budget;
mod counts;
mod decimal;
pub mod grammar;
mod limit;
mod money;
mod percent;
mod price;
mod price_file;
mod rate;
mod weights;
mod window;

pub use budget::{Budget, Exhausted, Spent};
pub use counts::{Counted, Counts};
pub use limit::{Limit, Parameters, Unit};
pub use money::{Cost, Dollars, PICODOLLARS};
pub use percent::Percent;
pub use price::{Prices, Rule, Unknown};
pub use price_file::PriceFile;
pub use rate::{Per, Rate};
pub use weights::Weights;
pub use window::{Calendar, Period, Window, zone};
