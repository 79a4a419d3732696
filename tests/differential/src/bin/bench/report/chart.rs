//! The chart of ratios: SVG, with a logarithmic scale. Its colours follow the reader's choice of a light or dark page, and
//! what they say is said by shapes too.

use crate::machine::Machine;
use crate::result::{Measured, Run, values};
use crate::rows::Gate;
use core::fmt::Write as _;

/// Places in pixels.
const WIDTH: f64 = 980.0;
const LEFT: f64 = 372.0;
const RIGHT: f64 = 908.0;
const TOP: f64 = 92.0;
const LINE: f64 = 17.0;
const TITLE: f64 = 26.0;
const BOTTOM: f64 = 40.0;

const STYLE: &str = "\
.page{fill:#fff}.text{fill:#1b1f24}.dim{fill:#57606a}.grid{stroke:#d0d7de}.one{stroke:#57606a}\
.met{fill:#1a7f37;stroke:#1a7f37}.missed{fill:#bc4c00;stroke:#bc4c00}.none{fill:#57606a;stroke:#57606a}\
.aim{stroke:#0550ae}.newest{fill:none;stroke:#8250df}\
@media(prefers-color-scheme:dark){.page{fill:#0d1117}.text{fill:#e6edf3}.dim{fill:#9198a1}.grid{stroke:#30363d}\
.one{stroke:#9198a1}.met{fill:#3fb950;stroke:#3fb950}.missed{fill:#f0883e;stroke:#f0883e}\
.none{fill:#9198a1;stroke:#9198a1}.aim{stroke:#79c0ff}.newest{stroke:#d2a8ff}}\
text{font-family:system-ui,sans-serif;font-size:12px}.title{font-weight:600}.head{font-size:16px;font-weight:600}\
line{stroke-width:1}.bar{stroke-width:3;opacity:.55}.range{stroke-width:1.5}.aim{stroke-width:2}";

/// Marks of the scale that may be shown.
const MARKS: [f64; 12] = [0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0];

/// From a ratio to a place.
struct Scale {
    least: f64,
    most: f64,
}

impl Scale {
    /// Marks around everything that is shown.
    fn around(shown: impl Iterator<Item = f64>) -> Self {
        let (mut least, mut most) = (0.5_f64, 1.0_f64);
        for value in shown {
            (least, most) = (least.min(value), most.max(value));
        }
        let below = MARKS.iter().copied().rfind(|mark| *mark <= least).unwrap_or(MARKS[0]);
        let above = MARKS.iter().copied().find(|mark| *mark >= most).unwrap_or(MARKS[MARKS.len() - 1]);
        Self { least: below, most: above }
    }

    fn x(&self, ratio: f64) -> f64 {
        let ratio = ratio.clamp(self.least, self.most);
        LEFT + (RIGHT - LEFT) * (ratio / self.least).ln() / (self.most / self.least).ln()
    }

