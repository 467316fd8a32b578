//! Known answers and statistics of the random streams.

use ppl_autodiff::kernels::dispatch::Isa;
use ppl_autodiff::kernels::elementary::erfc;
use ppl_autodiff::random::{Noise, Philox, Purpose, philox4x32, splitmix64};
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

/// Numbers 2 p and 2 p + 1 are Box and Muller's of block p, wherever a fill begins and ends, on every instruction set.
#[test]
fn normal_numbers_of_a_fill_are_those_of_their_blocks() {
    let key = splitmix64(5);
    let want: Vec<f64> = (0..40)
        .flat_map(|block| {
            let w = philox4x32([block, 8, 2, Purpose::Momentum as u32], [key as u32, (key >> 32) as u32]);
            let unit = |low: u32, high: u32| {
                let word = u64::from(low) | u64::from(high) << 32;
                ((word >> 12) as f64 + 0.5) * 2f64.powi(-52)
            };
            let (radius, angle) = ((-2.0 * unit(w[0], w[1]).ln()).sqrt(), std::f64::consts::TAU * unit(w[2], w[3]));
            [radius * angle.cos(), radius * angle.sin()]
        })
        .collect();
    let stream = || Philox::new(5, Purpose::Momentum, 2, 8);
    let mut first = [0.0; 80];
    stream().fill_standard_normal(&mut first);
    for (got, want) in first.iter().zip(&want) {
        // The reference rounds its angle, of up to 2 pi, before it takes the cosine, and multiplies by up to 8.6.
        assert!((got - want).abs() < 2e-14, "{got} against {want}");
    }
    for isa in Isa::ALL.into_iter().filter(|isa| isa.force()) {
        for length in [1, 2, 3, 15, 16, 17, 40, 80] {
            let mut all = stream();
            let mut got = vec![0.0; length];
            all.fill_standard_normal(&mut got);
            assert_eq!(got, first[..length], "{isa:?}");
            assert_eq!(all.position(), 4 * length.div_ceil(2) as u64);
            // The rest, after the even number that was taken.
            let mut rest = vec![0.0; 80 - length.next_multiple_of(2)];
            all.fill_standard_normal(&mut rest);
            assert_eq!(rest, first[length.next_multiple_of(2)..], "{isa:?}");
        }
    }
    Isa::detect().force();
    // What was taken of a block is not used again.
    let mut other = stream();
    other.next_u32();
    let mut got = [0.0; 4];
    other.fill_standard_normal(&mut got);
    assert_eq!(got, first[2..6]);
    assert_eq!(other.next_u32(), philox4x32([3, 8, 2, 1], [key as u32, (key >> 32) as u32])[0]);
}

/// Noise is Box and Muller's transformation of SplitMix64's words, eight pairs at a time, in whole widths and parts of one,
/// on every instruction set. The angle is within an eighth of a turn of an axis that the last bits choose.
#[test]
fn noise_is_made_of_its_words() {
    let stream = || Philox::new(5, Purpose::StochasticGradient, 2, 8);
    let (state, increment) = {
        let mut stream = stream();
        (stream.next_u64(), stream.next_u64() | 1)
    };
    assert!((increment ^ increment >> 1).count_ones() >= 24);
    // SplitMix64 adds its own increment before it mixes.
    let word = |i: u64| splitmix64(state.wrapping_add(increment.wrapping_mul(i)).wrapping_sub(0x9E37_79B9_7F4A_7C15));
    let unit = |word: u64| ((word >> 12) as f64 + 0.5) * 2f64.powi(-52);
    let mut want = Vec::new();
    for width in 0..5 {
        for part in 0..2 {
            want.extend((0..8).map(|l| {
                let radius = (-2.0 * unit(word(16 * width + l)).ln()).sqrt();
                let second = word(16 * width + 8 + l);
                let angle = std::f64::consts::TAU * ((second >> 12) as f64 * 2f64.powi(-52) - 0.5) / 4.0;
                let (sign, swapped) = (if second & 2 == 0 { 1.0 } else { -1.0 }, second & 1);
                radius * if part == swapped { sign * angle.cos() } else { angle.sin() }
            }));
        }
    }
    let mut first = [0.0; 80];
    Noise::new(&mut stream()).fill_standard_normal(&mut first);
    for (got, want) in first.iter().zip(&want) {
        // As in the test of a fill.
        assert!((got - want).abs() < 2e-14, "{got} against {want}");
    }
    for isa in Isa::ALL.into_iter().filter(|isa| isa.force()) {
        for length in [1, 8, 15, 16, 17, 40, 80] {
            let mut noise = Noise::new(&mut stream());
            let mut got = vec![0.0; length];
            noise.fill_standard_normal(&mut got);
            assert_eq!(got, first[..length], "{isa:?}");
            let taken = length.next_multiple_of(Noise::WIDTH);
            let mut rest = vec![0.0; 80 - taken];
            noise.fill_standard_normal(&mut rest);
            assert_eq!(rest, first[taken..], "{isa:?}");
        }
    }
    Isa::detect().force();
    // A block is used, and no more of it.
    let mut other = stream();
    let _ = Noise::new(&mut other);
    assert_eq!(other.position(), 4);
}

