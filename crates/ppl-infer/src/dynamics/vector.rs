//! Loops over coordinates, each one pass, compiled for AVX2 beside the baseline and chosen at run time.
//!
//! Sums run in a fixed number of lanes and products are not fused, so that every machine gives the same bits.

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

/// Adds lanes pairwise.
#[inline(always)]
fn total<const N: usize>(mut lanes: [f64; N]) -> f64 {
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
    /// Half a kick and a drift under M^-1 = diag(scale^2): `z = z0 + half scale g0`, `q = q0 + step scale z`.
    fn kick_drift(half: f64, step: f64, scale: &[f64], q0: &[f64], z0: &[f64], g0: &[f64], q: &mut [f64], z: &mut [f64]) {
        let n = scale.len();
        let (q0, z0, g0) = (&q0[..n], &z0[..n], &g0[..n]);
        let (q, z) = (&mut q[..n], &mut z[..n]);
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
    /// The dot product.
    fn dot(a: &[f64], b: &[f64]) -> f64 {
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
}

multiversion! {
    /// `y += a x`.
    fn axpy(a: f64, x: &[f64], y: &mut [f64]) {
        for (y, x) in y.iter_mut().zip(x) {
            *y += a * x;
        }
    }
}

multiversion! {
    /// `out = a + b`; returns (a . out, b . out).
    fn sum_and_dots(a: &[f64], b: &[f64], out: &mut [f64]) -> [f64; 2] {
        let (a, a_rest) = a.as_chunks::<LANES>();
        let (b, b_rest) = b.as_chunks::<LANES>();
        let (out, out_rest) = out.as_chunks_mut::<LANES>();
        let (mut with_a, mut with_b) = ([0.0; LANES], [0.0; LANES]);
        for ((a, b), out) in a.iter().zip(b).zip(out) {
            for i in 0..LANES {
                let sum = a[i] + b[i];
                out[i] = sum;
                with_a[i] += a[i] * sum;
                with_b[i] += b[i] * sum;
            }
        }
        let (mut with_a, mut with_b) = (total(with_a), total(with_b));
        for ((a, b), out) in a_rest.iter().zip(b_rest).zip(out_rest) {
            *out = a + b;
            with_a += a * *out;
            with_b += b * *out;
        }
        [with_a, with_b]
    }
}

multiversion! {
    /// `sum += more`; returns (a . sum, b . sum).
    fn add_and_dots(a: &[f64], b: &[f64], more: &[f64], sum: &mut [f64]) -> [f64; 2] {
        let (a, a_rest) = a.as_chunks::<LANES>();
        let (b, b_rest) = b.as_chunks::<LANES>();
        let (more, more_rest) = more.as_chunks::<LANES>();
        let (sum, sum_rest) = sum.as_chunks_mut::<LANES>();
        let (mut with_a, mut with_b) = ([0.0; LANES], [0.0; LANES]);
        for (((a, b), more), sum) in a.iter().zip(b).zip(more).zip(sum) {
            for i in 0..LANES {
                let new = sum[i] + more[i];
                sum[i] = new;
                with_a[i] += a[i] * new;
                with_b[i] += b[i] * new;
            }
        }
        let (mut with_a, mut with_b) = (total(with_a), total(with_b));
        for (((a, b), more), sum) in a_rest.iter().zip(b_rest).zip(more_rest).zip(sum_rest) {
            *sum += more;
            with_a += a * *sum;
            with_b += b * *sum;
        }
        [with_a, with_b]
    }
}

multiversion! {
    /// (a . (sum + b), b . (sum + b)).
    fn dots_with_sum(a: &[f64], b: &[f64], sum: &[f64]) -> [f64; 2] {
        let (a, a_rest) = a.as_chunks::<LANES>();
        let (b, b_rest) = b.as_chunks::<LANES>();
        let (sum, sum_rest) = sum.as_chunks::<LANES>();
        let (mut with_a, mut with_b) = ([0.0; LANES], [0.0; LANES]);
        for ((a, b), sum) in a.iter().zip(b).zip(sum) {
            for i in 0..LANES {
                let new = sum[i] + b[i];
                with_a[i] += a[i] * new;
                with_b[i] += b[i] * new;
            }
        }
        let (mut with_a, mut with_b) = (total(with_a), total(with_b));
        for ((a, b), sum) in a_rest.iter().zip(b_rest).zip(sum_rest) {
            with_a += a * (sum + b);
            with_b += b * (sum + b);
        }
        [with_a, with_b]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(n: usize, seed: f64) -> Vec<f64> {
        (0..n).map(|i| ((i as f64 + 1.0) * seed).sin()).collect()
    }

    fn close(got: f64, want: f64) {
        assert!(
            (got - want).abs() <= 1e-13 * (1.0 + want.abs()),
            "{got} against {want}"
        );
    }

    /// Every loop against its formula written plainly, at lengths on both sides of the lanes.
    #[test]
    fn loops_are_their_formulas() {
        for n in [0, 1, 3, 4, 7, 8, 9, 31, 100] {
            let (a, b, c, d) = (
                numbers(n, 0.7),
                numbers(n, 1.3),
                numbers(n, 2.1),
                numbers(n, 0.2),
            );
            let product = |x: &[f64], y: &[f64]| x.iter().zip(y).map(|(x, y)| x * y).sum::<f64>();
            let sum =
                |x: &[f64], y: &[f64]| x.iter().zip(y).map(|(x, y)| x + y).collect::<Vec<_>>();

            close(dot(&a, &b), product(&a, &b));

            let mut out = vec![0.0; n];
            let got = sum_and_dots(&a, &b, &mut out);
            assert_eq!(out, sum(&a, &b));
            close(got[0], product(&a, &out));
            close(got[1], product(&b, &out));

            let mut out = c.clone();
            let got = add_and_dots(&a, &b, &d, &mut out);
            assert_eq!(out, sum(&c, &d));
            close(got[0], product(&a, &out));
            close(got[1], product(&b, &out));

            let got = dots_with_sum(&a, &b, &c);
            close(got[0], product(&a, &sum(&c, &b)));
            close(got[1], product(&b, &sum(&c, &b)));

            let (mut q, mut z) = (vec![0.0; n], vec![0.0; n]);
            kick_drift(0.25, 0.5, &a, &b, &c, &d, &mut q, &mut z);
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

            let mut y = b.clone();
            axpy(-2.0, &a, &mut y);
            for i in 0..n {
                close(y[i], b[i] - 2.0 * a[i]);
            }
        }
    }
}
