//! Welch's t-test on two classes of times, as dudect does it (O. Reparaz, J. Balasch, I. Verbauwhede, "Dude, is my code
//! constant time?", DATE 2017, <https://eprint.iacr.org/2016/1123>): on all times, on those below each of a hundred
//! percentiles, since the long tail is other work of the machine, and on the squares of the deviations from the mean,
//! which see differences that leave the mean alone.

/// The |t| that counts: without a difference, one beyond 4.5 is already less likely than one in 100 000 for one test.
pub(crate) const LIMIT: f64 = 10.0;
/// Percentiles below which times are looked at alone.
const CROPS: i32 = 100;
/// Times in each class without which a test says nothing.
const ENOUGH: f64 = 500.0;

/// Mean and variance of values that come one by one (Welford).
#[derive(Clone, Copy, Debug, Default)]
struct Moments {
    count: f64,
    mean: f64,
    /// Sum of the squares of the deviations.
    squares: f64,
}

impl Moments {
    fn push(&mut self, value: f64) {
        self.count += 1.0;
        let deviation = value - self.mean;
        self.mean += deviation / self.count;
        self.squares += deviation * (value - self.mean);
    }
}

/// What one test found.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Finding {
    /// The t of Welch: the difference of the means in units of its own standard error.
    pub(crate) t: f64,
    /// Nanoseconds that the first class takes longer, of the times that this test looked at.
    pub(crate) difference: f64,
    /// The percentile below which it looked, 100 for all.
    pub(crate) percentile: f64,
    /// Whether it looked at squares; there is no difference in time then.
    pub(crate) squares: bool,
    /// Nanoseconds of difference that would have been found: the least of the tests that look at half of the times or more.
    pub(crate) visible: f64,
}

/// t, the difference of the means, and its standard error; nothing where there are too few values.
fn welch(classes: &[Moments; 2]) -> Option<(f64, f64, f64)> {
    let [a, b] = classes;
    if a.count < ENOUGH || b.count < ENOUGH {
        return None;
    }
    let error = (a.squares / (a.count - 1.0) / a.count + b.squares / (b.count - 1.0) / b.count).sqrt();
    let difference = a.mean - b.mean;
    // Times that are all the same differ in nothing.
    if error > 0.0 { Some((difference / error, difference, error)) } else { Some((0.0, difference, 0.0)) }
}

/// The finding with the largest |t| of all tests on times in nanoseconds, each with its class.
pub(crate) fn strongest(times: &[(bool, f64)]) -> Finding {
    let mut sorted: Vec<f64> = times.iter().map(|(_, time)| *time).collect();
    sorted.sort_unstable_by(f64::total_cmp);
    let mut all = [Moments::default(); 2];
    for (class, time) in times {
        all[usize::from(*class)].push(*time);
    }
    let (mut findings, mut visible) = (Vec::new(), f64::INFINITY);
    let mut look = |limit: f64, percentile: f64, squares: bool| {
        let mut classes = [Moments::default(); 2];
        for (class, time) in times.iter().filter(|(_, time)| *time < limit) {
            let class = usize::from(*class);
            let deviation = time - all[class].mean;
            classes[class].push(if squares { deviation * deviation } else { *time });
        }
        let Some((t, difference, error)) = welch(&classes) else { return };
        // Of fewer times the clock's steps are what shows.
        if !squares && percentile >= 50.0 {
            visible = visible.min(LIMIT * error);
        }
        findings.push(Finding { t, difference, percentile, squares, visible: 0.0 });
    };
    look(f64::INFINITY, 100.0, false);
    look(f64::INFINITY, 100.0, true);
    for crop in 1..=CROPS {
        // dudect's: dense where the usual times are, thin in the tail.
        let share = 1.0 - 0.5_f64.powf(10.0 * f64::from(crop) / f64::from(CROPS));
        let at = (sorted.len() as f64 * share) as usize;
        if let Some(limit) = sorted.get(at) {
            look(*limit, share * 100.0, false);
        }
    }
    let strongest = findings.into_iter().max_by(|a, b| a.t.abs().total_cmp(&b.t.abs())).unwrap_or_default();
    Finding { visible, ..strongest }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers that look random.
    fn noise(seed: &mut u64) -> f64 {
        *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (*seed >> 40) as f64 / f64::from(1 << 24)
    }

    fn times(shift: f64, spread: f64) -> Vec<(bool, f64)> {
        let mut seed = 1;
        let mut one = |i: usize| {
            let (class, tail) = (noise(&mut seed) < 0.5, if i.is_multiple_of(50) { 5000.0 } else { 0.0 });
            let width = if class { spread } else { 1.0 };
            let around = 1000.0 + 40.0 * width * (noise(&mut seed) - 0.5) + tail * noise(&mut seed);
            (class, around + if class { shift } else { 0.0 })
        };
        (0..20_000).map(&mut one).collect()
    }

    #[test]
    fn the_same_times_are_no_finding() {
        assert!(strongest(&times(0.0, 1.0)).t.abs() < 5.0);
    }

    #[test]
    fn a_thousandth_is_found_below_a_long_tail() {
        let found = strongest(&times(1.0, 1.0));
        assert!(found.t.abs() > 5.0 && found.percentile < 100.0, "{found:?}");
        let found = strongest(&times(4.0, 1.0));
        assert!(found.t.abs() > LIMIT && found.visible < 4.0, "{found:?}");
    }

    #[test]
    fn another_spread_is_found_though_the_means_are_the_same() {
        assert!(strongest(&times(0.0, 2.0)).t.abs() > 10.0);
    }

    #[test]
    fn welch_of_known_values() {
        let mut classes = [Moments::default(); 2];
        for i in 0..1000 {
            classes[0].push(f64::from(i % 2));
            classes[1].push(f64::from(i % 4));
        }
        // Means 0.5 and 1.5, variances 1/4 and 5/4 times 1000/999.
        let (t, difference, _) = welch(&classes).unwrap();
        assert!((difference + 1.0).abs() < 1e-9);
        assert!((t + 1.0 / (1.5 / 999.0_f64).sqrt()).abs() < 1e-6, "{t}");
    }
}
