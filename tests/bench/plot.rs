// SPDX-License-Identifier: MPL-2.0
//! A plot as SVG: CPU over viewers, both axes logarithmic.
use std::fmt::Write as _;

const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 440.0;
const LEFT: f64 = 70.0;
const RIGHT: f64 = 150.0;
const TOP: f64 = 40.0;
const BOTTOM: f64 = 60.0;
const COLOURS: [&str; 4] = ["#0b6e4f", "#c8553d", "#3d5a98", "#7a6a00"];

/// A line of the plot.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    pub(crate) name: String,
    /// Viewers and CPU-seconds a second, both above 0.
    pub(crate) points: Vec<(f64, f64)>,
}

/// The plot; axes fit the points.
pub(crate) fn svg(title: &str, lines: &[Line]) -> String {
    let points = || lines.iter().flat_map(|line| line.points.iter());
    let far = points().map(|p| p.0).fold(1.0, f64::max);
    let high = points().map(|p| p.1).fold(0.01, f64::max);
    let low = points().map(|p| p.1).fold(high, f64::min);
    let (low, high) = (decade(low).floor(), decade(high).ceil());
    let x = |viewers: f64| LEFT + (WIDTH - LEFT - RIGHT) * decade(viewers) / decade(far).max(0.1);
    let y = |cpu: f64| {
        HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * (decade(cpu) - low) / (high - low).max(0.1)
    };
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" font-family=\"sans-serif\" font-size=\"13\">\n\
         <rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"white\"/>\n\
         <text x=\"{LEFT}\" y=\"24\" font-size=\"15\">{title}</text>\n"
    );
    grid(&mut out, (low, high), far, &x, &y);
    for (line, colour) in lines.iter().zip(COLOURS.iter().cycle()) {
        curve(&mut out, line, colour, &x, &y);
    }
    out.push_str("</svg>\n");
    out
}

fn decade(value: f64) -> f64 {
    value.max(1e-6).log10()
}

fn grid(
    out: &mut String,
    (low, high): (f64, f64),
    far: f64,
    x: &impl Fn(f64) -> f64,
    y: &impl Fn(f64) -> f64,
) {
    let (end, bottom) = (WIDTH - RIGHT, HEIGHT - BOTTOM);
    for power in low as i32..=high as i32 {
        let value = 10f64.powi(power);
        let at = y(value);
        let _ = writeln!(
            out,
            "<line x1=\"{LEFT}\" y1=\"{at:.1}\" x2=\"{end}\" y2=\"{at:.1}\" stroke=\"#ccc\"/>\
             <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{value}</text>",
            LEFT - 8.0,
            at + 4.0
        );
    }
    for viewers in [1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0] {
        if viewers <= far {
            let at = x(viewers);
            let _ = writeln!(
                out,
                "<line x1=\"{at:.1}\" y1=\"{TOP}\" x2=\"{at:.1}\" y2=\"{bottom}\" stroke=\"#eee\"/>\
                 <text x=\"{at:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{viewers}</text>",
                bottom + 20.0
            );
        }
    }
    let _ = writeln!(
        out,
        "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">viewers</text>\
         <text x=\"18\" y=\"{:.1}\" text-anchor=\"middle\" transform=\"rotate(-90 18 {:.1})\">CPU of the sender, cores</text>",
        f64::midpoint(LEFT, end),
        bottom + 44.0,
        f64::midpoint(TOP, bottom),
        f64::midpoint(TOP, bottom)
    );
}

fn curve(
    out: &mut String,
    line: &Line,
    colour: &str,
    x: &impl Fn(f64) -> f64,
    y: &impl Fn(f64) -> f64,
) {
    let path: Vec<String> = line
        .points
        .iter()
        .map(|(viewers, cpu)| format!("{:.1},{:.1}", x(*viewers), y(*cpu)))
        .collect();
    let _ = writeln!(
        out,
        "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"/>",
        path.join(" ")
    );
    for (viewers, cpu) in &line.points {
        let _ = writeln!(
            out,
            "<circle cx=\"{:.1}\" cy=\"{:.1}\" r=\"3.5\" fill=\"{colour}\"/>",
            x(*viewers),
            y(*cpu)
        );
    }
    if let Some((viewers, cpu)) = line.points.last() {
        let _ = writeln!(
            out,
            "<text x=\"{:.1}\" y=\"{:.1}\" fill=\"{colour}\">{}</text>",
            x(*viewers) + 10.0,
            y(*cpu) + 4.0,
            line.name
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_cpu_is_drawn_higher_and_more_viewers_further_right() {
        let line = Line {
            name: "a".to_owned(),
            points: vec![(1.0, 0.01), (50.0, 1.0)],
        };
        let plot = svg("t", &[line]);
        let from = plot.find("points=\"").expect("a curve") + "points=\"".len();
        let numbers: Vec<f64> = plot[from..]
            .split('"')
            .next()
            .expect("points")
            .split([',', ' '])
            .map(|n| n.parse().expect("a number"))
            .collect();
        assert_eq!(
            numbers,
            [LEFT, HEIGHT - BOTTOM, WIDTH - RIGHT, TOP],
            "{plot}"
        );
    }
}
