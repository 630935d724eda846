//! The terminal.

use std::io::{self, Stdout, Write as _};

use crossterm::cursor::{Hide, MoveTo, Show};
use crossterm::style::{Attribute, Color, Print, ResetColor, SetAttribute, SetForegroundColor};
use crossterm::terminal::{
    BeginSynchronizedUpdate, Clear, ClearType, EndSynchronizedUpdate, EnterAlternateScreen,
    LeaveAlternateScreen, disable_raw_mode, enable_raw_mode, size,
};
use crossterm::{execute, queue};

use super::{
    supervisor::Supervisor,
    table::{self, Tone},
};

/// The terminal, in raw mode and on a screen of its own until this is dropped.
#[derive(Debug)]
pub(super) struct Screen {
    out: Stdout,
}

impl Screen {
    pub(super) fn open() -> io::Result<Self> {
        enable_raw_mode()?;
        let mut screen = Self { out: io::stdout() };
        execute!(screen.out, EnterAlternateScreen, Hide)?;
        Ok(screen)
    }

    /// Draws everything again; the terminal shows it at once.
    pub(super) fn draw(&mut self, cluster: &Supervisor) -> io::Result<()> {
        let (columns, rows) = size()?;
        let (columns, rows) = (usize::from(columns), usize::from(rows));
        let mut left = rows;
        queue!(self.out, BeginSynchronizedUpdate, MoveTo(0, 0))?;
        let heading = table::heading(cluster);
        self.line(&mut left, columns, Tone::Plain, false, &heading)?;
        self.line(&mut left, columns, Tone::Faint, false, table::KEYS)?;
        self.line(&mut left, columns, Tone::Plain, false, "")?;
        for line in table::lines(cluster) {
            let mark = if line.selected { "> " } else { "  " };
            let text = format!("{mark}{}", line.text);
            self.line(&mut left, columns, line.tone, line.selected, &text)?;
        }
        self.line(&mut left, columns, Tone::Plain, false, "")?;
        for event in cluster.events.last(left.saturating_sub(1)) {
            self.line(&mut left, columns, Tone::Plain, false, &event.line())?;
        }
        queue!(self.out, Clear(ClearType::FromCursorDown), EndSynchronizedUpdate)?;
        self.out.flush()
    }

    fn line(
        &mut self,
        left: &mut usize,
        columns: usize,
        tone: Tone,
        bold: bool,
        text: &str,
    ) -> io::Result<()> {
        // The last row stays empty: a line's end there would scroll.
        if *left <= 1 {
            return Ok(());
        }
        *left -= 1;
        match tone {
            Tone::Plain => {}
            Tone::Faint => queue!(self.out, SetAttribute(Attribute::Dim))?,
            Tone::Good => queue!(self.out, SetForegroundColor(Color::Green))?,
            Tone::Warning => queue!(self.out, SetForegroundColor(Color::Yellow))?,
            Tone::Bad => queue!(self.out, SetForegroundColor(Color::Red))?,
        }
        if bold {
            queue!(self.out, SetAttribute(Attribute::Bold))?;
        }
        let text: String = text.chars().take(columns).collect();
        queue!(
            self.out,
            Print(text),
            SetAttribute(Attribute::Reset),
            ResetColor,
            Clear(ClearType::UntilNewLine),
            Print("\r\n")
        )
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        // Whatever fails, the rest is worth trying, and there is nobody to tell.
        let _ = execute!(self.out, Show, LeaveAlternateScreen);
        let _ = disable_raw_mode();
    }
}
