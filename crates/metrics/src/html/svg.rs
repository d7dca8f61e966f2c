//! Bars, lines and histograms as SVG. Shapes have attributes and classes, because the page allows no inline styles.

use maud::{Markup, html};

use super::format::{self, shown};
use crate::view::{Bin, Chart, Figure, HeatKey, Level, Spark, Spread};

/// The class of a level.
pub(super) fn class(level: Level) -> &'static str {
    match level {
        Level::None => "lv-none",
        Level::Ok => "lv-ok",
        Level::New => "lv-new",
        Level::Warn => "lv-warn",
        Level::Bad => "lv-bad",
        Level::Stale => "lv-stale",
    }
}

/// A bar from 0 to 1 with a mark at the target.
pub(super) fn bar(figure: Figure, target: f64) -> Markup {
    let width = (figure.value.clamp(0.0, 1.0) * 100.0).round();
    let target = (target.clamp(0.0, 1.0) * 100.0).round();
    html! {
        svg class={ "bar " (class(figure.level)) } viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true" {
            rect class="track" width="100" height="10" {}
            rect class="fill" width=(width) height="10" {}
            rect class="goal" x=((target - 1.0).max(0.0)) width="2" height="10" {}
        }
    }
}

/// How KV use is distributed: a bar up to the median, a thinner one up to the 99th percentile, and a mark at the largest.
pub(super) fn spread(spread: &Spread) -> Markup {
    let x = |value: f64| (value.clamp(0.0, 1.0) * 100.0).round();
    html! {
        svg class={ "bar " (class(spread.p50.level)) } viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true" {
            rect class="track" width="100" height="10" {}
            rect class="reach" y="3" width=(x(spread.p99.value)) height="4" {}
            rect class="fill" width=(x(spread.p50.value)) height="10" {}
            g class=(class(spread.max.level)) {
                rect class="peak" x=((x(spread.max.value) - 3.0).max(0.0)) width="3" height="10" {}
            }
            rect class="goal" x=((x(spread.target) - 1.0).max(0.0)) width="2" height="10" {}
        }
    }
}

/// The points of a line in a box, without those that are not known: a line for each run of known ones.
fn runs(values: &[Option<f64>], largest: f64, (width, height): (f64, f64)) -> Vec<String> {
    let step = width / (values.len().max(2) - 1) as f64;
    let mut runs: Vec<String> = Vec::new();
    let mut gap = usize::MAX;
    for (index, value) in values.iter().enumerate() {
        let Some(value) = value else {
            gap = gap.saturating_add(1);
            continue;
        };
        // A poll interval may be longer than a step.
        if gap > 3 {
            runs.push(String::new());
        }
        gap = 0;
        let (x, y) = (index as f64 * step, height - value / largest * height);
        if let Some(run) = runs.last_mut() {
            run.push_str(&format!("{x:.1},{y:.1} "));
        }
    }
    runs
}

fn largest(values: &[Option<f64>]) -> f64 {
    values.iter().flatten().copied().fold(0.0, f64::max)
}

/// The top of the scale of a figure.
fn scale(key: HeatKey, largest: f64, target: Option<f64>) -> f64 {
    match key {
        HeatKey::Kv | HeatKey::Slots | HeatKey::Hits => 1.0,
        HeatKey::Errors => largest.max(0.01),
        _ => (largest.max(target.unwrap_or(0.0)) * 1.1).max(1.0),
    }
}

/// A small line in a cell.
pub(super) fn spark(spark: &Spark) -> Markup {
    if spark.values.iter().all(Option::is_none) {
        return html! { span class="dim" { (format::UNKNOWN) } };
    }
    let top = scale(spark.key, largest(&spark.values), None);
    let last = spark.values.iter().rev().flatten().next().copied();
    let label = format!(
        "{} in the last 15 minutes, now {}",
        spark.key.title(),
        value(spark.key, last)
    );
    html! {
        svg class="spark" viewBox="-1 -1 92 20" role="img" aria-label=(label) {
            title { (label) }
            @for run in runs(&spark.values, top, (90.0, 18.0)) {
                polyline points=(run.trim_end()) {}
            }
        }
    }
}

