//! Decimal numbers as operators write them, read into whole numbers without a float in between.

/// Why a text is not the number that is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// It is no number, or has a sign or an exponent.
    NotANumber,
    /// It has more digits after the point than count.
    TooFine,
    /// It does not fit.
    TooLarge,
}

/// Reads `0.06` or `15` as so many 10^-`digits`: `scaled("0.06", 6)` is 60,000.
///
/// # Errors
/// It is no plain decimal number, or cannot be said in this unit exactly.
pub fn scaled(text: &str, digits: u32) -> Result<u64, Flaw> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let all_digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    if !all_digits(whole) || !all_digits(fraction) {
        return Err(Flaw::NotANumber);
    }
    let fraction = fraction.trim_end_matches('0');
    let places = u32::try_from(fraction.len()).unwrap_or(u32::MAX);
    let missing = digits.checked_sub(places).ok_or(Flaw::TooFine)?;
    let read = |part: &str, zeros: u32| {
        let number: u64 = match part {
            "" => 0,
            part => part.parse().ok()?,
        };
        number.checked_mul(10_u64.checked_pow(zeros)?)
    };
    read(whole, digits)
        .zip(read(fraction, missing))
        .and_then(|(whole, fraction)| whole.checked_add(fraction))
        .ok_or(Flaw::TooLarge)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_exactly_or_not_at_all() {
        for (text, digits, number) in [
            ("0.06", 6, Ok(60_000)),
            ("15", 6, Ok(15_000_000)),
            ("1.50", 1, Ok(15)),
            ("0", 0, Ok(0)),
            ("0.0", 0, Ok(0)),
            ("007", 0, Ok(7)),
            ("18446744073709551615", 0, Ok(u64::MAX)),
            ("1.5", 0, Err(Flaw::TooFine)),
            ("0.0000001", 6, Err(Flaw::TooFine)),
            ("18446744073709551616", 0, Err(Flaw::TooLarge)),
            ("18446744073709551615", 1, Err(Flaw::TooLarge)),
            ("1844674407370955161.6", 1, Err(Flaw::TooLarge)),
            ("", 6, Err(Flaw::NotANumber)),
            (".5", 6, Err(Flaw::NotANumber)),
            ("5.", 6, Err(Flaw::NotANumber)),
            ("-1", 6, Err(Flaw::NotANumber)),
            ("+1", 6, Err(Flaw::NotANumber)),
            ("1e3", 6, Err(Flaw::NotANumber)),
            ("1,5", 6, Err(Flaw::NotANumber)),
            ("1.2.3", 6, Err(Flaw::NotANumber)),
            ("\u{0663}", 6, Err(Flaw::NotANumber)),
        ] {
            assert_eq!(scaled(text, digits), number, "{text} {digits}");
        }
    }
}
