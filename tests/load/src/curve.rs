//! What a run takes over its time, whether that grows, and a picture of it.

use std::path::{Path, PathBuf};

use clap::Args;
use plotters::prelude::{
    ChartBuilder, IntoDrawingArea, IntoFont, LineSeries, RGBColor, SVGBackend, WHITE,
};

use crate::error::Error;
use crate::report::Report;

/// Samples that are kept: a week of them. What comes beyond is not looked at.
const SAMPLES_MAX: usize = 100_000;
/// What begins fills caches and files that are used again, which is no growth: this part of the
/// samples, the first fifth, is left out of the slope.
const BEGINNING: usize = 5;
/// Of a picture, in pixels.
const SIZE: (u32, u32) = (860, 340);
const LINE: RGBColor = RGBColor(0x2f, 0x6f, 0xb7);
const MIB: f64 = 1024.0 * 1024.0;

/// Where the picture of a run goes.
#[derive(Clone, Debug, Args)]
pub(crate) struct PlotOptions {
    /// Draw what the store's tables take over the time of the run, as SVG
    #[arg(long, value_name = "FILE")]
    plot: Option<PathBuf>,
}

impl PlotOptions {
    /// Draws the curve if that was asked for.
    pub(crate) fn draw(&self, curve: &Curve, title: &str) -> Result<(), Error> {
        match &self.plot {
            Some(path) => curve.draw(path, title).map_err(|reason| {
                let path = path.display().to_string();
                Error::Plot { path, reason }
            }),
            None => Ok(()),
        }
    }
}

/// Bytes over the time of a run, sample by sample.
#[derive(Debug, Default)]
pub(crate) struct Curve {
    /// Seconds since the start, and bytes.
    samples: Vec<(f64, u64)>,
}

impl Curve {
    pub(crate) fn add(&mut self, at_s: f64, bytes: u64) {
        if self.samples.len() < SAMPLES_MAX {
            self.samples.push((at_s, bytes));
        }
    }

    pub(crate) fn max(&self) -> u64 {
        self.samples.iter().map(|(_, bytes)| *bytes).max().unwrap_or(0)
    }

    /// Bytes by which it grows in an hour, by least squares; 0 of less than two samples.
    pub(crate) fn hourly(&self) -> f64 {
        (slope(&self.samples[self.samples.len() / BEGINNING..]) * 3_600.0).round()
    }

    /// Its highest point and its slope, as fields whose names begin with `what`.
    pub(crate) fn add_to(&self, report: &mut Report, what: &str) {
        report.add(format!("{what}_max_bytes"), self.max());
        report.add(format!("{what}_bytes_per_hour"), self.hourly());
    }

    fn draw(&self, path: &Path, title: &str) -> Result<(), String> {
        let words = |error: &dyn std::fmt::Display| error.to_string();
        let minutes = self.samples.last().map_or(1.0, |(at_s, _)| at_s / 60.0);
        let most = (self.max() as f64 / MIB * 1.2).max(1.0);
        let area = SVGBackend::new(path, SIZE).into_drawing_area();
        area.fill(&WHITE).map_err(|error| words(&error))?;
        let mut chart = ChartBuilder::on(&area)
            .caption(title, ("sans-serif", 17).into_font())
            .margin(12)
            .x_label_area_size(40)
            .y_label_area_size(60)
            .build_cartesian_2d(0.0..minutes, 0.0..most)
            .map_err(|error| words(&error))?;
        chart
            .configure_mesh()
            .x_desc("minutes")
            .y_desc("MiB")
            .draw()
            .map_err(|error| words(&error))?;
        let points = self.samples.iter().map(|(at_s, bytes)| (at_s / 60.0, *bytes as f64 / MIB));
        chart.draw_series(LineSeries::new(points, &LINE)).map_err(|error| words(&error))?;
        area.present().map_err(|error| words(&error))
    }
}

/// By least squares; 0 of less than two samples.
fn slope(samples: &[(f64, u64)]) -> f64 {
    let count = samples.len() as f64;
    let mean = |each: &dyn Fn(&(f64, u64)) -> f64| samples.iter().map(each).sum::<f64>() / count;
    let at = mean(&|(at_s, _)| *at_s);
    let bytes = mean(&|(_, bytes)| *bytes as f64);
    let mut above = 0.0;
    let mut below = 0.0;
    for (at_s, of) in samples {
        above += (at_s - at) * (*of as f64 - bytes);
        below += (at_s - at) * (at_s - at);
    }
    if below > 0.0 { above / below } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn growth_is_found_and_what_wavers_is_none() {
        let samples = |bytes: fn(u64) -> u64| -> Vec<_> {
            (0..1_000).map(|s| (s as f64, bytes(s))).collect()
        };
        let slope = |samples: Vec<_>| slope(&samples).round();
        assert_eq!(slope(samples(|s| 500 + 3 * s)), 3.0);
        assert_eq!(slope(samples(|s| 500 + s % 2)), 0.0);
        assert_eq!(slope(Vec::new()), 0.0);
    }

    #[test]
    fn a_picture_has_its_line_and_its_words() {
        let mut curve = Curve::default();
        (0..100).for_each(|s| curve.add(f64::from(s), 5 * 1024 * 1024));
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("curve.svg");
        let options = PlotOptions { plot: Some(path.clone()) };
        options.draw(&curve, "what the tables take").unwrap();
        let drawn = std::fs::read_to_string(&path).unwrap();
        for part in ["<svg", "<polyline", "what the tables take", "minutes", "MiB"] {
            assert!(drawn.contains(part), "{part} in {drawn}");
        }
        let nowhere = PlotOptions { plot: Some(folder.path().join("none").join("curve.svg")) };
        assert!(nowhere.draw(&curve, "").unwrap_err().to_string().contains("curve.svg"));
    }
}
