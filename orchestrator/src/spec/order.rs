//! That the steps of a run can follow one another: names told apart, all of them known, no circle.
//!
//! It does not know when a step begins; [`crate::flow`] does.

use super::cursor::{At, nearest};
use super::fault::Fault;
use super::schema::STEP;
use super::step::Step;

/// Checks the order of all steps; `ats` are where they stand.
pub(crate) fn check(steps: &[Step], ats: &[At<'_>]) -> Result<(), Fault> {
    let names: Vec<&str> = steps.iter().map(|step| step.name.as_str()).collect();
    for (index, name) in names.iter().enumerate() {
        if names[..index].contains(name) {
            let message = format!("another step has the name `{name}` already");
            return Err(place(&ats[index], "name", None)?.fault(message, "choose another"));
        }
    }
    for (step, at) in steps.iter().zip(ats) {
        for (entry, name) in step.after.iter().enumerate() {
            if !names.contains(&name.as_str()) {
                let near = nearest(name, &names)
                    .map_or(String::new(), |near| format!("did you mean `{near}`? "));
                let help = format!("{near}the steps are {}", names.join(", "));
                let at = place(at, "after", Some(entry))?;
                return Err(at.fault(format!("there is no step `{name}`"), help));
            }
        }
    }
    match circle(steps) {
        None => Ok(()),
        Some(circle) => {
            let first = circle[0];
            let mut way: Vec<_> = circle.iter().map(|&index| names[index]).collect();
            way.push(names[first]);
            let message = format!("these steps wait for one another: {}", way.join(" after "));
            let help = "take one of them out of its `after`";
            Err(place(&ats[first], "after", None)?.fault(message, help))
        }
    }
}

/// A field of a step, or one entry of it, for a complaint.
fn place<'a>(at: &At<'a>, field: &str, entry: Option<usize>) -> Result<At<'a>, Fault> {
    let fields = at.fields(&STEP)?;
    let field = fields.get(field).unwrap_or(at).clone();
    Ok(match entry {
        None => field,
        Some(entry) => field.list("a list")?.swap_remove(entry),
    })
}

/// A circle of steps, each waiting for the next, if there is one: what is left when steps that wait for
/// nothing are taken away again and again leads into it.
fn circle(steps: &[Step]) -> Option<Vec<usize>> {
    let find = |name: &String| steps.iter().position(|step| step.name == *name);
    let before: Vec<Vec<usize>> = steps
        .iter()
        .map(|step| step.after.iter().filter_map(find).collect())
        .collect();
    let mut left = vec![true; steps.len()];
    while let Some(free) =
        (0..steps.len()).find(|&index| left[index] && before[index].iter().all(|&b| !left[b]))
    {
        left[free] = false;
    }
    let mut way = vec![left.iter().position(|&left| left)?];
    loop {
        let next = *before[way[way.len() - 1]].iter().find(|&&b| left[b])?;
        match way.iter().position(|&step| step == next) {
            Some(start) => return Some(way.split_off(start)),
            None => way.push(next),
        }
    }
}
