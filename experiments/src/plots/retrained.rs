//! Accuracy after training, seed by seed, one row a network and what stands in its activations.

use super::Rows;
use super::figure::{Axis, Figure, Look, Panel, Point, Scale, Series, Shape};
use super::shared::run_line;
use crate::published::published;
use crate::seeds::{Group, groups};

/// Rows, means over at least two seeds; beside them, where the run compares the paper's methods, the paper's figures.
pub fn figure(rows: &Rows) -> Option<Figure> {
    let groups = groups(&rows.train);
    let (most, fewest) = (
        groups.iter().map(|group| group.seeds).max()?,
        groups.iter().map(|group| group.seeds).min()?,
    );
    if most < 2 {
        return None;
    }
    let names: Vec<String> = groups.iter().map(Group::name).collect();
    let ours: Vec<Point> = groups
        .iter()
        .enumerate()
        .map(|(place, group)| Point {
            x: 100.0 * group.mean,
            y: place as f64,
            span: Some((100.0 * group.least, 100.0 * group.most)),
            note: format!("{:.2} %", 100.0 * group.mean),
        })
        .collect();
    let spans = || ours.iter().filter_map(|point| point.span);
    let near = Scale::linear_over(spans().flat_map(|(low, high)| [low, high])).with_room(0.16);
    let seeds = if most == fewest {
        format!("{most} seeds")
    } else {
        format!("{fewest} to {most} seeds")
    };
    let series = |label: &str, look, points| Series {
        label: label.to_string(),
        shape: Shape::Markers,
        look,
        points,
    };
    let mut panels = vec![Panel {
        title: String::new(),
        x: Axis::new("test accuracy (%)", near),
        y: Axis::new("", Scale::Names(names.clone())),
        series: vec![series(
            "this run, mean and range",
            Look::nth(0),
            ours.clone(),
        )],
    }];
    let paper = paper(&groups);
    if !paper.is_empty() {
        let bare = ours.into_iter().map(|point| Point::at(point.x, point.y));
        panels.push(Panel {
            title: "beside the paper".to_string(),
            x: Axis::new("test accuracy (%)", Scale::Linear(30.0, 105.0)),
            y: Axis::new("", Scale::Names(names.clone())),
            series: vec![
                series("this run, mean and range", Look::nth(0), bare.collect()),
                series("the paper, unverified", Look::nth(1), paper),
            ],
        });
    }
    Some(Figure {
        name: "retrained",
        title: "Test accuracy after training with the polynomials in place".to_string(),
        caption: vec![
            format!("Mean over {seeds}; bars from the lowest to the highest."),
            run_line(&rows.run_id),
        ],
        columns: 2,
        panel: (300.0, 38.0 * names.len() as f64),
        panels,
    })
}

/// The paper's accuracies of its methods, in the rows of the same method; none if fewer than all of them are there.
fn paper(groups: &[Group]) -> Vec<Point> {
    let methods = published().methods;
    let of_relu = |group: &&Group| group.dataset == "mnist" && group.activation == "relu";
    let all = methods.iter().all(|method| {
        let mut here = groups.iter().filter(of_relu);
        here.any(|group| group.method == method.name)
    });
    if !all {
        return Vec::new();
    }
    let points = groups
        .iter()
        .enumerate()
        .filter(|(_, group)| of_relu(group));
    points
        .filter_map(|(place, group)| {
            let method = methods.iter().find(|method| method.name == group.method)?;
            Some(Point::at(100.0 * method.accuracy, place as f64))
        })
        .collect()
}
