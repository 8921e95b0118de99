//! The file of a zone: whatever is in it, it is read whole or refused, and what is read is written the same.

use zone::{Clocks, Key, Record, Seed, State, WORDS, Writer};

/// The bytes as they are, and with a checksum that fits: a fuzzer does not hit on one by chance.
pub fn zone_state(data: &[u8]) {
    read(data);
    let mut mended = data.to_vec();
    if let Some((whole, checksum)) = mended.split_last_chunk_mut::<4>() {
        *checksum = crc32fast::hash(whole).to_le_bytes();
    }
    read(&mended);
}

fn read(bytes: &[u8]) {
    let state = match State::decode(bytes) {
        Ok(state) => state,
        Err(flaw) => {
            assert!(!flaw.to_string().is_empty());
            return;
        }
    };
    // A key of zeroes alone is none, and read as another one.
    let again = State::decode(&state.encode()).expect("what was written is read");
    assert_eq!(again, state);
    for record in &state.records {
        let [arrival, ..] = record.words;
        let carried = state.clocks.carry(arrival, &NOW).saturating_sub(NOW.steady);
        assert!(carried <= arrival.saturating_sub(state.clocks.steady));
        assert!(state.clocks.carry_past(record.touched, &NOW) <= NOW.steady / 1_000_000);
    }
}

/// Files of no key, of one and of three.
pub fn seeds() -> Vec<Vec<u8>> {
    let record = |number: u64| Record {
        key: Key::of(number, 1 << number),
        place: number,
        touched: number,
        words: [1_800_000_000 << number; WORDS],
    };
    let state = |keys: u64| State {
        identity: "zone \"money\", a budget in usd a day".to_owned(),
        seed: Seed(1, 2),
        writer: Writer {
            instance: 3,
            memory: 0,
        },
        clocks: NOW,
        records: (1..=keys).map(record).collect(),
    };
    [0, 1, 3].map(|keys| state(keys).encode()).to_vec()
}

const NOW: Clocks = Clocks {
    boot: [9; 16],
    steady: 5_000_000_000,
    wall: 1_800_000_000_000_000_000,
};
