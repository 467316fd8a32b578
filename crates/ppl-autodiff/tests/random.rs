//! Known answers and statistics of the random streams.

use ppl_autodiff::random::{Philox, Purpose, philox4x32, splitmix64};
use rand_core::Rng;
use serde_json::Value;

fn reference() -> Value {
    serde_json::from_str(include_str!("reference/rng.json")).unwrap()
}

fn words<const N: usize>(value: &Value) -> [u32; N] {
    let words: Vec<u32> =
        value.as_array().unwrap().iter().map(|w| u32::from_str_radix(w.as_str().unwrap(), 16).unwrap()).collect();
    words.try_into().unwrap()
}

/// The published vectors of Salmon et al.'s library (kat_vectors), exactly.
#[test]
fn philox_known_answers() {
    let reference = reference();
    let cases = reference["philox4x32_10"].as_array().unwrap();
    assert_eq!(cases.len(), 3);
    for case in cases {
        assert_eq!(philox4x32(words(&case["counter"]), words(&case["key"])), words(&case["out"]));
    }
}

/// The first output for each seed: Vigna's reference implementation, exactly.
#[test]
fn splitmix_known_answers() {
    let reference = reference();
    for case in reference["splitmix64"].as_array().unwrap() {
        let seed: u64 = case["seed"].as_str().unwrap().parse().unwrap();
        assert_eq!(splitmix64(seed).to_string(), case["out"][0].as_str().unwrap());
    }
}

/// Words of a stream are the blocks of its counter [block, index, chain, purpose] under the mixed seed.
#[test]
fn stream_layout() {
    let mut stream = Philox::new(7, Purpose::PosteriorPredictive, 3, 11);
    let key = splitmix64(7);
    for block in 0..9 {
        let want = philox4x32([block, 11, 3, 7], [key as u32, (key >> 32) as u32]);
        let got: [u32; 4] = std::array::from_fn(|_| stream.next_u32());
        assert_eq!(got, want, "block {block}");
    }
}

#[test]
fn positions_are_reached_at_once() {
    let mut stream = Philox::new(1, Purpose::Init, 0, 0);
    let words: Vec<u32> = (0..100).map(|_| stream.next_u32()).collect();
    assert_eq!(stream.position(), 100);
    for place in [0, 1, 15, 16, 17, 63, 99] {
        stream.set_position(place);
        assert_eq!(stream.position(), place);
        assert_eq!(stream.next_u32(), words[place as usize]);
    }
    // The last word of a stream, and the first again after it.
    stream.set_position((1 << 34) - 1);
    stream.next_u32();
    assert_eq!(stream.position(), 0);
    assert_eq!(stream.next_u32(), words[0]);
    // A u64 starts at an even word.
    stream.set_position(1);
    assert_eq!(stream.next_u64(), u64::from(words[3]) << 32 | u64::from(words[2]));
}

#[test]
fn each_coordinate_of_the_layout_gives_another_stream() {
    let first = |seed, purpose, chain, index| Philox::new(seed, purpose, chain, index).next_u64();
    let base = first(0, Purpose::Momentum, 0, 0);
    for other in [
        first(1, Purpose::Momentum, 0, 0),
        first(0, Purpose::Tree, 0, 0),
        first(0, Purpose::Momentum, 1, 0),
        first(0, Purpose::Momentum, 0, 1),
    ] {
        assert_ne!(base, other);
    }
}

/// n = 200 000 numbers from 200 streams: moments within 4.5 standard errors (error rate 7e-6 each).
#[test]
fn moments_over_many_streams() {
    let (streams, each) = (200, 1000);
    let n = f64::from(streams * each);
    let (mut u1, mut u2, mut z1, mut z2, mut z4) = (0.0, 0.0, 0.0, 0.0, 0.0);
    for index in 0..streams as u32 {
        let mut stream = Philox::new(3, Purpose::Momentum, 0, index);
        for _ in 0..each {
            let u = stream.uniform();
            assert!((0.0..1.0).contains(&u));
            let o = stream.uniform_open();
            assert!(0.0 < o && o < 1.0);
            u1 += u;
            u2 += u * u;
            let z = stream.standard_normal();
            z1 += z;
            z2 += z * z;
            z4 += z.powi(4);
        }
    }
    let within = |got: f64, want: f64, sd: f64| assert!((got / n - want).abs() < 4.5 * sd / n.sqrt(), "{got} {want}");
    within(u1, 0.5, (1f64 / 12.0).sqrt());
    within(u2, 1.0 / 3.0, (4f64 / 45.0).sqrt());
    within(z1, 0.0, 1.0);
    within(z2, 1.0, 2f64.sqrt());
    within(z4, 3.0, 96f64.sqrt());
}