/// One way to make many normal numbers of a stream.
type Fill = fn(&mut Philox, &mut [f64]);

const FILLS: [Fill; 2] =
    [|stream, z| stream.fill_standard_normal(z), |stream, z| Noise::new(stream).fill_standard_normal(z)];

#[test]
fn normal_numbers_of_fills_have_the_normal_distribution_function() {
    FILLS.iter().for_each(normal_distribution_function);
}

/// n = 2^17 numbers: the distance of Kolmogorov and Smirnov is above 2.4/sqrt(n) once in 50 000 times.
fn normal_distribution_function(fill: &Fill) {
    let n = 1 << 17;
    let mut z = vec![0.0; n];
    fill(&mut Philox::new(4, Purpose::StochasticGradient, 1, 0), &mut z);
    z.sort_by(f64::total_cmp);
    let scaled: Vec<f64> = z.iter().map(|z| -z / 2f64.sqrt()).collect();
    let mut below = vec![0.0; n];
    erfc(&scaled, &mut below);
    let distance = below.iter().enumerate().map(|(i, p)| {
        let p = 0.5 * p;
        (p - i as f64 / n as f64).abs().max(((i + 1) as f64 / n as f64 - p).abs())
    });
    let distance = distance.fold(0.0, f64::max) * (n as f64).sqrt();
    assert!(distance < 2.4, "{distance}");
}

#[test]
fn normal_numbers_of_fills_have_normal_tails_and_no_ties_to_their_neighbours() {
    FILLS.iter().for_each(normal_tails_and_no_ties);
}

/// n = 2^24 numbers from 256 streams: how many lie beyond 2, 3, 4 and 5 on either side, and products of neighbours,
/// within 4.5 standard errors (error rate 7e-6 each; 2e-4 for the 4.8 numbers expected beyond 5 on either side).
fn normal_tails_and_no_ties(fill: &Fill) {
    const BEYOND: [f64; 4] =
        [0.022_750_131_948_179_2, 1.349_898_031_630_09e-3, 3.167_124_183_311_99e-5, 2.866_515_719e-7];
    let n = f64::from(1 << 24);
    let (mut above, mut below) = ([0u32; 4], [0u32; 4]);
    // Of neighbours, of their squares, of the same places of neighbouring blocks, and of the pairs of noise.
    let mut products = [0.0; 5];
    // Of the same places of neighbouring streams.
    let mut before = vec![0.0; 1 << 16];
    let mut z = vec![0.0; 1 << 16];
    for index in 0..256 {
        fill(&mut Philox::new(6, Purpose::StochasticGradient, 0, index), &mut z);
        for (i, limit) in [2.0, 3.0, 4.0, 5.0].into_iter().enumerate() {
            above[i] += z.iter().map(|&z| u32::from(z > limit)).sum::<u32>();
            below[i] += z.iter().map(|&z| u32::from(z < -limit)).sum::<u32>();
        }
        for pair in z.as_chunks::<2>().0 {
            products[0] += pair[0] * pair[1];
            products[1] += (pair[0] * pair[0] - 1.0) * (pair[1] * pair[1] - 1.0);
        }
        products[2] += z.iter().zip(&z[2..]).map(|(a, b)| a * b).sum::<f64>();
        products[3] += z.iter().zip(&z[8..]).map(|(a, b)| a * b).sum::<f64>();
        products[4] += z.iter().zip(&before).map(|(a, b)| a * b).sum::<f64>();
        before.copy_from_slice(&z);
    }
    for (i, p) in BEYOND.into_iter().enumerate() {
        for count in [above[i], below[i]] {
            let error = f64::from(count) - n * p;
            assert!(error.abs() < 4.5 * (n * p).sqrt() + 0.5, "{count} beyond {}, wanted {}", i + 2, n * p);
        }
    }
    // Of n/2, n/2 and n terms with variances 1, 4 and 1.
    for (sum, variance) in products.into_iter().zip([0.5 * n, 2.0 * n, n, n, n]) {
        assert!(sum.abs() < 4.5 * f64::sqrt(variance), "{products:?}");
    }
}
