//! What the demo is doing, on stderr: a bar on a terminal, otherwise one line per step. Never on stdout.

use std::io::IsTerminal;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Shows one step at a time.
#[derive(Clone, Debug)]
pub struct Progress {
    bar: ProgressBar,
    /// Lines instead of a bar.
    has_lines: bool,
}

impl Progress {
    /// A bar when people watch, lines when stderr is a file.
    #[must_use]
    pub fn on_stderr() -> Self {
        let is_watched = std::io::stderr().is_terminal();
        let bar = ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::stderr());
        let style = ProgressStyle::with_template("{msg:32} {bar:40} {pos}/{len} {elapsed}");
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        Self { bar, has_lines: !is_watched }
    }

    /// Shows nothing.
    #[must_use]
    pub fn silent() -> Self {
        Self { bar: ProgressBar::hidden(), has_lines: false }
    }

    /// Begins a step of `length` parts.
    #[expect(clippy::print_stderr, reason = "messages of the command line go to stderr")]
    pub fn step(&self, what: &str, length: usize) {
        if self.has_lines {
            eprintln!("{what}: {length}");
        }
        self.bar.reset();
        self.bar.set_length(u64::try_from(length).unwrap_or(0));
        self.bar.set_message(what.to_owned());
    }

    /// So many parts of the step are done.
    pub fn done(&self, parts: usize) {
        self.bar.inc(u64::try_from(parts).unwrap_or(0));
    }

    /// Removes the bar.
    pub fn end(&self) {
        self.bar.finish_and_clear();
    }
}
