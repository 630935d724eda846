//! `throughline store copy`: a parked cluster moves from one store to another.
//!
//! - `parked`: refuses a store that nodes act on; `sum`: what a store has
//! - `transfer`: the batches; `error`: why a copy was refused

mod error;
mod parked;
mod sum;
#[cfg(test)]
mod tests;
mod transfer;

use std::time::Duration;

use indicatif::{HumanBytes, ProgressBar, ProgressFinish, ProgressStyle};
use serde_json::json;

use self::{parked::Gone, sum::Sum, transfer::Begin};
use crate::{
    Ending,
    error::Error,
    output,
    pages::Side,
    place::{Place, block_on},
};

pub(crate) use error::CopyError;

/// How often the bar moves though nothing is copied: a large record, or a server that is away.
const TICK: Duration = Duration::from_millis(500);

/// What a copy has done.
#[derive(Debug)]
struct Copied {
    sum: Sum,
    /// Records that an earlier, interrupted copy had copied.
    before: u64,
    /// Nodes that were killed.
    gone: Vec<Gone>,
}

pub(crate) fn run(from: &Place, to: &Place, is_json: bool) -> Result<Ending, Error> {
    if from.is(to) {
        return Err(CopyError::Same(from.to_string()).into());
    }
    let copied = block_on(async {
        let from = Side { store: from.open().await?, name: from.to_string() };
        let copied = into(&from, to).await;
        from.close().await?;
        copied
    })?;
    print(from, to, &copied, is_json)?;
    Ok(Ending::Well)
}

/// Copies into a store that is not opened, and so not created, before the other may be copied.
async fn into(from: &Side, to: &Place) -> Result<Copied, Error> {
    let gone = parked::check(from).await?;
    let sum = Sum::of(from, &bar("reading", None)).await?;
    let to = Side { store: to.create().await?, name: to.to_string() };
    let copied = copy(from, &to, &sum).await;
    to.close().await?;
    copied.map(|before| Copied { sum, before, gone })
}

/// Copies all, compares both stores, and tells how many records an earlier copy had copied.
async fn copy(from: &Side, to: &Side, sum: &Sum) -> Result<u64, Error> {
    let begin = transfer::begin(from, to, sum, &bar("comparing", Some(sum))).await?;
    let Begin::At(mut row) = begin else { return Ok(sum.records) };
    let before = row.copied;
    transfer::copy(from, to, &mut row, &bar("copying", Some(sum))).await?;
    compare(from, to, sum).await?;
    transfer::end(to, &row).await?;
    Ok(before)
}

/// Reads both stores again, and refuses what is not the same.
async fn compare(from: &Side, to: &Side, before: &Sum) -> Result<(), Error> {
    let now = Sum::of(from, &bar("comparing", Some(before))).await?;
    let names = || (from.name.clone(), to.name.clone());
    if now != *before {
        let (from, to) = names();
        return Err(CopyError::Changed { from, to, before: *before, now }.into());
    }
    let found = Sum::of(to, &bar("comparing", Some(before))).await?;
    if found != *before {
        let (from, to) = names();
        return Err(CopyError::Unequal { from, to, expected: *before, found }.into());
    }
    Ok(())
}

/// What shows how far it is, on a terminal and nowhere else.
fn bar(what: &'static str, total: Option<&Sum>) -> ProgressBar {
    let (bar, template) = match total {
        Some(sum) => (
            ProgressBar::new(sum.records),
            "{msg} {wide_bar} {human_pos} of {human_len} records, {eta} left",
        ),
        None => (ProgressBar::new_spinner(), "{spinner} {msg}, {human_pos} records"),
    };
    // The templates are constants, and name fields that indicatif has.
    let style =
        ProgressStyle::with_template(template).expect("the template names fields of indicatif");
    let bar = bar.with_style(style).with_message(what).with_finish(ProgressFinish::AndClear);
    bar.enable_steady_tick(TICK);
    bar
}

fn print(from: &Place, to: &Place, copied: &Copied, is_json: bool) -> Result<(), Error> {
    let Copied { sum, before, gone } = copied;
    if is_json {
        let gone =
            gone.iter().map(|gone| json!({ "node": gone.member.to_string(), "owned": gone.owned }));
        return output::document(&json!({
            "from": from.to_string(),
            "to": to.to_string(),
            "records": sum.records,
            "bytes": sum.bytes,
            "digest": sum.hex(),
            "copied_before": before,
            "killed_nodes": gone.collect::<Vec<_>>(),
        }));
    }
    let (records, bytes) = (sum.records, HumanBytes(sum.bytes));
    if *before == records && records > 0 {
        output::line(&format!("{to} has all {records} records of {from} already"))?;
    } else if *before > 0 {
        let rest = records - before;
        output::line(&format!("{before} records were there already, {rest} were copied now"))?;
    }
    output::line(&format!("{to} is a copy of {from}: {records} records, {bytes}"))?;
    output::line(&format!("both were read again: digest {}", sum.hex()))?;
    for Gone { member, owned } in gone.iter().filter(|gone| gone.owned > 0) {
        output::line(&format!(
            "{member} was killed and owned {owned} sessions and VActors or more: nodes that start \
             on the copy find it dead, as they would have on {from}"
        ))?;
    }
    Ok(())
}
