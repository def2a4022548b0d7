//! The bars of this process: all of them on one terminal, so that lines of the log can come between.
//!
//! What a bar shows is known to whoever has it.

use std::io::{self, IsTerminal as _, Write};
use std::sync::LazyLock;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget};

use super::say;

/// How often bars are drawn.
const REDRAWS_A_SECOND: u8 = 10;

static BARS: LazyLock<MultiProgress> = LazyLock::new(|| {
    let target = ProgressDrawTarget::stderr_with_hz(REDRAWS_A_SECOND);
    MultiProgress::with_draw_target(target)
});

/// A bar of so many, if that is known. It is shown below the others if standard error is a terminal.
pub(crate) fn bar(of: Option<u64>) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(of, ProgressDrawTarget::hidden());
    match io::stderr().is_terminal() {
        true => BARS.add(bar),
        false => bar,
    }
}

/// Says something without disturbing this bar and the others, which are drawn anew below it. indicatif's own way to do
/// so ends the process if the terminal went away.
pub(crate) fn say_beside(bar: &ProgressBar, text: &str) {
    let _gone = BARS.clear();
    say(text);
    bar.tick();
}

/// Takes these bars away for good: none of their lines may be taken for one that is still on the screen.
pub(crate) fn take_away(bars: &[ProgressBar]) {
    let _gone = BARS.clear();
    for bar in bars {
        BARS.remove(bar);
    }
}

/// Standard error for whole lines, which take the place of the bars; those are drawn anew below.
pub(crate) struct BesideBars;

impl Write for BesideBars {
    fn write(&mut self, lines: &[u8]) -> io::Result<usize> {
        // A terminal that went away takes its bars along. Whoever draws them has hold of them first, and of standard
        // error then: nobody may do it the other way round.
        let _gone = BARS.clear();
        io::stderr().write(lines)
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}
