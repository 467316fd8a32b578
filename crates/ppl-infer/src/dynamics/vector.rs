//! Loops over coordinates, each one pass, compiled for AVX2 beside the baseline and chosen at run time.
//!
//! Sums run in a fixed number of lanes and products are not fused, so that both give the same bits. With 763
//! coordinates AVX2 takes the sampler's share of a leapfrog step from 1.8 to 0.97 us (`benches/overhead.rs`).

use super::leapfrog::Turn;

const LANES: usize = 8;

/// Defines a function, its AVX2 twin and the choice between them.
macro_rules! multiversion {
    ($(#[$doc:meta])* fn $name:ident($($arg:ident: $ty:ty),* $(,)?) $(-> $out:ty)? $body:block) => {
        $(#[$doc])*
        #[inline]
        pub(crate) fn $name($($arg: $ty),*) $(-> $out)? {
            #[inline(always)]
            fn body($($arg: $ty),*) $(-> $out)? $body

            #[cfg(target_arch = "x86_64")]
            {
                #[target_feature(enable = "avx2")]
                fn avx2($($arg: $ty),*) $(-> $out)? {
                    body($($arg),*)
                }
                if std::arch::is_x86_feature_detected!("avx2") {
                    // SAFETY: the line above found AVX2 on this machine; the body is safe code.
                    return unsafe { avx2($($arg),*) };
                }
            }
            body($($arg),*)
        }
    };
}

pub(crate) use multiversion;

/// Adds lanes pairwise.
#[inline(always)]
pub(crate) fn total<const N: usize>(mut lanes: [f64; N]) -> f64 {
    let mut width = N;
    while width > 1 {
        width /= 2;
        for i in 0..width {
            lanes[i] += lanes[i + width];
        }
    }
    lanes[0]
}

multiversion! {
    /// Half a kick and a drift under M^-1 = diag(scale^2), from (q0, z0) with gradient g0:
    /// `z = z0 + step/2 scale g0`, `q = q0 + step scale z`.
    fn kick_drift(step: f64, scale: &[f64], from: [&[f64]; 3], q: &mut [f64], z: &mut [f64]) {
        let n = scale.len();
        let [q0, z0, g0] = from.map(|x| &x[..n]);
        let (q, z, half) = (&mut q[..n], &mut z[..n], 0.5 * step);
        for i in 0..n {
            let moved = z0[i] + half * (scale[i] * g0[i]);
            z[i] = moved;
            q[i] = q0[i] + step * (scale[i] * moved);
        }
    }
}

multiversion! {
    /// Half a kick, `z += half scale g`; returns |z|^2.
    fn kick(half: f64, scale: &[f64], g: &[f64], z: &mut [f64]) -> f64 {
        let (z, z_rest) = z.as_chunks_mut::<LANES>();
        let (g, g_rest) = g.as_chunks::<LANES>();
        let (scale, scale_rest) = scale.as_chunks::<LANES>();
        let mut sum = [0.0; LANES];
        for ((z, g), scale) in z.iter_mut().zip(g).zip(scale) {
            for i in 0..LANES {
                z[i] += half * (scale[i] * g[i]);
                sum[i] += z[i] * z[i];
            }
        }
        let mut rest = 0.0;
        for ((z, g), scale) in z_rest.iter_mut().zip(g_rest).zip(scale_rest) {
            *z += half * (scale * g);
            rest += *z * *z;
        }
        total(sum) + rest
    }
}

multiversion! {
    /// Half a kick and a rotation in the frame `[center, scale]`, from `[y0, z0, g0]`:
    /// `m = z0 + half (scale g0 + square y0)`, `y = cos y0 + forth m`, `z = cos m - back y0`, `q = center + scale y`.
    fn turn(by: Turn, frame: [&[f64]; 2], from: [&[f64]; 3], q: &mut [f64], y: &mut [f64], z: &mut [f64]) {
        let n = frame[1].len();
        let [center, scale] = frame.map(|x| &x[..n]);
        let [y0, z0, g0] = from.map(|x| &x[..n]);
        let (q, y, z) = (&mut q[..n], &mut y[..n], &mut z[..n]);
        for i in 0..n {
            let kicked = z0[i] + by.half * (scale[i] * g0[i] + by.square * y0[i]);
            let turned = by.cos * y0[i] + by.forth * kicked;
            z[i] = by.cos * kicked - by.back * y0[i];
            y[i] = turned;
            q[i] = center[i] + scale[i] * turned;
        }
    }
}

multiversion! {
    /// As `turn` where the force f0 is known already: from `[y0, z0, f0]` to y and z.
    fn turn_white(by: Turn, from: [&[f64]; 3], y: &mut [f64], z: &mut [f64]) {
        let n = y.len();
        let [y0, z0, f0] = from.map(|x| &x[..n]);
        let (y, z) = (&mut y[..n], &mut z[..n]);
        for i in 0..n {
            let kicked = z0[i] + by.half * (f0[i] + by.square * y0[i]);
            y[i] = by.cos * y0[i] + by.forth * kicked;
            z[i] = by.cos * kicked - by.back * y0[i];
        }
    }
}

multiversion! {
    /// Half a kick, `z += half (scale g + square y)`; returns |z|^2.
    fn kick_turn(by: Turn, scale: &[f64], y: &[f64], g: &[f64], z: &mut [f64]) -> f64 {
        let (z, z_rest) = z.as_chunks_mut::<LANES>();
        let (y, y_rest) = y.as_chunks::<LANES>();
        let (g, g_rest) = g.as_chunks::<LANES>();
        let (scale, scale_rest) = scale.as_chunks::<LANES>();
        let mut sum = [0.0; LANES];
        for (((z, y), g), scale) in z.iter_mut().zip(y).zip(g).zip(scale) {
            for i in 0..LANES {
                z[i] += by.half * (scale[i] * g[i] + by.square * y[i]);
                sum[i] += z[i] * z[i];
            }
        }
        let mut rest = 0.0;
        for (((z, y), g), scale) in z_rest.iter_mut().zip(y_rest).zip(g_rest).zip(scale_rest) {
            *z += by.half * (scale * g + by.square * y);
            rest += *z * *z;
        }
        total(sum) + rest
    }
}

#[inline(always)]
fn dot_of(a: &[f64], b: &[f64]) -> f64 {
    let (a, a_rest) = a.as_chunks::<LANES>();
    let (b, b_rest) = b.as_chunks::<LANES>();
    let mut sum = [0.0; LANES];
    for (a, b) in a.iter().zip(b) {
        for i in 0..LANES {
            sum[i] += a[i] * b[i];
        }
    }
    total(sum) + a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum::<f64>()
}

#[inline(always)]
fn add_multiple(a: f64, x: &[f64], y: &mut [f64]) {
    for (y, x) in y.iter_mut().zip(x) {
        *y += a * x;
    }
}

multiversion! {
    /// The dot product.
    fn dot(a: &[f64], b: &[f64]) -> f64 {
        dot_of(a, b)
    }
}

multiversion! {
    /// `y += a x`.
    fn axpy(a: f64, x: &[f64], y: &mut [f64]) {
        add_multiple(a, x, y);
    }
}

multiversion! {
    /// `x += by (u . x) u` for one direction u, a row of `directions`, after the other.
    fn stretch_along(directions: &[f64], by: &[f64], x: &mut [f64]) {
        Stretched { scale: &[], directions, by }.stretch(x);
    }
}

/// A metric of scales and directions with what each stretches by, as loops take it: see
/// [`LowRank`](super::low_rank::LowRank).
#[derive(Clone, Copy)]
pub(crate) struct Stretched<'a> {
    pub scale: &'a [f64],
    pub directions: &'a [f64],
    pub by: &'a [f64],
}

impl Stretched<'_> {
    #[inline(always)]
    fn stretch(&self, x: &mut [f64]) {
        for (u, by) in self.directions.chunks_exact(x.len().max(1)).zip(self.by) {
            add_multiple(by * dot_of(u, x), u, x);
        }
    }
}

