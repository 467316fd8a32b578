//! Which vector instructions this machine has, and functions compiled once for each choice.

use std::sync::atomic::{AtomicU8, Ordering};

/// An instruction set that kernels are compiled for. All give the same bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
#[non_exhaustive]
pub enum Isa {
    /// What the build's target has at least: SSE2 on x86-64, where a fused multiply-add is a slow exact function call;
    /// NEON on aarch64.
    Portable = 1,
    /// AVX2 and FMA: 256-bit vectors.
    Avx2 = 2,
    /// AVX-512 F, DQ, BW and VL: 512-bit vectors.
    Avx512 = 3,
}

/// The set in use as its number, 0 before the first look.
static CURRENT: AtomicU8 = AtomicU8::new(0);

impl Isa {
    /// Every instruction set, slowest first.
    pub const ALL: [Isa; 3] = [Isa::Portable, Isa::Avx2, Isa::Avx512];

    /// Can this machine run it?
    pub fn is_available(self) -> bool {
        match self {
            Isa::Portable => true,
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2 => is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma"),
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512 => {
                Isa::Avx2.is_available()
                    && is_x86_feature_detected!("avx512f")
                    && is_x86_feature_detected!("avx512dq")
                    && is_x86_feature_detected!("avx512bw")
                    && is_x86_feature_detected!("avx512vl")
            }
            #[cfg(not(target_arch = "x86_64"))]
            Isa::Avx2 | Isa::Avx512 => false,
        }
    }

    /// The best set that this machine has.
    pub fn detect() -> Isa {
        Isa::ALL.into_iter().rev().find(|isa| isa.is_available()).unwrap_or(Isa::Portable)
    }

    /// The set that kernels use now: the detected one (looked up once), or what [`force`](Isa::force) asked for.
    #[inline]
    pub fn current() -> Isa {
        match CURRENT.load(Ordering::Relaxed) {
            1 => Isa::Portable,
            2 => Isa::Avx2,
            3 => Isa::Avx512,
            _ => Isa::look_up(),
        }
    }

    #[cold]
    fn look_up() -> Isa {
        let isa = Isa::detect();
        CURRENT.store(isa as u8, Ordering::Relaxed);
        isa
    }

    /// Makes all threads use this set from now on, for tests and benchmarks; `false`, and no change, if the machine
    /// lacks it.
    pub fn force(self) -> bool {
        let available = self.is_available();
        if available {
            CURRENT.store(self as u8, Ordering::Relaxed);
        }
        available
    }
}

/// Compiles a function once for each [`Isa`] and calls, at run time, the one for [`Isa::current`].
///
/// ```ignore
/// multiversion! {
///     /// out = a * x + y.
///     pub fn axpy<T: Real>(a: T, x: &[T], y: &[T], out: &mut [T]) {
///         for ((o, &x), &y) in out.iter_mut().zip(x).zip(y) {
///             *o = a.mul_add(x, y);
///         }
///     }
/// }
/// ```
///
/// The body becomes vectors only as far as everything it calls is inlined into it: calls must be of `#[inline(always)]`
/// functions. Closures are inlined at the compiler's discretion, so pass what varies as a type parameter with an
/// `#[inline(always)]` method ([`Unary`](crate::kernels::elementary::Unary) is an example). Type parameters have one
/// bound each; arguments are plain names; lifetimes are elided.
macro_rules! multiversion {
    ($(#[$meta:meta])* $vis:vis fn $name:ident $(<$($generic:ident : $bound:path),+ $(,)?>)?
        ($($arg:ident : $ty:ty),* $(,)?) $(-> $ret:ty)? $body:block) => {
        $(#[$meta])*
        $vis fn $name $(<$($generic: $bound),+>)? ($($arg: $ty),*) $(-> $ret)? {
            #[inline(always)]
            #[allow(clippy::too_many_arguments)]
            fn body $(<$($generic: $bound),+>)? ($($arg: $ty),*) $(-> $ret)? $body

            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx512f,avx512dq,avx512bw,avx512vl,avx2,fma")]
            #[allow(clippy::too_many_arguments)]
            fn avx512 $(<$($generic: $bound),+>)? ($($arg: $ty),*) $(-> $ret)? {
                body $(::<$($generic),+>)? ($($arg),*)
            }

            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx2,fma")]
            #[allow(clippy::too_many_arguments)]
            fn avx2 $(<$($generic: $bound),+>)? ($($arg: $ty),*) $(-> $ret)? {
                body $(::<$($generic),+>)? ($($arg),*)
            }

            match $crate::kernels::dispatch::Isa::current() {
                // SAFETY: `current` returns only sets that this machine has.
                #[cfg(target_arch = "x86_64")]
                $crate::kernels::dispatch::Isa::Avx512 => unsafe { avx512 $(::<$($generic),+>)? ($($arg),*) },
                // SAFETY: `current` returns only sets that this machine has.
                #[cfg(target_arch = "x86_64")]
                $crate::kernels::dispatch::Isa::Avx2 => unsafe { avx2 $(::<$($generic),+>)? ($($arg),*) },
                _ => body $(::<$($generic),+>)? ($($arg),*),
            }
        }
    };
    ($(#[$meta:meta])* $vis:vis unsafe fn $name:ident $(<$($generic:ident : $bound:path),+ $(,)?>)?
        ($($arg:ident : $ty:ty),* $(,)?) $(-> $ret:ty)? $body:block) => {
        $(#[$meta])*
        $vis unsafe fn $name $(<$($generic: $bound),+>)? ($($arg: $ty),*) $(-> $ret)? {
            #[inline(always)]
            unsafe fn body $(<$($generic: $bound),+>)? ($($arg: $ty),*) $(-> $ret)? $body

            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx512f,avx512dq,avx512bw,avx512vl,avx2,fma")]
            unsafe fn avx512 $(<$($generic: $bound),+>)? ($($arg: $ty),*) $(-> $ret)? {
                // SAFETY: the caller keeps the contract of the body.
                unsafe { body $(::<$($generic),+>)? ($($arg),*) }
            }

            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx2,fma")]
            unsafe fn avx2 $(<$($generic: $bound),+>)? ($($arg: $ty),*) $(-> $ret)? {
                // SAFETY: the caller keeps the contract of the body.
                unsafe { body $(::<$($generic),+>)? ($($arg),*) }
            }

            // SAFETY: `current` returns only sets that this machine has; the contract is the body's.
            unsafe {
                match $crate::kernels::dispatch::Isa::current() {
                    #[cfg(target_arch = "x86_64")]
                    $crate::kernels::dispatch::Isa::Avx512 => avx512 $(::<$($generic),+>)? ($($arg),*),
                    #[cfg(target_arch = "x86_64")]
                    $crate::kernels::dispatch::Isa::Avx2 => avx2 $(::<$($generic),+>)? ($($arg),*),
                    _ => body $(::<$($generic),+>)? ($($arg),*),
                }
            }
        }
    };
}

pub(crate) use multiversion;