    fn marks(&self) -> impl Iterator<Item = f64> {
        MARKS.into_iter().filter(|mark| (self.least..=self.most).contains(mark))
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// A shape around a place: a disc if the aim is met, a triangle if not, a square if there is none.
fn mark(out: &mut String, met: Option<bool>, x: f64, y: f64) {
    let _ = match met {
        Some(true) => writeln!(out, r#"<circle class="met" cx="{x:.1}" cy="{y:.1}" r="4"/>"#),
        Some(false) => {
            let (top, foot) = (y - 5.0, y + 4.0);
            writeln!(
                out,
                r#"<path class="missed" d="M{x:.1} {top:.1}L{:.1} {foot:.1}L{:.1} {foot:.1}Z"/>"#,
                x + 5.0,
                x - 5.0
            )
        }
        None => writeln!(out, r#"<rect class="none" x="{:.1}" y="{:.1}" width="7" height="7"/>"#, x - 3.5, y - 3.5),
    };
}

fn aim(out: &mut String, x: f64, y: f64) {
    let _ = writeln!(out, r#"<line class="aim" x1="{x:.1}" x2="{x:.1}" y1="{:.1}" y2="{:.1}"/>"#, y - 6.5, y + 6.5);
}

fn newest(out: &mut String, x: f64, y: f64) {
    let _ = writeln!(
        out,
        r#"<path class="newest" d="M{x:.1} {:.1}L{:.1} {y:.1}L{x:.1} {:.1}L{:.1} {y:.1}Z"/>"#,
        y - 4.5,
        x + 4.5,
        y + 4.5,
        x - 4.5
    );
}

fn text(out: &mut String, class: &str, anchor: &str, x: f64, y: f64, text: &str) {
    let _ =
        writeln!(out, r#"<text class="{class}" text-anchor="{anchor}" x="{x:.1}" y="{y:.1}">{}</text>"#, escaped(text));
}

/// What the shapes mean.
fn legend(out: &mut String, runs: usize) {
    let y = 62.0;
    let words = [
        (LEFT, "aim met"),
        (LEFT + 92.0, "not met"),
        (LEFT + 184.0, "no aim"),
        (LEFT + 268.0, "the aim"),
        (LEFT + 356.0, "newest libtpms over 0.9.2"),
    ];
    mark(out, Some(true), words[0].0, y);
    mark(out, Some(false), words[1].0, y);
    mark(out, None, words[2].0, y);
    aim(out, words[3].0, y);
    newest(out, words[4].0, y);
    for (x, words) in words {
        text(out, "dim", "start", x + 11.0, y + 4.0, words);
    }
    if runs > 1 {
        text(out, "dim", "start", 16.0, y + 4.0, &format!("Shapes: the last of {runs} runs. Thin line: all of them."));
    }
}

/// One row at the height `y` of its middle.
fn row(out: &mut String, scale: &Scale, runs: &[Run], m: &Measured, y: f64) {
    text(out, "text", "end", LEFT - 12.0, y + 4.0, m.row.name);
    let Some(value) = m.value() else {
        text(out, "dim", "start", LEFT + 6.0, y + 4.0, "not measured");
        return;
    };
    let class = ["none", "missed", "met"][m.met().map_or(0, |met| 1 + usize::from(met))];
    let (x, one) = (scale.x(value), scale.x(1.0));
    let _ = writeln!(out, r#"<line class="bar {class}" x1="{one:.1}" x2="{x:.1}" y1="{y:.1}" y2="{y:.1}"/>"#);
    let all: Vec<f64> = values(runs, m.row).into_iter().flatten().collect();
    let (least, most) = all.iter().fold((value, value), |(a, b), v| (a.min(*v), b.max(*v)));
    if most > least {
        let (from, to) = (scale.x(least), scale.x(most));
        let _ = writeln!(out, r#"<line class="range {class}" x1="{from:.1}" x2="{to:.1}" y1="{y:.1}" y2="{y:.1}"/>"#);
    }
    if let Some(ratio) = m.row.newest() {
        newest(out, scale.x(ratio), y);
    }
    if let Some(wanted) = m.row.aim {
        aim(out, scale.x(wanted), y);
    }
    mark(out, m.met(), x, y);
    text(out, "text", "end", WIDTH - 16.0, y + 4.0, &format!("{value:.2}"));
}

/// The chart of the last run; of several runs the range is shown too. Rows without a ratio are not in it.
pub(crate) fn svg(machine: &Machine, runs: &[Run]) -> String {
    let last: Vec<&Measured> = runs.last().into_iter().flatten().filter(|m| m.row.gate != Gate::Absolute).collect();
    let shown = last.iter().flat_map(|m| {
        let ratios = values(runs, m.row).into_iter().flatten();
        ratios.chain(m.row.aim).chain(m.row.newest())
    });
    let scale = Scale::around(shown);
    let mut body = String::new();
    let (mut y, mut group) = (TOP, "");
    for m in &last {
        if m.group != group {
            group = m.group;
            y += TITLE;
            text(&mut body, "text title", "end", LEFT - 12.0, y - 5.0, group);
        }
        row(&mut body, &scale, runs, m, y + LINE / 2.0);
        y += LINE;
    }
    let height = y + BOTTOM;
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" width=\"{WIDTH}\" \
         height=\"{height}\" role=\"img\">\n<title>Time of vtpmd over that of swtpm, by command</title>\n\
         <style>{STYLE}</style>\n<rect class=\"page\" width=\"{WIDTH}\" height=\"{height}\"/>\n"
    );
    text(&mut out, "text head", "start", 16.0, 28.0, "Time of vtpmd over time of swtpm: less is better");
    text(&mut out, "dim", "start", 16.0, height - 12.0, &machine.short());
    legend(&mut out, runs.len());
    for mark in scale.marks() {
        let (x, class) = (scale.x(mark), if mark == 1.0 { "one" } else { "grid" });
        let _ = writeln!(out, r#"<line class="{class}" x1="{x:.1}" x2="{x:.1}" y1="{TOP}" y2="{y:.1}"/>"#);
        text(&mut out, "dim", "middle", x, TOP - 6.0, &mark.to_string());
    }
    out + &body + "</svg>\n"
}

#[cfg(test)]
mod tests {
    use super::{LEFT, RIGHT, Scale, escaped};

    #[test]
    fn the_scale_holds_everything_and_is_logarithmic() {
        let scale = Scale::around([0.04, 0.9, 1.3].into_iter());
        assert_eq!(scale.marks().collect::<Vec<_>>(), [0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0]);
        assert!((scale.x(0.02) - LEFT).abs() < 0.01 && (scale.x(2.0) - RIGHT).abs() < 0.01);
        assert!((scale.x(0.2) - (LEFT + RIGHT) / 2.0).abs() < 0.01, "0.2 is in the middle of 0.02 and 2");
    }

    #[test]
    fn names_cannot_break_the_file() {
        assert_eq!(escaped("a<b>&c"), "a&lt;b&gt;&amp;c");
    }
}