multiversion! {
    /// As `kick_drift` under a metric with directions, from `[q0, z0, f0]` where the force f0 is known already: the
    /// velocity into `v`.
    fn stretched_drift(half: f64, metric: Stretched<'_>, from: [&[f64]; 3], q: &mut [f64], z: &mut [f64], v: &mut [f64]) {
        let n = metric.scale.len();
        let [q0, z0, f0] = from.map(|x| &x[..n]);
        let (q, z, v, scale) = (&mut q[..n], &mut z[..n], &mut v[..n], &metric.scale[..n]);
        for i in 0..n {
            z[i] = z0[i] + half * f0[i];
            v[i] = z[i];
        }
        metric.stretch(v);
        let step = 2.0 * half;
        for i in 0..n {
            v[i] *= scale[i];
            q[i] = q0[i] + step * v[i];
        }
    }
}

multiversion! {
    /// As `kick` under a metric with directions: the force into `f`; returns |z|^2.
    fn stretched_kick(half: f64, metric: Stretched<'_>, g: &[f64], f: &mut [f64], z: &mut [f64]) -> f64 {
        let n = metric.scale.len();
        let (g, f, z, scale) = (&g[..n], &mut f[..n], &mut z[..n], &metric.scale[..n]);
        for i in 0..n {
            f[i] = g[i] * scale[i];
        }
        metric.stretch(f);
        add_multiple(half, f, z);
        dot_of(z, z)
    }
}

