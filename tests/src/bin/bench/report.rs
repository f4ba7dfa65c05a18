//! Figures of several rounds, and how they are printed.

/// What several rounds gave.
pub struct Figures(Vec<f64>);

impl Figures {
    pub fn new() -> Self {
        Self(Vec::new())
    }

    pub fn add(&mut self, figure: f64) {
        self.0.push(figure);
    }

    fn sorted(&self) -> Vec<f64> {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        sorted
    }

    pub fn median(&self) -> f64 {
        let sorted = self.sorted();
        sorted[sorted.len() / 2]
    }

    /// The median, and from the least to the most.
    pub fn shown(&self, unit: &str) -> String {
        let sorted = self.sorted();
        format!(
            "{:>10.0} {unit:<6} ({:.0} to {:.0})",
            self.median(),
            sorted[0],
            sorted[sorted.len() - 1]
        )
    }
}

/// The ratios round by round: what drifts with the machine drifts for both.
pub fn ratio(one: &Figures, other: &Figures) -> Figures {
    Figures(
        one.0
            .iter()
            .zip(&other.0)
            .map(|(one, other)| one / other)
            .collect(),
    )
}

/// The differences round by round.
pub fn difference(one: &Figures, other: &Figures) -> Figures {
    Figures(
        one.0
            .iter()
            .zip(&other.0)
            .map(|(one, other)| one - other)
            .collect(),
    )
}

/// The median of some times, in microseconds.
pub fn median_of(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

/// The figure below which a share of all figures lies.
pub fn at_rank(figures: &[f64], share: f64) -> f64 {
    let mut sorted = figures.to_vec();
    sorted.sort_by(f64::total_cmp);
    let at = (sorted.len() as f64 * share) as usize;
    sorted[at.min(sorted.len() - 1)]
}

/// One line against its goal.
pub fn goal(what: &str, figure: f64, goal: f64, at_most: bool, unit: &str) {
    let met = if at_most {
        figure <= goal
    } else {
        figure >= goal
    };
    let sign = if at_most { "at most" } else { "at least" };
    let word = if met { "met" } else { "MISSED" };
    println!("  {what}: {figure:.2}{unit}, goal {sign} {goal}{unit}: {word}");
}
