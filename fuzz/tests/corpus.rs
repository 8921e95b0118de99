//! Every target over every input that is known, without a fuzzer.

use fuzz::TARGETS;

#[test]
fn what_must_hold_holds_for_the_corpus() {
    for target in TARGETS {
        let inputs = target.inputs();
        assert!(!inputs.is_empty(), "{} has no inputs", target.name);
        for (name, input) in &inputs {
            let failed = std::panic::catch_unwind(|| (target.run)(input)).is_err();
            assert!(!failed, "{} fails for {name}", target.name);
        }
        println!("{}: {} inputs", target.name, inputs.len());
    }
}