multiversion! {
    /// `out = a + b`.
    fn add(a: &[f64], b: &[f64], out: &mut [f64]) {
        for ((out, a), b) in out.iter_mut().zip(a).zip(b) {
            *out = a + b;
        }
    }
}

/// Four vectors of one length.
type Four<'a> = [&'a [f64]; 4];

/// (a . (u + v), b . (u + v)): the two products of a U-turn test.
///
/// By hand for AVX2, where the compiler pairs the two sums and gets a third of the speed.
#[inline]
pub(crate) fn dots_with_sum(vectors: Four<'_>) -> [f64; 2] {
    #[cfg(target_arch = "x86_64")]
    if std::arch::is_x86_feature_detected!("avx2") {
        // SAFETY: the line above found AVX2 on this machine.
        return unsafe { dots_with_sum_avx2(vectors) };
    }
    dots_with_sum_plain(vectors)
}

fn dots_with_sum_plain(vectors: Four<'_>) -> [f64; 2] {
    let [(a, a_rest), (b, b_rest), (u, u_rest), (v, v_rest)] = vectors.map(<[f64]>::as_chunks::<LANES>);
    let mut sums = [[0.0; LANES]; 2];
    for (((a, b), u), v) in a.iter().zip(b).zip(u).zip(v) {
        for i in 0..LANES {
            sums[0][i] += a[i] * (u[i] + v[i]);
            sums[1][i] += b[i] * (u[i] + v[i]);
        }
    }
    add_rest(sums, [a_rest, b_rest, u_rest, v_rest])
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn dots_with_sum_avx2(vectors: Four<'_>) -> [f64; 2] {
    use std::arch::x86_64::{_mm256_add_pd, _mm256_loadu_pd, _mm256_mul_pd, _mm256_setzero_pd, _mm256_storeu_pd};

    const WIDTH: usize = 4;
    let [(a, a_rest), (b, b_rest), (u, u_rest), (v, v_rest)] = vectors.map(<[f64]>::as_chunks::<LANES>);
    let (mut with_a, mut with_b) = ([_mm256_setzero_pd(); LANES / WIDTH], [_mm256_setzero_pd(); LANES / WIDTH]);
    for (((a, b), u), v) in a.iter().zip(b).zip(u).zip(v) {
        for (k, (with_a, with_b)) in with_a.iter_mut().zip(&mut with_b).enumerate() {
            let start = k * WIDTH;
            // SAFETY: start + WIDTH <= LANES, the length of each array.
            let [a, b, u, v] = [a, b, u, v].map(|x| unsafe { _mm256_loadu_pd(x.as_ptr().add(start)) });
            let sum = _mm256_add_pd(u, v);
            *with_a = _mm256_add_pd(*with_a, _mm256_mul_pd(a, sum));
            *with_b = _mm256_add_pd(*with_b, _mm256_mul_pd(b, sum));
        }
    }
    let mut sums = [[0.0; LANES]; 2];
    for (sums, with) in sums.iter_mut().zip([with_a, with_b]) {
        for (part, with) in sums.as_chunks_mut::<WIDTH>().0.iter_mut().zip(with) {
            // SAFETY: the part has WIDTH numbers.
            unsafe { _mm256_storeu_pd(part.as_mut_ptr(), with) };
        }
    }
    add_rest(sums, [a_rest, b_rest, u_rest, v_rest])
}

/// The sums of lanes, with what did not fill the lanes.
fn add_rest(sums: [[f64; LANES]; 2], [a, b, u, v]: Four<'_>) -> [f64; 2] {
    let mut dots = sums.map(total);
    for (((a, b), u), v) in a.iter().zip(b).zip(u).zip(v) {
        dots[0] += a * (u + v);
        dots[1] += b * (u + v);
    }
    dots
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(n: usize, seed: f64) -> Vec<f64> {
        (0..n).map(|i| ((i as f64 + 1.0) * seed).sin()).collect()
    }

    fn close(got: f64, want: f64) {
        assert!((got - want).abs() <= 1e-13 * (1.0 + want.abs()), "{got} against {want}");
    }

    /// Every loop against its formula written plainly, at lengths on both sides of the lanes.
    #[test]
    fn loops_are_their_formulas() {
        for n in [0, 1, 3, 4, 7, 8, 9, 31, 100] {
            let (a, b, c, d) = (numbers(n, 0.7), numbers(n, 1.3), numbers(n, 2.1), numbers(n, 0.2));
            let product = |x: &[f64], y: &[f64]| x.iter().zip(y).map(|(x, y)| x * y).sum::<f64>();
            let sum = |x: &[f64], y: &[f64]| x.iter().zip(y).map(|(x, y)| x + y).collect::<Vec<_>>();

            close(dot(&a, &b), product(&a, &b));

            let mut out = vec![0.0; n];
            add(&a, &b, &mut out);
            assert_eq!(out, sum(&a, &b));

            let got = dots_with_sum([&a, &b, &c, &d]);
            close(got[0], product(&a, &sum(&c, &d)));
            close(got[1], product(&b, &sum(&c, &d)));
            assert_eq!(got, dots_with_sum_plain([&a, &b, &c, &d]));

            let (mut q, mut z) = (vec![0.0; n], vec![0.0; n]);
            kick_drift(0.5, &a, [&b, &c, &d], &mut q, &mut z);
            for i in 0..n {
                close(z[i], c[i] + 0.25 * a[i] * d[i]);
                close(q[i], b[i] + 0.5 * a[i] * z[i]);
            }
            let before = z.clone();
            let square = kick(0.25, &a, &d, &mut z);
            for i in 0..n {
                close(z[i], before[i] + 0.25 * a[i] * d[i]);
            }
            close(square, product(&z, &z));

            let mut stretched = c.clone();
            stretch_along(&[a.clone(), b.clone()].concat(), &[0.5, -2.0], &mut stretched);
            let along = 0.5 * product(&a, &c);
            let once: Vec<f64> = c.iter().zip(&a).map(|(c, a)| c + along * a).collect();
            let along = -2.0 * product(&b, &once);
            for i in 0..n {
                assert!((stretched[i] - (once[i] + along * b[i])).abs() <= 1e-11 * (1.0 + along.abs()));
            }

            // A whole step in one loop has the bits of its parts.
            let directions = [a.clone(), b.clone()].concat();
            let metric = Stretched { scale: &d, directions: &directions, by: &[0.5, -2.0] };
            let [mut q, mut z, mut v, mut f] = [(); 4].map(|()| vec![0.0; n]);
            stretched_drift(0.25, metric, [&a, &b, &c], &mut q, &mut z, &mut v);
            let mut momentum = b.clone();
            axpy(0.25, &c, &mut momentum);
            assert_eq!(z, momentum);
            stretch_along(&directions, metric.by, &mut momentum);
            let mut position = a.clone();
            let velocity: Vec<f64> = momentum.iter().zip(&d).map(|(v, s)| v * s).collect();
            axpy(0.5, &velocity, &mut position);
            assert_eq!((&q, &v), (&position, &velocity));
            let mut kicked = z.clone();
            let square = stretched_kick(0.25, metric, &c, &mut f, &mut kicked);
            let mut force: Vec<f64> = c.iter().zip(&d).map(|(g, s)| g * s).collect();
            stretch_along(&directions, metric.by, &mut force);
            axpy(0.25, &force, &mut z);
            assert_eq!((&f, &kicked, square), (&force, &z, dot(&z, &z)));

            let mut y = b.clone();
            axpy(-2.0, &a, &mut y);
            for i in 0..n {
                close(y[i], b[i] - 2.0 * a[i]);
            }
        }
    }
}