/// A value of a figure as text.
pub(super) fn value(key: HeatKey, value: Option<f64>) -> String {
    match key {
        HeatKey::Kv | HeatKey::Slots | HeatKey::Hits => format::percent(value),
        HeatKey::Errors => format::fine_percent(value),
        HeatKey::Waiting => format::number(value),
        HeatKey::Requests => format::number(value),
        HeatKey::Age => format::span(value),
    }
}

/// A line of the last 15 minutes with its scale.
pub(super) fn chart(chart: &Chart) -> Markup {
    let (width, height) = (360.0, 72.0);
    let top = scale(chart.key, largest(&chart.values), chart.target);
    let last = chart.values.iter().rev().flatten().next().copied();
    let level = match (last, chart.target) {
        (Some(last), Some(target)) if target > 0.0 => Level::of(last / target),
        _ => Level::None,
    };
    let (now, most) = (
        value(chart.key, last),
        value(chart.key, Some(largest(&chart.values))),
    );
    let target = chart.target.map(|target| height - target / top * height);
    let label = format!(
        "{} over the last 15 minutes: now {now}, at most {most}",
        chart.key.title()
    );
    html! {
        figure class="chart" {
            figcaption {
                span { (chart.key.title()) }
                span class={ "now " (class(level)) } { (now) }
                span class="dim" { "max " (most) }
            }
            svg viewBox="0 -2 360 76" preserveAspectRatio="none" role="img" aria-label=(label) {
                @for fifth in 1..3 {
                    line class="grid" x1=(120 * fifth) x2=(120 * fifth) y1="0" y2="72" {}
                }
                line class="grid" x1="0" x2="360" y1="72" y2="72" {}
                @if let Some(y) = target {
                    line class="target" x1="0" x2="360" y1={ (format!("{y:.1}")) } y2={ (format!("{y:.1}")) } {}
                }
                @for run in runs(&chart.values, top, (width, height)) {
                    @if run.trim_end().contains(' ') {
                        polyline points=(run.trim_end()) {}
                    } @else {
                        @let (x, y) = run.trim_end().split_once(',').unwrap_or(("0", "0"));
                        circle cx=(x) cy=(y) r="1.5" {}
                    }
                }
            }
            div class="axis dim" aria-hidden="true" { span { "−15 min" } span { "−10" } span { "−5" } span { "now" } }
        }
    }
}

/// How many workers have which value.
pub(super) fn histogram(bins: &[Bin], key: HeatKey) -> Markup {
    let most = bins.iter().map(|bin| bin.count).max().unwrap_or(0).max(1);
    let edge = |edge: f64| match key {
        HeatKey::Waiting => format!("{edge}"),
        _ => format!("{}", (edge * 100.0).round()),
    };
    let unit = if key == HeatKey::Waiting { "" } else { " %" };
    html! {
        div class="histogram" {
            @for bin in bins {
                @let label = format!(
                    "{} from {} to {}{unit}: {}",
                    shown(key.title()), edge(bin.from), edge(bin.to), format::counted(bin.count, "worker")
                );
                div class="bin" title=(label) {
                    span class="count" { @if bin.count > 0 { (bin.count) } }
                    svg class=(class(bin.level)) viewBox="0 0 10 48" preserveAspectRatio="none" role="img" aria-label=(label) {
                        @let share = bin.count as f64 / most as f64 * 48.0;
                        @let height = if bin.count > 0 { share.max(2.0) } else { 0.0 };
                        rect class="fill" width="10" y={ (format!("{:.1}", 48.0 - height)) } height={ (format!("{height:.1}")) } {}
                    }
                    span class="edge dim" { (edge(bin.from)) }
                }
            }
        }
    }
}
