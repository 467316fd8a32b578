//! The numbers that users' data come in.

/// A number that data may hold: it is read as `f64` when it enters a tape.
pub trait Number: Copy {
    /// The nearest `f64`.
    fn to_f64(self) -> f64;
}

macro_rules! numbers {
    ($($t:ty),*) => { $(impl Number for $t {
        fn to_f64(self) -> f64 { self as f64 }
    })* };
}
numbers!(f64, f32, i8, i16, i32, i64, isize, u8, u16, u32, u64, usize);

impl Number for bool {
    fn to_f64(self) -> f64 {
        f64::from(u8::from(self))
    }
}
