//! Limits and prices, as arithmetic on integers: no nginx, no I/O, no clock. Time is a parameter.
//!
//! ```text
//! text of bedrock_prices ── grammar::directives ── PriceFile ──> Prices ── find(model) ──> Rule
//! Rule + Counts + region + tier ── Rule::cost ──> Cost                 exact until it is printed
//!
//! words of bedrock_limit_zone ── Parameters::read, limit ──> Limit     a Rate or a Budget of some Unit, or a number of requests at once
//! Rate:   arrival time ── admit, settle, charge ──> arrival time       one u64 of a key, for compare-and-swap
//! Budget: Spent        ── admit, settle, charge ──> Spent              two u64 of a key: window and used
//! Calendar ── at ──> Window                                            which window it is, and when it ends
//!
//! Prompt + Ratio + Lengths ── prompt, reserve ──> Counts               what a request may use, guessed from earlier ones
//! Unit + Counts ── at_most, amount ──> units                           requests, weighed tokens or pico-dollars
//! all_or_none(allowances)                                              takes of several limits, or of none
//! Unit + Outcome ── charge ──> units, Charge                           what it comes to in the end, and how sure that is
//!
//! Refusal, Standing, GoDuration, Rfc3339                               what a client is told: words, and values of headers
//! ```
//!
//! Amounts are whole numbers: tokens, requests, pico-dollars (10^-12 USD). Times of rates are nanoseconds of a clock that does not step,
//! times of windows seconds since 1970. Whoever keeps a key's numbers (shared memory, a store) decides how: the functions here take
//! the old ones and give the new ones.
#![forbid(unsafe_code)]

mod budget;
mod counts;
mod decimal;
mod estimate;
pub mod grammar;
mod limit;
mod money;
mod percent;
mod price;
mod price_file;
mod rate;
mod refusal;
mod reservation;
mod standing;
mod times;
mod weights;
mod window;

pub use budget::{Budget, Exhausted, Spent};
pub use counts::{Counted, Counts};
pub use estimate::{Lengths, Prompt, Ratio, TOKENS_OF_IMAGE, TOKENS_OF_PAGE, UNKNOWN_LENGTH};
pub use limit::{Limit, Parameters, Unit};
pub use money::{Cost, Dollars, PICODOLLARS};
pub use percent::Percent;
pub use price::{Prices, Rule, Unknown};
pub use price_file::PriceFile;
pub use rate::{Per, Rate};
pub use refusal::{Asked, Cause, Refusal};
pub use reservation::{Allowance, Charge, Outcome, Priced, all_or_none};
pub use standing::Standing;
pub use times::{GoDuration, Rfc3339};
pub use weights::Weights;
pub use window::{Calendar, FOR_EVER, Period, Window, zone};
